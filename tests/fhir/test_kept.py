"""What the quick look is sure of, the complete one finds in order, too."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from yersin import fhir
from yersin.fhir import invariants, kept, r4
from yersin.fhir.problem import Problem

MUTANTS = 1500


def errors(resource: r4.Resource) -> list[str]:
    return [issue.diagnostics.partition(":")[0] for issue in invariants.check(resource) if issue.severity == "error"]


def mutated(value: Any, chance: random.Random) -> Any:
    """The same JSON with some members gone, and some there that were in another place."""
    if isinstance(value, list):
        return [mutated(item, chance) for item in value]
    if not isinstance(value, dict):
        return value
    left = {k: mutated(v, chance) for k, v in value.items() if k == "resourceType" or chance.random() > 0.12}
    return left or value


def test_what_is_surely_kept_breaks_no_rule(examples: list[bytes]) -> None:
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
        found = errors(resource)
        if kept.surely_kept(resource):
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
    ("body", "rule", "place"),
    [
        ({"resourceType": "Patient", "contact": [{"gender": "male"}]}, "pat-1", "Patient.contact[0]"),
        ({"resourceType": "Patient", "telecom": [{"value": "0900"}]}, "cpt-2", "Patient.telecom[0]"),
        ({"resourceType": "Patient", "name": [{"id": "x"}]}, "ele-1", "Patient.name[0]"),
        ({"resourceType": "Organization", "active": True}, "org-1", "Organization"),
    ],
)
def test_a_broken_rule_is_told_with_its_place(body: dict[str, Any], rule: str, place: str) -> None:
    with pytest.raises(Problem) as refusal:
        kept.require(fhir.parse(msgspec.json.encode(body)))
    assert refusal.value.status == 422
    assert [(i.diagnostics.partition(":")[0], i.expression) for i in refusal.value.issues] == [(rule, place)]
