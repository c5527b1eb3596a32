"""The runner: one process at a time, backoff, a stop that loses nothing, a lost connection survived."""

from __future__ import annotations

import asyncio

import pytest

from yersin.jobs import periodic
from yersin.jobs.periodic import Task


@pytest.fixture
def database(ground):
    return ground.database


async def until(condition, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def counting(counts, name, every=0.02):
    async def work():
        counts[name] = counts.get(name, 0) + 1

    return Task(name=name, every=every, work=work)


def test_of_two_runners_one_works_and_the_other_takes_over(run, database):
    async def go():
        counts: dict[str, int] = {}
        async with periodic.running(database, [counting(counts, "second")], beat=0.1) as second:
            await until(lambda: counts.get("second"))
            async with periodic.running(database, [counting(counts, "first")], beat=0.1) as first:
                await asyncio.sleep(0.5)
                assert second.leads
                assert not first.leads
                assert "first" not in counts
        async with periodic.running(database, [counting(counts, "third")], beat=0.1):
            await until(lambda: counts.get("third"))

    run(go())


def test_a_task_that_fails_is_tried_again_and_its_words_are_not_logged(run, database, monkeypatch, caplog):
    monkeypatch.setattr(periodic, "PATIENCE", (0.01, 0.05))
    tries = []

    async def failing():
        tries.append(1)
        raise ValueError("Nguyễn Thị Bí Mật")

    async def go():
        async with periodic.running(database, [Task(name="bad", every=0.01, work=failing)], beat=0.1):
            await until(lambda: len(tries) >= 4)

    run(go())
    told = [record for record in caplog.records if record.name == "yersin.jobs"]
    assert not any("Bí Mật" in caplog.handler.format(record) for record in told)
    assert [record.args[-1] for record in told[:3]] == [0.01, 0.02, 0.04]
    assert told[0].getMessage().startswith("bad failed: ValueError at ")


def test_a_lost_connection_ends_the_work_and_it_begins_again(run, database):
    async def go():
        counts: dict[str, int] = {}
        async with periodic.running(database, [counting(counts, "work")], beat=0.1) as runner:
            await until(lambda: runner.leads)
            await database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'yersin jobs' AND datname = current_database()"
            )
            await until(lambda: not runner.leads)
            before = counts["work"]
            await until(lambda: runner.leads and counts["work"] > before)

    run(go())


def test_stopping_rolls_back_what_is_under_way(run, database):
    async def go():
        begun, ended = asyncio.Event(), []

        async def slow():
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.append("rolled back")

        async with periodic.running(database, [Task(name="slow", every=1, work=slow)], beat=0.1):
            await asyncio.wait_for(begun.wait(), 20)
        assert ended == ["rolled back"]
        assert not [task for task in asyncio.all_tasks() if task.get_name() in ("slow", "yersin jobs")]

    run(go())
