"""Tells every worker process that something changed in a call, by LISTEN and NOTIFY. Who is told reads again.

A notice names the call and nothing else, so a lost one costs a moment: after a reconnection everybody reads again.
Source: https://www.postgresql.org/docs/current/sql-notify.html
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final
from uuid import UUID

from yersin.db import Database, DatabaseFailure
from yersin.db.listening import listening

CHANNEL: Final = "yersin_call"
_PULSE = 5.0  # seconds between looks at the connection: a server that went silently is noticed


class RoomBus:
    """One a process. `running` listens; `hearing` gives an event that is set whenever the call changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ears: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)

    @contextlib.contextmanager
    def hearing(self, call_id: UUID) -> Iterator[asyncio.Event]:
        """Lend an event that is set at every change; set from the start, as the first look is due."""
        ear = asyncio.Event()
        ear.set()
        self._ears[call_id].add(ear)
        try:
            yield ear
        finally:
            self._ears[call_id].discard(ear)
            if not self._ears[call_id]:
                del self._ears[call_id]

    async def tell(self, call_id: UUID) -> None:
        """Say that a call has changed. Call it after the change is committed; it never fails what was committed."""
        self._wake(call_id)
        with contextlib.suppress(DatabaseFailure):
            await self._database.execute("SELECT pg_notify($1, $2)", CHANNEL, str(call_id))

    def running(self) -> AbstractAsyncContextManager[None]:
        """Listen while the block runs."""
        rest = partial(asyncio.sleep, _PULSE)
        return listening(self._database, CHANNEL, self._heard, begun=self._wake_all, rest=rest)

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: Any) -> None:
        with contextlib.suppress(ValueError):
            self._wake(UUID(str(payload)))

    def _wake(self, call_id: UUID) -> None:
        for ear in self._ears.get(call_id, ()):
            ear.set()

    async def _wake_all(self) -> None:
        for call_id in list(self._ears):
            self._wake(call_id)
