"""A write in progress: changes are checked, locked, numbered, stored, indexed, announced and audited in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.fhir.problem import Problem, problem
from yersin.search.build import CANONICAL, Row
from yersin.search.page import Query
from yersin.search.quantity import unit_number
from yersin.search.run import search
from yersin.store import reading
from yersin.store import writing as store
from yersin.store.content import pack, tail_of
from yersin.store.identity import RowId, new_id, row_id
from yersin.store.schema import table
from yersin.store.versions import Version

from . import audit, care, extending, laws, opening, references, subscribing
from .roles import may
from .scope import in_chart

if TYPE_CHECKING:
    from .access import Access

#: `meta.tag` of a resource that was signed
STATE_SYSTEM, SIGNED = "urn:yersin:code-system:state", "signed"


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
#: expected in the place of a version: any (`If-Match: *`), and none (`If-None-Match: *`)
ANY, NONE_YET = -1, 0
Locks = Mapping[tuple[int, UUID], store.Locked]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of one change: the version now current, and whether the resource came into being by it."""

    version: Version
    created: bool


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A change with everything known about it before the database is asked."""

    write: store.Write
    expected: int | None
    care: tuple[care.Care, ...]
    patients: tuple[UUID, ...]
    #: a new visit that goes on now
    visits: bool = False
    #: nothing but its authorship says who may open it
    authored: bool = False

    @property
    def type(self) -> str:
        return self.write.type

    @property
    def logical_id(self) -> str:
        return self.write.name or str(self.write.id)


class Writing:
    """The open transaction of one write."""

    def __init__(self, access: Access, connection: Connection) -> None:
        self.access = access
        self.connection = connection

    async def write(self, changes: Sequence[Change]) -> list[Written]:
        """Write changes, all or none. Raises Problem: forbidden, conflict (If-Match), not-found (delete of what is hidden)."""
        await judge(self.access, changes)
        drafts = [draft(self.access, change) for change in changes]
        await self._require_care(drafts)
        await require_references(self.access, self.connection, changes, drafts)
        locked = await store.lock(self.connection, [d.write.key for d in drafts if d.write.op != "C"])
        if locked:
            await self._refuse_hidden(drafts, locked)
            await self._refuse_signed(drafts, locked)
            await opening.refuse_widening(self, drafts, locked)
        sees_all = self.access.who.role == "system"
        writes = [_numbered(d, locked.get(d.write.key), sees_all=sees_all) for d in drafts]
        judged = await self._obey_laws(drafts, locked)
        await opening.refuse_passing_on(self, [d for d in drafts if d.write.key not in judged])
        moments = await store.write(self.connection, [w for w in writes if w is not None])
        await self._keep_care(drafts, locked)
        await self._keep_parameters(drafts, {d.write.key for d in drafts} & {w.key for w in writes if w is not None})
        done = [w for w in writes if w is not None]
        versions = dict(zip((w.key for w in done), zip(done, moments, strict=True), strict=True))
        outcome = [written(*versions[d.write.key]) for d in drafts if d.write.key in versions]
        await audit.insert(self.connection, self.access.who, entry_of(drafts, outcome))
        return outcome

    async def find(self, query: Query) -> list[Version]:
        """Search within this transaction; nobody else can write by the same criteria until it ends."""
        self.access.who.require_grant(query.type, "s")
        label = f"{query.type}?{'&'.join(sorted(query.text.split('&')))}"
        await self.connection.execute("SELECT pg_advisory_xact_lock($1)", self.access.ground.indexer.hashes([label])[0])
        found = await search(self.connection, self.access.ground.indexer, query, self.access.scope)
        return list(found.versions)

    async def _require_care(self, drafts: Sequence[Draft]) -> None:
        """Refuse writing into charts that are not in the asker's care; people who are registered right here are."""
        new = {d.write.id for d in drafts if d.type == "Patient" and d.write.op == "C"}
        places = {d.write.pat for d in drafts if in_chart(d.type) and d.patients} - new - await self._declared(drafts)
        if not places or self.access.who.role == "system":
            return
        for place in places:
            if not await self._sees("Patient", place, place):
                raise problem(
                    "forbidden", "This patient is not in your facility's care, so nothing can be written.", status=403
                )

    async def _sees(self, type_name: str, pat: UUID, id_: UUID) -> bool:
        """Whether the asker's scope opens a row of a type at some place."""
        sql = Sql(pat, id_)
        seen = await self.connection.fetchval(
            "WITH m AS MATERIALIZED (SELECT $1::uuid AS pat, $2::uuid AS id) "
            f"SELECT {self.access.scope.condition(sql, type_name, reading.FOUND)} FROM m",
            *sql.arguments,
        )
        return bool(seen)

    async def _declared(self, drafts: Sequence[Draft]) -> set[UUID]:
        """Patients who exist and whose presence at the asker's facility these changes declare: the visit opens the chart."""
        if not may(self.access.who.role, "care.declare"):
            return set()
        here = [d.write.pat for d in drafts if d.visits and any(c.org == self.access.who.organization for c in d.care)]
        if not here:
            return set()
        rows = await self.connection.fetch(
            "SELECT id FROM id_map WHERE type = $1 AND id = ANY($2::uuid[]) AND NOT deleted",
            r4.TYPE_NUMBER["Patient"],
            here,
        )
        return {row["id"] for row in rows}

    async def _refuse_hidden(self, drafts: Sequence[Draft], locked: Locks) -> None:
        """Refuse replacing, deleting or reviving what the asker cannot see."""
        if self.access.who.role == "system":
            return
        for d in drafts:
            if d.write.key in locked and not await self._sees(d.type, locked[d.write.key].pat, d.write.id):
                raise not_open(d.type, d.logical_id)

    async def _refuse_signed(self, drafts: Sequence[Draft], locked: Locks) -> None:
        """Refuse changing what was signed: it is immutable, and addenda are resources of their own."""
        changed = [d for d in drafts if d.write.key in locked and not locked[d.write.key].deleted]
        mark = list(self.access.ground.indexer.hashes([f"_tag|{STATE_SYSTEM}|{SIGNED}"]))
        for type_name in sorted({d.type for d in changed}):
            here = {d.write.id: d for d in changed if d.type == type_name}
            signed = await self.connection.fetchval(
                f"SELECT id FROM {table(type_name)} WHERE pat = ANY($1::uuid[]) AND id = ANY($2::uuid[]) AND tok @> $3 LIMIT 1",
                [locked[d.write.key].pat for d in here.values()],
                list(here),
                mark,
            )
            if signed is not None:
                text = f"{type_name}/{here[signed].logical_id} is signed and stays as it is. Write an addendum instead."
                raise problem("business-rule", text, status=409)

    async def _obey_laws(self, drafts: Sequence[Draft], locked: Locks) -> set[tuple[int, UUID]]:
        """Refuse what a law of a resource's type forbids; after numbering, so that a version out of date is told first.

        Answers the keys of those there before whose laws say themselves to whom they open a chart.
        """
        bound = self.access.ground.laws
        if self.access.who.role == "system" or not any(d.type in bound for d in drafts):
            return set()
        steps = [
            laws.Step(type=d.type, id=d.logical_id, before=await self._before(d, locked), after=_becoming(d))
            for d in drafts
        ]
        judged = await laws.obey(bound, laws.Case(self.access, self.connection, steps))
        return {d.write.key for d, by_law in zip(drafts, judged, strict=True) if by_law and d.write.key in locked}

    async def _before(self, d: Draft, locked: Locks) -> Version | None:
        """Version that a draft of a type with a law takes the place of."""
        found = locked.get(d.write.key)
        if found is None or found.deleted or d.type not in self.access.ground.laws:
            return None
        return await reading.read(self.connection, d.type, RowId(d.write.id, d.write.name), self.access.scope)

    async def _keep_parameters(self, drafts: Sequence[Draft], changed: Collection[tuple[int, UUID]]) -> None:
        told = [
            (d.write, None if d.write.op == "D" else written(d.write, datetime.now(UTC)).version.resource())
            for d in drafts
            if d.type == extending.TYPE and d.write.key in changed
        ]
        if told:
            await extending.put(self.access, self.connection, told)

    async def _keep_care(self, drafts: Sequence[Draft], locked: Locks) -> None:
        told = [
            care.Told(*d.write.key, d.write.pat, _still_authored(d, locked.get(d.write.key)), d.write.key not in locked)
            for d in drafts
            if d.type in care.SOURCES or d.care
        ]
        if told:
            await care.put(self.connection, told)


