"""Runs a search: one statement for the page, further ones for includes and totals, all under the asker's scope.

A page goes on after the last result of the one before (keyset), and never shows what was created after the first page:
the horizon is the first page's snapshot (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.store.reading import Scope, version_of
from yersin.store.schema import table

from . import date, number, quantity, reference, string, token, uri
from .include import included
from .missing import missing
from .order import Order, order_of
from .page import Criterion, Found, Query
from .rows import Indexer
from .where import Where, refuse_modifier

_KINDS: dict[str, Callable[[Criterion, Where], None]] = {
    "token": token.where,
    "reference": reference.where,
    "string": string.where,
    "date": date.where,
    "number": number.where,
    "quantity": quantity.where,
    "uri": uri.where,
}


def where_of(query: Query, indexer: Indexer, sql: Sql) -> Where:
    """Compile the criteria of a search."""
    clause = Where(
        type=query.type, sql=sql, key=indexer.key, zone=indexer.zone, now=datetime.now(UTC), base=indexer.base
    )
    for criterion in query.criteria:
        _compile(criterion, clause)
    return clause


def _compile(criterion: Criterion, clause: Where) -> None:
    kind = criterion.parameter.kind
    if criterion.modifier == "missing":
        missing(criterion, clause)
    elif kind in _KINDS:
        _KINDS[kind](criterion, clause)
    else:
        raise refuse_kind(criterion)


def refuse_kind(criterion: Criterion) -> Exception:
    """Say that a parameter is known but cannot be searched yet."""
    if criterion.modifier:
        return refuse_modifier(criterion, ())
    text = f"{criterion.parameter.code} is a {criterion.parameter.kind} parameter; these cannot be searched yet."
    return problem("not-supported", text, expression=criterion.place)


async def search(connection: Connection, indexer: Indexer, query: Query, scope: Scope) -> Found:
    """Run a search under a scope."""
    if query.summary == "count":
        return Found(total=await count(connection, indexer, query, scope))
    horizon = query.horizon or str(await connection.fetchval("SELECT pg_current_snapshot()::text"))
    order = order_of(query)
    rows = await _rows(connection, indexer, query, scope, order, horizon)
    more = len(rows) > query.count
    rows = rows[: query.count]
    versions = [version_of(query.type, row) for row in rows]
    return Found(
        versions=versions,
        included=await included(connection, indexer, query, versions, scope),
        total=await _total(connection, indexer, query, scope, len(rows) if not more else None),
        after=order.place(rows[-1]) if more else (),
        horizon=horizon if more else "",
    )


async def _rows(
    connection: Connection, indexer: Indexer, query: Query, scope: Scope, order: Order, horizon: str
) -> Sequence[Any]:
    sql = Sql()
    clause = where_of(query, indexer, sql)
    clause.add(scope.condition(sql, query.type, "r"))
    if query.after:
        clause.add(order.after(query.after, sql))
        clause.add(_before(query.type, horizon, sql))
    statement = (
        f"SELECT r.id, r.name, r.ver, r.upd, r.enc, r.content, r.pat{order.columns} FROM {table(query.type)} r "
        f"WHERE {clause.text()} ORDER BY {order.by} LIMIT {query.count + 1}"
    )
    rows: Sequence[Any] = await connection.fetch(statement, *sql.arguments)
    return rows


def _before(type_name: str, horizon: str, sql: Sql) -> str:
    """Return the condition that a resource was there when the first page was made, in this version or an earlier one."""
    then = sql.arg(horizon, "text") + "::pg_snapshot"
    return (
        f"(pg_visible_in_snapshot(r.tx, {then}) OR EXISTS (SELECT FROM history h WHERE h.pat = r.pat "
        f"AND h.type = {r4.TYPE_NUMBER[type_name]} AND h.id = r.id AND pg_visible_in_snapshot(h.tx, {then})))"
    )


async def count(connection: Connection, indexer: Indexer, query: Query, scope: Scope) -> int:
    """Count all matches."""
    sql = Sql()
    clause = where_of(query, indexer, sql)
    clause.add(scope.condition(sql, query.type, "r"))
    total: int = await connection.fetchval(
        f"SELECT count(*) FROM {table(query.type)} r WHERE {clause.text()}",
        *sql.arguments,
    )
    return total


async def _total(connection: Connection, indexer: Indexer, query: Query, scope: Scope, seen: int | None) -> int | None:
    """Total of the first page: known when everything fits on it, else as exact as the client asked."""
    if query.known_total is not None:
        return query.known_total
    if seen is not None and not query.after:
        return seen
    if query.total == "none" or query.after:
        return None
    return await count(connection, indexer, query, scope)
