"""Versions in the order of their writing: of one resource, of types, of the whole store. Read from the change log and history.

A page goes on after the last line of the one before. Oldest first, only what no running transaction can still precede is
given, so that a reader who goes on later misses nothing. Source: https://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir import r4

from .identity import RowId
from .reading import FOUND, Scope, versioned
from .schema import table
from .versions import Version


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


class _Sql(Sql):
    """A statement in which an argument that comes again is the same argument: conditions of 146 types share theirs."""

    __slots__ = ("_known",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._known: dict[tuple[Any, str], str] = {}

    def arg(self, value: Any, cast: str = "") -> str:
        key = (value, cast)
        if key not in self._known:
            self._known[key] = super().arg(value, cast)
        return self._known[key]


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
    """Versions of all resources of some types that the scope opens."""
    sql = _Sql()
    clauses = [_opened(sql, types, scope), *_going_on(sql, wanted)]
    lines = "change_log"
    if wanted.lo is None:
        clauses.append(_window(sql, wanted, "l.at", ""))
    else:
        # how long a version was current is said by the line of the next one
        numbers = sql.arg(tuple(r4.TYPE_NUMBER[name] for name in types), "smallint[]")
        until = "lead(at) OVER (PARTITION BY type, id ORDER BY ver)"
        lines = f"(SELECT *, {until} AS until FROM change_log WHERE type = ANY({numbers}))"
        clauses.append(_window(sql, wanted, "l.at", "l.until"))
    order = "ASC" if wanted.oldest_first else "DESC"
    rows = await connection.fetch(
        "SELECT l.tx::text::bigint AS tx, l.seq, l.at AS upd, l.type, l.id, l.ver, l.op, m.pat, m.name "
        f"FROM {lines} l JOIN id_map m ON m.type = l.type AND m.id = l.id WHERE {' AND '.join(clauses)} "
        f"ORDER BY l.tx {order}, l.seq {order} LIMIT {wanted.limit + 1}",
        *sql.arguments,
    )
    shown = rows[: wanted.limit]
    after = (shown[-1]["tx"], shown[-1]["seq"]) if shown and len(rows) > wanted.limit else ()
    return Page(await _versions(connection, shown, oldest_first=wanted.oldest_first), after)


def _opened(sql: Sql, types: Sequence[str], scope: Scope) -> str:
    """Return the condition that a line is of one of the types, and open to the asker as that type is."""
    alike: dict[str, list[int]] = {}
    for name in types:
        alike.setdefault(scope.condition(sql, name, "m"), []).append(r4.TYPE_NUMBER[name])
    parts = [
        f"(l.type = ANY('{{{','.join(map(str, numbers))}}}'::smallint[]) AND {condition})"
        for condition, numbers in alike.items()
        if condition != "false"
    ]
    return f"({' OR '.join(parts)})" if parts else "false"


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
