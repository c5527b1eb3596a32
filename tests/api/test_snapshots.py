"""`StructureDefinition/$snapshot`: what comes of it, what is refused, and what HL7 published.

Source: https://hl7.org/fhir/R4/structuredefinition-operation-snapshot.html
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.running import Client

from yersin.fhir.profiles import Library
from yersin.fhir.profiles.writing import snapshot

BASE = "http://hl7.org/fhir/StructureDefinition/"
ASKED = "/StructureDefinition/$snapshot"
COMPARED = ("path", "sliceName", "min", "max", "contentReference")
#: HL7's own mistakes: slices under names that the differential does not use, elements that are missing or opened without being asked for
OTHER_IDS = {"bp", "catalog", "elementdefinition-de", "familymemberhistory-genetic"}
#: types that HL7 wrote without code; a binding and a reference of another slice
OTHER_TYPES = {"structuredefinition-json-type", "structuredefinition-rdf-type", "structuredefinition-xml-type", "xhtml"}
OTHER_BINDINGS = {"provenance-relevant-history"}


def definition(*elements: Any, base: str = BASE + "Patient", kind: str = "Patient", **more: Any) -> Any:
    return {
        "resourceType": "StructureDefinition", "url": "http://example.org/StructureDefinition/named", "name": "Named",
        "status": "active", "kind": "resource", "abstract": False, "type": kind, "baseDefinition": base,
        "derivation": "constraint", "differential": {"element": list(elements)}, **more,
    }  # fmt: skip


def at(path: str, **more: Any) -> Any:
    return {"id": path, "path": "".join(each.partition(":")[0] + "." for each in path.split("."))[:-1], **more}


def made(client: Client, *elements: Any, **more: Any) -> dict[str, Any]:
    answer = client.post(ASKED, definition(*elements, **more))
    assert answer.status_code == 200, answer.text
    return {each["id"]: each for each in answer.json()["snapshot"]["element"]}


def test_what_the_profile_says_stands_with_what_its_base_says(client: Client) -> None:
    rule = {"key": "x-1", "severity": "error", "human": "x", "expression": "true"}
    found = made(
        client,
        at("Patient", constraint=[rule]),
        at("Patient.name", min=1, mustSupport=True, comment="... And in Vietnamese."),
    )
    name = found["Patient.name"]
    assert (name["min"], name["max"], name["mustSupport"], name["isSummary"]) == (1, "*", True, True)
    assert name["base"] == {"path": "Patient.name", "min": 0, "max": "*"}
    assert name["comment"].startswith("A patient may have multiple names")
    assert name["comment"].endswith(" And in Vietnamese.")
    assert [each["code"] for each in name["type"]] == ["HumanName"]
    rules = {each["key"]: each.get("source") for each in found["Patient"]["constraint"]}
    assert rules["x-1"] == "http://example.org/StructureDefinition/named"
    assert rules["dom-2"] == f"{BASE}DomainResource"
    assert found["Patient.id"]["base"]["path"] == "Resource.id"
    assert all(each["definition"] for each in found.values())


def test_slices_stand_behind_what_they_are_slices_of(client: Client) -> None:
    slicing = {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}
    found = made(
        client,
        at("Patient.identifier", slicing=slicing),
        at("Patient.identifier:card", sliceName="card", max="1"),
        at("Patient.identifier:card.system", min=1, fixedUri="http://example.org/card"),
    )
    names = [name for name in found if name.startswith("Patient.identifier")]
    assert names[:2] == ["Patient.identifier", "Patient.identifier:card"]
    card = found["Patient.identifier:card"]
    assert (card["sliceName"], card["min"], card["max"], card["path"]) == ("card", 0, "1", "Patient.identifier")
    assert "slicing" not in card
    assert found["Patient.identifier:card.system"]["fixedUri"] == "http://example.org/card"
    assert found["Patient.identifier:card.value"]["base"]["path"] == "Identifier.value"


def test_choices_and_elements_of_the_same_kind_are_opened(client: Client) -> None:
    path = "Questionnaire.item.item.linkId"
    assert (
        made(client, at(path, max="1", short="x"), base=BASE + "Questionnaire", kind="Questionnaire")[path]["short"]
        == "x"
    )
    found = made(
        client, at("Observation.valueQuantity", min=1), base=BASE + "Observation", kind="Observation"
    )  # fmt: skip
    assert [each["code"] for each in found["Observation.value[x]"]["type"]] == ["Quantity"]
    assert found["Observation.value[x]:valueQuantity"]["min"] == 1


def test_it_may_be_stored_or_named_and_is_good_fhir(client: Client) -> None:
    sent = definition(at("Patient.birthDate", min=1), url="http://example.org/StructureDefinition/born")
    stored = client.post("/StructureDefinition", sent).json()["id"]
    answer = client.get(f"/StructureDefinition/{stored}/$snapshot")
    assert answer.status_code == 200
    verdict = client.post("/StructureDefinition/$validate", answer.json()).json()
    assert [issue for issue in verdict["issue"] if issue["severity"] == "error"] == []
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "definition", "resource": sent}]}
    assert client.post(ASKED, parameters).json()["snapshot"] == answer.json()["snapshot"]
    own = client.get(f"{ASKED}?url={BASE}bodyweight").json()
    assert (own["id"], own["status"]) == ("bodyweight", "draft")
    assert len(own["snapshot"]["element"]) > len(own["differential"]["element"])


@pytest.mark.parametrize(
    ("sent", "status", "place"),
    [
        (definition(at("Patient.nonsense", min=1)), 422, "StructureDefinition.differential.element[0]"),
        (definition(at("Patient.name"), at("Patient.name.first.letter")), 422, "StructureDefinition.differential.element[1]"),
        (definition(at("Group.name")), 422, "StructureDefinition.differential.element[0]"),
        (definition(at("Patient.name"), base="http://example.org/nowhere"), 422, "StructureDefinition.baseDefinition"),
        (definition(at("Patient.a.b"), derivation="specialization"), 422, "StructureDefinition.differential.element[0]"),
        ({**definition(), "differential": None}, 422, "StructureDefinition.differential"),
        ({"resourceType": "Parameters", "parameter": [{"name": "url", "valueString": "http://example.org/nowhere"}]}, 404, "url"),
        ({"resourceType": "Parameters"}, 400, "url"),
    ],
    ids=str,
)  # fmt: skip
def test_what_means_nothing_is_refused_with_its_place(client: Client, sent: Any, status: int, place: str) -> None:
    answer = client.post(ASKED, {name: value for name, value in sent.items() if value is not None})
    assert answer.status_code == status, answer.text
    assert answer.json()["issue"][0]["expression"] == [place]


def test_the_snapshots_that_hl7_published_come_of_their_differentials(shared: Path) -> None:
    library = Library().whole()
    for file in sorted((shared / "fhir-r4" / "definitions").glob("StructureDefinition*.ndjson.gz")):
        for line in gzip.decompress(file.read_bytes()).splitlines():
            theirs = json.loads(line)
            if theirs["kind"] == "logical" or not {"differential", "snapshot"} <= theirs.keys():
                continue
            tree = library.tree(theirs["url"])
            assert tree is not None
            mine = snapshot(tree, library)
            name, wanted = theirs["url"].rpartition("/")[2], theirs["snapshot"]["element"]
            same = [each["id"] for each in mine] == [each["id"] for each in wanted]
            assert same is (name not in OTHER_IDS), name
            told = {each["id"]: each for each in mine}
            for each in wanted:
                if each["id"] in told:
                    compare(name, each, told[each["id"]])


def compare(name: str, wanted: Any, told: Any) -> None:
    """What judges a resource is the same, but for mistakes that are listed."""
    compared = [*COMPARED, *(each for each in {**wanted, **told} if each.startswith(("fixed", "pattern")))]
    if name not in OTHER_BINDINGS:
        assert {each: told.get(each) for each in compared} == {each: wanted.get(each) for each in compared}, (
            name,
            wanted["id"],
        )
        assert bound(told) == bound(wanted), (name, wanted["id"])
    if name not in OTHER_TYPES:
        assert types(told) == types(wanted), (name, wanted["id"])


def bound(element: Any) -> Any:
    return {each: element.get("binding", {}).get(each) for each in ("strength", "valueSet")}


def types(element: Any) -> list[Any]:
    names = ("profile", "targetProfile")
    return [(each.get("code"), *(sorted(each.get(name, ())) for name in names)) for each in element.get("type", ())]
