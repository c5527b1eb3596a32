"""The change log: nothing is passed over, whenever it commits; every consumer keeps its own place."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from tests.cast import Cast
from tests.running import others_have_ended

from yersin.db.failure import Clash, busy
from yersin.fhir import r4
from yersin.guard.access import Access
from yersin.guard.writing import Create, Delete, Update
from yersin.store import changes
from yersin.store.changes import Change, Cursor


@pytest.fixture
def last(run: Any, system: Access) -> Cursor:
    cursor: Cursor = run(_end(system))
    return cursor


async def _end(access: Access) -> Cursor:
    cursor = Cursor()
    async with access.ground.database.acquire() as connection:
        await others_have_ended(connection)
        while read := await changes.after(connection, cursor):
            cursor = read[-1].cursor
    return cursor


async def _after(access: Access, cursor: Cursor, limit: int = 1000) -> list[Change]:
    async with access.ground.database.acquire() as connection:
        await others_have_ended(connection)
        return await changes.after(connection, cursor, limit)


def test_every_write_is_told_in_order(run: Any, system: Access, last: Cursor) -> None:
    cast = Cast(run, system)
    patient = cast.patient()
    body = cast.write({"resourceType": "Patient", "id": patient, "active": True})
    run(system.write([Delete(type="Patient", id=patient)]))
    cast.write(body)
    told = [(c.op, c.ver) for c in run(_after(system, last)) if c.id == UUID(patient)]
    assert told == [("C", 1), ("U", 2), ("D", 3), ("C", 4)]


def test_pages_of_the_log_meet_without_gap(run: Any, system: Access, last: Cursor) -> None:
    run(system.write([Create(resource=r4.Patient()) for _ in range(40)]))
    whole, cursor, parts = run(_after(system, last)), last, []
    while part := run(_after(system, cursor, 7)):
        parts += part
        cursor = part[-1].cursor
    assert [c.cursor for c in parts] == [c.cursor for c in whole]
    assert len(whole) >= 40


def test_a_late_commit_is_not_passed_over(run: Any, system: Access, last: Cursor) -> None:
    """An older transaction is still open while a younger one commits: neither is handed out before the older has ended."""

    async def work() -> tuple[list[Change], list[Change]]:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow(writing: Any) -> None:
            await writing.write([Create(resource=r4.Patient(active=True))])
            begun.set()
            await go_on.wait()

        older = asyncio.create_task(system.atomically(slow))
        await begun.wait()
        await system.write([Create(resource=r4.Patient(active=False))])
        early = await _after(system, last)
        go_on.set()
        await older
        return early, await _after(system, last)

    early, late = run(work())
    assert early == []
    assert len(late) == 2
    assert late[0].cursor.seq < late[1].cursor.seq


def test_a_transaction_that_is_rolled_back_is_not_told(run: Any, system: Access, last: Cursor) -> None:
    async def failing(writing: Any) -> None:
        await writing.write([Create(resource=r4.Patient())])
        raise KeyError

    with pytest.raises(KeyError):
        run(system.atomically(failing))
    assert run(_after(system, last)) == []


def test_consumers_keep_their_own_place_and_do_not_work_twice(run: Any, system: Access) -> None:
    run(system.write([Create(resource=r4.Patient())]))
    heard: list[int] = []

    async def consume(name: str) -> None:
        async def work(connection: Any) -> None:
            cursor = await changes.cursor_of(connection, name)
            read = await changes.after(connection, cursor)
            await asyncio.sleep(0.05)
            heard.append(len(read))
            if read:
                await changes.move(connection, name, read[-1].cursor)

        await system.ground.database.retrying(work)

    async def together() -> None:
        async with system.own_tables() as connection:
            await others_have_ended(connection)
        await asyncio.gather(consume("one"), consume("one"))
        await consume("two")

    run(together())
    assert min(heard[:2]) == 0
    assert heard[2] == max(heard[:2])


def test_a_write_that_is_tried_again_writes_the_same(run: Any, system: Access) -> None:
    """The first attempt is rolled back by a clash; the second finds the resource whole."""
    attempts: list[Any] = []

    async def work(writing: Any) -> Any:
        written = await writing.write(changes_)
        attempts.append(written)
        if len(attempts) == 1:
            raise busy(Clash)
        return written

    changes_ = [Update(resource=r4.Patient(id="tried-again", active=True))]
    (written,) = run(system.atomically(work))
    assert len(attempts) == 2
    assert (written.version.id, written.version.ver) == ("tried-again", 1)
    assert run(system.read("Patient", "tried-again")).ver == 1
