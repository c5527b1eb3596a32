"""The third-party test cases of SQL on FHIR v2 (github.com/FHIR/sql-on-fhir-v2), read from the shared data folder."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from tests.conformance.outcomes import excluded, exclusions

from yersin.fhir.problem import Problem
from yersin.views import definition

SHARED = Path(os.environ.get("YERSIN_SHARED", Path(__file__).parents[3] / "shared"))
FOLDER = SHARED / "data" / "sql-on-fhir-v2"
EXCLUSIONS = exclusions("sql_on_fhir")


def _cases():
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    for file in sorted(FOLDER.glob("*.json")):
        suite = decode(file.read_bytes())
        for case in suite["tests"]:
            yield pytest.param(suite["resources"], case, id=f"{suite['title']}: {case['title']}")


def _rows(resources, view):
    made = definition.read(view)
    return [row for resource in resources for row in made.rows(resource, lambda kind, key: f"{kind}/{key}")]


def _comparable(rows):
    return sorted(
        repr(sorted(row.items()))
        for row in msgspec.json.decode(msgspec.json.Encoder(decimal_format="number").encode(rows))
    )


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the shared test data are not in {FOLDER} (YERSIN_SHARED)")
def test_every_exclusion_is_a_case():
    titles = {case.id for case in _cases()}
    assert set(EXCLUSIONS) <= titles
    assert len(titles) == 79


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the shared test data are not in {FOLDER} (YERSIN_SHARED)")
@pytest.mark.parametrize(("resources", "case"), list(_cases()))
def test_the_view_gives_the_rows_of_the_case(resources, case, request):
    excluded(request, EXCLUSIONS.get(request.node.callspec.id))
    if case.get("expectError"):
        with pytest.raises(Problem):
            _rows(resources, case["view"])
        return
    rows = _rows(resources, case["view"])
    if "expectColumns" in case:
        assert list(rows[0]) == case["expectColumns"]
    if "expect" in case:
        assert _comparable(rows) == _comparable(case["expect"])
    if "expectCount" in case:
        assert len(rows) == case["expectCount"]


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ({"select": [{"forEach": 1}]}, "select[0].forEach"),
        ({"select": [{"select": [{"repeat": [2]}]}]}, "select[0].select[0].repeat[0]"),
        ({"select": [{"column": [{"name": "a", "path": ["id"]}]}]}, "column[0].path"),
        ({"select": "x"}, "select"),
        ({"where": [{}], "select": [{}]}, "where[0]"),
        ({"constant": [1], "select": [{}]}, "constant[0]"),
    ],
)
def test_what_is_no_view_is_refused_with_its_place(part, place):
    with pytest.raises(Problem, match=re.escape(place)):
        definition.read({"resource": "Patient", **part})
