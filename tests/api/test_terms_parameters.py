"""Every parameter that R4 defines for operations of the terminology service works, or is refused by name and with a reason.

Source: https://hl7.org/fhir/R4/terminology-service.html
"""

from __future__ import annotations

import gzip
import json

import pytest

from yersin.api.terminology import OPERATIONS

OWN, OTHER = "urn:example:terms-parameters", "urn:example:terms-other"
BOTH = "urn:example:terms-parameters:both"
VI = [{"language": "vi-VN", "value": "Gan"}, {"use": {"system": "urn:example:use", "code": "short"}, "value": "Lv"}]


def system(version, *concepts, url=OWN, **more):
    name = f"terms-{url.rpartition(':')[2]}-{version}"
    return {"resourceType": "CodeSystem", "id": name, "url": url, "version": version, "status": "active",
            "content": "complete", "hierarchyMeaning": "is-a", "concept": list(concepts), **more}  # fmt: skip


OLD = system("1", {"code": "liver", "display": "Liver of old"})
LIVER = {"code": "liver", "display": "Liver", "designation": VI, "concept": [{"code": "lobe", "display": "Lobe"}]}
NEW = system("2", LIVER)
ELSE = system("1", {"code": "x", "display": "X"}, url=OTHER)
SUPPLEMENT = system(
    "1",
    {"code": "liver", "designation": [{"language": "fr", "value": "Foie"}], "property": [{"code": "side", "valueString": "right"}]},
    url=f"{OWN}:french", content="supplement", supplements=OWN,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def stored(client):
    for resource in (OLD, NEW, ELSE, SUPPLEMENT):
        answer = client.put(f"/CodeSystem/{resource['id']}", json=resource)
        assert answer.status_code == 201, answer.text
    both = {"include": [{"system": OWN}, {"system": OTHER}]}
    made = {"resourceType": "ValueSet", "id": "terms-both", "url": BOTH, "status": "active", "compose": both}
    assert client.put("/ValueSet/terms-both", json=made).status_code == 201


def expansion(client, address=BOTH, **more):
    answer = client.get("/ValueSet/$expand", params={"url": address, "excludeNested": "true", **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["expansion"]


def concepts(found):
    return {one["code"]: one for one in found.get("contains", ())}


def refused(answer, status, code, *words):
    assert answer.status_code == status, answer.text
    (issue,) = answer.json()["issue"]
    assert issue["code"] == code, issue
    assert all(word in issue["diagnostics"] for word in words), issue


def told(answer):
    assert answer.status_code == 200, answer.text
    return {
        p["name"]: next((v for k, v in p.items() if k.startswith("value")), None) for p in answer.json()["parameter"]
    }


def test_every_parameter_of_r4_is_taken_or_refused_for_a_reason(shared):
    with gzip.open(shared / "fhir-r4/definitions/OperationDefinition.ndjson.gz") as file:
        defined = {r["url"]: r for r in map(json.loads, file)}
    for operation in OPERATIONS:
        parameters = defined[operation.definition]["parameter"]
        wanted = {p["name"] for p in parameters if p["use"] == "in"}
        taken = {each.name for each in operation.inputs}
        assert wanted - taken == set(operation.refused) & wanted, operation.name
        assert not taken & set(operation.refused), operation.name


@pytest.mark.parametrize(("operation", "name"), [(o, name) for o in OPERATIONS for name in o.refused])
def test_what_is_refused_is_told_with_its_reason(client, operation, name):
    answer = client.get(f"/{operation.types[0]}/${operation.name}?{name}=2026-01-01")
    refused(answer, 400, "not-supported", f"does not take {name}: ")


# --- $expand ---------------------------------------------------------------------------------------------------------


def test_versions_are_chosen_checked_and_forced(client):
    assert concepts(expansion(client))["liver"]["display"] == "Liver"
    for name in ("system-version", "check-system-version", "force-system-version"):
        found = expansion(client, **{name: f"{OWN}|1"})
        assert concepts(found)["liver"]["display"] == "Liver of old"
        assert {"name": name, "valueUri": f"{OWN}|1"} in found["parameter"]
    told_version = {"include": [{"system": OWN, "version": "2"}]}
    sent = {"resourceType": "ValueSet", "status": "active", "compose": told_version}

    def asked(name):
        parts = [{"name": "valueSet", "resource": sent}, {"name": name, "valueCanonical": f"{OWN}|1"}]
        return client.post("/ValueSet/$expand", json={"resourceType": "Parameters", "parameter": parts})

    assert len(asked("system-version").json()["expansion"]["contains"][0]["contains"]) == 1
    assert asked("force-system-version").json()["expansion"]["contains"][0]["display"] == "Liver of old"
    refused(asked("check-system-version"), 422, "conflict", "Version 2", "check-system-version asks for 1")


@pytest.mark.parametrize(
    ("value", "code"), [(OWN, "value"), (f"{OWN}|", "value"), ("|1", "value"), (f"{OWN}|7", "not-found")]
)
def test_versions_that_are_none_are_told(client, value, code):
    answer = client.get("/ValueSet/$expand", params={"url": BOTH, "force-system-version": value})
    refused(answer, 404 if code == "not-found" else 400, code, OWN if OWN in value else "|1")


def test_two_versions_of_one_system_are_refused(client):
    answer = client.get(f"/ValueSet/$expand?url={BOTH}&system-version={OWN}|1&system-version={OWN}|2")
    refused(answer, 400, "invalid", "two versions")


def test_a_system_or_one_version_of_it_is_left_out(client):
    found = expansion(client, **{"exclude-system": OTHER})
    assert set(concepts(found)) == {"liver", "lobe"}
    assert {"name": "exclude-system", "valueUri": OTHER} in found["parameter"]
    assert set(concepts(expansion(client, **{"exclude-system": f"{OWN}|2"}))) == {"x"}
    assert set(concepts(expansion(client, **{"exclude-system": f"{OWN}|1"}))) == {"liver", "lobe", "x"}


@pytest.mark.parametrize(
    ("token", "values"),
    [("vi", ["Gan"]), ("urn:ietf:bcp:47|vi-VN", ["Gan"]), ("v", None), ("urn:example:use|short", ["Lv"]), ("fr", None)],
)
def test_designations_of_a_language_or_a_use(client, token, values):
    found = concepts(expansion(client, designation=token))["liver"].get("designation")
    assert (found and [d["value"] for d in found]) == values
    assert "designation" not in concepts(expansion(client, designation=token, includeDesignations="false"))["liver"]


def test_a_designation_without_a_code_is_refused(client):
    refused(client.get(f"/ValueSet/$expand?url={BOTH}&designation=urn:x|"), 400, "value", "designation")


def test_expressions_of_snomed_are_left_out_where_they_are_not_wanted(client):
    codes = [{"code": "271737000"}, {"code": "128045006:{363698007=56459004}"}]
    include = [{"system": "http://snomed.info/sct", "concept": codes}]
    sent = {"resourceType": "ValueSet", "status": "active", "compose": {"include": include}}
    parts = [{"name": "valueSet", "resource": sent}, {"name": "excludePostCoordinated", "valueBoolean": True}]
    answer = client.post("/ValueSet/$expand", json={"resourceType": "Parameters", "parameter": parts})
    assert set(concepts(answer.json()["expansion"])) == {"271737000"}
    answer = client.post("/ValueSet/$expand", json={"resourceType": "Parameters", "parameter": parts[:1]})
    assert len(concepts(answer.json()["expansion"])) == 2


# --- supplements -----------------------------------------------------------------------------------------------------


def test_supplements_count_where_they_are_asked_for(client):
    plain = expansion(client, displayLanguage="fr")
    assert concepts(plain)["liver"]["display"] == "Liver"
    found = expansion(client, displayLanguage="fr", designation="fr", useSupplement=f"{OWN}:french")
    assert concepts(found)["liver"]["display"] == "Foie"
    assert [d["value"] for d in concepts(found)["liver"]["designation"]] == ["Foie"]
    lookup = f"/CodeSystem/$lookup?system={OWN}&code=liver&displayLanguage=fr"
    assert told(client.get(lookup))["display"] == "Liver"
    answer = client.get(f"{lookup}&useSupplement={OWN}:french|1")
    assert told(answer)["display"] == "Foie"
    assert "right" in answer.text


def test_a_value_set_may_name_its_supplement(client):
    extension = {
        "url": "http://hl7.org/fhir/StructureDefinition/valueset-supplement",
        "valueCanonical": f"{OWN}:french",
    }
    sent = {"resourceType": "ValueSet", "status": "active", "compose": {"include": [{"system": OWN}]}}
    coding = {"name": "coding", "valueCoding": {"system": OWN, "code": "liver", "display": "Foie"}}

    def judged(value_set):
        parts = [{"name": "valueSet", "resource": value_set}, coding]
        return told(client.post("/ValueSet/$validate-code", json={"resourceType": "Parameters", "parameter": parts}))

    assert judged(sent)["result"] is False
    assert judged({**sent, "extension": [extension]})["result"] is True


@pytest.mark.parametrize(("named", "status", "code"), [("urn:example:none", 404, "not-found"), (OWN, 400, "invalid")])
def test_what_is_no_supplement_is_told(client, named, status, code):
    for address in (f"/ValueSet/$expand?url={BOTH}", f"/CodeSystem/$lookup?system={OWN}&code=liver"):
        refused(client.get(f"{address}&useSupplement={named}"), status, code, named)


# --- a code system that is sent, maps --------------------------------------------------------------------------------


def test_a_code_is_judged_by_a_code_system_that_is_sent(client):
    sent = system("9", {"code": "AB", "display": "Both"}, url=f"{OWN}:sent", caseSensitive=False)

    def judged(code, **more):
        parts = [{"name": "codeSystem", "resource": {**sent, **more}}, {"name": "code", "valueCode": code}]
        return client.post("/CodeSystem/$validate-code", json={"resourceType": "Parameters", "parameter": parts})

    assert told(judged("ab")) == {"result": True, "display": "Both"}
    assert told(judged("c"))["result"] is False
    parts = [
        {"name": "codeSystem", "resource": sent},
        {"name": "code", "valueCode": "ab"},
        {"name": "url", "valueUri": "urn:x"},
    ]
    answer = client.post("/CodeSystem/$validate-code", json={"resourceType": "Parameters", "parameter": parts})
    refused(answer, 400, "invalid", f"{OWN}:sent", "urn:x")
    assert client.get(f"/CodeSystem?url={OWN}:sent").json()["total"] == 0


def test_translations_depend_on_what_else_is_known_and_on_the_version(client):
    def target(code, *needed):
        depends = [{"property": "urn:side", "system": "urn:sides", "value": value} for value in needed]
        return {"code": code, "equivalence": "equal", **({"dependsOn": depends} if depends else {})}

    element = [{"code": "liver", "target": [target("any"), target("right", "r"), target("left", "l")]}]
    group = [{"source": OWN, "sourceVersion": "2", "target": "urn:to", "element": element}]
    sent = {"resourceType": "ConceptMap", "url": "urn:example:dependent", "status": "active", "group": group}

    def codes(*more):
        parts = [{"name": "conceptMap", "resource": sent}, {"name": "code", "valueCode": "liver"},
                 {"name": "system", "valueUri": OWN}, *more]  # fmt: skip
        answer = client.post("/ConceptMap/$translate", json={"resourceType": "Parameters", "parameter": parts})
        assert answer.status_code == 200, answer.text
        matches = [p["part"] for p in answer.json()["parameter"] if p["name"] == "match"]
        return [part["valueCoding"]["code"] for match in matches for part in match if part["name"] == "concept"]

    concept = {"name": "concept", "valueCodeableConcept": {"coding": [{"system": "urn:sides", "code": "r"}]}}
    dependency = {"name": "dependency", "part": [{"name": "element", "valueUri": "urn:side"}, concept]}
    assert codes() == ["any", "right", "left"]
    assert codes(dependency) == ["any", "right"]
    assert codes({"name": "version", "valueString": "2"}) == ["any", "right", "left"]
    assert codes({"name": "version", "valueString": "1"}) == []
    parts = [
        {"name": "conceptMap", "resource": sent},
        {"name": "code", "valueCode": "x"},
        {"name": "dependency", "part": [concept]},
    ]
    answer = client.post("/ConceptMap/$translate", json={"resourceType": "Parameters", "parameter": parts})
    refused(answer, 400, "required", "element")
    refused(client.get("/ConceptMap/$translate?code=x&source=ValueSet/1"), 400, "value", "canonical")


# --- $closure --------------------------------------------------------------------------------------------------------


def closure(client, name, *codes, url=OWN, **more):
    parts = [{"name": "name", "valueString": name}]
    parts += [{"name": "concept", "valueCoding": {"system": url, "code": code}} for code in codes]
    parts += [{"name": key, "valueString": value} for key, value in more.items()]
    return client.post("/$closure", json={"resourceType": "Parameters", "parameter": parts})


def entries(answer):
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["resourceType"] == "ConceptMap"
    return found["version"], [
        (element["code"], target["equivalence"], target["code"])
        for group in found.get("group", ())
        for element in group["element"]
        for target in element["target"]
    ]


def test_a_closure_table_grows_and_is_told_again_from_a_version(client):
    assert entries(closure(client, "organs")) == ("0", [])
    assert entries(closure(client, "organs", "lobe")) == ("1", [])
    assert entries(closure(client, "organs", "liver")) == ("2", [("lobe", "subsumes", "liver")])
    assert entries(closure(client, "organs", version="1")) == ("2", [("lobe", "subsumes", "liver")])
    assert entries(closure(client, "organs", version="2")) == ("2", [])
    assert entries(closure(client, "organs")) == ("0", [])
    assert entries(closure(client, "organs", "liver")) == ("1", [])


def test_what_is_wrong_with_a_closure_is_told_and_changes_nothing(client):
    refused(closure(client, "nowhere", "liver"), 404, "not-found", "nowhere", "name alone")
    entries(closure(client, "wrong"))
    refused(closure(client, "wrong", "liver", "spleen"), 404, "not-found", "spleen")
    refused(closure(client, "wrong", "x", url="urn:example:none"), 404, "not-found", "urn:example:none")
    refused(closure(client, "wrong", version="5"), 400, "value", "Begin it anew")
    refused(closure(client, "wrong", version="one"), 400, "value", "version=one")
    refused(closure(client, "wrong", "liver", version="0"), 400, "invalid", "not both")
    assert entries(closure(client, "wrong", version="0")) == ("0", [])
    assert client.get("/$closure?name=wrong").status_code == 405
