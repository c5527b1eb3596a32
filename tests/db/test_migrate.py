"""Steps run once, in order, all or nothing, one process at a time, and never under a database that is ahead."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from yersin.db import Database, DatabaseFailure, connect
from yersin.db.migrate import Step, migrate, read_steps, status

FIRST = Step(number=1, name="store_beds", sql="CREATE TABLE bed (id int PRIMARY KEY); INSERT INTO bed VALUES (1);")
SECOND = Step(number=2, name="store_wards", sql="ALTER TABLE bed ADD ward int; CREATE INDEX ON bed (ward);")


def on(url: str, story: Callable[[Database], Awaitable[object]]) -> None:
    async def run() -> None:
        database = await connect(url, max_size=4)
        try:
            await story(database)
        finally:
            await database.close()

    asyncio.run(run())


def test_steps_run_once_and_in_order(url: str) -> None:
    async def story(database: Database) -> None:
        assert (await status(database, [FIRST, SECOND])).pending == (FIRST, SECOND)
        assert await migrate(database, [FIRST]) == (FIRST,)
        assert await migrate(database, [FIRST, SECOND]) == (SECOND,)
        assert await migrate(database, [FIRST, SECOND]) == ()
        now = await status(database, [FIRST, SECOND])
        assert [(each.number, each.name) for each in now.applied] == [(1, "store_beds"), (2, "store_wards")]
        assert (now.pending, now.newer) == ((), ())

    on(url, story)


@pytest.mark.parametrize("steps", [(SECOND, FIRST), (FIRST, FIRST)])
def test_steps_out_of_order_are_a_mistake_of_the_program(url: str, steps: tuple[Step, ...]) -> None:
    async def story(database: Database) -> None:
        with pytest.raises(ValueError, match="must rise"):
            await migrate(database, steps)

    on(url, story)


def test_a_step_that_fails_leaves_nothing_and_those_before_it_stay(url: str) -> None:
    broken = Step(number=2, name="store_broken", sql="CREATE TABLE half (id int); SELECT 1 / 0;")

    async def story(database: Database) -> None:
        with pytest.raises(Exception, match="division by zero"):
            await migrate(database, [FIRST, broken])
        assert await database.fetchval("SELECT to_regclass('half')") is None
        assert [each.number for each in (await status(database, [FIRST, SECOND])).applied] == [1]
        assert await migrate(database, [FIRST, SECOND]) == (SECOND,)

    on(url, story)


def test_an_applied_step_must_not_change(url: str) -> None:
    changed = Step(number=1, name="store_beds", sql="CREATE TABLE bed (id bigint PRIMARY KEY);")

    async def story(database: Database) -> None:
        await migrate(database, [FIRST])
        with pytest.raises(DatabaseFailure, match="must never change") as caught:
            await migrate(database, [changed, SECOND])
        assert caught.value.status == 409
        assert await database.fetchval("SELECT count(*) FROM yersin_migration") == 1

    on(url, story)


def test_a_step_slipped_in_before_applied_ones_is_refused(url: str) -> None:
    late = Step(number=1, name="store_late", sql="CREATE TABLE late (id int)")

    async def story(database: Database) -> None:
        await migrate(database, [Step(number=2, name="store_only", sql="SELECT 1")])
        with pytest.raises(DatabaseFailure, match="must never change"):
            await migrate(database, [late, Step(number=2, name="store_only", sql="SELECT 1")])

    on(url, story)


def test_a_database_ahead_of_the_program_is_refused(url: str) -> None:
    async def story(database: Database) -> None:
        await migrate(database, [FIRST, SECOND])
        with pytest.raises(DatabaseFailure, match=r"at step 2 \(store_wards\), this program knows 1"):
            await migrate(database, [FIRST])
        assert [each.number for each in (await status(database, [FIRST])).newer] == [2]

    on(url, story)


def test_processes_that_migrate_together_take_each_step_once(url: str) -> None:
    slow = Step(number=2, name="store_slow", sql="SELECT pg_sleep(0.3); ALTER TABLE bed ADD slow int;")

    async def story(database: Database) -> None:
        taken = await asyncio.gather(*(migrate(database, [FIRST, slow]) for _ in range(4)))
        assert sorted(taken, key=len) == [(), (), (), (FIRST, slow)]

    on(url, story)


def test_a_step_does_not_queue_long_behind_a_lock(url: str) -> None:
    async def story(database: Database) -> None:
        await migrate(database, [FIRST])
        async with database.transaction() as connection:
            await connection.execute("LOCK TABLE bed IN ACCESS SHARE MODE")
            with pytest.raises(DatabaseFailure) as caught:
                await migrate(database, [FIRST, SECOND], lock_timeout=0.2)
        assert (caught.value.code, caught.value.status, caught.value.permanent) == ("lock-error", 503, False)
        assert await migrate(database, [FIRST, SECOND]) == (SECOND,)

    on(url, story)


def test_a_step_that_takes_too_long_is_undone(url: str) -> None:
    async def story(database: Database) -> None:
        with pytest.raises(DatabaseFailure, match="took longer than 0 seconds"):
            await migrate(
                database, [Step(number=1, name="store_sleep", sql="SELECT pg_sleep(9)")], statement_timeout=0.2
            )
        assert (await status(database, [])).applied == ()

    on(url, story)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "ward_of_steps" / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ward_of_steps", raising=False)
    return folder


def test_steps_are_read_from_files_in_order(package: Path) -> None:
    (package / "0010_store_late.sql").write_text("SELECT 10")
    (package / "0002_store_early.sql").write_text("SELECT 2")
    (package / "README.md").write_text("")
    assert [(step.number, step.name, step.sql) for step in read_steps("ward_of_steps")] == [
        (2, "store_early", "SELECT 2"),
        (10, "store_late", "SELECT 10"),
    ]


def test_a_misnamed_step_file_is_told(package: Path) -> None:
    (package / "2_store.sql").write_text("SELECT 2")
    with pytest.raises(ValueError, match=r"NNNN_room_name\.sql"):
        read_steps("ward_of_steps")
