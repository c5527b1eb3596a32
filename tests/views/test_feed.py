"""The feed of views: every change counts exactly once, whatever is cut off, comes late, or is built anew."""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yersin.app.ground import opened, prepared
from yersin.fhir import parse
from yersin.fhir.problem import problem
from yersin.guard.who import Who
from yersin.guard.who import system as the_system
from yersin.guard.writing import Create, Delete, Update
from yersin.jobs import periodic
from yersin.jobs.periodic import Task
from yersin.settings import Settings
from yersin.store import changes
from yersin.views.feed import BEHIND, Feed, resolved, standing
from yersin.views.pseudonyms import Pseudonyms


def patient(sex="female", born="1980-02-03"):
    return parse(
        msgspec.json.encode(
            {"resourceType": "Patient", "gender": sex, "birthDate": born, "name": [{"text": "Người Mẫu"}]}
        )
    )


@pytest.fixture
def in_house(fresh_url, keys_dir, run):
    """Run a coroutine function with a ground on a database of its own."""

    def go(work):
        async def whole():
            await prepared(fresh_url)
            async with opened(Settings(data_dir=keys_dir), fresh_url) as ground:
                return await work(ground)

        return run(whole())

    return go


async def people(ground):
    return sorted((r["birth_year"], r["sex"]) for r in await ground.database.fetch("SELECT * FROM views.person"))


def access_of(ground):
    return ground.access(the_system("HSYSADMIN"))


def test_what_was_there_before_is_filled_in_and_what_comes_later_is_followed(in_house):
    async def work(ground):
        access = access_of(ground)
        await access.write([Create(resource=patient(born="1950")), Create(resource=patient("male", "1960-05"))])
        feed = Feed(ground)
        await feed.catch_up()
        before = await people(ground)
        [third] = await access.write([Create(resource=patient("male", "1970-01-01"))])
        await feed.catch_up()
        after = await people(ground)
        version = await access.read("Patient", third.version.id)
        changed = version.resource()
        changed.gender = "other"
        await access.write([Update(resource=changed)])
        await feed.catch_up()
        updated = await people(ground)
        await access.write([Delete(type="Patient", id=third.version.id)])
        await feed.catch_up()
        return before, after, updated, await people(ground)

    first = [(1950, "female"), (1960, "male")]
    before, after, updated, deleted = in_house(work)
    assert before == first
    assert after == [*first, (1970, "male")]
    assert updated == [*first, (1970, "other")]
    assert deleted == first


def test_a_batch_that_dies_before_its_commit_leaves_nothing_and_is_done_again_once(in_house, monkeypatch):
    async def work(ground):
        feed = Feed(ground)
        await feed.catch_up()
        await access_of(ground).write([Create(resource=patient())])

        async def dies(*_):
            raise ConnectionResetError("killed between the rows and the cursor")

        with monkeypatch.context() as patched:
            patched.setattr(changes, "move", dies)
            with pytest.raises(Exception, match=r"killed|not available"):
                await feed.follow()
        half = await people(ground)
        counted = [await feed.follow(), await feed.follow()]
        return half, counted, await people(ground)

    half, counted, whole = in_house(work)
    assert half == []
    assert counted == [1, 0]
    assert whole == [(1980, "female")]


def test_two_feeds_at_once_count_once(in_house):
    async def work(ground):
        one, two = Feed(ground), Feed(ground)
        await one.catch_up()
        await access_of(ground).write([Create(resource=patient()) for _ in range(30)])
        await asyncio.gather(one.catch_up(), two.catch_up())
        return len(await people(ground))

    assert in_house(work) == 30


def test_a_transaction_that_commits_late_is_not_passed_over(in_house):
    async def work(ground):
        feed, access = Feed(ground), access_of(ground)
        await feed.catch_up()
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(writing):
            await writing.write([Create(resource=patient(born="1901"))])
            begun.set()
            await go_on.wait()

        late = asyncio.create_task(access.atomically(slowly))
        await begun.wait()
        await access.write([Create(resource=patient(born="1999"))])
        await feed.catch_up()
        early = await people(ground)
        async with ground.database.acquire() as connection:
            as_of = (await standing(connection)).as_of
            now = await connection.fetchval("SELECT now()")
        go_on.set()
        await late
        await feed.catch_up()
        return early, as_of < now, await people(ground)

    early, behind, whole = in_house(work)
    assert early == []
    assert behind
    assert whole == [(1901, "female"), (1999, "female")]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from("CUDF"), st.integers(0, 3), st.sampled_from(["male", "female"])), max_size=12
    )
)
def test_building_anew_gives_what_following_gave(in_house, steps):
    async def work(ground):
        feed, access, ids = Feed(ground), access_of(ground), []
        await feed.catch_up()
        for kind, which, sex in steps:
            if kind == "C":
                ids += [w.version.id for w in await access.write([Create(resource=patient(sex))])]
            elif kind == "F":
                await feed.catch_up()
            elif which < len(ids):
                gone = Delete(type="Patient", id=ids.pop(which)) if kind == "D" else None
                await access.write([gone or Update(resource=_with_id(patient(sex, "1990"), ids[which]))])
        await feed.catch_up()
        followed = await ground.database.fetch("SELECT * FROM views.person ORDER BY row_key")
        await feed.rebuild("person")
        during = await ground.database.fetch("SELECT * FROM views.person ORDER BY row_key")
        await feed.catch_up()
        return followed, during, await ground.database.fetch("SELECT * FROM views.person ORDER BY row_key")

    followed, during, rebuilt = in_house(work)
    assert [tuple(r) for r in followed] == [tuple(r) for r in during] == [tuple(r) for r in rebuilt]


