"""HL7's test cases of FHIRPath for R4 (github.com/FHIR/fhir-test-cases), read from the shared data folder."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from tests.conformance.outcomes import excluded, exclusions
from tests.fhir.path import xml_reading

from yersin.fhir.path import Environment, compiled
from yersin.fhir.path.conversion import to_text
from yersin.fhir.path.items import data, type_of
from yersin.fhir.path.temporal import Temporal
from yersin.fhir.problem import Problem

SHARED = Path(os.environ.get("YERSIN_SHARED", Path(__file__).parents[3] / "shared"))
FOLDER = SHARED / "data" / "fhir-test-cases" / "fhirpath"
#: each case that is not met: its title, whether a feature is missing, a bug known or neither meant, and why
EXCLUSIONS = exclusions("fhirpath")
LEAST = 0.97
THERE = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the shared test data are not in {FOLDER} (YERSIN_SHARED)")


def cases() -> list[Any]:
    if not FOLDER.is_dir():
        return []
    tree = etree.parse(FOLDER / "tests-fhir-r4.xml", etree.XMLParser(resolve_entities=False, no_network=True))
    return list(tree.iter("test"))


@cache
def resource(name: str) -> Any:
    file = FOLDER / "input" / name
    return xml_reading.read(file) if file.suffix == ".xml" else json.loads(file.read_bytes(), parse_float=Decimal)


def shown(item: Any) -> str:
    value = data(item)
    text = to_text(value) or repr(value)
    return f"@T{text}" if isinstance(value, Temporal) and value.type == "Time" else text


def is_strict(case: Any) -> bool:
    return "strict" in (case.get("mode"), case.find("expression").get("mode"))


def evaluated(case: Any) -> list[Any]:
    expression = compiled(case.find("expression").text, strict=is_strict(case))
    return expression(resource(case.get("inputfile")) if case.get("inputfile") else None, Environment())


def same_type(item: Any, expected: str | None) -> bool:
    name = type_of(item).name
    return expected is None or expected in (name, name[0].lower() + name[1:])


@THERE
def test_every_exclusion_is_a_case_and_nearly_all_cases_are_met() -> None:
    titles = [case.get("name") for case in cases()]
    assert set(EXCLUSIONS) <= set(titles)
    assert len(titles) > 450
    assert 1 - len(EXCLUSIONS) / len(titles) >= LEAST


@THERE
@pytest.mark.parametrize("case", [pytest.param(case, id=case.get("name")) for case in cases()])
def test_the_expression_gives_what_the_case_expects(case: Any, request: pytest.FixtureRequest) -> None:
    excluded(request, EXCLUSIONS.get(case.get("name")))
    if case.find("expression").get("invalid"):
        with pytest.raises(Problem):
            evaluated(case)
        return
    found, expected = evaluated(case), case.findall("output")
    texts = [(each.text or "").removeprefix("@") if (each.text or "")[:2] != "@T" else each.text for each in expected]
    got = [shown(item) for item in found]
    if case.get("ordered") == "false":
        got, texts = sorted(got), sorted(texts)
    assert got == texts
    assert all(same_type(item, output.get("type")) for item, output in zip(found, expected, strict=True))
