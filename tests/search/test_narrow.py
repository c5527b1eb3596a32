"""A search led by a token that few resources have is answered from the index, however many rows and short a page there are."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from tests.running import Client

from yersin.db import Connection
from yersin.db.planning import ANEW, ONCE
from yersin.db.sql import Sql
from yersin.guard.access import Ground
from yersin.search import rarity
from yersin.search.compiling import is_narrow, where_of
from yersin.search.page import Query
from yersin.search.rows import Indexer
from yersin.search.run import is_planned_once

NAMING = (
    ("Patient", "identifier", "urn:a|1"),
    ("Patient", "identifier", "1"),
    ("Patient", "identifier:of-type", "urn:a|NI|1"),
    ("Observation", "patient", "1"),
    ("Observation", "subject", "Patient/1"),
)
BROAD = (
    ("Patient", "identifier", "urn:a|"),
    ("Patient", "identifier:not", "urn:a|1"),
    ("Patient", "gender", "female"),
    ("Observation", "subject", "Patient/1,Group/2"),
    ("Observation", "performer", "Organization/1"),
)


def _query(type_name: str, name: str, value: str) -> Query:
    return Query.of(type_name, [(name, value), ("_count", "1")])


@pytest.fixture
def unknowing(ground: Ground) -> Indexer:
    """An indexer that knows nothing of what is common."""
    return Indexer(ground.indexer.key, ground.indexer.zone)


@pytest.mark.parametrize("asked", NAMING)
def test_an_identifier_or_a_record_names_few(unknowing: Indexer, asked: tuple[str, str, str]) -> None:
    assert is_narrow(_query(*asked), unknowing)
    assert is_planned_once(unknowing, _query(*asked))


@pytest.mark.parametrize("asked", BROAD)
def test_what_may_be_on_every_row_is_not_narrow_until_statistics_say_so(
    unknowing: Indexer, asked: tuple[str, str, str]
) -> None:
    assert not is_narrow(_query(*asked), unknowing)


def test_a_search_of_several_statements_is_planned_anew(unknowing: Indexer) -> None:
    several = ([("_include", "Patient:organization")], [("_sort", "gender")], [("organization.name", "x")])
    assert not any(is_planned_once(unknowing, Query.of("Patient", [("identifier", "1"), *more])) for more in several)


def test_statistics_tell_the_common_from_the_rare(
    run: Any, ground: Ground, client: Client, unknowing: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = f"F{uuid4().hex}"
    for number in range(30):
        name = {"family": family if number == 7 else f"G{number}"}
        assert (
            client.post("/Patient", {"resourceType": "Patient", "gender": "female", "name": [name]}).status_code == 201
        )
    monkeypatch.setattr(rarity, "_LISTED", rarity._LISTED.replace(f"> {rarity.FEW}", "> 5"))

    async def learn() -> None:
        async with ground.database.acquire() as connection:
            await connection.execute('ANALYZE fhir."patient"')
            await unknowing.rarity.freshen(connection, "Patient")

    run(learn())
    assert not is_narrow(_query("Patient", "gender", "female"), unknowing)
    assert is_narrow(_query("Patient", "family", family), unknowing)
    assert is_narrow(Query.of("Patient", [("gender", "female"), ("family", family)]), unknowing)
    assert not is_narrow(_query("Observation", "status", "final"), unknowing), "nothing is known of other tables"


@pytest.mark.parametrize(("asked", "index"), [("identifier", "patient_tok"), ("gender", "patient_pkey")])
def test_a_short_page_of_many_rows_does_not_walk_along_the_order(
    run: Any, ground: Ground, unknowing: Indexer, asked: str, index: str
) -> None:
    """What a planner does that believes walking to be the cheapest: without sorts and whole scans it has no other way."""
    sql = Sql()
    clause = where_of(_query("Patient", asked, "x"), unknowing, sql)
    statement = f"EXPLAIN SELECT r.id FROM {clause.rows()} ORDER BY r.pat, r.id LIMIT 2"

    async def plan(connection: Connection) -> str:
        async with connection.transaction():
            await connection.execute("SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off")
            return "\n".join(row[0] for row in await connection.fetch(statement, *sql.arguments))

    async def planned() -> str:
        async with ground.database.searching() as connection:
            return await plan(connection)

    assert index in run(planned())


def test_a_connection_is_lent_with_the_plans_that_are_asked_for(run: Any, ground: Ground) -> None:
    async def modes() -> list[str]:
        found = []
        for plans in (ANEW, ONCE, ONCE, ANEW):
            async with ground.database.searching(plans=plans) as connection:
                found.append(await connection.fetchval("SHOW plan_cache_mode"))
        async with ground.database.searching(plans=ONCE) as one, ground.database.searching() as other:
            found += [await c.fetchval("SHOW plan_cache_mode") for c in (one, other)]
        return found

    assert run(modes()) == [ANEW, ONCE, ONCE, ANEW, ONCE, ANEW]
