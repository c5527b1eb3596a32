"""Versions in the order of their writing: of one resource, of types, of the whole store. Read from the change log and history.

A page goes on after the last line of the one before. Oldest first, only what no running transaction can still precede is
given, so that a reader who goes on later misses nothing. Source: https://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir import r4

from .identity import RowId
from .reading import FOUND, Scope, versioned
from .schema import table
from .versions import Version

#: lines of the change log read at first where not all are open, at most at a time, and at most for a page
FIRST_LOOK, LARGEST_LOOK, LOOKED_LIMIT = 500, 10_000, 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which versions: written since a moment, current within [`lo`, `hi`), and where to go on.

    `after` is what the page before told: version of one resource, or transaction and line of the change log.
    """

    limit: int
    since: datetime | None = None
    lo: datetime | None = None
    hi: datetime | None = None
    oldest_first: bool = False
    after: tuple[int, ...] = ()


class Page(NamedTuple):
    """Versions, where to go on (nothing: it is the last page), and how many there are, where that is known."""

    versions: Sequence[Version]
    after: tuple[int, ...] = ()
    total: int | None = None


async def of_resource(connection: Connection, type_name: str, row: RowId, scope: Scope, wanted: Wanted) -> Page | None:
    """Versions of one resource; None where there is none or the scope hides it."""
    sql = Sql(r4.TYPE_NUMBER[type_name], row.id)
    opened = scope.condition(sql, type_name, FOUND)
    window = _window(sql, wanted, "w.upd", "w.until")
    order = "ASC" if wanted.oldest_first else "DESC"
    on = f"f.ver {'>' if wanted.oldest_first else '<'} {sql.arg(wanted.after[0])}" if wanted.after else "true"
    rows = await connection.fetch(
        f"""WITH m AS MATERIALIZED (SELECT id, pat, name FROM id_map WHERE type = $1 AND id = $2),
        v AS (SELECT r.ver, r.upd, r.enc, r.content FROM {table(type_name)} r JOIN m ON r.pat = m.pat WHERE r.id = $2
          UNION ALL SELECT h.ver, h.upd, h.enc, h.content FROM history h JOIN m ON h.pat = m.pat
            WHERE h.type = $1 AND h.id = $2),
        w AS (SELECT v.*, lead(v.upd) OVER (ORDER BY v.ver) AS until FROM v),
        f AS (SELECT w.*, count(*) OVER () AS total FROM w WHERE {window})
        SELECT m.pat, m.name, f.* FROM m LEFT JOIN f ON {on} WHERE {opened} ORDER BY f.ver {order} LIMIT {wanted.limit + 1}""",
        *sql.arguments,
    )
    if not rows or rows[0]["name"] != row.name:
        return None
    found = [r for r in rows if r["ver"] is not None]
    shown = found[: wanted.limit]
    after = (shown[-1]["ver"],) if shown and len(found) > wanted.limit else ()
    total = found[0]["total"] if found else None if wanted.after else 0
    return Page([versioned(type_name, row, r) for r in shown], after, total)


def _window(sql: Sql, wanted: Wanted, upd: str, until: str) -> str:
    """Return the condition on the time of a version: when it was written, and when it was the current one."""
    parts = [] if wanted.since is None else [f"{upd} >= {sql.arg(wanted.since)}"]
    if wanted.hi is not None:
        parts.append(f"{upd} < {sql.arg(wanted.hi)}")
    if wanted.lo is not None:
        parts.append(f"({until} IS NULL OR {until} > {sql.arg(wanted.lo)})")
    return " AND ".join(parts) or "true"


async def of_types(connection: Connection, types: Sequence[str], scope: Scope, wanted: Wanted) -> Page:
    """Versions of all resources of some types that the scope opens.

    The log is read some lines at a time, for it lies on no machine beside what it tells of. Where the scope opens little
    of it, a page may hold fewer than are wanted, or nothing, and still say where to go on.
    """
    conditions = {name: scope.condition(Sql(), name, "r") for name in types}
    types = [name for name in types if conditions[name] != "false"]
    step, most = wanted.limit + 1, LOOKED_LIMIT
    if any(conditions[name] != "true" for name in types):
        step = max(step, FIRST_LOOK)
        if (
            wanted.lo is not None
        ):  # how long versions were current is worked out of the whole log by each look: so one is taken
            step = most = max(step, LARGEST_LOOK)
    found: list[dict[str, Any]] = []
    after, looked, is_all = wanted.after, 0, not types
    while len(found) <= wanted.limit and looked < most and not is_all:
        lines = await _lines(connection, types, replace(wanted, after=after), step)
        found += await _opened(connection, lines, scope)
        is_all, looked = len(lines) < step, looked + len(lines)
        after = _place(lines[-1]) if lines else after
        step = min(step * 2, LARGEST_LOOK)
    shown = found[: wanted.limit]
    if len(found) > wanted.limit:
        after = _place(shown[-1])
    elif is_all:
        after = ()
    return Page(await _versions(connection, shown, oldest_first=wanted.oldest_first), after)


def _place(line: Any) -> tuple[int, int]:
    return line["tx"], line["seq"]


