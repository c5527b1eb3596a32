"""What R4 defines is built in, whole and the same as the generated types say.

Source: https://hl7.org/fhir/R4/terminologies-valuesets.html
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest
import zstandard

from yersin.app import ground as app_ground
from yersin.fhir.problem import Problem
from yersin.fhir.r4 import codes
from yersin.terminology import intake
from yersin.terminology.expanding import Wanted, expand
from yersin.terminology.finding import Finder

GENERATOR = Path(__file__).resolve().parents[2] / "tools" / "generate_terms.py"
#: value sets of R4 that nobody can list whole without lists that HL7 does not own, or that are no end to
LISTED_AT_LEAST = 1220


@pytest.fixture(scope="module")
def defined():
    lines = zstandard.ZstdDecompressor().decompress(intake.built_in()).splitlines()
    return [msgspec.json.decode(line) for line in lines]


@pytest.fixture(scope="module")
def expansions(run, ground, defined):
    """Every value set of R4 that can be expanded: its codes by address."""

    async def work():
        found, refusals = {}, set()
        async with ground.database.searching() as connection:
            finder = Finder(connection)
            for each in defined:
                if each["resourceType"] == "ValueSet":
                    try:
                        expansion = await expand(finder, each, Wanted(flat=True))
                    except Problem as refusal:
                        refusals.add(refusal.issues[0].code)
                        continue
                    found[each["url"]] = [c["code"] for c in expansion.get("contains", ())]
        assert refusals == {"not-found", "too-costly"}
        return found

    return run(work())


def test_generating_again_changes_nothing(shared):
    definitions = shared / "fhir-r4" / "definitions"
    done = subprocess.run(
        [sys.executable, GENERATOR, definitions, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_folder_without_definitions_is_refused_with_words(tmp_path):
    done = subprocess.run([sys.executable, GENERATOR, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "name the folder of definitions" in done.stderr


def test_all_of_r4_is_there(run, ground, defined):
    kinds = [each["resourceType"] for each in defined]
    assert (kinds.count("CodeSystem"), kinds.count("ValueSet"), kinds.count("ConceptMap")) == (1062, 1316, 80)
    count = run(ground.database.fetchval("SELECT count(*) FROM terms.definition WHERE source = 'r4'"))
    assert count == 1316 + 80
    systems = run(ground.database.fetchval("SELECT count(*) FROM terms.system WHERE source = 'r4'"))
    # without the two that R4 names and does not hold (SNOMED CT is one), with countries and currencies
    assert systems >= 1060


def test_nearly_every_value_set_of_r4_expands(expansions):
    assert len(expansions) >= LISTED_AT_LEAST
    assert all(
        len(found) == len(set(found)) or "v2-" in url or "c80" in url or found for url, found in expansions.items()
    )


def test_required_bindings_expand_to_the_codes_of_the_generated_types(expansions, defined):
    named = {name: get_args(value)[1] for name, value in vars(codes).items() if get_args(value)}
    assert len(named) > 150
    by_codes = {frozenset(found) for found in expansions.values()}
    missing = [name for name, listed in named.items() if frozenset(listed) not in by_codes]
    assert missing == []


def test_taking_in_again_does_nothing(run, ground, database_url):
    assert run(intake.ensure(ground.database)) is False
    before = run(ground.database.fetchval("SELECT max(id) FROM terms.system"))
    run(app_ground.prepared(database_url))
    assert run(ground.database.fetchval("SELECT max(id) FROM terms.system")) == before


def test_another_release_replaces_what_is_built_in_and_nothing_else(run, fresh_url):
    async def work():
        from yersin.db import connect  # noqa: PLC0415 - a database of this test alone

        database = await connect(fresh_url)
        try:
            system = {"resourceType": "CodeSystem", "url": "urn:mine", "version": "1", "content": "complete",
                      "concept": [{"code": "a", "display": "A"}]}  # fmt: skip
            async with database.acquire() as connection:
                assert await intake.load(connection, "file:mine:1", system, None) == 1
            before = await database.fetchval("SELECT count(*) FROM terms.concept")
            await database.execute("UPDATE terms.loaded SET digest = 'older'")
            assert await intake.ensure(database) is True
            assert await database.fetchval("SELECT count(*) FROM terms.concept") == before
            assert await database.fetchval("SELECT count(*) FROM terms.system WHERE source = 'file:mine:1'") == 1
        finally:
            await database.close()

    run(work())
