"""Seats for costly work that the public may ask for: so many at once, so many waiting, the rest is asked to come again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from yersin.fhir.problem import problem


class Seats:
    """`async with seats.one():` around the work. Belongs to one process."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._here = 0

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Take a seat. Raises Problem (503) when too many wait already."""
        if self._here >= self._most:
            text = "Máy chủ đang quá bận; hãy thử lại sau ít phút. | The server is too busy now; try again in a few minutes."
            raise problem("throttled", text, status=503)
        self._here += 1
        try:
            async with self._free:
                yield
        finally:
            self._here -= 1
