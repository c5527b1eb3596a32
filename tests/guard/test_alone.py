"""Single changes by a program are one statement, and what they leave behind is what a transaction leaves."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import pytest

from yersin.fhir import parse, r4
from yersin.fhir.problem import Problem
from yersin.guard import alone
from yersin.guard.access import Access
from yersin.guard.writing import SIGNED, STATE_SYSTEM, Create, Delete, Update, Written
from yersin.search.page import Query


def observation(
    value: str, *, status: str = "final", tag: str = "", subject: str = "Patient/nobody-here"
) -> r4.Resource:
    body: dict[str, Any] = {
        "resourceType": "Observation",
        "status": status,
        "code": {"text": "Pulse"},
        "subject": {"reference": subject},
        "effectiveDateTime": "2026-01-05T08:00:00Z",
        "valueQuantity": {"value": 70, "system": "urn:units", "code": value},
    }
    if tag:
        body["meta"] = {"tag": [{"system": STATE_SYSTEM, "code": tag}]}
    return parse(msgspec.json.encode(body))


def again(resource: r4.Resource, of: str) -> Update:
    resource.id = of
    return Update(resource=resource)


@pytest.fixture
def first(run: Any, system: Access) -> Written:
    (made,) = run(system.write([Create(resource=observation("one"))]))
    answer: Written = made
    return answer


def rows(run: Any, system: Access, sql: str, id_: str) -> list[Any]:
    return [tuple(row) for row in run(system.ground.database.fetch(sql, UUID(id_)))]


def test_an_update_alone_leaves_what_a_transaction_leaves(run: Any, system: Access, first: Written) -> None:
    id_ = first.version.id
    second = run(alone.write(system, again(observation("two"), id_)))
    assert second is not None
    assert (second.version.ver, second.created) == (2, False)
    assert second.version.upd > first.version.upd
    assert run(system.read("Observation", id_)).json() == second.version.json()
    assert run(system.vread("Observation", id_, 1)).json() == first.version.json()
    assert rows(run, system, "SELECT ver, op FROM change_log WHERE id = $1 ORDER BY seq", id_) == [(1, b"C"), (2, b"U")]
    assert rows(run, system, "SELECT ver, op FROM history WHERE id = $1", id_) == [(1, b"C")]
    written = (
        "SELECT interaction, ver FROM audit WHERE entity = $1 AND interaction IN ('create', 'update') ORDER BY seq"
    )
    assert rows(run, system, written, id_) == [("create", 1), ("update", 2)]
    assert rows(run, system, "SELECT count(*) FROM fhir.observation_range WHERE id = $1 AND key = 0", id_)[0][0] <= 2


def test_the_index_is_that_of_the_new_version(run: Any, system: Access, first: Written) -> None:
    id_ = first.version.id
    changed = observation("three", status="amended")
    assert run(alone.write(system, again(changed, id_))) is not None
    found = run(system.search(Query.of("Observation", [("status", "amended"), ("_id", id_)])))
    assert [version.ver for version in found.versions] == [2]
    assert not run(system.search(Query.of("Observation", [("status", "final"), ("_id", id_)]))).versions


def test_what_moves_to_another_chart_is_left_to_the_transaction(run: Any, system: Access, first: Written) -> None:
    id_ = first.version.id
    assert run(alone.write(system, again(observation("three", subject="Patient/somebody-else"), id_))) is None
    run(system.write([again(observation("three", subject="Patient/somebody-else"), id_)]))
    found = run(system.search(Query.of("Observation", [("subject", "Patient/somebody-else"), ("_id", id_)])))
    assert [version.id for version in found.versions] == [id_]


def test_many_at_once_make_a_version_each_and_lose_none(run: Any, system: Access, first: Written) -> None:
    id_ = first.version.id

    async def all_at_once() -> list[list[Written]]:
        return await asyncio.gather(*(system.write([again(observation(f"v{n}"), id_)]) for n in range(24)))

    done = [made[0].version for made in run(all_at_once())]
    assert sorted(version.ver for version in done) == list(range(2, 26))
    for version in done:
        assert run(system.vread("Observation", id_, version.ver)).json() == version.json()


def test_a_row_that_somebody_holds_is_left_to_the_transaction(run: Any, system: Access, first: Written) -> None:
    id_ = first.version.id

    async def story() -> Written:
        async with system.ground.database.transaction() as connection:
            await connection.fetch("SELECT 1 FROM id_map WHERE id = $1 FOR UPDATE", UUID(id_))
            assert await alone.write(system, again(observation("late"), id_)) is None
            waiting = asyncio.create_task(system.write([again(observation("late"), id_)]))
            await asyncio.sleep(0.05)
            assert not waiting.done()
        return (await waiting)[0]

    assert run(story()).version.ver == 2


def test_a_version_out_of_date_is_told(run: Any, system: Access, first: Written) -> None:
    id_ = first.version.id
    late = Update(resource=again(observation("two"), id_).resource, expected=7)
    assert run(alone.write(system, late)) is None
    with pytest.raises(Problem) as refusal:
        run(system.write([Update(resource=again(observation("two"), id_).resource, expected=7)]))
    assert refusal.value.status == 412


def test_what_is_signed_stays(run: Any, system: Access) -> None:
    (made,) = run(system.write([Create(resource=observation("one", tag=SIGNED))]))
    for change in (again(observation("two"), made.version.id), Delete(type="Observation", id=made.version.id)):
        with pytest.raises(Problem) as refusal:
            run(system.write([change]))
        assert refusal.value.status == 409
    assert run(system.read("Observation", made.version.id)).ver == 1


def test_a_deletion_leaves_a_tombstone_and_history(run: Any, system: Access, first: Written) -> None:
    id_ = first.version.id
    gone = run(alone.write(system, Delete(type="Observation", id=id_)))
    assert gone is not None
    assert (gone.version.ver, gone.version.deleted) == (2, True)
    assert run(system.read("Observation", id_)).deleted
    assert run(system.vread("Observation", id_, 1)).json() == first.version.json()
    history = rows(run, system, "SELECT ver, op FROM history WHERE id = $1 ORDER BY ver", id_)
    assert history == [(1, b"C"), (2, b"D")]
    assert not rows(run, system, "SELECT 1 FROM fhir.observation_range WHERE id = $1", id_)
    told = rows(run, system, "SELECT ver, patients FROM audit WHERE entity = $1 AND interaction = 'delete'", id_)
    assert told == [(2, [gone.version.pat])]
    (back,) = run(system.write([again(observation("back"), id_)]))
    assert (back.version.ver, back.created) == (3, True)


def test_nothing_is_deleted_twice(run: Any, system: Access, first: Written) -> None:
    once, twice = Delete(type="Observation", id=first.version.id), Delete(type="Observation", id=first.version.id)
    assert len(run(system.write([once]))) == 1
    assert run(system.write([twice])) == []


def test_who_may_open_a_chart_follows_the_patient(run: Any, system: Access) -> None:
    keeper = "11111111-1111-4111-8111-111111111111"
    kept = parse(msgspec.json.encode({
        "resourceType": "Patient", "managingOrganization": {"reference": f"Organization/{keeper}"},
    }))  # fmt: skip
    (made,) = run(system.write([Create(resource=kept)]))
    id_ = made.version.id
    plain = parse(msgspec.json.encode({"resourceType": "Patient", "id": id_, "active": True}))
    assert run(alone.write(system, Update(resource=plain))) is None
    run(system.write([Update(resource=plain)]))
    assert not rows(run, system, "SELECT 1 FROM care WHERE source = $1", id_)