async def _lines(connection: Connection, types: Sequence[str], wanted: Wanted, most: int) -> list[Any]:
    """Read the next lines of the change log about some types."""
    sql = Sql([r4.TYPE_NUMBER[name] for name in types])
    clauses = ["l.type = ANY($1::smallint[])", *_going_on(sql, wanted)]
    lines = "change_log"
    if wanted.lo is None:
        clauses.append(_window(sql, wanted, "l.at", ""))
    else:
        # how long a version was current is said by the line of the next one
        until = "lead(at) OVER (PARTITION BY type, id ORDER BY ver)"
        lines = f"(SELECT *, {until} AS until FROM change_log WHERE type = ANY($1::smallint[]))"
        clauses.append(_window(sql, wanted, "l.at", "l.until"))
    order = "ASC" if wanted.oldest_first else "DESC"
    rows: list[Any] = await connection.fetch(
        "SELECT l.tx::text::bigint AS tx, l.seq, l.at AS upd, l.type, l.id, l.ver, l.op "
        f"FROM {lines} l WHERE {' AND '.join(clauses)} ORDER BY l.tx {order}, l.seq {order} LIMIT {most}",
        *sql.arguments,
    )
    return rows


async def _opened(connection: Connection, lines: Sequence[Any], scope: Scope) -> list[dict[str, Any]]:
    """Return the lines that the scope opens, with name and place of what they tell of as it lies now."""
    keys = {(line["type"], line["id"]) for line in lines}
    rows = await connection.fetch(
        "SELECT m.type, m.id, m.pat, m.name, m.deleted FROM id_map m "
        "JOIN unnest($1::smallint[], $2::uuid[]) AS k (type, id) ON m.type = k.type AND m.id = k.id",
        [number for number, _ in keys],
        [id_ for _, id_ in keys],
    )
    places: dict[tuple[int, UUID], Any] = {}
    for number, group in groupby(sorted(rows, key=itemgetter("type")), key=itemgetter("type")):
        placed = list(group)
        opened = await _open_ids(connection, r4.TYPE_NAME[number], placed, scope)
        places |= {(number, row["id"]): row for row in placed if row["id"] in opened}
    return [
        {**line, "pat": place["pat"], "name": place["name"]}
        for line in lines
        if (place := places.get((line["type"], line["id"])))
    ]


async def _open_ids(connection: Connection, type_name: str, places: Sequence[Any], scope: Scope) -> set[UUID]:
    """Return which resources of a type the scope opens; a deleted one by its versions, which lie where it lay."""
    if scope.condition(Sql(), type_name, "r") == "true":
        return {place["id"] for place in places}
    found: set[UUID] = set()
    for deleted, rows in ((False, table(type_name)), (True, "history")):
        some = [place for place in places if place["deleted"] is deleted]
        if some:
            sql = Sql([place["pat"] for place in some], [place["id"] for place in some])
            of_type = f"r.type = {r4.TYPE_NUMBER[type_name]} AND " if deleted else ""
            opened = await connection.fetch(
                f"SELECT DISTINCT r.id FROM {rows} r JOIN unnest($1::uuid[], $2::uuid[]) AS k (pat, id) "
                f"ON r.pat = k.pat AND r.id = k.id WHERE {of_type}{scope.condition(sql, type_name, 'r')}",
                *sql.arguments,
            )
            found |= {row["id"] for row in opened}
    return found


def _going_on(sql: Sql, wanted: Wanted) -> list[str]:
    parts = ["l.tx < pg_snapshot_xmin(pg_current_snapshot())"] if wanted.oldest_first else []
    if wanted.after:
        tx, seq = wanted.after
        sign = ">" if wanted.oldest_first else "<"
        parts.append(f"(l.tx, l.seq) {sign} ({sql.arg(str(tx), 'text')}::xid8, {sql.arg(seq, 'bigint')})")
    return parts


async def _versions(connection: Connection, lines: Sequence[Any], *, oldest_first: bool) -> list[Version]:
    """Fetch what lines of the change log tell of, ordered by their moments."""
    content = await _contents(connection, [line for line in lines if line["op"] != b"D"])
    found = []
    for line in sorted(lines, key=lambda line: (line["upd"], line["seq"]), reverse=not oldest_first):
        packed = content.get((line["type"], line["id"], line["ver"]))
        if line["op"] == b"D" or packed is not None:
            row = {**line, "enc": 0, "content": None} if packed is None else {**line, **packed}
            found.append(versioned(r4.TYPE_NAME[line["type"]], RowId(line["id"], line["name"]), row))
    return found


async def _contents(connection: Connection, lines: Sequence[Any]) -> dict[tuple[int, UUID, int], dict[str, Any]]:
    """Fetch contents: first what is current, then what is not, as versions only ever go from there to here."""
    found: dict[tuple[int, UUID, int], dict[str, Any]] = {}
    for number, group in groupby(sorted(lines, key=lambda line: int(line["type"])), key=lambda line: int(line["type"])):
        keys = {(line["pat"], line["id"]) for line in group}
        rows = await connection.fetch(
            f"SELECT r.id, r.ver, r.enc, r.content FROM {table(r4.TYPE_NAME[number])} r "
            "JOIN unnest($1::uuid[], $2::uuid[]) AS k (pat, id) ON r.pat = k.pat AND r.id = k.id",
            [pat for pat, _ in keys],
            [id_ for _, id_ in keys],
        )
        found |= {(number, r["id"], r["ver"]): {"enc": r["enc"], "content": r["content"]} for r in rows}
    past = [line for line in lines if (line["type"], line["id"], line["ver"]) not in found]
    rows = await connection.fetch(
        "SELECT h.type, h.id, h.ver, h.enc, h.content FROM history h "
        "JOIN unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::int[]) AS k (pat, type, id, ver) "
        "ON h.pat = k.pat AND h.type = k.type AND h.id = k.id AND h.ver = k.ver",
        *([line[name] for line in past] for name in ("pat", "type", "id", "ver")),
    )
    return found | {(r["type"], r["id"], r["ver"]): {"enc": r["enc"], "content": r["content"]} for r in rows}
