"""Opens what every process of Yersin stands on: database, keys, index, audit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

from yersin.db import connect
from yersin.db.grouped import Grouped
from yersin.db.migrate import migrate
from yersin.guard.access import Ground
from yersin.guard.keys import master_key, open_keys
from yersin.guard.laws import gathered
from yersin.search.rows import Indexer
from yersin.settings import Settings
from yersin.store import indexes
from yersin.terminology import icd10, intake
from yersin.terminology.searching import Codes

from .rooms import ROOMS
from .schema import STEPS


@asynccontextmanager
async def opened(settings: Settings, url: str, *, connections: int = 10) -> AsyncIterator[Ground]:
    """Open the ground on a migrated database; closes it afterwards."""
    database = await connect(url, max_size=connections)
    try:
        async with database.transaction() as connection:
            keys = await open_keys(connection, master_key(settings.data_dir / "keys"))
        zone = ZoneInfo(settings.zone)
        indexer = Indexer(keys.get("index")[:16], zone, base=f"{settings.base_url}/fhir", terms=Codes(database))
        laws = gathered(room.laws for room in ROOMS)
        known = settings.references == "known"
        packing = await database.fetchval("SELECT enc FROM packing")
        grouped = Grouped(database)
        ground = Ground(database, grouped, indexer, keys, zone, laws, has_known_references=known, packing=packing)
        await ground.extending.learn()
        yield ground
    finally:
        await database.close()


async def prepared(url: str) -> None:
    """Bring the database to this release's schema and terminology, and make room for the coming months."""
    database = await connect(url, max_size=2)
    try:
        await migrate(database, STEPS)
        await database.execute("SELECT make_months('change_log', 2), make_months('audit', 2)")
        await indexes.ensure(database)
        await intake.ensure(database)
        await icd10.ensure(database)
    finally:
        await database.close()
