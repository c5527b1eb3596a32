"""What `yersin cluster check` judges from text, run on a real Citus: the tables are spread, and a statement of each shape is carried out.

python bench/on_citus.py postgresql://postgres@127.0.0.1:5432/yersin [--shards 4]

The address is a coordinator's with an empty database, where `CREATE EXTENSION citus` was done and workers were added
(`citus_add_node`); docs/scale.md tells how to build one. Each statement runs in a transaction of its own that is rolled
back, with invented values, once planned for its values, as searches are, and seven times as the product asks all else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from yersin.app.clustering import beside
from yersin.app.schema import STEPS
from yersin.db import connect
from yersin.db.migrate import migrate
from yersin.db.pool import prepare
from yersin.guard.cluster.checking import Shape, shapes_of
from yersin.guard.cluster.placement import place_of
from yersin.guard.cluster.shapes import Shapes

_TABLES = """SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'citus', 'citus_internal')
 ORDER BY c.relname LIKE '%\\_range', n.nspname, c.relname"""
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: a value of each type that statements take
_VALUES: dict[str, Any] = {
    "uuid": UUID(int=7), "text": "2026-01-01", "varchar": "x", "bool": False, "bytea": b"x", "char": b"C", "date": date(2026, 1, 1),
    "timestamptz": _NOW, "json": {}, "jsonb": {}, "name": "x", "regclass": "id_map", "pg_snapshot": "3:3:", "xid8": 3, "record": (),
}  # fmt: skip


#: what a text is read as further on in the statement
_READ_AS = {
    "pg_snapshot": "3:3:",
    "xid8": "3",
    "float8": "3",
    "bigint": "3",
    "int": "3",
    "bigint[]": "{3}",
    "text[]": "{3}",
}
_CAST = re.compile(r"\$(\d+)::text::(\w+(?:\[\])?)")
_TIMES = 7


def values(sql: str, types: Sequence[asyncpg.types.Type]) -> list[Any]:
    """Invent a value for each parameter; arrays hold one."""
    read_as = {int(number): _READ_AS.get(name, "2026-01-01") for number, name in _CAST.findall(sql)}
    found = []
    for number, of in enumerate(types, 1):
        one = read_as.get(number, _VALUES.get(of.name.removesuffix("[]"), 1))
        found.append([one] if of.kind == "array" else one)
    return found


async def spread(connection: Any, shards: int) -> dict[str, int]:
    """Lay the tables where docs/scale.md says; answers how many lie how."""
    first: dict[str, str] = {}
    laid: dict[str, int] = {}
    for row in await connection.fetch(_TABLES):
        schema, name = row["schema"], row["name"]
        place = place_of(schema if schema == "fhir" else "", name)
        table = f'{schema}."{name}"'
        if place.kind == "copied":
            await connection.execute("SELECT create_reference_table($1::text::regclass)", table)
        elif place.kind == "spread" and place.group in first:
            await connection.execute(
                "SELECT create_distributed_table($1::text::regclass, $2, colocate_with => $3)",
                table,
                place.column,
                first[place.group],
            )
        elif place.kind == "spread":
            first[place.group] = table
            await connection.execute(
                "SELECT create_distributed_table($1::text::regclass, $2, shard_count => $3, colocate_with => 'none')",
                table,
                place.column,
                shards,
            )
        laid[place.kind] = laid.get(place.kind, 0) + 1
    return laid


async def carried_out(connection: Any, shape: Shape, mode: str) -> str:
    """Carry a statement out and take it back; answers what the cluster said against it."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
        statement = await connection.prepare(shape.sql)
        given = values(shape.sql, statement.get_parameters())
        # from the sixth time on PostgreSQL may keep one plan for all values
        for _ in range(1 if mode == "force_custom_plan" else _TIMES):
            inner = connection.transaction()
            await inner.start()
            await statement.fetch(*given)
            await inner.rollback()
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"{getattr(error, 'sqlstate', type(error).__name__)} {' '.join(str(error).split())}"
    finally:
        await transaction.rollback()
    return ""


async def run(address: str, shards: int) -> None:
    """Spread the tables unless they are, carry everything out, tell what was refused."""
    database = await connect(address, max_size=2)
    await migrate(database, STEPS)
    await database.close()
    connection = await asyncpg.connect(address)
    await prepare(connection)
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_dist_partition)"):
        print(json.dumps(await spread(connection, shards)), flush=True)
    asked = await Shapes({}).all() | beside()
    shapes = shapes_of(asked)
    for mode in ("force_custom_plan", "auto"):
        said = [(shape, found) for shape in shapes if (found := await carried_out(connection, shape, mode))]
        for shape, found in said:
            print(f"{shape.asked} ({shape.alike} alike): {found}\n  {' '.join(shape.sql.split())[:1500]}")
        print(f"{mode}: {len(shapes)} shapes of {len(asked)} statements; {len(said)} refused", flush=True)
    await connection.close()


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", nargs="?")
    parser.add_argument("--shards", type=int, default=4)
    asked = parser.parse_args()
    if asked.address is None:
        print("skipped: it needs the address of a Citus coordinator; see --help")
        return
    asyncio.run(run(asked.address, asked.shards))


if __name__ == "__main__":
    main()