def _becoming(d: Draft) -> Version | None:
    """What a draft says, as the version it will be."""
    return None if d.write.op == "D" else written(d.write, datetime.now(UTC)).version


def _still_authored(d: Draft, before: store.Locked | None) -> tuple[care.Care, ...]:
    """What only its author may open stays the first author's, whoever changes it."""
    if not d.authored or before is None:
        return d.care
    return (care.Care(org=before.owner, since=care.BEFORE, until=care.EVER),) if before.owner else ()


def not_open(type_name: str, logical_id: str) -> Problem:
    """One answer for what is not there and for what the asker may not see, so that neither can be told from the other."""
    return problem("not-found", f"{type_name}/{logical_id} is not here, or is not open to you.", status=404)


#: system of the tag that says that parts are missing, as R4 and as STU 3 wrote it
_OBSERVED = (
    "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "http://hl7.org/fhir/v3/ObservationValue",
)
_VERB = {Create: "c", Update: "u", Delete: "d"}


async def judge(access: Access, changes: Sequence[Change]) -> None:
    """Refuse what the asker's role may not write, and then what has an error. Raises Problem, or Unlearnt."""
    for change in changes:
        type_name = change.type if isinstance(change, Delete) else type(change.resource).__name__
        _require_role(access, type_name, new=isinstance(change, Create))
        access.who.require_grant(type_name, _VERB[type(change)])
        if type_name == extending.TYPE:
            extending.require(access, None if isinstance(change, Delete) else change.resource)
        if access.is_judged and not isinstance(change, Delete):
            _require_whole(change.resource)
    await access.require_good([change.resource for change in changes if not isinstance(change, Delete)])


