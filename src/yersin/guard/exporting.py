"""All resources of a type as they stood at one moment, in the order of (pat, id), under the asker's scope.

What was written since is left out: of such a resource the version of that moment is given, deleted ones too. Every
version says itself when it was written (`upd`, which only rises), so a later call goes on where an earlier one ended.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.search.page import Query
from yersin.search.run import where_of
from yersin.search.settling import settled
from yersin.search.tokens import member
from yersin.store.reading import COLUMNS, version_of
from yersin.store.schema import table
from yersin.store.versions import Version

from .access import Access

#: rows taken from the database at a time
BATCH = 1000
#: those whose transactions may still write what carries an earlier time; searches and backups write nothing
_WRITING = (
    "SELECT min(xact_start) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend' AND application_name NOT IN ('yersin search', 'pg_dump') "
    "AND xact_start < $1::timestamptz + interval '1 millisecond'"
)
Take = Callable[[Sequence[Version]], Awaitable[bool]]


class Place(NamedTuple):
    """Key of the last row that was read."""

    pat: UUID = UUID(int=0)
    id: UUID = UUID(int=0)


class Moment(NamedTuple):
    """A moment of the database, and the oldest transaction that was running then."""

    at: datetime
    tx: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Which resources of a type: as of a moment, changed after another, of charts only, of some patients, of some searches.

    What is found by `queries` matches one of them as it is when it is read.
    """

    type: str
    moment: Moment
    since: datetime | None = None
    charts: bool = False
    patients: Sequence[str] = ()
    placed: Sequence[UUID] = ()
    #: table of all the patients of which `patients` are some, and the job under which they stand there
    others: tuple[str, UUID] | None = None
    queries: Sequence[Query] = ()


async def moment(connection: Connection) -> Moment:
    """Return the present moment, as exact as versions tell theirs."""
    row = await connection.fetchrow(
        "SELECT date_trunc('milliseconds', clock_timestamp()) AS at, "
        "pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS tx"
    )
    return Moment(row["at"], row["tx"])


async def unsettled(connection: Connection, at: datetime) -> datetime | None:
    """Return the start of the oldest transaction that may yet write something as of a moment; None where all is there."""
    oldest: datetime | None = await connection.fetchval(_WRITING, at)
    return oldest


async def read(access: Access, part: Slice, after: Place, most: int, take: Take) -> Place | None:
    """Hand out versions after a place, batch by batch, until `most` rows were read or `take` answers that it is enough.

    Returns the place to go on from, None where there is nothing left.
    """
    async with access.ground.database.transaction(isolation="repeatable_read", readonly=True) as connection:
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        if not part.queries and not part.patients:
            # the order is that of the primary key: sorting would take the whole table for each file
            await connection.execute("SET LOCAL enable_sort = off")
        queries = [await settled(connection, access.ground.indexer, query, access.scope) for query in part.queries]
        statement, arguments = _rows(access, replace(part, queries=queries), after, most)
        cursor = await connection.cursor(statement, *arguments)
        last, seen, more = after, 0, True
        while more and (rows := await cursor.fetch(BATCH)):
            last, seen = Place(rows[-1]["pat"], rows[-1]["id"]), seen + len(rows)
            more = await take(await _as_of(connection, part, rows))
        ended = more and seen < most
        await _take_gone(connection, access, part, (after, None if ended else last), take)
    return None if ended else last


def _rows(access: Access, part: Slice, after: Place, most: int) -> tuple[str, list[Any]]:
    sql = Sql()
    conditions = [f"(r.pat, r.id) > ({sql.arg(after.pat)}, {sql.arg(after.id)})", *_conditions(access, part, sql, "r")]
    if part.queries:
        found = [where_of(query, access.ground.indexer, sql).text() for query in part.queries]
        conditions.append(f"({' OR '.join(f'({each})' for each in found)})")
    if part.since:
        conditions.append(f"r.upd > {sql.arg(part.since)}")
    statement = (
        f"SELECT {COLUMNS} FROM {table(part.type)} r WHERE {' AND '.join(conditions)} ORDER BY r.pat, r.id LIMIT {most}"
    )
    return statement, sql.arguments


