"""Statements that commit together are each durable when answered, and fail alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from yersin.db import Database, DatabaseFailure, connect
from yersin.db.grouped import Grouped

INSERT = "INSERT INTO t VALUES ($1) RETURNING n * 10"
Story = Callable[[Database, Grouped], Awaitable[None]]


def on(url: str, story: Story) -> None:
    async def run() -> None:
        database = await connect(url, max_size=4)
        try:
            await database.execute("CREATE TABLE t (n int PRIMARY KEY)")
            await story(database, Grouped(database))
        finally:
            await database.close()

    asyncio.run(run())


def test_each_gets_its_own_answer_and_few_transactions_hold_them_all(url: str) -> None:
    async def story(database: Database, grouped: Grouped) -> None:
        answers = await asyncio.gather(*(grouped.fetchval(INSERT, n) for n in range(200)))
        assert answers == [n * 10 for n in range(200)]
        assert await database.fetchval("SELECT count(*) FROM t") == 200
        assert await database.fetchval("SELECT count(DISTINCT xmin::text) FROM t") <= 5

    on(url, story)


def test_one_after_the_other_waits_for_nobody(url: str) -> None:
    async def story(database: Database, grouped: Grouped) -> None:
        assert [await grouped.fetchval(INSERT, n) for n in range(3)] == [0, 10, 20]
        assert await grouped.fetchval("INSERT INTO t VALUES (9)") is None
        assert await database.fetchval("SELECT count(*) FROM t") == 4

    on(url, story)


@pytest.mark.parametrize(
    ("wrong", "error"), [(7, "UniqueViolationError"), ("seven", "DataError"), (2**40, "DataError")]
)
def test_a_bad_one_fails_alone(url: str, wrong: object, error: str) -> None:
    async def story(database: Database, grouped: Grouped) -> None:
        await database.execute("INSERT INTO t VALUES (7)")
        good = [*range(7), *range(8, 20)]
        tasks = [grouped.fetchval(INSERT, n) for n in (*good[:6], wrong, *good[6:])]
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        refused = answers.pop(6)
        assert type(refused).__name__ == error
        assert answers == [n * 10 for n in good]
        assert await database.fetchval("SELECT count(*) FROM t") == 20

    on(url, story)


def test_who_stops_waiting_leaves_the_others_alone(url: str) -> None:
    async def story(database: Database, grouped: Grouped) -> None:
        tasks = [asyncio.create_task(grouped.fetchval(INSERT, n)) for n in range(20)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # the first one is on its way by itself, the others wait for it
        tasks[5].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        kept = [task.result() for n, task in enumerate(tasks) if n not in (0, 5)]
        assert kept == [n * 10 for n in range(20) if n not in (0, 5)]
        assert await grouped.fetchval(INSERT, 99) == 990

    on(url, story)


def test_everyone_hears_that_the_line_broke(url: str) -> None:
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%/* slow */%' AND pid <> pg_backend_pid()"

    async def story(database: Database, grouped: Grouped) -> None:
        slow = "INSERT INTO t SELECT $1::int FROM pg_sleep(5) /* slow */"
        tasks = [asyncio.create_task(grouped.fetchval(slow, n)) for n in range(4)]
        for _ in range(2):  # the first one, then those who waited for it
            await asyncio.sleep(0.4)
            async with database.dedicated() as connection:
                await connection.execute(cut)
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(answer) for answer in answers] == [DatabaseFailure] * 4
        assert {answer.committed for answer in answers if isinstance(answer, DatabaseFailure)} == {"unknown"}
        assert await grouped.fetchval(INSERT, 1) == 10

    on(url, story)