def _require_whole(resource: r4.Resource) -> None:
    """Refuse what says of itself that parts of it are missing: as it stands, the rest would be gone.

    Source: https://hl7.org/fhir/R4/resource.html#simple-tags
    """
    tags = (resource.meta and resource.meta.tag) or ()
    if any(tag.code == "SUBSETTED" and tag.system in _OBSERVED for tag in tags):
        text = (
            "The tag SUBSETTED says that parts of this resource are missing (_summary or _elements left them out); written so, "
            "they would be lost. Read it whole, change that, and send it; or take the tag away if this is all there is."
        )
        raise problem("business-rule", text, status=422, expression=f"{type(resource).__name__}.meta.tag")


async def require_references(
    access: Access, connection: Connection, changes: Sequence[Change], drafts: Sequence[Draft]
) -> None:
    """Refuse references to what is not here, where the operator wants it so; an import may come in any order."""
    if not (access.ground.has_known_references and access.is_judged):
        return
    resources = [change.resource for change in changes if not isinstance(change, Delete)]
    written = {d.write.key for d in drafts if d.write.op != "D"}
    gone = {d.write.key for d in drafts if d.write.op == "D"}
    await references.require_known(connection, resources, written, gone, access.ground.indexer.base)


def draft(access: Access, change: Change) -> Draft:
    """Work out everything about a change that needs no database; who may make it was asked before."""
    if isinstance(change, Delete):
        row = row_id(change.type, change.id)
        write = store.Write(op="D", type=change.type, id=row.id, name=row.name, pat=row.id)
        return Draft(write=write, expected=change.expected, care=(), patients=())
    resource = change.resource
    if isinstance(change, Create):
        row, op, expected = RowId(change.id or new_id(), None), "C", None
        resource.id = str(row.id)
    else:
        if not resource.id:
            raise problem(
                "required",
                "The resource needs the id of the address it is sent to.",
                expression=f"{type(resource).__name__}.id",
            )
        row, op, expected = row_id(type(resource).__name__, resource.id), "U", change.expected
    if isinstance(resource, r4.Subscription):
        subscribing.prepare(access, resource)
    return _stored(access, resource, row, op, expected)


def _stored(access: Access, resource: r4.Resource, row: RowId, op: str, expected: int | None) -> Draft:
    type_name = type(resource).__name__
    index = access.ground.indexer.index(resource)
    patients = tuple(row_id("Patient", p).id for p in index.patients) or _behind(resource)
    told = tuple(care.told_by(resource, access.ground.zone))
    tail = tail_of(resource)
    enc = access.ground.packing
    resource.id = row.name or str(row.id)  # the write may be tried again
    write = store.Write(
        op=op,
        type=type_name,
        id=row.id,
        name=row.name,
        pat=patients[0] if patients and in_chart(type_name) else row.id,
        owner=access.who.organization,
        enc=enc,
        content=pack(tail, enc),
        tail=tail,
        **columns(index, access.ground.indexer.key),
    )
    visits = op == "C" and isinstance(resource, r4.Encounter) and resource.status == "in-progress"
    return Draft(
        write=write,
        expected=expected,
        care=told or _author(access, type_name, patients),
        patients=patients,
        visits=visits,
        authored=not told,
    )


def _behind(resource: r4.Resource) -> tuple[UUID, ...]:
    """Patient behind a Binary: the one its securityContext names (https://hl7.org/fhir/R4/binary.html)."""
    context = resource.securityContext if isinstance(resource, r4.Binary) else None
    kind, _, logical_id = ((context and context.reference) or "").rpartition("/")
    return (row_id("Patient", logical_id).id,) if kind == "Patient" else ()


