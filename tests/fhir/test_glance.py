"""What a glance is sure of, the judge finds in order, too."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from yersin import fhir
from yersin.fhir import invariants, kept, r4
from yersin.fhir.problem import Problem
from yersin.fhir.profiles import Glance, Judge, Library
from yersin.fhir.profiles.published import BASE

MUTANTS = 1500
LATITUDE, LONGITUDE = {"url": "latitude", "valueDecimal": 16.5}, {"url": "longitude", "valueDecimal": 107.6}
SNOMED = "http://snomed.info/sct"
XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


class Terms:
    """Terminology that calls nothing wrong."""

    def is_surely_code(self, system: str, code: str) -> bool:
        return bool(system and code)

    def is_surely_member(self, system: str, code: str, value_set: str) -> bool:
        return bool(code and value_set)

    def member_of(self, system: str, code: str, value_set: str) -> bool:
        return self.is_surely_member(system, code, value_set)

    def subsumes(self, system: str, parent: str, child: str) -> bool:
        return bool(system) and parent == child


TERMS = Terms()
GLANCE = Glance(Library(), TERMS)


def errors(resource: r4.Resource) -> list[str]:
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    issues = Judge(Library(), terms=TERMS).judge(decode(fhir.encode(resource)))
    return [issue.diagnostics for issue in issues if issue.severity == "error"]


def mutated(value: Any, chance: random.Random) -> Any:
    """The same JSON with some members gone, and some there that were in another place."""
    if isinstance(value, list):
        return [mutated(item, chance) for item in value]
    if not isinstance(value, dict):
        return value
    left = {k: mutated(v, chance) for k, v in value.items() if k == "resourceType" or chance.random() > 0.12}
    return left or value


def test_what_is_sure_at_a_glance_has_no_error(examples: list[bytes]) -> None:
    chance = random.Random(7)  # noqa: S311 - makes the same mutants at every run
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    encode = msgspec.json.Encoder(decimal_format="number").encode
    sure = broken = 0
    small = [raw for raw in examples if len(raw) < 6000]
    for _ in range(MUTANTS):
        try:
            resource = fhir.parse(encode(mutated(decode(chance.choice(small)), chance)))
        except Problem:
            continue
        if resource.meta is not None:
            resource.meta = None  # what is claimed is judged, whatever a glance says
        found = errors(resource)
        if GLANCE.is_sure(resource):
            sure += 1
            assert found == []
        broken += bool(found)
    assert sure > 50
    assert broken > 50


def test_a_rule_that_stands_in_several_places_says_the_same_everywhere() -> None:
    table = msgspec.json.decode(invariants.published())
    said: dict[str, set[str]] = {}
    for rows in table.values():
        for key, severity, text in rows:
            if severity == "error" and key in {*kept.RULES, *kept.AT_ELEMENT}:
                said.setdefault(key, set()).add(text)
    assert {key for key, texts in said.items() if len(texts) > 1} == SHARED
    assert set(said) == {*kept.RULES, *kept.AT_ELEMENT}


#: keys of several rules; the quick look asks which type it is
SHARED = {"inv-1"}


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Patient", "contact": [{"gender": "male"}]},
        {"resourceType": "Patient", "telecom": [{"value": "0900"}]},
        {"resourceType": "Patient", "name": [{"id": "x"}]},
        {"resourceType": "Patient", "link": [{"other": {"reference": "Group/x"}, "type": "refer"}]},
        {"resourceType": "Patient", "managingOrganization": {"reference": "http://x.org/fhir/Patient/x"}},
        {"resourceType": "Patient", "photo": [{"contentType": "image/png", "data": "AAAA", "size": 2}]},
        {"resourceType": "Patient", "identifier": [{"system": "urn:ietf:rfc:3986", "value": "no uri"}]},
        {"resourceType": "Patient", "extension": [{"url": "relative", "valueBoolean": True}]},
        {"resourceType": "Patient", "extension": [{"url": f"{BASE}patient-birthPlace", "valueString": "x"}]},
        {"resourceType": "Patient", "extension": [{"url": f"{BASE}patient-birthPlace", "extension": [{"url": "a:b", "valueCode": "x"}]}]},
        {"resourceType": "Patient", "modifierExtension": [{"url": f"{BASE}patient-birthPlace", "valueAddress": {"city": "x"}}]},
        {"resourceType": "Patient", "address": [{"extension": [{"url": f"{BASE}geolocation", "extension": [LATITUDE]}]}]},
        {"resourceType": "Patient", "address": [{"extension": [{"url": f"{BASE}geolocation", "extension":
         [LATITUDE, LATITUDE, LONGITUDE]}]}]},
        {"resourceType": "Patient", "address": [{"extension": [{"url": f"{BASE}geolocation", "extension":
         [LATITUDE, {"url": "longitude", "valueString": "x"}]}]}]},
        {"resourceType": "Patient", "address": [{"extension": [{"url": f"{BASE}geolocation", "extension":
         [LATITUDE, LONGITUDE, {"url": "height", "valueDecimal": 1}]}]}]},
        {"resourceType": "Patient", "text": {"status": "empty", "div": f"<div {XHTML}><p> &#160;</p></div>"}},
        {"resourceType": "Organization", "active": True},
        {"resourceType": "Condition", "subject": {"reference": "Patient/x"}, "clinicalStatus": {"text": "well"}},
        {"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": SNOMED, "code": "12345"}]}},
        {"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": SNOMED, "code": "27113001"}]}},
        {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "referenceRange":
         [{"low": {"value": 1, "comparator": "<"}}]},
        {"resourceType": "Bundle", "type": "collection", "total": 1},
    ],
    ids=str,
)  # fmt: skip
def test_what_has_an_error_is_not_taken_for_sure(body: dict[str, Any]) -> None:
    resource = fhir.parse(msgspec.json.encode(body))
    assert errors(resource)
    assert not GLANCE.is_sure(resource)


def test_known_extensions_are_told_at_a_glance() -> None:
    place = {"url": f"{BASE}geolocation", "extension": [LATITUDE, LONGITUDE]}
    body = {
        "resourceType": "Patient",
        "extension": [{"url": f"{BASE}patient-birthPlace", "valueAddress": {"city": "Huế"}}],
        "address": [{"city": "Huế", "extension": [place]}],
    }
    resource = fhir.parse(msgspec.json.encode(body))
    assert errors(resource) == []
    assert GLANCE.is_sure(resource)


def test_the_usual_is_told_at_a_glance(examples: list[bytes]) -> None:
    sure = sum(GLANCE.is_sure(fhir.parse(raw)) for raw in examples)
    assert sure > len(examples) // 2
