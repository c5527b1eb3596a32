"""What charts or a visit hold, and what that refers to, page by page: for `$everything`.

Every statement is under the asker's scope. A page goes on after the last row of the one before, and never shows what was
created after the first page. Source: https://hl7.org/fhir/R4/patient-operation-everything.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.fhir.parameters import main_date
from yersin.fhir.problem import problem
from yersin.search.page import Query
from yersin.search.run import where_of
from yersin.search.tokens import reference_text
from yersin.store import reading
from yersin.store.identity import row_id
from yersin.store.reading import COLUMNS, version_of
from yersin.store.schema import table
from yersin.store.versions import Version

from . import audit
from .access import Access, disclosed
from .scope import in_chart
from .writing import not_open

#: rows taken from the database at a time, and packed bytes after which a page ends
BATCH, BYTES = 100, 4 * 2**20
#: resources referred to that a page adds at most, and that further pages remember to have been told
LIMIT, REMEMBERED = 1000, 500
_BIRTH = frozenset({"birthdate"})


class Place(NamedTuple):
    """Place of a row: the position of its type among those that are gathered, and its key."""

    type: int = 0
    pat: UUID = UUID(int=0)
    id: UUID = UUID(int=0)


_BEGINNING = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What is gathered: the compartment of a patient or an encounter, or the charts of everybody (no id).

    `types` are read in their order; only those of `shown` are given, where it names some.
    """

    compartment: str
    id: str
    types: Sequence[str]
    shown: Sequence[str] = ()
    since: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    count: int

    def shows(self, type_name: str) -> bool:
        """Whether resources of a type are wanted."""
        return not self.shown or type_name in self.shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How far the pages have come: the last row, the database's state at the first page, hashes of what was added."""

    place: Place = _BEGINNING
    horizon: str = ""
    told: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A page: what lies in the compartment, what that refers to, and where to go on; None where it was the last."""

    versions: Sequence[Version]
    referred: Sequence[Version]
    reached: Reached | None


async def gather(access: Access, whole: Whole, reached: Reached) -> Gathered:
    """Gather a page. Raises Problem: not-found (404, also for what is not open to the asker), deleted (410)."""
    async with access.ground.database.searching() as connection:
        home = [await _home(connection, access, whole)] if whole.id else []
        horizon = reached.horizon or str(await connection.fetchval("SELECT pg_current_snapshot()::text"))
        found, place = await _page(connection, access, whole, reached.place, horizon)
        referred = await _Referred(connection, access, whole, set(reached.told)).of(found, home)
    shown = [version for version in found if whole.shows(version.type)]
    entity = row_id(whole.compartment, whole.id).id if whole.id else None
    patients = disclosed([*shown, *referred])
    await access.record(audit.Entry(interaction="everything", type=whole.compartment, entity=entity, patients=patients))
    told = (*reached.told, *(_mark(access, v.type, v.id) for v in referred))[:REMEMBERED]
    further = Reached(place=place, horizon=horizon, told=told) if place else None
    return Gathered(versions=shown, referred=referred, reached=further)


async def _home(connection: Connection, access: Access, whole: Whole) -> UUID:
    """Find the chart of the patient or the encounter that is asked about."""
    row = row_id(whole.compartment, whole.id)
    version = await reading.read(connection, whole.compartment, row, access.scope)
    if version is None:
        await access.record(
            audit.Entry(interaction="everything", outcome=audit.REFUSED, type=whole.compartment, entity=row.id)
        )
        raise not_open(whole.compartment, whole.id)
    if version.deleted:
        raise problem("deleted", f"{whole.compartment}/{whole.id} was deleted.", status=410)
    return version.pat


async def _page(
    connection: Connection, access: Access, whole: Whole, after: Place, horizon: str
) -> tuple[list[Version], Place | None]:
    """Read rows after a place, and give the place to go on from where there are more."""
    found: list[Version] = []
    last, size = after, 0
    while last.type < len(whole.types):
        rows = await _rows(connection, access, whole, last, horizon)
        for row in rows:
            if len(found) == whole.count or (found and size >= BYTES):
                return found, last
            found.append(version_of(whole.types[last.type], row))
            last, size = Place(last.type, row["pat"], row["id"]), size + len(row["content"])
        if len(rows) < BATCH:
            last = Place(last.type + 1)
    return found, None


async def _rows(connection: Connection, access: Access, whole: Whole, after: Place, horizon: str) -> Sequence[Any]:
    type_name = whole.types[after.type]
    within = (whole.compartment, whole.id) if whole.id else None
    clause = where_of(Query(type=type_name, within=within), access.ground.indexer, Sql())
    sql = clause.sql
    clause.add(access.scope.condition(sql, type_name, "r"))
    if not whole.id and type_name != "Patient":
        clause.add("r.pat <> r.id")
    clause.add(f"(r.pat, r.id) > ({sql.arg(after.pat, 'uuid')}, {sql.arg(after.id, 'uuid')})")
    if whole.since is not None:
        clause.add(f"r.upd >= {sql.arg(whole.since)}")
    _add_dates(whole, type_name, clause.parts, sql)
    snapshot = f"{sql.arg(horizon, 'text')}::pg_snapshot"
    clause.add(
        f"(pg_visible_in_snapshot(r.tx, {snapshot}) OR EXISTS (SELECT FROM history h WHERE h.pat = r.pat "
        f"AND h.type = {r4.TYPE_NUMBER[type_name]} AND h.id = r.id AND pg_visible_in_snapshot(h.tx, {snapshot})))"
    )
    rows: Sequence[Any] = await connection.fetch(
        f"SELECT {COLUMNS} FROM {clause.rows()} ORDER BY r.pat, r.id LIMIT {BATCH}",
        *sql.arguments,
    )
    return rows


def _add_dates(whole: Whole, type_name: str, conditions: list[str], sql: Sql) -> None:
    """Keep what was done between two dates; what has no date of care stays."""
    date = main_date(type_name)
    if date is None or date.code in _BIRTH:
        return
    if whole.start is not None:
        conditions.append(f"(r.d_lo IS NULL OR r.d_hi > {sql.arg(whole.start)})")
    if whole.end is not None:
        conditions.append(f"(r.d_lo IS NULL OR r.d_lo < {sql.arg(whole.end)})")


def _mark(access: Access, type_name: str, logical_id: str) -> int:
    return access.ground.indexer.hashes((f"{type_name}/{logical_id}",))[0]


class _Referred:
    """Follows references: to whatever is in no chart, in the same chart, or about nobody; to no other patient."""

    def __init__(self, connection: Connection, access: Access, whole: Whole, told: set[int]) -> None:
        self.connection = connection
        self.access = access
        self.whole = whole
        self.told = told

    async def of(self, found: Sequence[Version], home: Sequence[UUID]) -> list[Version]:
        """Give what some resources refer to, and what that refers to, each once."""
        places = home or sorted({v.pat for v in found if in_chart(v.type)})
        seen = {(v.type, v.id) for v in found}
        added: list[Version] = []
        fresh = found
        while fresh and len(added) < LIMIT:
            wanted: dict[str, set[UUID]] = {}
            for kind, logical_id in self._named(fresh):
                if (kind, logical_id) not in seen and _mark(self.access, kind, logical_id) not in self.told:
                    seen.add((kind, logical_id))
                    wanted.setdefault(kind, set()).add(row_id(kind, logical_id).id)
            fresh = [v for kind, ids in wanted.items() for v in await self._standing(kind, sorted(ids), places)]
            added += fresh
        return [v for v in added if self.whole.shows(v.type)]

    def _named(self, versions: Iterable[Version]) -> Iterator[tuple[str, str]]:
        for version in versions:
            for text in _references(msgspec.json.decode(version.json())):
                kind, _, logical_id = reference_text(text, self.access.ground.indexer.base).partition("/")
                if kind in r4.TYPE_NUMBER and logical_id and "/" not in logical_id:
                    yield kind, logical_id

    async def _standing(self, kind: str, ids: Sequence[UUID], places: Sequence[UUID]) -> list[Version]:
        sql = Sql(list(ids))
        conditions = ["r.id = ANY($1::uuid[])", self.access.scope.condition(sql, kind, "r")]
        if in_chart(kind):
            same = f"r.pat = ANY({sql.arg(places, 'uuid[]')})"
            conditions.append(same if kind == "Patient" else f"({same} OR r.pat = r.id)")
        if kind in self.whole.types:
            # what lies in the compartment is gathered by itself
            if not self.whole.id:
                conditions.append("r.pat = r.id" if kind != "Patient" else "false")
            else:
                within = (self.whole.compartment, self.whole.id)
                inside = where_of(Query(type=kind, within=within), self.access.ground.indexer, sql)
                conditions.append(f"NOT ({inside.text()})")
        rows = await self.connection.fetch(
            f"SELECT {COLUMNS} FROM {table(kind)} r WHERE {' AND '.join(conditions)} ORDER BY r.pat, r.id LIMIT {LIMIT}",
            *sql.arguments,
        )
        return [version_of(kind, row) for row in rows]


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "reference" and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
