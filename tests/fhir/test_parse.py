"""What goes in comes out: examples, definitions, digits, order; and resources made by keyword."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.outcomes import Tally, exclusions

from yersin import fhir
from yersin.fhir import large, r4
from yersin.fhir.collector import collect

Load = Callable[[bytes], Any]


def test_every_example_comes_back_equal_to_the_last_digit(examples: list[bytes], load: Load, tally: Tally) -> None:
    assert len(examples) == 371
    for raw in examples:
        assert load(fhir.encode(fhir.parse(raw))) == load(raw)
    tally(len(examples))


def test_the_collector_finds_nothing_in_an_example(examples: list[bytes]) -> None:
    assert [collect(raw) for raw in examples if collect(raw)] == []


def test_definitions_come_back_equal(definition_lines: list[bytes], load: Load, tally: Tally) -> None:
    refused = set()
    for raw in definition_lines:
        try:
            resource = fhir.parse(raw)
        except fhir.Problem:
            named = load(raw)
            refused.add(f"{named['resourceType']}/{named['id']}")
            continue
        assert load(fhir.encode(resource)) == load(raw)
    assert refused == set(exclusions("definitions"))
    tally(len(definition_lines))


@pytest.mark.parametrize("digits", ["1.00", "1.0", "0.10", "-0.0", "72.50", "0", "123456789012345678901234567890.00"])
def test_a_decimal_keeps_its_digits(digits: str) -> None:
    raw = (
        '{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":' + digits + "}}"
    ).encode()
    resource = fhir.parse(raw, expect="Observation")
    assert isinstance(resource, r4.Observation)
    assert fhir.encode(resource) == raw
    assert fhir.choice(resource, "value").value == decimal.Decimal(digits)


def test_bytes_bytearray_and_memoryview_are_read_alike() -> None:
    raw = b'{"resourceType":"Basic","code":{"text":"x"}}'
    assert fhir.parse(raw) == fhir.parse(bytearray(raw)) == fhir.parse(memoryview(raw))


def test_white_space_and_the_order_of_members_do_not_matter() -> None:
    raw = b'\n{ "active" : true,\t"id": "a", "resourceType" : "Patient" }\n'
    assert fhir.encode(fhir.parse(raw)) == b'{"resourceType":"Patient","id":"a","active":true}'


def test_escaped_quotes_and_line_breaks_are_good_text() -> None:
    raw = b'{"resourceType":"Basic","code":{"text":"\\u0022a\\u0022 \\"b\\"\\u000a\\\\b {} \\\\u0000"}}'
    resource = fhir.parse(raw)
    assert isinstance(resource, r4.Basic)
    assert resource.code.text == '"a" "b"\n\\b {} \\u0000'


def test_a_primitive_may_be_told_by_its_extension_alone() -> None:
    raw = b'{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://x.vn/why","valueCode":"unknown"}]}}'
    resource = fhir.parse(raw)
    assert isinstance(resource, r4.Patient)
    assert resource.birthDate is None
    assert resource.birthDate_ext is not None
    assert fhir.encode(resource) == raw


def test_null_keeps_a_place_beside_a_sibling() -> None:
    raw = b'{"resourceType":"Patient","name":[{"given":["An",null],"_given":[null,{"id":"x"}]}]}'
    assert fhir.encode(fhir.parse(raw)) == raw


def test_python_words_get_an_underscore() -> None:
    raw = b'{"resourceType":"Encounter","status":"planned","class":{"code":"AMB"}}'
    encounter = fhir.parse(raw)
    assert isinstance(encounter, r4.Encounter)
    assert encounter.class_.code == "AMB"
    assert fhir.encode(encounter) == raw


def test_resources_are_made_by_keyword() -> None:
    patient = r4.Patient(id="a", name=[r4.HumanName(family="Trần", given=["Thị", "An"])], birthDate="1990-02-28")
    patient.contact = [r4.PatientContact(name=r4.HumanName(text="Trần Văn Bình"))]
    assert fhir.parse(fhir.encode(patient)) == patient


def test_a_resource_made_without_what_it_requires_is_refused() -> None:
    with pytest.raises(ValueError, match="status is required"):
        r4.Observation(code=r4.CodeableConcept(text="x"))


def test_a_choice_that_is_not_there_is_none_and_an_unknown_one_an_error() -> None:
    patient = r4.Patient(deceasedBoolean=False)
    assert fhir.choice(patient, "deceased") is False
    assert fhir.choice(patient, "multipleBirth") is None
    with pytest.raises(AttributeError, match=r"Patient has no value\[x\]"):
        fhir.choice(patient, "value")


def test_the_choice_of_a_derived_type_is_found() -> None:
    assert fhir.choice(r4.Extension(url="http://x.vn", valueAge=r4.Age(value=decimal.Decimal(3))), "value").value == 3


def test_an_outcome_tells_code_place_and_words() -> None:
    made = fhir.outcome([fhir.Issue(code="value", diagnostics="too long", expression="Patient.id")])
    assert fhir.encode(made) == (
        b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"value","diagnostics":"too long",'
        b'"expression":["Patient.id"]}]}'
    )
    assert fhir.parse(fhir.encode(made)) == made


@pytest.mark.parametrize(
    ("odd", "good"),
    [
        ('"active":null', '"active":true'),
        ('"active":true,"active":true', '"active":false'),
        ('"multipleBirthInteger":"1"', '"multipleBirthInteger":1'),
        ('"name":[{"text":"x","period":{}}]', '"name":[{"text":"{}"}]'),
        ('"name":[{"text":"\\u0007"}]', '"name":[{"text":"\\u0022 \\\\u0007 \\\\b"}]'),
        ('"foo":1', '"language":"vi"'),
    ],
)
def test_a_large_text_is_judged_like_a_small_one(odd: str, good: str) -> None:
    filler = ",".join(['{"value":"a"}'] * (large.LARGE // 10))
    for member, is_good in ((odd, False), (good, True)):
        raw = f'{{"resourceType":"Patient","identifier":[{filler}],{member}}}'.encode()
        if is_good:
            assert fhir.parse(raw).resourceType == "Patient"
        else:
            with pytest.raises(fhir.Problem):
                fhir.parse(raw)


def test_a_resource_of_too_many_objects_is_refused() -> None:
    filler = ",".join(['{"value":"a"}'] * (large.MOST_OBJECTS + 1))
    with pytest.raises(fhir.Problem) as refusal:
        fhir.parse(f'{{"resourceType":"Patient","identifier":[{filler}]}}'.encode())
    assert refusal.value.status == 413
