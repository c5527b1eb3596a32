"""Each class of refusal with its exact place, its code, and words that say what to do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from yersin import fhir


def refusal(raw: str | bytes, **options: Any) -> Sequence[fhir.Issue]:
    """Findings as (code, place) pairs."""
    with pytest.raises(fhir.Problem) as caught:
        fhir.parse(raw if isinstance(raw, bytes) else raw.encode(), **options)
    return caught.value.issues


def found(raw: str | bytes, **options: Any) -> list[tuple[str, str]]:
    return [(issue.code, issue.expression) for issue in refusal(raw, **options)]


def patient(**members: Any) -> str:
    return json.dumps({"resourceType": "Patient", **members})


def observation(members: str) -> str:
    return '{"resourceType":"Observation","status":"final","code":{"text":"x"},' + members + "}"


def extension(members: str) -> str:
    return '{"resourceType":"Patient","extension":[{"url":"http://x.vn/e",' + members + "}]}"


CASES = {
    "unknown element": (patient(foo=1), "structure", "Patient.foo"),
    "unknown element deep inside": (
        patient(contact=[{"name": {"familyName": "A"}}]),
        "structure",
        "Patient.contact[0].name.familyName",
    ),
    "sibling of no primitive": (patient(_name=[{"id": "x"}]), "structure", "Patient._name"),
    "number for text": (patient(contact=[{"name": {"family": 5}}]), "value", "Patient.contact[0].name.family"),
    "text for boolean": (patient(active="true"), "value", "Patient.active"),
    "text for object": (patient(maritalStatus="M"), "structure", "Patient.maritalStatus"),
    "object for array": (patient(name={"family": "A"}), "structure", "Patient.name"),
    "array for one": (patient(birthDate=["1990"]), "structure", "Patient.birthDate"),
    "array in array": (patient(name=[[{"family": "A"}]]), "structure", "Patient.name[0]"),
    "fraction for whole number": (patient(multipleBirthInteger=1.5), "value", "Patient.multipleBirth"),
    "point in whole number": (
        '{"resourceType":"Patient","multipleBirthInteger":1.0}',
        "value",
        "Patient.multipleBirth",
    ),
    "whole number too large": (patient(multipleBirthInteger=2**31), "value", "Patient.multipleBirth"),
    "enormous whole number": (
        '{"resourceType":"Patient","multipleBirthInteger":' + "9" * 5000 + "}",
        "value",
        "Patient.multipleBirth",
    ),
    "zero for positive": (patient(telecom=[{"rank": 0}]), "value", "Patient.telecom[0].rank"),
    "decimal in quotes": (observation('"valueQuantity":{"value":"1.0"}'), "value", "Observation.value.value"),
    "huge exponent": (observation('"valueQuantity":{"value":1e999999}'), "value", "Observation.value.value"),
    "absurd exponent": (
        observation('"valueQuantity":{"value":1e99999999999999999999}'),
        "value",
        "Observation.value.value",
    ),
    "too many digits": (
        observation('"valueQuantity":{"value":1.' + "1" * 70 + "}"),
        "value",
        "Observation.value.value",
    ),
    "not a number": (observation('"valueQuantity":{"value":NaN}'), "value", "Observation.value.value"),
    "30 February": (patient(birthDate="2021-02-30"), "value", "Patient.birthDate"),
    "29 February of a common year": (patient(birthDate="1900-02-29"), "value", "Patient.birthDate"),
    "31 April": (patient(deceasedDateTime="2020-04-31"), "value", "Patient.deceased"),
    "year zero": (patient(birthDate="0000"), "value", "Patient.birthDate"),
    "line break after a date": (patient(birthDate="2020-01-01\n"), "value", "Patient.birthDate"),
    "time without zone": (patient(deceasedDateTime="2020-01-01T10:00:00"), "value", "Patient.deceased"),
    "hour 24": (patient(deceasedDateTime="2020-01-01T24:00:00Z"), "value", "Patient.deceased"),
    "instant without seconds": (
        patient(meta={"lastUpdated": "2020-01-01T10:00Z"}),
        "value",
        "Patient.meta.lastUpdated",
    ),
    "bad time": (observation('"valueTime":"25:00:00"'), "value", "Observation.value"),
    "bad id": (patient(id="a_b"), "value", "Patient.id"),
    "long id": (patient(id="a" * 65), "value", "Patient.id"),
    "code with double space": (patient(language="a  b"), "value", "Patient.language"),
    "space in uri": (patient(identifier=[{"system": "http://x.vn/a b"}]), "value", "Patient.identifier[0].system"),
    "bad oid": (extension('"valueOid":"1.2.3"'), "value", "Patient.extension[0].value"),
    "bad uuid": (extension('"valueUuid":"urn:uuid:X"'), "value", "Patient.extension[0].value"),
    "bad base64": (patient(photo=[{"data": "a*b="}]), "value", "Patient.photo[0].data"),
    "base64 without padding": (patient(photo=[{"data": "YQ"}]), "value", "Patient.photo[0].data"),
    "unknown code": (patient(gender="m"), "code-invalid", "Patient.gender"),
    "unknown code of many": (patient(contact=[{"gender": "x"}]), "code-invalid", "Patient.contact[0].gender"),
    "empty text": (patient(name=[{"family": ""}]), "value", "Patient.name[0].family"),
    "empty array": (patient(name=[]), "structure", "Patient.name"),
    "empty object": (patient(name=[{"family": "A"}, {}]), "structure", "Patient.name[1]"),
    "null": (patient(gender=None), "structure", "Patient.gender"),
    "null array": (patient(name=None), "structure", "Patient.name"),
    "null in array of objects": (patient(name=[None]), "structure", "Patient.name[0]"),
    "null without sibling": (patient(name=[{"given": ["A", None]}]), "structure", "Patient.name[0].given[1]"),
    "arrays of unequal length": (
        patient(name=[{"given": ["A"], "_given": [None, {"id": "x"}]}]),
        "structure",
        "Patient.name[0].given",
    ),
    "duplicate member": ('{"resourceType":"Patient","active":true,"active":true}', "structure", "Patient.active"),
    "duplicate member inside": (
        '{"resourceType":"Patient","name":[{"text":"A","text":"B"}]}',
        "structure",
        "Patient.name[0].text",
    ),
    "duplicate hidden by an escaped quote": (
        '{"resourceType":"Patient","name":[{"text":"A","text":"\\u0022\\u0022\\u0022\\u0022"}]}',
        "structure",
        "Patient.name[0].text",
    ),
    "duplicate resourceType": ('{"resourceType":"Patient","resourceType":"Patient"}', "structure", "Patient"),
    "two values of a choice": (patient(deceasedBoolean=True, deceasedDateTime="2020"), "structure", "Patient.deceased"),
    "two values of a wide choice": (
        observation('"valueString":"a","valueInteger":1'),
        "structure",
        "Observation.value",
    ),
    "value and another's sibling": (
        observation('"valueString":"a","_valueInteger":{"id":"x"}'),
        "structure",
        "Observation.value",
    ),
    "required primitive": ('{"resourceType":"Observation","code":{"text":"x"}}', "required", "Observation.status"),
    "required object": ('{"resourceType":"Observation","status":"final"}', "required", "Observation.code"),
    "required choice": (
        '{"resourceType":"MedicationStatement","status":"active","subject":{"display":"x"}}',
        "required",
        "MedicationStatement.medication",
    ),
    "required array": ('{"resourceType":"OperationOutcome"}', "required", "OperationOutcome.issue"),
    "control character": (patient(name=[{"text": "a\u0000b"}]), "value", "Patient.name[0].text"),
    "form feed": (patient(name=[{"text": "a\fb"}]), "value", "Patient.name[0].text"),
    "half a surrogate": ('{"resourceType":"Patient","name":[{"text":"\\ud800"}]}', "value", "Patient.name[0].text"),
    "period that ends first": (
        patient(name=[{"period": {"start": "2021-01-01", "end": "2020-01-01"}}]),
        "invariant",
        "Patient.name[0].period",
    ),
    "extension with value and extensions": (
        extension('"valueString":"a","extension":[{"url":"b","valueString":"c"}]'),
        "invariant",
        "Patient.extension[0]",
    ),
    "extension with nothing": (
        '{"resourceType":"Patient","extension":[{"url":"a"}]}',
        "invariant",
        "Patient.extension[0]",
    ),
    "later element": (
        patient()[:-1].replace("Patient", "Encounter")
        + ',"status":"planned","class":{"code":"AMB"},"actualPeriod":{}}',
        "structure",
        "Encounter.actualPeriod",
    ),
    "unknown type": ('{"resourceType":"Foo"}', "not-supported", ""),
    "no type": ("{}", "structure", ""),
    "no object": ("[]", "structure", ""),
    "wrong contained": (patient(contained=[{"resourceType": "Foo"}]), "not-supported", "Patient.contained[0]"),
    "inside a Bundle": (
        '{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient","name":[{"family":1}]}}]}',
        "value",
        "Bundle.entry[0].resource.name[0].family",
    ),
    "inside a sibling": (
        patient(birthDate="2020", _birthDate={"extension": [{"url": "a", "valueCode": 1}]}),
        "value",
        "Patient.birthDate.extension[0].value",
    ),
    "active narrative": (
        patient(
            text={"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>'}
        ),
        "invalid",
        "Patient.text.div",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_finding_has_its_exact_place_and_words(name: str) -> None:
    raw, code, place = CASES[name]
    issues = refusal(raw)
    assert [(issue.code, issue.expression) for issue in issues] == [(code, place)] * len(issues)
    assert all(len(issue.diagnostics) > 15 for issue in issues)


def test_every_finding_is_listed_at_once() -> None:
    raw = patient(name=[{"family": ""}], birthDate="2021-02-30", gender="m", foo=1)
    assert found(raw) == [
        ("value", "Patient.name[0].family"),
        ("value", "Patient.birthDate"),
        ("code-invalid", "Patient.gender"),
        ("structure", "Patient.foo"),
    ]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ('{\n "resourceType": "Patient",,}', "line 2, column 28"),
        ("", "line 1, column 1"),
        ('{"resourceType":"Patient"', "line 1, column 26"),
        ('{"resourceType":"Patient"} x', "line 1, column 28"),
        (b'{"resourceType":"Patient",\n"id":"\xff"}', "line 2, column 7: the bytes are not UTF-8"),
        ('\ufeff{"resourceType":"Patient"}', "line 1, column 1"),
    ],
)
def test_broken_json_is_told_by_line_and_column(raw: Any, words: str) -> None:
    (issue,) = refusal(raw)
    assert words in issue.diagnostics


@pytest.mark.parametrize("levels", [120, 600, 100_000])
def test_deep_nesting_is_refused(levels: int) -> None:
    raw = '{"resourceType":"Patient","extension":' + '[{"url":"a","extension":' * levels + "1" + "}]" * levels + "}"
    assert found(raw) == [("too-costly", "")]


def test_deep_but_good_nesting_is_refused_too() -> None:
    inner = '[{"url":"a","valueString":"[{\\"}"}]'
    for _ in range(100):
        inner = '[{"url":"a","extension":' + inner + "}]"
    assert found('{"resourceType":"Patient","extension":' + inner + "}") == [("too-costly", "")]


def test_fifty_levels_of_items_are_welcome() -> None:
    inner = '[{"linkId":"a","type":"display"}]'
    for number in range(50):
        inner = f'[{{"linkId":"{number}","type":"group","item":{inner}}}]'
    raw = f'{{"resourceType":"Questionnaire","status":"draft","item":{inner}}}'.encode()
    assert fhir.encode(fhir.parse(raw)) == raw


def test_another_type_than_the_expected_is_refused() -> None:
    assert found(patient(), expect="Observation") == [("invalid", "Patient")]
    assert fhir.parse(patient().encode(), expect="Patient").resourceType == "Patient"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ('{"resourceType":"SubscriptionStatus"}', "resource of FHIR R4B; Yersin speaks FHIR R4 (4.0.1)"),
        ('{"resourceType":"Transport"}', "resource of FHIR R5; Yersin speaks"),
        ('{"resourceType":"DiagnosticOrder"}', "resource of FHIR DSTU2; Yersin speaks"),
        ('{"resourceType":"Pateint"}', "did you mean Patient?"),
        ('{"resourceType":"Patient","birthdate":"1990"}', "did you mean birthDate?"),
        ('{"resourceType":"Practitioner","deceasedBoolean":true}', "later FHIR version; Yersin speaks"),
        ('{"resourceType":"Account","status":"actives"}', "active"),
    ],
)
def test_the_words_name_the_version_or_the_likely_slip(raw: Any, words: str) -> None:
    assert words in refusal(raw)[0].diagnostics