def _conditions(access: Access, part: Slice, sql: Sql, row: str) -> list[str]:
    """Return what holds for every row, whether it still stands or is gone."""
    conditions = [access.scope.condition(sql, part.type, row)]
    if part.charts and part.type != "Patient":
        conditions.append(f"{row}.pat <> {row}.id")
    if part.patients:
        placed = f"{row}.pat = ANY({sql.arg(list(part.placed), 'uuid[]')})"
        if row == "r" and part.type != "Patient":
            texts = [member(patient) for patient in part.patients]
            tokens = sql.arg(list(access.ground.indexer.hashes(texts)), "bigint[]")
            placed = f"r.tok && {tokens} AND ({placed}{_of_nobody_else(part, sql)})"
        conditions.append(placed)
    elif part.others is not None:
        name, key = part.others
        conditions.append(f"{row}.pat IN (SELECT m.pat FROM {name} m WHERE m.job = {sql.arg(key)})")
    return conditions


def _of_nobody_else(part: Slice, sql: Sql) -> str:
    """Return the condition on what lies with a patient not asked for, and tells of one of these too."""
    if part.others is None:
        return ""
    name, key = part.others
    return f" OR r.pat NOT IN (SELECT m.pat FROM {name} m WHERE m.job = {sql.arg(key)})"


async def _as_of(connection: Connection, part: Slice, rows: Sequence[Any]) -> list[Version]:
    """Return the versions that stood at the moment: most rows are these themselves."""
    late = [row for row in rows if row["upd"] > part.moment.at]
    versions = [version_of(part.type, row) for row in rows if row["upd"] <= part.moment.at]
    if late:
        versions += [version_of(part.type, row) for row in await connection.fetch(
            "SELECT DISTINCT ON (h.pat, h.id) h.id, k.name, h.ver, h.upd, h.enc, h.content, h.pat "
            "FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS k (pat, id, name) "
            "JOIN history h ON h.pat = k.pat AND h.type = $4 AND h.id = k.id AND h.upd <= $5 "
            "ORDER BY h.pat, h.id, h.ver DESC",
            [row["pat"] for row in late], [row["id"] for row in late], [row["name"] for row in late],
            r4.TYPE_NUMBER[part.type], part.moment.at,
        ) if _is_wanted(part, row)]  # fmt: skip
    return versions


def _is_wanted(part: Slice, row: Any) -> bool:
    return row["content"] is not None and (part.since is None or row["upd"] > part.since)


async def _take_gone(
    connection: Connection, access: Access, part: Slice, between: tuple[Place, Place | None], take: Take
) -> None:
    """Hand out what stood between two places at the moment, and was deleted since. A search cannot be asked of these."""
    if part.queries:
        return
    after, until = between
    sql = Sql(r4.TYPE_NUMBER[part.type], str(part.moment.tx), after.pat, after.id)
    end = "" if until is None else f" AND (l.pat, l.id) <= ({sql.arg(until.pat)}, {sql.arg(until.id)})"
    await connection.execute("SET LOCAL enable_sort = on")
    cursor = await connection.cursor(
        "SELECT DISTINCT l.pat, l.id FROM change_log l WHERE l.tx >= $2::text::xid8 AND l.type = $1 AND l.op = 'D' "
        f"AND (l.pat, l.id) > ($3, $4){end} ORDER BY l.pat, l.id",
        *sql.arguments,
    )
    while lines := await cursor.fetch(BATCH):
        await take(await _stood(connection, access, part, lines))


