"""Makes index rows anew from stored resources, in batches, while others write.

A batch holds the lock of its rows in the id map, as every write does, so it never puts an old row in a new one's place.
What is made carries the version of the index, so after an interruption the rest is found by that. Nothing is disclosed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from yersin.db import CheckViolationError, Connection, Database, DatabaseFailure
from yersin.fhir import r4
from yersin.fhir.parameters import generation
from yersin.fhir.problem import problem
from yersin.store import writing as store
from yersin.store.identity import row_id
from yersin.store.reading import COLUMNS, version_of
from yersin.store.schema import first_version, has_ranges, index_version, range_table, table

from . import audit, extending, walks
from .access import Access, Ground
from .walks import Key, Walk
from .writing import columns, not_open

#: rows of one transaction
BATCH = 200
#: rows that are made before others have their turn
_TURN = 10
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
    which = "" if every else f"AND ixv <> {index_version(type_name)} "
    async with ground.database.transaction() as connection:
        keys = await _next(connection, ground, type_name, after, which)
    return len(keys), keys[-1] if len(keys) == BATCH else None


async def _next(connection: Connection, ground: Ground, type_name: str, after: Key, which: str) -> list[Key]:
    """Make the next rows of a type anew."""
    rows = await connection.fetch(
        f"SELECT pat, id FROM {table(type_name)} WHERE (pat, id) > ($1, $2) {which}ORDER BY pat, id LIMIT {BATCH}",
        *after,
    )
    keys = [(row["pat"], row["id"]) for row in rows]
    await store.lock(connection, [(r4.TYPE_NUMBER[type_name], key) for _, key in keys])
    await _remake(connection, ground, type_name, keys)
    return keys


# --- walks ---------------------------------------------------------------------------------------------------------


async def work(ground: Ground) -> bool:
    """Do a batch of the walk that is to be done next; answers whether there is more to do at once."""
    walk = await walks.following(ground.database)
    if walk is None:
        return False
    if generation(walk.type) < (walk.generation or 0):
        await ground.extending.learn()
    if walk.total is None:
        return await _begin(ground, walk)
    which = "" if walk.generation is None else f"AND ixv < {first_version(walk.generation)} "
    async with ground.database.transaction() as connection:
        keys = await _next(connection, ground, walk.type, walk.after, which)
        if keys:
            await walks.advance(connection, walk, len(keys), keys[-1])
            return True
        if walk.generation is None:
            await walks.end(connection, walk)
            return True
    return await _confirm(ground, walk, walk.generation)


async def _begin(ground: Ground, walk: Walk) -> bool:
    """Count what is to be done; for new parameters, let no row of an earlier generation come from now on."""
    which = "" if walk.generation is None else f"WHERE ixv < {first_version(walk.generation)}"
    if walk.generation is not None and not await _fence(ground.database, walk.type, walk.generation):
        return False
    await ground.database.execute(
        f"UPDATE reindexing_walk SET total = (SELECT count(*) FROM {table(walk.type)} {which}) WHERE n = $1", walk.n
    )
    return True


async def _fence(database: Database, type_name: str, number: int) -> bool:
    """Have the database refuse rows of earlier generations; false where the table is in use for too long just now."""
    name = _fence_name(type_name)
    try:
        async with database.transaction() as connection:
            # whoever writes waits behind this, so it does not wait long itself
            await connection.execute("SET LOCAL lock_timeout = '300ms'")
            await connection.execute(
                f"ALTER TABLE {table(type_name)} DROP CONSTRAINT IF EXISTS {name}, "
                f"ADD CONSTRAINT {name} CHECK (ixv >= {first_version(number)}) NOT VALID"
            )
    except DatabaseFailure as failure:
        if failure.permanent:
            raise
        return False
    return True


async def _confirm(ground: Ground, walk: Walk, number: int) -> bool:
    """Have the database confirm that no row of an earlier generation is left; if one is, go through them again."""
    try:
        async with ground.database.transaction() as connection:
            await connection.execute(f"ALTER TABLE {table(walk.type)} VALIDATE CONSTRAINT {_fence_name(walk.type)}")
            await walks.end(connection, walk)
            await extending.whole(connection, walk.type, number)
    except CheckViolationError:
        await ground.database.execute("UPDATE reindexing_walk SET pat = $2, id = $3 WHERE n = $1", walk.n, *BEGINNING)
        return True
    await ground.extending.learn()
    return True


def _fence_name(type_name: str) -> str:
    return f'"{type_name.lower()}_ixv"'


async def _remake(connection: Connection, ground: Ground, type_name: str, keys: Sequence[Key]) -> None:
    """Read locked rows as they are now, and write what they are found by."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM {table(type_name)} r "
        "JOIN unnest($1::uuid[], $2::uuid[]) AS k (pat, id) ON r.pat = k.pat AND r.id = k.id",
        [pat for pat, _ in keys],
        [id_ for _, id_ in keys],
    )
    made = []
    for n, row in enumerate(rows, 1):
        index = ground.indexer.index(version_of(type_name, row).resource())
        made.append(_arguments(type_name, row, columns(index, ground.indexer.key)))
        if not n % _TURN:
            await asyncio.sleep(0)
    await connection.executemany(_sql(type_name), made)


def _arguments(type_name: str, row: Any, made: dict[str, Any]) -> tuple[Any, ...]:
    tokens = f"{{{str(list(made['tok']))[1:-1]}}}"
    fixed = (row["pat"], row["id"], made["d_lo"], made["d_hi"], made["txt"], made["srt"], tokens, made["ixv"])
    return (*fixed, *made["ranges"]) if has_ranges(type_name) else fixed


def _sql(type_name: str) -> str:
    row = (
        f"UPDATE {table(type_name)} SET d_lo = $3, d_hi = $4, txt = $5, srt = $6, tok = $7::text::bigint[], "
        f"ixv = $8 WHERE pat = $1 AND id = $2"
    )
    if not has_ranges(type_name):
        return row
    return (
        f"WITH r AS ({row}), z AS (DELETE FROM {range_table(type_name)} WHERE pat = $1 AND id = $2) "
        f"INSERT INTO {range_table(type_name)} (pat, id, param, key, unit, lo, hi) SELECT $1::uuid, $2::uuid, n.* FROM "
        "unnest($9::smallint[], $10::bigint[], $11::bigint[], $12::float8[], $13::float8[]) AS n"
    )
