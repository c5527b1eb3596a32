"""The change log for those who are told of changes: in order, each once, and only what their access permits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from yersin.db import Connection, Database
from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.search.page import Query
from yersin.search.run import where_of
from yersin.store import changes, reading
from yersin.store.changes import Change, Cursor
from yersin.store.schema import table
from yersin.store.versions import Version

from .access import Access
from .scope import WhoScope
from .who import system

__all__ = ["Change", "Take", "hear", "matching", "standing"]
_ALL = WhoScope(system("HOPERAT"))
#: takes changes in, in the transaction that remembers them as read
Take = Callable[[Connection, Sequence[Change]], Awaitable[None]]


async def hear(database: Database, consumer: str, limit: int, take: Take) -> bool:
    """Hand the next changes to a consumer; answers whether there may be more. The first time it begins at the log's end."""
    async with database.transaction() as connection:
        cursor = await changes.cursor_of(connection, consumer)
        if cursor == Cursor():
            horizon = await connection.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            await changes.move(connection, consumer, Cursor(horizon - 1, 2**62))
            return True
        found = await changes.after(connection, cursor, limit)
        if not found:
            return False
        await take(connection, found)
        await changes.move(connection, consumer, found[-1].cursor)
    return len(found) == limit


async def standing(connection: Connection, type_name: str, ids: Sequence[UUID]) -> list[Version]:
    """Current versions for the server itself; deleted ones are absent."""
    return await reading.current(connection, type_name, ids, _ALL)


async def matching(connection: Connection, access: Access, query: Query, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Of some resources, those that match a search now and are open to the asker, with their logical ids."""
    sql = Sql(list(ids))
    clause = where_of(query, access.ground.indexer, sql)
    clause.add(access.scope.condition(sql, query.type, "r"))
    number = r4.TYPE_NUMBER[query.type]
    rows = await connection.fetch(
        f"WITH m AS MATERIALIZED (SELECT pat, id FROM id_map WHERE type = {number} AND id = ANY($1::uuid[])) "
        f"SELECT r.id, r.name FROM m JOIN {table(query.type)} r ON r.pat = m.pat AND r.id = m.id WHERE {clause.text()}",
        *sql.arguments,
    )
    return {row["id"]: row["name"] or str(row["id"]) for row in rows}
