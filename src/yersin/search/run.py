"""Runs a search: one statement for the page, further ones for includes and totals, all under the asker's scope.

A page goes on after the last result of the one before (keyset), and never shows what was created after the first page:
the horizon is the first page's snapshot (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT).
A result keeps the place that it had then: what has changed since is placed by the version that the horizon shows.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.store.reading import COLUMNS, Scope, version_of
from yersin.store.schema import table
from yersin.store.versions import Version

from . import token_order
from .compiling import is_narrow, where_of
from .include import included
from .joins import Joiner
from .order import Order, order_of
from .page import Found, Query
from .rows import Indexer
from .settling import settled
from .where import Where

__all__ = ["count", "is_planned_once", "search", "where_of"]

#: results changed since the first page that a further page looks at
CHANGED_LIMIT = 5000
#: matches that `_total=estimate` counts
COUNTED_LIMIT = 10_000
#: no write takes longer: what was under way at the horizon has a moment at most this much before it
_LONGEST_WRITE = timedelta(hours=1)
_HORIZON = "(SELECT pg_current_snapshot() || ' ' || extract(epoch FROM now()))"
#: before and after every place among equal ones
_FIRST, _LAST = str(UUID(int=0)), str(UUID(int=2**128 - 1))


class _Hit(NamedTuple):
    """A result and its place."""

    place: tuple[str, ...]
    row: Any


async def search(connection: Connection, indexer: Indexer, query: Query, scope: Scope) -> Found:
    """Run a search under a scope, on one type or on several."""
    query = await settled(connection, indexer, query, scope)
    if query.others:
        return await _several(connection, indexer, query, scope)
    if query.summary == "count":
        return Found(total=await count(connection, indexer, query, scope))
    order = await _order(connection, indexer, query, scope) if query.sort else order_of(query)
    hits = await _hits(connection, indexer, query, scope, order)
    more = len(hits) > query.count
    hits = hits[: query.count]
    versions = [version_of(query.type, hit.row) for hit in hits]
    return Found(
        versions=versions,
        included=await included(connection, indexer, query, versions, scope),
        total=await _total(connection, indexer, query, scope, len(hits) if not more else None),
        after=hits[-1].place if more else (),
        horizon=(query.horizon or hits[0].row["horizon"]) if more else "",
    )


def is_planned_once(indexer: Indexer, query: Query) -> bool:
    """Whether a search is one statement that begins with the rows of a rare token: one plan fits all its values."""
    more = query.joins or query.lookups or query.others or query.includes or query.revincludes or query.horizon
    if more or any(rule.parameter.kind == "token" for rule in query.sort):
        return False
    return is_narrow(query, indexer)


async def _order(connection: Connection, indexer: Indexer, query: Query, scope: Scope) -> Order:
    joiner = Joiner(connection=connection, indexer=indexer, scope=scope)
    return order_of(query, await token_order.words(joiner, query))


async def _several(connection: Connection, indexer: Indexer, query: Query, scope: Scope) -> Found:
    """Search several types: equal ones of the order asked for follow each other type by type."""
    others = [await settled(connection, indexer, other, scope) for other in query.others]
    queries = [replace(query, others=()), *others]
    if query.summary == "count":
        return Found(total=sum([await count(connection, indexer, each, scope) for each in queries]))
    horizon = query.horizon or str(await connection.fetchval(f"SELECT {_HORIZON}"))
    hits: list[tuple[str, _Hit]] = []
    order = order_of(query)
    last, place = (query.after[0], query.after[1:]) if query.after else ("", ())
    position = next((n for n, each in enumerate(queries) if each.type == last), -1)
    for n, each in enumerate(queries):
        tie = () if n == position or not place else 2 * ((_FIRST if n > position else _LAST),)
        after = (*place[:-2], *tie) if tie else place
        here = replace(each, after=after, horizon=horizon)
        hits += [(each.type, hit) for hit in await _hits(connection, indexer, here, scope, order_of(each))]
        if not query.sort and len(hits) > query.count:
            break
    rank = order.ranks(by_keys=True)
    hits = sorted(hits, key=lambda found: rank(found[1].place)) if query.sort else hits
    more, hits = len(hits) > query.count, hits[: query.count]
    versions = [version_of(type_name, hit.row) for type_name, hit in hits]
    total = query.known_total
    if total is None and not query.after:
        asked = query.total != "none"
        counting = estimate if query.total == "estimate" else count
        counted = [await counting(connection, indexer, each, scope) for each in queries] if more and asked else []
        total = len(hits) if not more else sum(counted) if asked else None
    return Found(
        versions=versions,
        included=await included(connection, indexer, query, versions, scope),
        total=total,
        after=(hits[-1][0], *hits[-1][1].place) if more else (),
        horizon=horizon if more else "",
    )


async def _hits(connection: Connection, indexer: Indexer, query: Query, scope: Scope, order: Order) -> list[_Hit]:
    """Results of a page and one more, in their order."""
    await indexer.rarity.freshen(connection, query.type)
    clause = _clause(indexer, query, scope, *order.arguments)
    if not query.horizon:
        return await _ordered(connection, query, clause, order, f", {_HORIZON} AS horizon")
    changed = await _changed(connection, indexer, query, scope, order) if query.after else []
    if query.after:
        clause.add(order.after(query.after, clause.sql))
        clause.add(f"pg_visible_in_snapshot(r.tx, {_snapshot(query, clause.sql)})")
    hits = await _ordered(connection, query, clause, order)
    if not changed:
        return hits
    rank = order.ranks()
    return sorted([*hits, *changed], key=lambda hit: rank(hit.place))


def _clause(indexer: Indexer, query: Query, scope: Scope, *first: object) -> Where:
    clause = where_of(query, indexer, Sql(*first))
    clause.add(scope.condition(clause.sql, query.type, "r"))
    return clause


async def _ordered(
    connection: Connection, query: Query, clause: Where, order: Order, more_columns: str = ""
) -> list[_Hit]:
    rows = await connection.fetch(
        f"SELECT {COLUMNS}{order.columns}{more_columns} FROM {clause.rows()} ORDER BY {order.by} LIMIT {query.count + 1}",
        *clause.sql.arguments,
    )
    return [_Hit(order.place(row), row) for row in rows]


async def _changed(connection: Connection, indexer: Indexer, query: Query, scope: Scope, order: Order) -> list[_Hit]:
    """Results that changed since the first page and still match, as they are now, after the page before by their old places."""
    clause = _clause(indexer, query, scope)
    sql, number = clause.sql, r4.TYPE_NUMBER[query.type]
    snapshot = _snapshot(query, sql)
    since = sql.arg(datetime.fromtimestamp(float(query.horizon.split(" ")[1]), UTC) - _LONGEST_WRITE)
    # gathered step by step: a cluster does not join history with types that are copied to every machine
    changed = (
        f"SELECT r.pat, r.id FROM {table(query.type)} r WHERE {clause.text()} AND r.upd >= {since} "
        f"AND NOT pg_visible_in_snapshot(r.tx, {snapshot})"
    )
    old = (
        "SELECT DISTINCT ON (v.pat, v.id) v.pat, v.id, v.op, v.ver AS old_ver, v.upd AS old_upd, v.enc AS old_enc, "
        f"v.content AS old_content FROM changed c JOIN history v ON v.pat = c.pat AND v.id = c.id WHERE v.type = {number} "
        f"AND pg_visible_in_snapshot(v.tx, {snapshot}) ORDER BY v.pat, v.id, v.ver DESC"
    )
    rows = await connection.fetch(
        f"WITH changed AS MATERIALIZED ({changed}), old AS MATERIALIZED ({old}) SELECT {COLUMNS}, h.old_ver, h.old_upd, "
        f"h.old_enc, h.old_content FROM old h JOIN {table(query.type)} r ON r.pat = h.pat AND r.id = h.id "
        f"WHERE h.op <> 'D' LIMIT {CHANGED_LIMIT + 1}",
        *sql.arguments,
    )
    if len(rows) > CHANGED_LIMIT:
        text = "Too much has changed since the first page for this link to be followed. Start the search again."
        raise problem("too-costly", text, status=410)
    hits = [_Hit(_old_place(indexer, query.type, order, row), row) for row in rows]
    return [hit for hit in hits if order.is_after(hit.place, query.after)]


def _old_place(indexer: Indexer, type_name: str, order: Order, row: Any) -> tuple[str, ...]:
    old = Version(
        type=type_name,
        id=row["name"] or str(row["id"]),
        ver=row["old_ver"],
        upd=row["old_upd"],
        pat=row["pat"],
        enc=row["old_enc"],
        content=row["old_content"],
    )
    resource = old.resource()
    return order.place_of(indexer.index(resource), old, resource, row)


def _snapshot(query: Query, sql: Sql) -> str:
    return sql.arg(query.horizon.split(" ")[0], "text") + "::pg_snapshot"


async def count(connection: Connection, indexer: Indexer, query: Query, scope: Scope) -> int:
    """Count all matches of a settled search."""
    clause = _clause(indexer, query, scope)
    total: int = await connection.fetchval(f"SELECT count(*) FROM {clause.rows()}", *clause.sql.arguments)
    return total


async def estimate(connection: Connection, indexer: Indexer, query: Query, scope: Scope) -> int:
    """Count up to a limit; of more, say what the database expects to find."""
    clause = _clause(indexer, query, scope)
    found = f"SELECT 1 FROM {clause.rows()}"
    few = f"SELECT count(*) FROM ({found} LIMIT {COUNTED_LIMIT + 1}) f"
    seen: int = await connection.fetchval(few, *clause.sql.arguments)
    if seen <= COUNTED_LIMIT:
        return seen
    plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {found}", *clause.sql.arguments)
    return max(seen, int(plan[0]["Plan"]["Plan Rows"]))


async def _total(connection: Connection, indexer: Indexer, query: Query, scope: Scope, seen: int | None) -> int | None:
    """Total of the first page: known when everything fits on it, else as exact as the client asked."""
    if query.known_total is not None:
        return query.known_total
    if seen is not None and not query.after:
        return seen
    if query.total == "none" or query.after:
        return None
    return await (estimate if query.total == "estimate" else count)(connection, indexer, query, scope)
