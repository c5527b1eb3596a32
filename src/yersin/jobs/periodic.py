"""Work that comes back: coroutines that run every so often, in one of several processes at a time.

A task answers true when there is more to do at once. One session-level advisory lock a database, on a connection of
its own, names the process that works; when its connection breaks, the lock falls to the next that asks. Source:
https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from yersin.db import Connection, Database, DatabaseFailure

LOCK = 0x59_45_52_4A_4F_42  # "YERJOB", the key of the advisory lock
#: seconds until a task that failed is tried again: doubled each time up to the last
PATIENCE = (0.5, 60.0)
_LOG = logging.getLogger("yersin.jobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task: `work` is run every `every` seconds, and again at once while it answers true."""

    name: str
    every: float
    work: Callable[[], Awaitable[bool | None]]


class Runner:
    """Runs tasks until it is stopped. Use `running`."""

    def __init__(self, database: Database, tasks: Sequence[Task], *, beat: float = 2.0) -> None:
        self._database = database
        self._tasks = tuple(tasks)
        self._beat = beat
        self.leads = False

    async def run(self) -> None:
        """Ask for the lock, work while it is held, ask again when it is lost. Ends by cancellation only."""
        while True:
            try:
                async with self._database.dedicated(application_name="yersin jobs") as connection:
                    await self._lead(connection)
            except DatabaseFailure as failure:
                _LOG.warning("waiting for the database: %s", failure.code)
            await asyncio.sleep(self._beat)

    async def _lead(self, connection: Connection) -> None:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            return
        self.leads = True
        working = [asyncio.create_task(_loop(task), name=task.name) for task in self._tasks]
        try:
            while True:
                await asyncio.sleep(self._beat)
                await connection.fetchval("SELECT 1")
        finally:
            self.leads = False
            await _stopped(working)


async def _stopped(working: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until each has rolled back what it was doing."""
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)


async def _loop(task: Task) -> None:
    patience = PATIENCE[0]
    while True:
        pause = task.every
        try:
            if await task.work():
                pause = 0.0
            patience = PATIENCE[0]
        except Exception as error:  # noqa: BLE001 - a task that fails is tried again, whatever failed it
            _LOG.warning(
                "%s failed: %s at %s, again in %.0f s", task.name, type(error).__name__, _place(error), patience
            )
            pause, patience = patience, min(patience * 2, PATIENCE[1])
        await asyncio.sleep(pause)


def _place(error: BaseException) -> str:
    """Where an error was raised. Its words are left out: they may hold what a patient's record says."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('yersin/')[2]}:{trace.tb_lineno}" if trace else "?"


@contextlib.asynccontextmanager
async def running(database: Database, tasks: Sequence[Task], *, beat: float = 2.0) -> AsyncIterator[Runner]:
    """Run tasks beside the block; when it ends, what is under way is rolled back and the lock given up."""
    runner = Runner(database, tasks, beat=beat)
    work = asyncio.create_task(runner.run(), name="yersin jobs")
    try:
        yield runner
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


async def serve(database: Database, tasks: Sequence[Task]) -> None:
    """Work until cancelled: the whole of a worker process."""
    async with running(database, tasks):
        await asyncio.Event().wait()
