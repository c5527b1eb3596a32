"""Makes index rows anew from stored resources, in batches, while others write.

A batch holds the lock of its rows in the id map, as every write does, so it never puts an old row in a new one's place.
What is made carries the version of the index, so after an interruption the rest is found by that. Nothing is disclosed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from yersin.db import Connection
from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.store import writing as store
from yersin.store.identity import row_id
from yersin.store.reading import version_of
from yersin.store.schema import INDEX_VERSION, has_ranges, range_table, table

from . import audit
from .access import Access, Ground
from .writing import columns, not_open

#: rows of one transaction
BATCH = 200
Key = tuple[UUID, UUID]
BEGINNING: Key = (UUID(int=0), UUID(int=0))


async def one(access: Access, type_name: str, logical_id: str) -> None:
    """Make the row of one resource anew. Raises Problem: not-found (404), deleted (410)."""
    row = row_id(type_name, logical_id)
    async with access.ground.database.transaction() as connection:
        locked = await store.lock(connection, [(r4.TYPE_NUMBER[type_name], row.id)])
        found = next(iter(locked.values()), None)
        if found is None or found.name != row.name:
            raise not_open(type_name, logical_id)
        if found.deleted:
            raise problem("deleted", f"{type_name}/{logical_id} was deleted.", status=410)
        await _remake(connection, access.ground, type_name, [(found.pat, row.id)])
        await audit.insert(connection, access.who, audit.Entry(interaction="reindex", type=type_name, entity=row.id))


async def batch(ground: Ground, type_name: str, after: Key, *, every: bool) -> tuple[int, Key | None]:
    """Make the next rows of a type anew, those of other versions of the index or all of them.

    Returns how many, and the place to go on from; None where there is nothing left.
    """
    which = "" if every else f"AND ixv <> {INDEX_VERSION} "
    async with ground.database.transaction() as connection:
        rows = await connection.fetch(
            f"SELECT pat, id FROM {table(type_name)} WHERE (pat, id) > ($1, $2) {which}ORDER BY pat, id LIMIT {BATCH}",
            *after,
        )
        keys = [(row["pat"], row["id"]) for row in rows]
        await store.lock(connection, [(r4.TYPE_NUMBER[type_name], key) for _, key in keys])
        await _remake(connection, ground, type_name, keys)
    return len(keys), keys[-1] if len(keys) == BATCH else None


async def _remake(connection: Connection, ground: Ground, type_name: str, keys: Sequence[Key]) -> None:
    """Read locked rows as they are now, and write what they are found by."""
    rows = await connection.fetch(
        f"SELECT r.id, r.name, r.ver, r.upd, r.enc, r.content, r.pat FROM {table(type_name)} r "
        "JOIN unnest($1::uuid[], $2::uuid[]) AS k (pat, id) ON r.pat = k.pat AND r.id = k.id",
        [pat for pat, _ in keys],
        [id_ for _, id_ in keys],
    )
    for row in rows:
        index = ground.indexer.index(version_of(type_name, row).resource())
        await connection.execute(_sql(type_name), *_arguments(type_name, row, columns(index, ground.indexer.key)))


def _arguments(type_name: str, row: Any, made: dict[str, Any]) -> tuple[Any, ...]:
    tokens = f"{{{str(list(made['tok']))[1:-1]}}}"
    fixed = (row["pat"], row["id"], made["d_lo"], made["d_hi"], made["txt"], made["srt"], tokens)
    return (*fixed, *made["ranges"]) if has_ranges(type_name) else fixed


def _sql(type_name: str) -> str:
    row = (
        f"UPDATE {table(type_name)} SET d_lo = $3, d_hi = $4, txt = $5, srt = $6, tok = $7::text::bigint[], "
        f"ixv = {INDEX_VERSION} WHERE pat = $1 AND id = $2"
    )
    if not has_ranges(type_name):
        return row
    return (
        f"WITH r AS ({row}), z AS (DELETE FROM {range_table(type_name)} WHERE pat = $1 AND id = $2) "
        f"INSERT INTO {range_table(type_name)} (pat, id, param, key, unit, lo, hi) SELECT $1::uuid, $2::uuid, n.* FROM "
        "unnest($8::smallint[], $9::bigint[], $10::bigint[], $11::float8[], $12::float8[]) AS n"
    )
