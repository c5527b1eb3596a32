"""The invariants of R4, on HL7's examples and on resources that break them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from yersin import fhir
from yersin.fhir import invariants

decode = msgspec.json.Decoder(float_hook=Decimal).decode


def broken(resource: Any) -> set[tuple[str, str]]:
    return {
        (i.diagnostics.partition(":")[0], i.expression) for i in invariants.check(resource) if i.severity == "error"
    }


def test_every_example_of_hl7_keeps_every_rule_as_struct_and_as_json(examples: list[bytes]) -> None:
    for raw in examples:
        found = invariants.check(fhir.parse(raw))
        assert [issue for issue in found if issue.severity == "error"] == []
        assert invariants.check(decode(raw)) == found


CASES = [
    ({"resourceType": "Patient", "contact": [{"gender": "male"}]}, {("pat-1", "Patient.contact[0]")}),
    (
        {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "valueString": "a",
         "dataAbsentReason": {"text": "b"}},
        {("obs-6", "Observation")},
    ),
    (
        {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "valueQuantity": {"code": "mg"}},
        {("qty-3", "Observation.value")},
    ),
    (
        {"resourceType": "Patient", "contact": [{"name": {"text": "x"}, "period": {"start": "2020", "end": "2019"}}]},
        {("per-1", "Patient.contact[0].period")},
    ),
    (
        {"resourceType": "Patient", "managingOrganization": {"reference": "#nobody"}},
        {("ref-1", "Patient.managingOrganization")},
    ),
    (
        {"resourceType": "Patient", "contained": [{"resourceType": "Organization", "id": "o", "name": "x"}]},
        {("dom-3", "Patient")},
    ),
    (
        {"resourceType": "Organization", "name": "x", "telecom": [{"system": "phone", "value": "1", "use": "home"}]},
        {("org-3", "Organization.telecom[0]")},
    ),
    (
        {"resourceType": "Patient", "text": {"status": "generated", "div": "<p>no</p>"}},
        {("txt-1", "Patient.text.div"), ("txt-2", "Patient.text.div")},
    ),
    ({"resourceType": "Patient", "_birthDate": {"id": "b"}}, {("ele-1", "Patient.birthDate")}),
    ({"resourceType": "Patient", "maritalStatus": {"id": "b"}}, {("ele-1", "Patient.maritalStatus")}),
    ({"resourceType": "Patient", "_birthDate": {"extension": [{"url": "x"}]}}, {("ext-1", "Patient.birthDate.extension[0]")}),
    (
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "Organization", "active": True}}]},
        {("org-1", "Bundle.entry[0].resource")},
    ),
    (
        {"resourceType": "Questionnaire", "status": "draft", "item": [
            {"linkId": "1", "type": "string"},
            {"linkId": "2", "type": "string",
             "enableWhen": [{"question": "1", "operator": "exists", "answerString": "x"}]}]},
        {("que-7", "Questionnaire.item[1].enableWhen[0]")},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "expected"), CASES, ids=[min(expected)[0] for _, expected in CASES])
def test_a_broken_rule_is_told_with_its_place(resource: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert broken(resource) == expected


def test_a_contained_resource_that_is_referred_to_keeps_the_rules() -> None:
    organization = {"resourceType": "Organization", "id": "o", "name": "x", "partOf": {"reference": "Organization/1"}}
    patient = {"resourceType": "Patient", "contained": [organization], "managingOrganization": {"reference": "#o"}}
    assert broken(patient) == set()


def test_every_amendment_names_a_rule_whose_text_it_changes() -> None:
    texts = {
        rule.key: rule.expression.text
        for rules in invariants._table().values()
        for some in rules.values()
        for rule in some
    }
    for key, (written, meant, reason) in invariants.AMENDED.items():
        assert meant in texts[key], key
        assert written not in texts[key], key
        assert reason
