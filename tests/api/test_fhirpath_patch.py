"""FHIRPath Patch. Source: https://hl7.org/fhir/R4/fhirpatch.html; cases of the FHIR project"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from tests.conformance.outcomes import Tally
from tests.running import Client

from yersin.api import fhirpath_patch, fhirpath_slots, json_patch
from yersin.api.patching import _pruned
from yersin.fhir import xml
from yersin.fhir.path import Environment
from yersin.fhir.problem import Problem
from yersin.guard import profiling


def cases(shared: Path) -> list[Any]:
    return list(etree.parse(shared / "fhir-test-cases/patch/fhir-patch-tests.xml").getroot().iter("case"))


def inside(case: Any, name: str) -> bytes:
    return xml.read(etree.tostring(case.find(name)[0]))


def test_every_case_of_the_fhir_project(shared: Path, tally: Tally) -> None:
    found = cases(shared)
    assert len(found) == 17
    for case in found:
        document = json_patch.read(inside(case, "input"))
        patched = _pruned(fhirpath_patch.apply(document, fhirpath_patch.operations(inside(case, "diff"))))
        assert patched == json_patch.read(inside(case, "output")), case.get("name")
    tally(len(found))


def operation(kind: str, **parts: Any) -> bytes:
    listed: list[dict[str, Any]] = [{"name": "type", "valueCode": kind}]
    for name, value in parts.items():
        key = "valueInteger" if isinstance(value, int) else "valueString"
        listed.append({"name": name, **(value if isinstance(value, dict) else {key: value})})
    return json.dumps({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": listed}]}).encode()


def patched(document: Any, patch: bytes) -> Any:
    return fhirpath_patch.apply(json_patch.read(json.dumps(document).encode()), fhirpath_patch.operations(patch))


PATIENT = {
    "resourceType": "Patient",
    "active": True,
    "name": [{"use": "official", "given": ["A", "B"], "_given": [None, {"id": "b"}]}, {"use": "old", "family": "X"}],
    "deceasedBoolean": False,
}


def test_parts_of_lists_and_choices() -> None:
    there = patched(PATIENT, operation("delete", path="Patient.name.where(use = 'old')"))
    assert [n["use"] for n in there["name"]] == ["official"]
    there = patched(PATIENT, operation("delete", path="Patient.name[0].given[0]"))
    assert there["name"][0] == {"use": "official", "given": ["B"], "_given": [{"id": "b"}]}
    there = patched(PATIENT, operation("insert", path="Patient.name[0].given", index=1, value="C"))
    assert there["name"][0]["given"] == ["A", "C", "B"]
    assert there["name"][0]["_given"] == [None, None, {"id": "b"}]
    there = patched(PATIENT, operation("move", path="Patient.name", source=0, destination=1))
    assert [n["use"] for n in there["name"]] == ["old", "official"]
    there = patched(PATIENT, operation("replace", path="Patient.deceased", value={"valueDateTime": "2020"}))
    assert "deceasedBoolean" not in there
    assert there["deceasedDateTime"] == "2020"
    contact = {
        "part": [{"name": "gender", "valueCode": "male"}, {"name": "telecom", "valueContactPoint": {"value": "1"}}]
    }
    there = patched(PATIENT, operation("add", path="Patient", name="contact", value=contact))
    assert there["contact"] == [{"gender": "male", "telecom": [{"value": "1"}]}]
    assert patched(PATIENT, operation("delete", path="Patient.birthDate")) == PATIENT


ANY: list[tuple[str, dict[str, Any], str, Any]] = [
    ("replace", {"path": "Patient.name.where(use = 'official').given[1]", "value": "C"}, "name[0].given", ["A", "C"]),
    ("delete", {"path": "Patient.name.given.first()"}, "name[0].given", ["B"]),
    ("delete", {"path": "name.given.where($this = 'A')"}, "name[0].given", ["B"]),
    ("delete", {"path": "Patient.name.where(use = 'old').family.first()"}, "name[1].keys", ["use"]),
    ("replace", {"path": "Patient.descendants().ofType(HumanName).where(use = 'old')", "value": {"valueHumanName": {"text": "Y"}}},
     "name[1].text", "Y"),
    ("replace", {"path": "Patient.deceased.ofType(boolean)", "value": {"valueBoolean": True}}, "deceasedBoolean", True),
    ("delete", {"path": "Patient.extension('urn:a').value"}, "extension[0].keys", ["url"]),
    ("replace", {"path": "Patient.extension('urn:a').value.ofType(string)", "value": {"valueString": "z"}},
     "extension[0].valueString", "z"),
    ("replace", {"path": "Patient.birthDate.extension('urn:t').value", "value": {"valueTime": "09:00:00"}},
     "_birthDate.extension[0].valueTime", "09:00:00"),
    ("add", {"path": "Patient.active", "name": "id", "value": "x"}, "_active.id", "x"),
    ("add", {"path": "Patient.name[0].given[0]", "name": "id", "value": "a"}, "name[0]._given[0].id", "a"),
    ("insert", {"path": "Patient.name.given", "index": 2, "value": "C"}, "name[0].given", None),
    ("insert", {"path": "Patient.name.where(true)", "index": 0, "value": {"valueHumanName": {"text": "N"}}}, "name[0].text", "N"),
    ("insert", {"path": "Patient.telecom", "index": 0, "value": {"valueContactPoint": {"value": "1"}}}, "telecom[0].value", "1"),
    ("move", {"path": "Patient.name.first().given", "source": 1, "destination": 0}, "name[0].given", ["B", "A"]),
    ("delete", {"path": "Patient.contained.where(id = 'o').name"}, "contained[0].keys", ["resourceType", "id"]),
    ("replace", {"path": "Patient.contained.ofType(Organization).name", "value": "P"}, "contained[0].name", "P"),
    ("delete", {"path": "Patient.name.skip(1).take(1)"}, "name", [{"use": "official", "given": ["A", "B"], "_given": [None, {"id": "b"}]}]),
]  # fmt: skip
FULL = {
    **PATIENT,
    "birthDate": "1990-01-01",
    "_birthDate": {"extension": [{"url": "urn:t", "valueTime": "08:00:00"}]},
    "extension": [{"url": "urn:a", "valueString": "x"}],
    "contained": [{"resourceType": "Organization", "id": "o", "name": "O"}],
}


def at(document: Any, place: str) -> Any:
    """What stands at `a[0].b`; at `keys` the names of what is there."""
    for step in place.replace("]", "").replace("[", ".").split("."):
        document = list(document) if step == "keys" else document[int(step) if step.isdigit() else step]
    return document


@pytest.mark.parametrize(("kind", "parts", "place", "wanted"), ANY)
def test_any_path_names_what_it_finds(kind: str, parts: dict[str, Any], place: str, wanted: Any) -> None:
    if wanted is None:
        with pytest.raises(Problem, match="2 lists"):
            patched(FULL, operation(kind, **parts))
        return
    assert at(patched(FULL, operation(kind, **parts)), place) == wanted


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("add", {"path": "Patient", "name": "active", "value": {"valueBoolean": True}}),
        ("add", {"path": "Patient", "name": "nonsense", "value": "x"}),
        ("add", {"path": "Patient.name", "name": "family", "value": "x"}),
        (
            "add",
            {"path": "Patient", "name": "contact", "value": {"part": [{"_name": {"id": "x"}, "valueString": "x"}]}},
        ),
        ("add", {"path": "Patient", "name": "deceased", "value": {"valueQuantity": {"value": 1}}}),
        ("replace", {"path": "Patient.birthDate", "value": {"valueDate": "2000"}}),
        ("replace", {"path": "Patient", "value": "x"}),
        ("delete", {"path": "Patient.name"}),
        ("delete", {"path": "Patient.nonsense"}),
        ("delete", {"path": "((("}),
        ("insert", {"path": "Patient.name[0].given", "index": 3, "value": "x"}),
        ("insert", {"path": "Patient.active", "index": 0, "value": {"valueBoolean": True}}),
        ("move", {"path": "Patient.name", "source": 0, "destination": 2}),
        ("move", {"path": "Patient.name.take(1)", "source": 0, "destination": 0}),
        ("replace", {"path": "Patient.name.count()", "value": "x"}),
        ("replace", {"path": "Patient.active.not()", "value": {"valueBoolean": True}}),
        ("delete", {"path": "Patient.active.toString()"}),
        ("add", {"path": "Patient.name.count()", "name": "id", "value": "x"}),
        ("delete", {"path": "%resource"}),
        ("delete", {"path": "Patient.where(conformsTo('urn:x')).name"}),
    ],
)
def test_what_cannot_be_done_is_refused(kind: str, parts: dict[str, Any]) -> None:
    with pytest.raises(Problem) as refused:
        patched(PATIENT, operation(kind, **parts))
    assert refused.value.status == 422


def test_a_patch_that_goes_through_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhirpath_patch, "ELEMENTS", 10)
    with pytest.raises(Problem, match="may hold 0 operations") as refused:
        patched(PATIENT, operation("delete", path="Patient.active"))
    assert refused.value.status == 413


MIXED = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {"resource": {"resourceType": "Observation", "valueQuantity": {"value": 1, "unit": "kg"}}},
        {"resource": {"resourceType": "Patient", "gender": "male"}},
    ],
}


def test_a_path_may_pass_resources_of_several_types() -> None:
    there = patched(
        MIXED, operation("replace", path="Bundle.entry.where(resource.gender = 'male').resource.gender", value="female")
    )
    assert there["entry"][1]["resource"]["gender"] == "female"
    there = patched(MIXED, operation("replace", path="entry.resource.ofType(Observation).value", value="x"))
    assert there["entry"][0]["resource"] == {"resourceType": "Observation", "valueString": "x"}
    with pytest.raises(Problem, match="no element gender"):
        patched(MIXED, operation("delete", path="entry.resource.where(gender = 'other').gender"))


def test_a_value_may_be_what_stands_beside_it_alone() -> None:
    there = patched(PATIENT, operation("replace", path="name[0].given[0]", value={"_valueString": {"id": "a"}}))
    assert there["name"][0]["given"] == [None, "B"]
    assert there["name"][0]["_given"] == [{"id": "a"}, {"id": "b"}]
    there = patched(
        {"resourceType": "Patient"}, operation("add", path="Patient", name="deceased[x]", value={"valueBoolean": True})
    )
    assert there["deceasedBoolean"] is True


def test_a_patch_that_is_done_again_brings_the_same() -> None:
    contact = {"part": [{"name": "name", "valueHumanName": {"given": ["C"]}}]}
    steps = [
        operation("add", path="Patient", name="contact", value=contact),
        operation("insert", path="Patient.contact.name.given", index=0, value="B"),
        operation("add", path="Patient", name="address", value={"valueAddress": {"line": ["1"]}}),
        operation("insert", path="Patient.address.line", index=1, value="2"),
    ]
    listed = [one for raw in steps for one in fhirpath_patch.operations(raw)]
    for _ in range(2):
        made = fhirpath_patch.apply({"resourceType": "Patient"}, listed)
        assert made["contact"] == [{"name": {"given": ["B", "C"]}}]
        assert made["address"] == [{"line": ["1", "2"]}]


def test_the_operation_that_cannot_be_done_is_named_with_a_cure() -> None:
    twice = {"part": [{"name": "gender", "valueCode": "male"}, {"name": "gender", "valueCode": "female"}]}
    for parts, words in (
        ({"path": "Patient.contact", "name": "gender", "value": "male"}, "add it first"),
        ({"path": "Patient.name", "name": "family", "value": "x"}, "say which"),
        ({"path": "Patient", "name": "contact", "value": twice}, "twice"),
    ):
        with pytest.raises(Problem, match=words) as refused:
            patched(PATIENT, operation("add", **parts))
        assert refused.value.issues[0].expression == "Parameters.parameter[0]"


def test_a_part_of_another_type_is_refused() -> None:
    for parts in ({"path": {"valueCoding": {"code": "x"}}}, {"path": "Patient", "name": {"valueBoolean": True}}):
        with pytest.raises(Problem, match="must be a text"):
            patched(PATIENT, operation("add", **{"path": "Patient", "name": "active", "value": "x"} | parts))


def test_what_is_no_patch_is_refused() -> None:
    for patch in (
        operation("spam"),
        operation("add", path="Patient"),
        b'{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"_name":{"id":"x"},"valueCode":"add"}]}]}',
        b'{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCoding":{"code":"x"}}]}]}',
        b'{"resourceType":"Parameters","parameter":[{"name":"x"}]}',
    ):
        with pytest.raises(Problem) as refused:
            fhirpath_patch.operations(patch)
        assert refused.value.status == 400


def test_a_patch_over_http_in_json_xml_and_bundles(client: Client) -> None:
    made = client.post("/Patient", {k: v for k, v in PATIENT.items() if k != "deceasedBoolean"}).json()
    address = f"/Patient/{made['id']}"
    rename = operation("replace", path="Patient.name[1].family", value="Y")
    answer = client.request("PATCH", address, content=rename)
    assert (answer.status_code, answer.json()["name"][1]["family"]) == (200, "Y")
    in_xml = xml.write(operation("delete", path="Patient.active"))
    answer = client.request("PATCH", address, content=in_xml, headers={"content-type": "application/fhir+xml"})
    assert (answer.status_code, "active" in answer.json()) == (200, False)
    wrong = client.request("PATCH", address, content=operation("add", path="Patient", name="gender", value="neither"))
    assert wrong.status_code == 422
    assert "Patient.gender" in wrong.text
    birth = json.loads(operation("add", path="Patient", name="birthDate", value={"valueDate": "2001"}))
    later = json.loads(operation("replace", path="Patient.birthDate", value={"valueDate": "2002"}))
    for kind, patch in (("batch", birth), ("transaction", later)):
        entry = {"resource": patch, "request": {"method": "PATCH", "url": address[1:]}}
        done = client.post("", {"resourceType": "Bundle", "type": kind, "entry": [entry]}).json()["entry"][0]
        assert done["response"]["status"].startswith("200")
        assert done["resource"]["birthDate"] == patch["parameter"][0]["part"][-1]["valueDate"]
    assert client.get(address).json()["meta"]["versionId"] == "5"


NAMED = "http://example.org/StructureDefinition/named-of-patches"
PROFILE = {
    "resourceType": "StructureDefinition", "id": "named-of-patches", "url": NAMED, "name": "Named", "status": "draft",
    "kind": "resource", "abstract": False, "type": "Patient", "derivation": "constraint",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
    "differential": {"element": [{"id": "Patient.name.family", "path": "Patient.name.family", "min": 1}]},
}  # fmt: skip


def test_a_patch_may_ask_profiles_and_terminology(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "FRESH", 0.0)
    assert client.put("/StructureDefinition/named-of-patches", PROFILE).status_code in (200, 201)
    made = client.post("/Patient", {"resourceType": "Patient", "gender": "male", "name": [{"text": "An"}]}).json()
    address = f"/Patient/{made['id']}"
    named = operation("replace", path=f"Patient.where(conformsTo('{NAMED}')).gender", value={"valueCode": "female"})
    answer = client.request("PATCH", address, content=named)
    assert (answer.status_code, "names 0 elements" in answer.text) == (422, True), answer.text
    client.request("PATCH", address, content=operation("add", path="Patient.name", name="family", value="Trần"))
    answer = client.request("PATCH", address, content=named)
    assert (answer.status_code, answer.json().get("gender")) == (200, "female"), answer.text
    genders = "http://hl7.org/fhir/ValueSet/administrative-gender"
    coded = operation("delete", path=f"Patient.gender.where(memberOf('{genders}'))")
    entry = {"resource": json.loads(coded), "request": {"method": "PATCH", "url": address[1:]}}
    answer = client.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    assert answer.status_code == 200, answer.text
    assert "gender" not in client.get(address).json()
    unknown = operation("delete", path="Patient.where(conformsTo('urn:example:none')).name")
    answer = client.request("PATCH", address, content=unknown)
    assert (answer.status_code, "urn:example:none is not known" in answer.text) == (422, True)


class Never:
    """Profiles that nothing meets."""

    def conforms(self, _resource: Any, _profile: str) -> bool | None:
        return False


def test_a_patch_asks_profiles_so_often_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhirpath_slots, "JUDGED", 1)
    steps = fhirpath_patch.operations(operation("delete", path="name.where(conformsTo('urn:x')).family"))
    with pytest.raises(Problem, match="1 times") as refused:
        fhirpath_patch.apply(json_patch.read(json.dumps(PATIENT).encode()), steps, Environment(profiles=Never()))
    assert refused.value.status == 422
