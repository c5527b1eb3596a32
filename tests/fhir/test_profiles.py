"""Profiles: snapshots from differentials, slices, fixed values, extensions, references in bundles, and their findings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from yersin.fhir.profiles import Judge, Library
from yersin.fhir.profiles.published import BASE, published
from yersin.fhir.profiles.snomed import is_expression, is_snomed

GENERATOR = Path(__file__).resolve().parents[2] / "tools" / "generate_profiles.py"
URL = "http://example.org/StructureDefinition/citizen"


def profile(*elements, kind="Patient", **more):
    """A profile that says these things of its elements."""
    return {
        "resourceType": "StructureDefinition", "url": URL, "type": kind, "baseDefinition": BASE + kind,
        "derivation": "constraint", "differential": {"element": [{"path": e["id"].replace(":cut", ""), **e} for e in elements]},
        **more,
    }  # fmt: skip


def errors(resource, *definitions, asked=(URL,)):
    """Places and codes of the errors."""
    issues = Judge(Library(definitions)).judge(resource, [url for url in asked if definitions])
    return [(issue.expression, issue.code) for issue in issues if issue.severity == "error"]


def patient(**more):
    return {"resourceType": "Patient", **more}


def test_generating_again_changes_nothing(definitions: Path) -> None:
    run = subprocess.run(
        [sys.executable, GENERATOR, definitions, "--check"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_published_profile_has_a_tree_without_flaws():
    library = Library()
    trees = {url: library.tree(url) for url in published()}
    assert len(trees) > 600
    assert [url for url, tree in trees.items() if tree is None or tree.flaws or tree.missing] == []


def test_cardinality_of_a_profile_is_asked():
    needed = profile({"id": "Patient.birthDate", "min": 1}, {"id": "Patient.photo", "max": "0"})
    assert errors(patient(birthDate="1990-01-01"), needed) == []
    assert errors(patient(photo=[{"title": "x"}]), needed) == [
        ("Patient.birthDate", "required"),
        ("Patient.photo", "structure"),
    ]


def test_what_a_data_type_holds_can_be_asked_of_one_element():
    needed = profile({"id": "Patient.name.family", "min": 1})
    assert errors(patient(name=[{"family": "Trần"}, {"text": "Trần An"}]), needed) == [
        ("Patient.name[1].family", "required")
    ]
    assert errors(patient(contact=[{"name": {"text": "x"}}]), needed) == []


SLICED = (
    {"id": "Patient.identifier", "slicing": {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}},
    {"id": "Patient.identifier:cut", "sliceName": "cut", "min": 1, "max": "1"},
    {"id": "Patient.identifier:cut.system", "min": 1, "fixedUri": "urn:citizen"},
    {"id": "Patient.identifier:cut.value", "min": 1},
)


def test_slices_are_told_apart_by_fixed_values():
    good, other = {"system": "urn:citizen", "value": "1"}, {"system": "urn:other"}
    assert errors(patient(identifier=[good, other]), profile(*SLICED)) == []
    assert errors(patient(identifier=[other]), profile(*SLICED)) == [("Patient.identifier", "structure")]
    assert errors(patient(identifier=[good, good]), profile(*SLICED)) == [("Patient.identifier", "structure")]
    assert errors(patient(identifier=[{"system": "urn:citizen"}]), profile(*SLICED)) == [
        ("Patient.identifier[0].value", "required")
    ]


@pytest.mark.parametrize(("rules", "found"), [("open", []), ("closed", ["structure"]), ("openAtEnd", ["structure"])])
def test_slicing_says_whether_others_may_stand_there(rules, found):
    slicing = {"discriminator": [{"type": "value", "path": "system"}], "rules": rules}
    closed = profile({**SLICED[0], "slicing": slicing}, *SLICED[1:])
    sent = patient(identifier=[{"system": "urn:other"}, {"system": "urn:citizen", "value": "1"}])
    assert [code for _, code in errors(sent, closed)] == found


def test_patterns_need_only_what_they_name():
    pattern = {"coding": [{"system": "urn:s", "code": "a"}]}
    needed = profile({"id": "Patient.maritalStatus", "patternCodeableConcept": pattern})
    more = {"coding": [{"system": "urn:x", "code": "b"}, {"system": "urn:s", "code": "a", "display": "A"}]}
    assert errors(patient(maritalStatus=more), needed) == []
    assert errors(patient(maritalStatus={"coding": [{"code": "a"}]}), needed) == [("Patient.maritalStatus", "value")]


def test_a_choice_named_with_its_type_allows_no_other():
    quantity = profile({"id": "Observation.valueQuantity.unit", "min": 1}, kind="Observation")
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    assert errors({**observation, "valueString": "1"}, quantity) == [
        ("Observation.value", "structure"),
        ("Observation.value", "structure"),
    ]
    assert errors({**observation, "valueQuantity": {"value": 1}}, quantity) == [("Observation.value.unit", "required")]


def test_rules_of_a_profile_are_judged_in_its_words():
    rule = {"key": "vn-1", "severity": "error", "human": "A name has a text", "expression": "name.text.exists()"}
    found = Judge(Library([profile({"id": "Patient", "constraint": [rule]})])).judge(patient(active=True), [URL])
    assert ("invariant", "vn-1: A name has a text") in [(each.code, each.diagnostics) for each in found]


def test_a_claimed_profile_is_judged_and_an_unknown_one_told():
    needed = profile({"id": "Patient.birthDate", "min": 1})
    claiming = patient(meta={"profile": [URL, "http://example.org/unknown"]})
    found = Judge(Library([needed])).judge(claiming)
    assert [(i.severity, i.expression) for i in found if i.code != "invariant"] == [
        ("warning", "Patient.meta.profile[1]"),
        ("error", "Patient.birthDate"),
    ]


def test_a_differential_that_names_no_element_is_told():
    tree = Library().made(profile({"id": "Patient.nonsense", "min": 1}))
    assert tree is not None
    assert [flaw.number for flaw in tree.flaws] == [0]


def test_known_extensions_are_judged_by_their_definition():
    species = {"url": "species", "valueCodeableConcept": {"text": "dog"}}
    animal = {"url": BASE + "patient-animal", "extension": [species]}
    assert errors(patient(extension=[animal])) == []
    assert errors(patient(extension=[{**animal, "extension": [{**species, "url": "specie"}]}]))
    assert errors(patient(extension=[{"url": BASE + "patient-birthPlace", "valueString": "Huế"}]))
    assert errors(patient(extension=[{"url": "http://example.org/own", "valueString": "Huế"}])) == []


def test_references_in_a_bundle_mean_its_entries():
    full = "urn:uuid:5d9588d8-3cd6-4b32-8fb7-ad13694e069d"
    sick = patient(generalPractitioner=[{"reference": "Practitioner/5d9588d8-3cd6-4b32-8fb7-ad13694e069d"}])
    entries = [
        {"fullUrl": "urn:uuid:54fc3e09-e279-4b74-a8ff-2649ec968642", "resource": sick},
        {"fullUrl": full, "resource": {"resourceType": "Organization", "name": "x"}},
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    assert errors(bundle) == [("Bundle.entry[0].resource.generalPractitioner[0]", "structure")]


def test_snomed_codes_have_a_check_digit_and_constraints_a_grammar():
    assert is_snomed("73211009")
    assert not is_snomed("73211008")
    assert is_expression("<< 73211009 |Diabetes mellitus| OR 44054006")
    assert not is_expression("73211009 << 73211009")


def test_rules_may_ask_whether_something_conforms_to_a_profile():
    dated = profile({"id": "Patient.birthDate", "min": 1})
    rule = {"key": "vn-2", "severity": "error", "human": "dated", "expression": f"conformsTo('{URL}')"}
    asking = profile({"id": "Patient", "constraint": [rule]}, url=f"{URL}-asking")
    assert errors(patient(active=True), dated, asking, asked=[f"{URL}-asking"]) == [("Patient", "invariant")]
    assert errors(patient(birthDate="1990-01-01"), dated, asking, asked=[f"{URL}-asking"]) == []


def test_elements_may_be_asked_too():
    family = {**profile({"id": "HumanName.family", "min": 1}, kind="HumanName"), "url": f"{URL}-name"}
    rule = {"key": "vn-3", "severity": "error", "human": "named", "expression": f"conformsTo('{URL}-name')"}
    asking = profile({"id": "Patient.name", "constraint": [rule]})
    assert errors(patient(name=[{"family": "Trần"}, {"text": "An"}]), asking, family) == [
        ("Patient.name[1]", "invariant")
    ]