def _with_id(resource, logical_id):
    resource.id = logical_id
    return resource


def test_a_resource_no_row_can_be_made_of_is_told_of_and_holds_nothing_up(in_house, monkeypatch):
    async def work(ground):
        feed, access = Feed(ground), access_of(ground)
        await feed.catch_up()
        odd = {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": {"display": "x"},
               "code": {"coding": [{"system": "urn:yersin:code-system:telehealth-activity", "code": "ADVICE"}]},
               "performer": [{"reference": "HealthcareService/a"}]}  # fmt: skip
        await access.write([Create(resource=parse(msgspec.json.encode(odd))), Create(resource=patient())])
        made = feed._rows

        def rows(view, version):
            if version.type == "ServiceRequest":
                raise problem("invalid", "no row can be made of it")
            return made(view, version)

        monkeypatch.setattr(feed, "_rows", rows)
        await feed.catch_up()
        async with ground.database.acquire() as connection:
            return (await standing(connection)).refused, await people(ground)

    assert in_house(work) == (1, [(1980, "female")])


def test_keys_tell_nobody_who_it_is_and_the_guard_finds_them_again(in_house):
    async def work(ground):
        feed, access = Feed(ground), access_of(ground)
        [made] = await access.write([Create(resource=patient())])
        await feed.catch_up()
        row = await ground.database.fetchrow("SELECT * FROM views.person")
        found = await resolved(ground, access.scope, "Patient", [row["row_key"]])
        stranger = ground.access(_analyst())
        hidden = await resolved(ground, stranger.scope, "Patient", [row["row_key"]])
        return made.version.id, row, [v.id for v in found], hidden, Pseudonyms(ground.keys)

    logical_id, row, found, hidden, pseudonyms = in_house(work)
    assert logical_id not in " ".join(str(value) for value in row.values())
    assert found == [logical_id]
    assert hidden == []
    other = uuid4()
    assert pseudonyms.row(pseudonyms.of_row(other)) == other


def _analyst():
    return Who(role="analyst", purpose="HSYSADMIN", organization=uuid4())


def test_a_commit_is_in_the_views_within_five_seconds_while_the_runner_works(in_house):
    async def work(ground):
        feed = Feed(ground)
        await feed.catch_up()
        lags = []
        async with periodic.running(ground.database, [Task(name="views", every=0.5, work=feed.work)]):
            for n in range(12):
                await access_of(ground).write([Create(resource=patient(born=str(1900 + n)))])
                begun = time.monotonic()
                while len(await people(ground)) <= n:
                    await asyncio.sleep(0.02)
                    assert time.monotonic() - begun < 5
                lags.append(time.monotonic() - begun)
        return sorted(lags)

    lags = in_house(work)
    assert lags[-1] < 5


def _read(plan):
    """Rows that a plan took from tables, those passed over included."""
    own = sum(plan.get(k, 0) * plan["Actual Loops"] for k in ("Actual Rows", "Rows Removed by Filter"))
    return (own if "Scan" in plan["Node Type"] else 0) + sum(_read(part) for part in plan.get("Plans", ()))


def test_the_end_of_a_long_log_is_found_without_reading_the_log(in_house):
    async def work(ground):
        await Feed(ground).catch_up()
        async with ground.database.acquire() as connection:
            await connection.execute(
                "INSERT INTO change_log (at, type, id, ver, pat, op) SELECT now(), 103, gen_random_uuid(), 1, "
                "gen_random_uuid(), 'C' FROM generate_series(1, 30000)"
            )
            await connection.execute("ANALYZE change_log")
            await connection.execute(
                "UPDATE cursor SET (tx, seq) = (SELECT tx, seq FROM change_log ORDER BY tx DESC, seq DESC LIMIT 1)"
            )
            asked = BEHIND.replace("$1", "'views'")
            (told,) = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {asked}")
        return await Feed(ground).work(), _read(told["Plan"])

    more, read = in_house(work)
    assert not more
    assert read < 100
