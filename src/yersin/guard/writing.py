"""A write in progress: changes are checked, locked, numbered, stored, indexed, announced and audited in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.fhir.problem import Problem, problem
from yersin.search.page import Query
from yersin.search.quantity import unit_number
from yersin.search.rows import CANONICAL, Row
from yersin.search.run import search
from yersin.store import writing as store
from yersin.store.content import pack, tail_of
from yersin.store.identity import RowId, new_id, row_id
from yersin.store.versions import Version

from . import audit, care
from .roles import may
from .scope import in_chart

if TYPE_CHECKING:
    from .access import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Write a new resource; with `id`, under an id the caller has reserved by `new_id`."""

    resource: r4.Resource
    id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Write a new version of `resource.id`, or its first (update as create). `expected` is the version of If-Match."""

    resource: r4.Resource
    expected: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Delete a resource; its history stays."""

    type: str
    id: str
    expected: int | None = None


Change = Create | Update | Delete


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Outcome of one change: the version now current, and whether the resource came into being by it."""

    version: Version
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A change with everything known about it before the database is asked."""

    write: store.Write
    expected: int | None
    care: tuple[care.Care, ...]
    patients: tuple[UUID, ...]

    @property
    def type(self) -> str:
        return self.write.type


class Writing:
    """The open transaction of one write."""

    def __init__(self, access: Access, connection: Connection) -> None:
        self.access = access
        self.connection = connection

    async def write(self, changes: Sequence[Change]) -> list[Written]:
        """Write changes, all or none. Raises Problem: forbidden, conflict (If-Match), not-found (delete of nothing)."""
        drafts = [draft(self.access, change) for change in changes]
        await self._require_care(drafts)
        locked = await store.lock(self.connection, [d.write.key for d in drafts if d.write.op != "C"])
        writes = [_numbered(d, locked.get(d.write.key)) for d in drafts]
        await self._refuse_hidden(writes)
        moments = await store.write(self.connection, [w for w in writes if w is not None])
        await self._keep_care(drafts)
        done = [w for w in writes if w is not None]
        versions = dict(zip((w.key for w in done), zip(done, moments, strict=True), strict=True))
        outcome = [written(*versions[d.write.key]) for d in drafts if d.write.key in versions]
        await audit.insert(self.connection, self.access.who, entry_of(drafts, outcome))
        return outcome

    async def find(self, query: Query, criteria: str) -> list[Version]:
        """Search within this transaction; nobody else can write by the same criteria until it ends."""
        label = f"{query.type}?{criteria}"
        await self.connection.execute("SELECT pg_advisory_xact_lock($1)", self.access.ground.indexer.hashes([label])[0])
        found = await search(self.connection, self.access.ground.indexer, query, self.access.scope)
        return list(found.versions)

    async def _require_care(self, drafts: Sequence[Draft]) -> None:
        """Refuse writing into charts that are not in the asker's care; people who are registered right here are."""
        new = {d.write.id for d in drafts if d.type == "Patient" and d.write.op == "C"}
        places = {d.write.pat for d in drafts if in_chart(d.type) and d.patients} - new
        if not places or self.access.who.role == "system":
            return
        sql = Sql(list(places))
        hidden = await self.connection.fetchval(
            f"SELECT count(*) FROM unnest($1::uuid[]) AS p (pat) WHERE NOT {self.access.scope.condition(sql, 'Patient', 'p.pat')}",
            *sql.arguments,
        )
        if hidden:
            raise problem(
                "forbidden", "This patient is not in your facility's care, so nothing can be written.", status=403
            )

    async def _refuse_hidden(self, writes: Sequence[store.Write | None]) -> None:
        """Refuse replacing or deleting what the asker cannot see."""
        if self.access.who.role == "system":
            return
        for write in writes:
            if write is None or write.old_pat is None:
                continue
            sql = Sql(write.old_pat)
            seen = await self.connection.fetchval(
                f"SELECT {self.access.scope.condition(sql, write.type, '$1::uuid')}", *sql.arguments
            )
            if not seen:
                raise not_open(write.type, write.name or str(write.id))

    async def _keep_care(self, drafts: Sequence[Draft]) -> None:
        for d in drafts:
            if d.type in care.SOURCES or d.care:
                number, id_ = d.write.key
                await care.replace(self.connection, number, id_, d.write.pat, d.care)


def not_open(type_name: str, logical_id: str) -> Problem:
    """One answer for what is not there and for what the asker may not see, so that neither can be told from the other."""
    return problem("not-found", f"{type_name}/{logical_id} is not here, or is not open to you.", status=404)


