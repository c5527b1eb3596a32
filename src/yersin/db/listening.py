"""Listens for notices of the database while a block runs, and begins anew where the connection is lost.

Source: https://www.postgresql.org/docs/current/sql-notify.html
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from .failure import DatabaseFailure
from .pool import Database

log = logging.getLogger("yersin.db")
#: seconds until a lost connection is tried again
_AGAIN = 1.0


@contextlib.asynccontextmanager
async def listening(
    database: Database,
    channel: str,
    hear: Callable[..., Any],
    *,
    begun: Callable[[], Awaitable[None]],
    rest: Callable[[], Awaitable[None]],
) -> AsyncIterator[None]:
    """Call `hear` with each notice. `begun` is awaited whenever listening begins, for notices may have been lost before.

    `rest` is awaited again and again: the connection is looked at after each, so that a server that went silently is noticed.
    """
    task = asyncio.create_task(_listen(database, channel, hear, begun, rest), name=f"listening to {channel}")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _listen(
    database: Database,
    channel: str,
    hear: Callable[..., Any],
    begun: Callable[[], Awaitable[None]],
    rest: Callable[[], Awaitable[None]],
) -> None:
    while True:
        try:
            async with database.dedicated(application_name=channel) as connection:
                await connection.add_listener(channel, hear)
                await begun()
                while True:
                    await rest()
                    await connection.execute("SELECT 1")
        except DatabaseFailure as failure:
            log.warning("%s: not listening for the moment: %s", channel, failure.code)
            await asyncio.sleep(_AGAIN)
