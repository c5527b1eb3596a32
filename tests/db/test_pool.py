"""What callers get from the pools: exact values, the right plans, retries, and failures that say what was stored."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from yersin.db import Connection, Database, DatabaseFailure, UniqueViolationError, connect, embedded, lending
from yersin.settings import Settings

Story = Callable[[Database], Awaitable[object]]


def on(url: str, story: Story, *, max_size: int = 4, search_seconds: float = 15.0) -> None:
    async def run() -> None:
        database = await connect(url, max_size=max_size, search_seconds=search_seconds)
        try:
            await story(database)
        finally:
            await database.close()

    asyncio.run(run())


def test_values_come_back_as_they_went_in(url: str) -> None:
    number = uuid.uuid4()
    value = {"tên": "Đặng", "liều": Decimal("72.50"), "lần": [1, None, True]}

    async def story(database: Database) -> None:
        row = await database.fetchrow(
            "SELECT $1::uuid, $2::bytea, $3::jsonb, $4::json", number, b"\x00\xff", value, value
        )
        assert row is not None
        assert tuple(row) == (number, b"\x00\xff", value, value)
        assert isinstance(row[0], uuid.UUID)
        assert str(row[2]["liều"]) == "72.50"

    on(url, story)


def test_searches_are_planned_anew_and_cannot_write(url: str) -> None:
    async def story(database: Database) -> None:
        await database.execute("CREATE TABLE t (n int)")
        assert await database.fetchval("SHOW plan_cache_mode") == "auto"
        async with database.searching() as connection:
            assert await connection.fetchval("SHOW plan_cache_mode") == "force_custom_plan"
            with pytest.raises(Exception, match="read-only"):
                await connection.execute("INSERT INTO t VALUES (1)")
        assert await database.fetchval("SHOW jit") == "off"

    on(url, story)


def test_a_search_beyond_its_time_is_stopped(url: str) -> None:
    async def story(database: Database) -> None:
        with pytest.raises(DatabaseFailure) as caught:
            async with database.searching() as connection:
                await connection.fetchval("SELECT pg_sleep(9)")
        assert caught.value.code == "too-costly"
        async with database.searching() as connection:
            assert await connection.fetchval("SELECT 1") == 1

    on(url, story, search_seconds=0.2)


def test_a_transaction_is_all_or_nothing(url: str) -> None:
    async def story(database: Database) -> None:
        await database.execute("CREATE TABLE t (n int PRIMARY KEY)")
        async with database.transaction() as connection:
            assert await connection.fetchval("SHOW transaction_isolation") == "read committed"
            await connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(UniqueViolationError):  # noqa: PT012 - the block is the thing tested
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO t VALUES (2)")
                await connection.execute("INSERT INTO t VALUES (1)")
        assert [row["n"] for row in await database.fetch("SELECT n FROM t")] == [1]

    on(url, story)


def test_a_transaction_left_open_does_not_reach_the_next_borrower(url: str) -> None:
    async def story(database: Database) -> None:
        await database.execute("CREATE TABLE t (n int)")
        async with database.acquire() as connection:
            await connection.execute("BEGIN")
            await connection.execute("SET LOCAL statement_timeout = '7s'")
            await connection.execute("INSERT INTO t VALUES (1)")
        assert await database.fetchval("SELECT count(*) FROM t") == 0
        assert await database.fetchval("SHOW statement_timeout") == "0"

    on(url, story, max_size=1)


def test_two_that_deadlock_both_finish(url: str) -> None:
    tries: list[str] = []

    async def story(database: Database) -> None:
        await database.execute("CREATE TABLE t (id int PRIMARY KEY, n int)")
        await database.execute("INSERT INTO t VALUES (1, 0), (2, 0)")
        first_rows_held = asyncio.Barrier(2)

        def crossing(name: str, first: int, second: int) -> Callable[[Connection], Awaitable[None]]:
            async def work(connection: Connection) -> None:
                tries.append(name)
                await connection.execute("UPDATE t SET n = n + 1 WHERE id = $1", first)
                if len(tries) <= 2:
                    await first_rows_held.wait()
                await connection.execute("UPDATE t SET n = n + 1 WHERE id = $1", second)

            return work

        await asyncio.gather(database.retrying(crossing("one", 1, 2)), database.retrying(crossing("other", 2, 1)))
        assert [row["n"] for row in await database.fetch("SELECT n FROM t ORDER BY id")] == [2, 2]

    on(url, story)
    assert len(tries) == 3


def raising(state: str) -> str:
    return f"DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '{state}'; END $$"


def test_clashes_without_end_are_given_up_as_busy(url: str) -> None:
    tries: list[int] = []

    async def work(connection: Connection) -> None:
        tries.append(1)
        await connection.execute(raising("40001"))

    async def story(database: Database) -> None:
        with pytest.raises(DatabaseFailure) as caught:
            await database.retrying(work, attempts=3)
        assert (caught.value.code, caught.value.retry_after, caught.value.committed) == ("lock-error", 1, "no")

    on(url, story)
    assert len(tries) == 3


@pytest.mark.parametrize(
    ("state", "code", "status"),
    [
        ("53100", "no-store", 507),
        ("53300", "lock-error", 503),
        ("55P03", "lock-error", 503),
        ("57P03", "transient", 503),
    ],
)
def test_what_the_server_says_of_itself_has_its_own_answer(url: str, state: str, code: str, status: int) -> None:
    async def story(database: Database) -> None:
        with pytest.raises(DatabaseFailure) as caught:
            await database.execute(raising(state))
        assert (caught.value.code, caught.value.status) == (code, status)
        assert caught.value.vi
        assert caught.value.vi != caught.value.diagnostics

    on(url, story)


def test_an_error_of_the_callers_own_is_left_alone(url: str) -> None:
    async def story(database: Database) -> None:
        with pytest.raises(FileNotFoundError):
            async with database.transaction():
                raise FileNotFoundError("the caller's own")
        with pytest.raises(TimeoutError):
            async with database.acquire() as connection, asyncio.timeout(0.1):
                await connection.execute("SELECT pg_sleep(9)")
        assert await database.fetchval("SELECT 1") == 1

    on(url, story)


def test_when_all_connections_are_taken_the_caller_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lending, "WAIT", 0.1)

    async def story(database: Database) -> None:
        async with database.acquire():
            with pytest.raises(DatabaseFailure) as caught:
                await database.fetchval("SELECT 1")
        assert caught.value.code == "lock-error"
        assert await database.fetchval("SELECT 1") == 1

    on(url, story, max_size=1)


def test_a_dedicated_connection_hears_notices(url: str) -> None:
    heard: list[str] = []

    async def story(database: Database) -> None:
        async with database.dedicated(application_name="listener") as connection:
            await connection.add_listener("news", lambda *said: heard.append(said[3]))
            await database.execute("SELECT pg_notify('news', 'now')")
            for _ in range(100):
                if heard:
                    break
                await asyncio.sleep(0.05)

    on(url, story)
    assert heard == ["now"]


def test_no_server_and_no_right_are_told_apart(tmp_path: Path, server_url: str) -> None:
    with pytest.raises(DatabaseFailure) as nobody:
        on(f"postgresql://yersin@/yersin?host={tmp_path}", lambda _: asyncio.sleep(0))
    assert (nobody.value.code, nobody.value.permanent) == ("transient", False)
    with pytest.raises(DatabaseFailure) as stranger:
        on(server_url.replace("@/yersin?", "@/no_such_database?"), lambda _: asyncio.sleep(0))
    assert (stranger.value.code, stranger.value.permanent) == ("login", True)


def test_the_same_pool_works_again_after_the_server_was_killed_in_mid_use(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    server = embedded.start(settings)

    async def story(database: Database) -> None:
        nonlocal server
        await database.execute("CREATE TABLE t (n int)")
        async with database.searching() as connection:
            await connection.fetchval("SELECT 1")
        with pytest.raises(DatabaseFailure) as broken:  # noqa: PT012 - the block is the thing tested
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO t VALUES (1)")
                os.kill(server.pid, signal.SIGKILL)
                await connection.execute("SELECT pg_sleep(9)")
        assert (broken.value.status, broken.value.committed) == (503, "no")
        with pytest.raises(DatabaseFailure) as away:
            await database.execute("INSERT INTO t VALUES (2)")
        assert (away.value.status, away.value.committed) == (503, "no")
        embedded.stop(server)
        server = embedded.start(settings)
        assert await database.fetchval("SELECT count(*) FROM t") == 0
        async with database.searching() as connection:
            assert await connection.fetchval("SELECT 1") == 1

    try:
        on(server.url, story)
    finally:
        embedded.stop(server)


END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%/* me */%' AND pid <> pg_backend_pid()"
)


async def _cut_line(database: Database) -> None:
    async with database.dedicated() as connection:
        await connection.execute(END_OTHERS)


def test_a_statement_cut_off_outside_a_transaction_is_of_unknown_fate(url: str) -> None:
    async def story(database: Database) -> None:
        task = asyncio.create_task(database.execute("SELECT pg_sleep(9) /* me */"))
        await asyncio.sleep(0.3)
        await _cut_line(database)
        with pytest.raises(DatabaseFailure, match="not known") as caught:
            await task
        assert caught.value.committed == "unknown"
        assert await database.fetchval("SELECT 1") == 1

    on(url, story)


def test_a_commit_cut_off_is_of_unknown_fate(url: str) -> None:
    sleepy = """
        CREATE TABLE t (n int);
        CREATE FUNCTION doze() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(9); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER doze AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION doze();
    """

    async def write(database: Database, inserted: asyncio.Event) -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO t VALUES (1)")
            inserted.set()

    async def story(database: Database) -> None:
        await database.execute(sleepy)
        inserted = asyncio.Event()
        task = asyncio.create_task(write(database, inserted))
        await inserted.wait()
        await asyncio.sleep(0.3)
        async with database.dedicated() as connection:
            cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query = 'COMMIT;'"
            assert await connection.fetchval(cut) == 1
        with pytest.raises(DatabaseFailure) as caught:
            await task
        assert (caught.value.code, caught.value.committed) == ("transient", "unknown")

    on(url, story)


def test_many_take_turns_with_few_connections(url: str) -> None:
    done: list[int] = []

    async def story(database: Database) -> None:
        async def worker(number: int) -> None:
            for _ in range(20):
                async with database.acquire() as connection:
                    done.append(await connection.fetchval("SELECT $1::int", number))

        await asyncio.gather(*(worker(n) for n in range(12)))
        used = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'yersin' AND datname = current_database()"
        )
        assert await database.fetchval(used) <= 2

    on(url, story, max_size=2)
    assert sorted(done) == sorted(list(range(12)) * 20)


def test_a_connection_cut_while_nobody_uses_it_is_not_lent_again(url: str) -> None:
    async def story(database: Database) -> None:
        await database.execute("SELECT 1 /* me */")
        await _cut_line(database)
        await asyncio.sleep(0.2)
        assert await asyncio.gather(*(database.fetchval("SELECT 1") for _ in range(8))) == [1] * 8

    on(url, story, max_size=3)
