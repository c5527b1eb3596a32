"""Verdicts of HL7's validator (github.com/FHIR/fhir-test-cases) on R4 resources, asked of $validate."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.outcomes import exclusions

SHARED = Path(os.environ.get("YERSIN_SHARED", Path(__file__).parents[3] / "shared"))
FOLDER = SHARED / "data" / "fhir-test-cases" / "validator"
#: each case with another verdict: its title, whether a feature is missing, a bug known or neither meant, and why
EXCLUSIONS = exclusions("validator")
LEAST = 0.95
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the shared test data are not in {FOLDER} (YERSIN_SHARED)")


@cache
def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / "_manifest.json").read_bytes())
    return found


def errors(client: Any, name: str) -> list[dict[str, Any]]:
    kind = "xml" if name.endswith(".xml") else "json"
    headers = {"content-type": f"application/fhir+{kind}"}
    answer = client.post("/$validate", content=(FOLDER / name).read_bytes(), headers=headers)
    assert answer.status_code == 200, (name, answer.text)
    return [issue for issue in answer.json()["issue"] if issue["severity"] in ("error", "fatal")]


def test_every_verdict_agrees_but_for_those_that_are_explained(client, tally):
    other = {}
    for case in cases():
        found = errors(client, case["file"])
        if bool(found) != bool(case["expected"]["errors"]):
            other[case["name"]] = found
    assert set(other) == set(EXCLUSIONS), {name: other[name] for name in other if name not in EXCLUSIONS}
    tally(len(cases()))


def test_few_verdicts_are_explained_away():
    assert len(EXCLUSIONS) <= (1 - LEAST) * len(cases())
    named = {(case["name"], case["file"]) for case in cases()}
    for each in EXCLUSIONS.values():
        assert (each["title"], each["file"]) in named