def _author(access: Access, type_name: str, patients: tuple[UUID, ...]) -> tuple[care.Care, ...]:
    """A chart resource about no patient, and a patient nobody keeps, stay open to the facility that wrote them."""
    org = access.who.organization
    if org is None or not in_chart(type_name) or (patients and type_name != "Patient"):
        return ()
    return (care.Care(org=org, since=care.BEFORE, until=care.EVER),)


def columns(index: Row, key: bytes) -> dict[str, Any]:
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
        "srt": index.srt if any(index.srt) else None,
        "ixv": index.ixv,
    }
    return {**columns, "ranges": ranges}


def _require_role(access: Access, type_name: str, *, new: bool) -> None:
    who = access.who
    group = "chart" if in_chart(type_name) else "directory"
    registering = type_name == "Patient" and new and may(who.role, "person.register")
    if not registering and not may(who.role, f"{group}.write"):
        raise problem("forbidden", f"Your role ({who.role}) may not write {type_name}.", status=403)


def _numbered(d: Draft, found: store.Locked | None, *, sees_all: bool) -> store.Write | None:
    """Give a change its version number and place. None: a delete of what is not there, which is no change.

    `sees_all`: nothing is hidden from the asker, so that a delete may say that nothing is there.
    """
    write = d.write
    if found is None:
        return _first(d, sees_all=sees_all)
    write = replace(write, owner=found.owner)
    if found.name != write.name:
        raise problem(
            "conflict",
            f"{write.type}/{write.name or write.id} cannot be used as an id here. Choose another.",
            status=409,
        )
    if not _is_met(d.expected, found):
        raise _unmet(d, found)
    if write.op == "D":
        return None if found.deleted else replace(write, pat=found.pat, old_pat=found.pat, ver=found.ver + 1)
    if found.deleted:
        return replace(write, op="C", ver=found.ver + 1, old_pat=found.pat)
    return replace(write, ver=found.ver + 1, old_pat=found.pat)


def _is_met(expected: int | None, found: store.Locked) -> bool:
    if expected in (ANY, NONE_YET):
        return found.deleted is (expected == NONE_YET)
    return expected is None or expected == found.ver


def _unmet(d: Draft, found: store.Locked) -> Problem:
    text = f"{d.type}/{d.logical_id} is at version {found.ver} now, not {d.expected}. Read it again, then change it."
    if d.expected == NONE_YET:
        text = f"{d.type}/{d.logical_id} is there already, at version {found.ver}."
    elif d.expected == ANY:
        text = f"{d.type}/{d.logical_id} was deleted, so nothing can be changed."
    return problem("conflict", text, status=412)


def _first(d: Draft, *, sees_all: bool) -> store.Write | None:
    if d.write.op == "D":
        if sees_all and d.expected is None:
            return None
        raise not_open(d.type, d.logical_id)
    if d.expected not in (None, NONE_YET):
        version = "no version" if d.expected == ANY else f"no version {d.expected}"
        raise problem("conflict", f"{d.type}/{d.logical_id} does not exist, so it has {version}.", status=412)
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
        tail=write.tail or None,
    )
    return Written(version=version, created=write.op == "C")


def entry_of(drafts: Sequence[Draft], written: Sequence[Written], ver: int | None = None) -> audit.Entry:
    """Audit entry of a write: one row, whatever the number of changes."""
    patients = {p for d in drafts for p in d.patients} | {d.write.pat for d in drafts if d.type == "Patient"}
    patients |= {w.version.pat for w in written if in_chart(w.version.type) and w.version.deleted}
    if len(drafts) != 1:
        return audit.Entry(interaction="transaction", patients=sorted(patients))
    (one,) = drafts
    verb = {"C": "create", "U": "update", "D": "delete"}[one.write.op]
    ver = written[0].version.ver if written else ver
    return audit.Entry(interaction=verb, type=one.type, entity=one.write.id, ver=ver, patients=sorted(patients))


def attempted(changes: Sequence[Change]) -> audit.Entry:
    """Audit entry of a write that may be refused: what was to be done, and on what."""
    if len(changes) != 1:
        return audit.Entry(interaction="transaction")
    (one,) = changes
    verb = {Create: "create", Update: "update", Delete: "delete"}[type(one)]
    name = one.type if isinstance(one, Delete) else type(one.resource).__name__
    logical_id = one.id if isinstance(one, Delete) else one.resource.id
    known = not isinstance(one, Create) and isinstance(logical_id, str)
    return audit.Entry(interaction=verb, type=name, entity=row_id(name, str(logical_id)).id if known else None)
