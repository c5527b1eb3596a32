"""Copies of views as they stood at one moment: an export reads them piece by piece, also after a restart, and drops them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from yersin.db import Connection, Database

from . import kept
from .kept import Source

_NAMES = "SELECT relname FROM pg_class WHERE relnamespace = 'views'::regnamespace AND relkind = 'r' AND relname ~ $1"
_EVERY = "^copy_[0-9a-f]{32}_[0-9]+$"


async def take(database: Database, job: UUID, names: Sequence[str]) -> None:
    """Copy views in one moment, all or none. Raises Problem: not-found (404), conflict (409) for one that is being filled."""
    async with (
        database.dedicated(idle_in_transaction_session_timeout="0", statement_timeout="0") as connection,
        connection.transaction(isolation="repeatable_read"),
    ):
        for number, name in enumerate(names):
            [source] = await kept.sources(connection, [name])
            copy = _name(job, number)
            await connection.execute(f'CREATE TABLE views."{copy}" AS SELECT * FROM views."{source.relation}"')
            await connection.execute(f'ALTER TABLE views."{copy}" ADD PRIMARY KEY (row_key, n)')


async def find(connection: Connection, job: UUID, number: int) -> Source | None:
    """Find a copy, as a view by itself; None where it was not made, or is dropped."""
    name = _name(job, number)
    there = await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f'views."{name}"')
    return Source(view=name, relation=name, digest="", filled=True) if there else None


async def drop(database: Database, job: UUID) -> None:
    """Drop the copies of a job."""
    for row in await database.fetch(_NAMES, f"^copy_{job.hex}_"):
        await database.execute(f'DROP TABLE IF EXISTS views."{row["relname"]}"')


async def jobs(database: Database) -> set[UUID]:
    """Jobs that have copies."""
    return {UUID(row["relname"].split("_")[1]) for row in await database.fetch(_NAMES, _EVERY)}


def _name(job: UUID, number: int) -> str:
    return f"copy_{job.hex}_{number}"