def draft(access: Access, change: Change) -> Draft:
    """Work out everything about a change that needs no database. Raises Problem when the role may not write the type."""
    type_name = change.type if isinstance(change, Delete) else type(change.resource).__name__
    _require_role(access, type_name, new=isinstance(change, Create))
    if isinstance(change, Delete):
        row = row_id(type_name, change.id)
        write = store.Write(op="D", type=type_name, id=row.id, name=row.name, pat=row.id)
        return Draft(write=write, expected=change.expected, care=(), patients=())
    resource = change.resource
    if isinstance(change, Create):
        row, op, expected = RowId(change.id or new_id(), None), "C", None
        resource.id = str(row.id)
    else:
        if not resource.id:
            raise problem(
                "required", "The resource needs the id of the address it is sent to.", expression=f"{type_name}.id"
            )
        row, op, expected = row_id(type_name, resource.id), "U", change.expected
    return _stored(access, resource, row, op, expected)


def _stored(access: Access, resource: r4.Resource, row: RowId, op: str, expected: int | None) -> Draft:
    type_name = type(resource).__name__
    index = access.ground.indexer.index(resource)
    patients = tuple(row_id("Patient", p).id for p in index.patients)
    relations = tuple(care.told_by(resource, access.ground.zone)) or _author(access, type_name, patients)
    enc, content = pack(tail_of(resource))
    write = store.Write(
        op=op,
        type=type_name,
        id=row.id,
        name=row.name,
        pat=patients[0] if patients and in_chart(type_name) else row.id,
        owner=access.who.organization,
        enc=enc,
        content=content,
        **_columns(index, access.ground.indexer.key),
    )
    return Draft(write=write, expected=expected, care=relations, patients=patients)


def _author(access: Access, type_name: str, patients: tuple[UUID, ...]) -> tuple[care.Care, ...]:
    """A chart resource about no patient, and a patient nobody keeps, stay open to the facility that wrote them."""
    org = access.who.organization
    if org is None or not in_chart(type_name) or (patients and type_name != "Patient"):
        return ()
    return (care.Care(org=org, since=care.BEFORE, until=care.EVER),)


def _columns(index: Row, key: bytes) -> dict[str, Any]:
    """Columns of the index. Rows in base units go under the negative number of their parameter."""
    rows = index.ranges
    ranges = store.Ranges(
        [-r.param if r.unit and r.unit.startswith(CANONICAL) else r.param for r in rows],
        [r.key for r in rows],
        [unit_number(r.unit, key) if r.unit else 0 for r in rows],
        [r.lo for r in rows],
        [r.hi for r in rows],
    )
    columns = {
        "tok": index.tok,
        "d_lo": index.d_lo,
        "d_hi": index.d_hi,
        "txt": index.txt or None,
        "srt": index.srt or None,
    }
    return {**columns, "ranges": ranges}


def _require_role(access: Access, type_name: str, *, new: bool) -> None:
    who = access.who
    group = "chart" if in_chart(type_name) else "directory"
    registering = type_name == "Patient" and new and may(who.role, "person.register")
    if not registering and not may(who.role, f"{group}.write"):
        raise problem("forbidden", f"Your role ({who.role}) may not write {type_name}.", status=403)


def _numbered(d: Draft, found: store.Locked | None) -> store.Write | None:
    """Give a change its version number and place. None: a delete of what is deleted already, which is no change."""
    write = d.write
    if found is None:
        return _first(d)
    if found.name != write.name:
        raise problem(
            "conflict",
            f"{write.type}/{write.name or write.id} cannot be used as an id here. Choose another.",
            status=409,
        )
    if d.expected is not None and d.expected != found.ver:
        text = f"{write.type}/{write.name or write.id} is at version {found.ver} now, not {d.expected}. Read it again, then change it."
        raise problem("conflict", text, status=412)
    if write.op == "D":
        return None if found.deleted else replace(write, pat=found.pat, old_pat=found.pat, ver=found.ver + 1)
    if found.deleted:
        return replace(write, op="C", ver=found.ver + 1)
    return replace(write, ver=found.ver + 1, old_pat=found.pat)


def _first(d: Draft) -> store.Write | None:
    if d.write.op == "D":
        raise not_open(d.type, d.write.name or str(d.write.id))
    if d.expected is not None:
        raise problem(
            "conflict",
            f"{d.type}/{d.write.name or d.write.id} does not exist, so it has no version {d.expected}.",
            status=412,
        )
    return replace(d.write, op="C")


def written(write: store.Write, moment: datetime) -> Written:
    version = Version(
        type=write.type,
        id=write.name or str(write.id),
        ver=write.ver,
        upd=moment,
        pat=write.pat,
        enc=write.enc,
        content=None if write.op == "D" else write.content,
    )
    return Written(version=version, created=write.op == "C")


def entry_of(drafts: Sequence[Draft], written: Sequence[Written]) -> audit.Entry:
    """Audit entry of a write: one row, whatever the number of changes."""
    patients = {p for d in drafts for p in d.patients} | {d.write.pat for d in drafts if d.type == "Patient"}
    if len(drafts) != 1:
        return audit.Entry(interaction="transaction", patients=sorted(patients))
    (one,) = drafts
    verb = {"C": "create", "U": "update", "D": "delete"}[one.write.op]
    ver = written[0].version.ver if written else None
    return audit.Entry(interaction=verb, type=one.type, entity=one.write.id, ver=ver, patients=sorted(patients))
