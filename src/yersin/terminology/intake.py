"""Takes code systems, value sets and concept maps into the tables: R4's own, loaded files, and what clients store.

R4's own are taken in once for each release of theirs, known by digest. Stored resources are taken in when an operation
is asked: whichever version is not in the tables yet is read from the store first, so an operation sees what was written.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.resources import files
from typing import Any
from uuid import UUID

import msgspec
import zstandard

from yersin.db import Connection, Database, PostgresError
from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.store import reading

from . import cldr
from .concepts import COLUMNS, JSON, head, is_folding, rows
from .schema import SPACE

log = logging.getLogger("yersin.terminology")
BUILT_IN = "r4"
#: what stands before what under one address
RANK_BUILT_IN, RANK_LOADED, RANK_STORED = 0, 1, 2
KINDS = ("CodeSystem", "ValueSet", "ConceptMap")
#: raise it when rows are made in another way, and what is built in must be made anew
_FORM = "1"
_LOCK = 0x54_45_52_4D_53
_SYSTEM_COLUMNS = ("id", "url", "version", "rank", "source", "dated", "folds", "concepts", "head")
_DEFINITION_COLUMNS = ("kind", "url", "version", "rank", "source", "origin", "target", "content")
_decode = msgspec.json.Decoder().decode

_WAITING = """
WITH m AS MATERIALIZED (SELECT type, id, ver FROM id_map WHERE type = ANY($1::smallint[]))
SELECT m.type, m.id FROM m LEFT JOIN terms.taken t ON t.type = m.type AND t.id = m.id
WHERE t.ver IS DISTINCT FROM m.ver LIMIT $2
"""
_NUMBERS = [r4.TYPE_NUMBER[kind] for kind in KINDS]
_BATCH = 200


class _Everything:
    """Scope of the intake: definitions are open to everybody who is signed in."""

    def condition(self, _sql: Sql, _type_name: str, _row: str) -> str:
        """Hide nothing."""
        return "true"


def built_in() -> bytes:
    """Definitions of R4 as they are committed, compressed."""
    return files("yersin.terminology.r4").joinpath("definitions.ndjson.zst").read_bytes()


async def ensure(database: Database) -> bool:
    """Take in what R4 defines, unless it is there. Returns whether there was something to do."""
    packed = built_in()
    digest = f"{_FORM}:{hashlib.sha256(packed).hexdigest()}"
    if await _digest(database, BUILT_IN) == digest:
        return False
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        known = await connection.fetchval("SELECT digest FROM terms.loaded WHERE source = $1", BUILT_IN)
        if known == digest:
            return False
        lines = zstandard.ZstdDecompressor().decompress(packed).splitlines()
        await replace(connection, BUILT_IN, RANK_BUILT_IN, [*map(_decode, lines), *cldr.systems()])
        await remember(connection, BUILT_IN, digest)
        await connection.execute("ANALYZE terms.concept, terms.system, terms.definition")
    return True


async def _digest(database: Database, source: str) -> Any:
    return await database.fetchval("SELECT digest FROM terms.loaded WHERE source = $1", source)


async def remember(connection: Connection, source: str, digest: str) -> None:
    """Remember the digest of what was loaded."""
    await connection.execute(
        "INSERT INTO terms.loaded (source, digest) VALUES ($1, $2) "
        "ON CONFLICT (source) DO UPDATE SET digest = $2, made = clock_timestamp()",
        source,
        digest,
    )


async def load(connection: Connection, source: str, system: JSON, dated: date | None) -> int:
    """Put a loaded code system in the place of what the same source gave before. Returns the number of its concepts."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await replace(connection, source, RANK_LOADED, [system], dated)
        count: int = await connection.fetchval("SELECT sum(concepts) FROM terms.system WHERE source = $1", source)
    await connection.execute("ANALYZE terms.concept")
    return count


async def replace(
    connection: Connection, source: str, rank: int, resources: Iterable[JSON], dated: date | None = None
) -> None:
    """Put resources in the place of all that their source gave before. The caller holds a transaction."""
    await forget(connection, source)
    found = list(resources)
    systems = [r for r in found if r["resourceType"] == "CodeSystem" and _is_here(r)]
    others = [r for r in found if r["resourceType"] != "CodeSystem" and r.get("url")]
    await _put_systems(connection, source, rank, systems, dated)
    if others:
        records = [_definition(r, source, rank) for r in others]
        await _copy(connection, "definition", records, _DEFINITION_COLUMNS)