async def _stood(connection: Connection, access: Access, part: Slice, lines: Sequence[Any]) -> list[Version]:
    """Return the versions that stood at the moment of what is gone, as far as they are open."""
    sql = Sql(
        r4.TYPE_NUMBER[part.type], part.moment.at, [line["pat"] for line in lines], [line["id"] for line in lines]
    )
    rows = await connection.fetch(
        "SELECT DISTINCT ON (h.pat, h.id) h.id, h.ver, h.upd, h.enc, h.content, h.pat FROM history h "
        "JOIN unnest($3::uuid[], $4::uuid[]) AS k (pat, id) ON h.pat = k.pat AND h.id = k.id "
        f"WHERE h.type = $1 AND h.upd <= $2 AND NOT EXISTS (SELECT 1 FROM {table(part.type)} r WHERE r.pat = h.pat "
        f"AND r.id = h.id) AND {' AND '.join(_conditions(access, part, sql, 'h'))} ORDER BY h.pat, h.id, h.ver DESC",
        *sql.arguments,
    )
    wanted = [row for row in rows if _is_wanted(part, row)]
    names = {
        key: name for key, (name, _) in (await _named(connection, part.type, [row["id"] for row in wanted])).items()
    }
    return [version_of(part.type, {**row, "name": names[row["id"]]}) for row in wanted]


async def _named(
    connection: Connection, type_name: str, ids: Sequence[UUID]
) -> dict[UUID, tuple[str | None, int | None]]:
    """Return names of resources, and of deleted ones the version that says so."""
    rows = await connection.fetch(
        "SELECT id, name, CASE WHEN deleted THEN ver END AS gone FROM id_map WHERE type = $1 AND id = ANY($2::uuid[])",
        r4.TYPE_NUMBER[type_name],
        ids,
    )
    return {row["id"]: (row["name"], row["gone"]) for row in rows}


# --- what was deleted ------------------------------------------------------------------------------------------------


class Deleted(NamedTuple):
    """A resource that was deleted between two moments and is not there again."""

    type: str
    id: str
    pat: UUID


async def deleted(
    access: Access, parts: Sequence[Slice], after: tuple[int, int], most: int = BATCH
) -> tuple[list[Deleted], tuple[int, int] | None]:
    """Find what was deleted after `since`, in the order of the change log; returns the place to go on from, too."""
    by_type = {part.type: part for part in parts}
    async with access.ground.database.acquire() as connection:
        lines = await connection.fetch(
            "SELECT l.tx::text::bigint AS tx, l.seq, l.type, l.id, l.ver, l.pat FROM change_log l "
            "WHERE (l.tx, l.seq) > ($3::text::xid8, $4) AND l.at > $1 AND l.at <= $2 AND l.op = 'D' "
            f"AND l.type = ANY($5::smallint[]) ORDER BY l.tx, l.seq LIMIT {most}",
            parts[0].since,
            parts[0].moment.at,
            str(after[0]),
            after[1],
            [r4.TYPE_NUMBER[name] for name in by_type],
        )
        gone: dict[tuple[int, UUID, int], Deleted] = {}
        for number, group in groupby(sorted(lines, key=itemgetter("type")), key=itemgetter("type")):
            part = by_type[r4.TYPE_NAME[number]]
            gone |= await _gone(connection, access, part, list(group))
    found = [gone[key] for line in lines if (key := (line["type"], line["id"], line["ver"])) in gone]
    return found, (lines[-1]["tx"], lines[-1]["seq"]) if len(lines) == most else None


async def _gone(
    connection: Connection, access: Access, part: Slice, lines: Sequence[Any]
) -> dict[tuple[int, UUID, int], Deleted]:
    """Return what is still deleted of that which lines tell of, as far as it is open: by its last version, which says so."""
    number = r4.TYPE_NUMBER[part.type]
    sql = Sql(number, *([line[name] for line in lines] for name in ("pat", "id", "ver")))
    rows = await connection.fetch(
        "SELECT h.pat, h.id, h.ver FROM history h JOIN unnest($2::uuid[], $3::uuid[], $4::int[]) AS k (pat, id, ver) "
        "ON h.pat = k.pat AND h.id = k.id AND h.ver = k.ver "
        f"WHERE h.type = $1 AND {' AND '.join(_conditions(access, part, sql, 'h'))}",
        *sql.arguments,
    )
    named = await _named(connection, part.type, [row["id"] for row in rows])
    return {
        (number, row["id"], row["ver"]): Deleted(part.type, name or str(row["id"]), row["pat"])
        for row in rows
        for name, gone in (named[row["id"]],)
        if gone == row["ver"]
    }
