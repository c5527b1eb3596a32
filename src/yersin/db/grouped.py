"""Single-statement writes that commit together.

What arrives while one is on its way to the disk waits for it, and then goes down in one transaction with all that
waited beside it. The busier the server, the larger the groups: many writers share one flush of the log and one
message to the database. Source: DeWitt et al., Implementation techniques for main memory database systems (1984), group commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from yersin.db.failure import DatabaseFailure
from yersin.db.pool import Database

#: statements of one group; more would make the first of them wait
MOST = 64
#: what a statement without an answer answers
_NONE: Sequence[Any] = (None,)


class _One(NamedTuple):
    """A statement that waits: its arguments and where its answer goes."""

    values: Sequence[Any]
    done: asyncio.Future[Any]


class Grouped:
    """Runs statements that stand for themselves: each is durable when its answer comes, and fails alone."""

    __slots__ = ("_database", "_tasks", "_waiting")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, list[_One]] = {}  # by statement, for those of which one is under way
        self._tasks: set[asyncio.Task[None]] = set()

    async def fetchval(self, sql: str, *values: Any) -> Any:
        """Run a statement and return its one value, None where it has none. Raises what `Database.fetchval` raises."""
        return (await self.fetchrow(sql, *values))[0]

    async def fetchrow(self, sql: str, *values: Any) -> Sequence[Any]:
        """Run a statement that answers exactly one row, or never any, and return the row. Raises what `Database.fetchrow` raises."""
        waiting = self._waiting.get(sql)
        if waiting is not None:
            done: asyncio.Future[Sequence[Any]] = asyncio.get_running_loop().create_future()
            waiting.append(_One(values, done))
            return await done
        self._waiting[sql] = []
        try:
            return await self._database.fetchrow(sql, *values) or _NONE
        finally:
            self._go_on(sql)

    def _go_on(self, sql: str) -> None:
        """Let those who wait have their turn."""
        if self._waiting[sql]:
            task = asyncio.create_task(self._work(sql))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            del self._waiting[sql]

    async def _work(self, sql: str) -> None:
        while waiting := self._waiting[sql]:
            group = list(islice(waiting, MOST))
            del waiting[: len(group)]
            await self._together(sql, group)
        del self._waiting[sql]

    async def _together(self, sql: str, group: list[_One]) -> None:
        try:
            async with self._database.acquire() as connection:
                rows = await connection.fetchmany(sql, [one.values for one in group])
        except DatabaseFailure as failure:
            for one in group:
                _tell(one.done, failure)
        except Exception:  # noqa: BLE001 - all of it was undone: running each by itself finds whose fault it was
            for one in group:
                await self._alone(sql, one)
        else:
            for one, row in zip(group, rows or [_NONE] * len(group), strict=True):
                if not one.done.done():
                    one.done.set_result(row)

    async def _alone(self, sql: str, one: _One) -> None:
        try:
            row = await self._database.fetchrow(sql, *one.values) or _NONE
        except Exception as error:  # noqa: BLE001 - whatever it was, who waits must hear of it
            _tell(one.done, error)
        else:
            if not one.done.done():
                one.done.set_result(row)


def _tell(done: asyncio.Future[Any], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