def _is_here(system: JSON) -> bool:
    """Whether a code system says more than that it exists."""
    return bool(system.get("url")) and bool(system.get("concept") or system.get("content") == "complete")


async def forget(connection: Connection, source: str) -> None:
    """Remove what a source gave."""
    for row in await connection.fetch("DELETE FROM terms.system WHERE source = $1 RETURNING id", source):
        first = row["id"] * SPACE
        await connection.execute("DELETE FROM terms.concept WHERE id >= $1 AND id < $2", first, first + SPACE)
    await connection.execute("DELETE FROM terms.definition WHERE source = $1", source)


async def _put_systems(
    connection: Connection, source: str, rank: int, systems: Sequence[JSON], dated: date | None
) -> None:
    numbers = await connection.fetch(
        "SELECT nextval(pg_get_serial_sequence('terms.system', 'id'))::int AS n FROM generate_series(1, $1)",
        len(systems),
    )
    heads, concepts = [], []
    for system, row in zip(systems, numbers, strict=True):
        made = rows(system, row["n"])
        concepts += made
        version = str(system.get("version", ""))
        heads.append(
            (row["n"], system.get("url", ""), version, rank, source, dated, is_folding(system), len(made), head(system))
        )
    if heads:
        await _copy(connection, "system", heads, _SYSTEM_COLUMNS)
        await _copy(connection, "concept", concepts, COLUMNS)


async def _copy(connection: Connection, table: str, records: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> None:
    await connection.copy_records_to_table(table, schema_name="terms", records=records, columns=list(columns))


def _definition(resource: JSON, source: str, rank: int) -> tuple[Any, ...]:
    origin, target = (
        str(resource.get(f"{side}Uri") or resource.get(f"{side}Canonical") or "").partition("|")[0]
        for side in ("source", "target")
    )
    kept = {name: value for name, value in resource.items() if name != "text"}
    version = str(resource.get("version", ""))
    return (resource["resourceType"], resource["url"], version, rank, source, origin, target, kept)


async def take_in(database: Database) -> int:
    """Take in what was stored, changed or deleted since. Returns the number of resources."""
    taken = 0
    while waiting := await database.fetch(_WAITING, _NUMBERS, _BATCH):
        async with database.transaction() as connection:
            await _take_all(connection, waiting)
        taken += len(waiting)
    return taken


async def take_in_within(connection: Connection) -> None:
    """Do the same in an open transaction that writes, which may not wait for a second connection while it has one."""
    while waiting := await connection.fetch(_WAITING, _NUMBERS, _BATCH):
        await _take_all(connection, waiting)


async def _take_all(connection: Connection, waiting: Sequence[Any]) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    for kind in KINDS:
        ids = [row["id"] for row in waiting if row["type"] == r4.TYPE_NUMBER[kind]]
        if ids:
            await _take(connection, kind, ids)


async def _take(connection: Connection, kind: str, ids: Sequence[UUID]) -> None:
    """Put current versions in the place of older ones. Versions are remembered as they are now, under the lock."""
    number = r4.TYPE_NUMBER[kind]
    known = await connection.fetch(
        "SELECT id, name, ver FROM id_map WHERE type = $1 AND id = ANY($2::uuid[])", number, list(ids)
    )
    versions = {version.id: version for version in await reading.current(connection, kind, list(ids), _Everything())}
    for row in known:
        source = f"{kind}/{row['id']}"
        version = versions.get(row["name"] or str(row["id"]))
        resource: list[Any] = [_decode(version.json())] if version else []
        try:
            async with connection.transaction():
                await replace(connection, source, RANK_STORED, resource)
        except (PostgresError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            # one odd resource must not stop the service for all: it is left out until it changes
            log.warning("%s cannot be taken into the terminology (%s)", kind, type(error).__name__)
            await replace(connection, source, RANK_STORED, [])
        await connection.execute(
            "INSERT INTO terms.taken (type, id, ver) VALUES ($1, $2, $3) ON CONFLICT (type, id) DO UPDATE SET ver = $3",
            number,
            row["id"],
            version.ver if version else row["ver"],
        )
