"""What the server says of itself is what it does: every claim is used, and what is not claimed is refused.

Sources: https://hl7.org/fhir/R4/capabilitystatement.html, https://hl7.org/fhir/R4/operationdefinition.html,
https://hl7.org/fhir/R4/http.html#capabilities
"""

from __future__ import annotations

import gzip
import json
import re

import pytest
from tests.running import Client

from yersin.api.app import OWN, Api
from yersin.api.operations import EVERY
from yersin.api.release import RELEASED
from yersin.app.rooms import ROOMS
from yersin.fhir import parse, r4
from yersin.guard.who import nobody

ALL = [*OWN, *(operation for room in ROOMS for operation in room.operations)]
JSON_PATCH = [{"op": "replace", "path": "/gender", "value": "female"}]
PATHS = {
    "resourceType": "Parameters",
    "parameter": [
        {
            "name": "operation",
            "part": [
                {"name": "type", "valueCode": "replace"},
                {"name": "path", "valueString": "Patient.gender"},
                {"name": "value", "valueCode": "female"},
            ],
        }
    ],
}
XML_PATCH = """<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/>
<part><name value="type"/><valueCode value="replace"/></part>
<part><name value="path"/><valueString value="Patient.gender"/></part>
<part><name value="value"/><valueCode value="female"/></part></parameter></Parameters>"""
PATCHES = {
    "application/json-patch+json": json.dumps(JSON_PATCH),
    "application/merge-patch+json": json.dumps({"gender": "female"}),
    "application/fhir+json": json.dumps(PATHS),
    "application/fhir+xml": XML_PATCH,
}


@pytest.fixture(scope="module")
def api(run, ground, system):
    """The API as it is served, with the operations of every room."""
    operations = [operation for room in ROOMS for operation in room.operations]
    made = Client(run, lambda asker: Api(asker, ground.indexer.base, operations), system)
    yield made
    made.close()


@pytest.fixture(scope="module")
def statement(api):
    return api.get("/metadata").json()


@pytest.fixture(scope="module")
def resources(statement):
    return {each["type"]: each for each in statement["rest"][0]["resource"]}


def stated(part):
    return [(part.get("type", ""), each) for each in part.get("operation", ())]


@pytest.fixture(scope="module")
def operations(statement):
    rest = statement["rest"][0]
    return [pair for part in (rest, *rest["resource"]) for pair in stated(part)]


def person(api, **more):
    made = api.post("/Patient", {"resourceType": "Patient", "gender": "male", **more})
    assert made.status_code == 201, made.text
    return made.json()["id"]


# --- operations ------------------------------------------------------------------------------------------------------


def test_every_operation_is_defined_where_the_statement_says(api, operations):
    assert {each["name"] for _, each in operations} == {each.name for each in ALL}
    for type_name, each in operations:
        if not each["definition"].startswith(api.base):
            continue
        found = parse(api.get(each["definition"]).content, expect="OperationDefinition")
        assert isinstance(found, r4.OperationDefinition)
        assert (found.url, found.code) == (each["definition"], each["name"])
        assert found.system is (type_name == "") or found.type or found.instance
        assert not type_name or {type_name, "Resource"} & set(found.resource or ())


def test_definitions_tell_what_the_registry_asks(api):
    for operation in ALL:
        found = api.get(f"/OperationDefinition/{operation.id}").json()
        assert found["affectsState"] is operation.affects_state
        assert {level for level in ("system", "type", "instance") if found[level]} == operation.levels
        assert found.get("resource", []) == ["Resource" if name == EVERY else name for name in operation.types]
        taken = {p["name"]: (p.get("type"), p["min"], p["max"]) for p in found.get("parameter", ()) if p["use"] == "in"}
        wanted = {
            i.name: (None if i.parts else i.type, int(i.required), "*" if i.repeats else "1") for i in operation.inputs
        }
        assert wanted.items() <= taken.items()
        assert set(taken) - set(wanted) <= {"resource"}
        assert found.get("base", operation.definition) == operation.definition
        assert found["title"]


def test_definitions_break_no_rule_of_fhir(api):
    for operation in ALL:
        resource = api.get(f"/OperationDefinition/{operation.id}").json()
        verdict = api.post("/OperationDefinition/$validate", resource).json()
        assert [each for each in verdict["issue"] if each["severity"] in ("error", "fatal")] == [], operation.id


def test_the_standard_itself_is_named_only_where_all_of_it_is_here(shared, operations):
    with gzip.open(shared / "fhir-r4/definitions/OperationDefinition.ndjson.gz") as file:
        standard = {each["url"]: each for each in map(json.loads, file)}
    named = {each["definition"] for _, each in operations}
    checked = [operation for operation in ALL if operation.definition in standard]
    assert len(checked) > 10
    for operation in checked:
        wanted = {p["name"] for p in standard[operation.definition].get("parameter", ()) if p["use"] == "in"}
        taken = {each.name for each in operation.inputs} | ({"resource"} if operation.takes_any_body else set())
        assert operation.narrower is bool(wanted - taken), (operation.id, wanted - taken)
        assert (operation.definition in named) is not operation.narrower


def test_nobody_stores_what_the_server_defines(api):
    resource = api.get("/OperationDefinition/yersin-reindex").json()
    for answer in (
        api.put("/OperationDefinition/yersin-reindex", resource),
        api.put("/OperationDefinition/yersin-other", {**resource, "id": "yersin-other"}),
        api.delete("/OperationDefinition/yersin-reindex"),
    ):
        assert answer.status_code == 405
    assert api.get("/OperationDefinition/yersin-other").status_code == 404
    stored = api.put("/OperationDefinition/mine", {**resource, "id": "mine", "url": "http://example.org/mine"})
    assert stored.status_code == 201
    assert api.get("/OperationDefinition/mine").json()["url"] == "http://example.org/mine"


def test_what_is_not_stated_is_no_operation(api, resources):
    for type_name in resources:
        names = [each["name"] for each in resources[type_name].get("operation", ())]
        for name in ("everything", "lastn", "expand", "export", "replay"):
            if name not in names:
                assert api.get(f"/{type_name}/$%s" % name).status_code == 404, (type_name, name)


# --- the statement -----------------------------------------------------------------------------------------------------


def test_the_date_is_that_of_the_release(statement):
    assert statement["date"] == RELEASED


@pytest.mark.parametrize("mode", ["full", "normative"])
def test_the_statement_breaks_no_rule_of_fhir(api, mode):
    resource = api.get(f"/metadata?mode={mode}").json()
    verdict = api.post("/CapabilityStatement/$validate", resource).json()
    assert [each for each in verdict["issue"] if each["severity"] in ("error", "fatal")] == []


def test_the_normative_part_is_a_part(api, statement):
    part = api.get("/metadata?mode=normative").json()
    types = {each["type"] for each in part["rest"][0]["resource"]}
    assert {"Patient", "Observation", "ValueSet"} <= types
    assert not types & {"Encounter", "Condition"}
    assert all(each in statement["rest"][0]["resource"] for each in part["rest"][0]["resource"])
    assert api.get("/metadata?mode=terminology").json()["resourceType"] == "TerminologyCapabilities"
    assert api.get("/metadata?mode=other").status_code == 400


@pytest.mark.parametrize("path", ["/metadata", "/OperationDefinition/yersin-reindex"])
def test_what_tells_of_nobody_is_open_and_not_sent_twice(api, ground, path):
    anybody = api.bound(ground.access(nobody()))
    first = anybody.get(path)
    assert first.status_code == 200
    assert first.headers["cache-control"] == "public, no-cache"
    again = anybody.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert anybody.get(path, headers={"if-none-match": 'W/"other"'}).status_code == 200
    assert anybody.get("/OperationDefinition/none").status_code in (401, 403, 404)


def test_every_form_is_spoken_and_no_other(api, statement):
    for form in statement["format"]:
        assert api.get("/metadata", params={"_format": form}).status_code == 200, form
        if "/" in form:
            assert api.get("/metadata", headers={"accept": form}).headers["content-type"].startswith(form)
    assert api.get("/metadata?_format=turtle").status_code == 406


def test_every_form_of_patch_is_taken_and_no_other(api, statement):
    assert set(statement["patchFormat"]) == set(PATCHES)
    for form, body in PATCHES.items():
        logical_id = person(api)
        done = api.request("PATCH", f"/Patient/{logical_id}", content=body, headers={"content-type": form})
        assert (done.status_code, done.json()["gender"]) == (200, "female"), form
    refused = api.request(
        "PATCH", f"/Patient/{person(api)}", content="x", headers={"content-type": "application/x-patch+json"}
    )
    assert refused.status_code == 415


def test_every_type_says_the_same_of_conditions_and_versions(resources):
    stored = [each for name, each in resources.items() if name != "AuditEvent"]
    assert len(stored) > 140
    said = {
        (
            each["versioning"], each["readHistory"], each["updateCreate"], each["conditionalCreate"],
            each["conditionalRead"], each["conditionalUpdate"], each["conditionalDelete"],
        )
        for each in stored
    }  # fmt: skip
    assert said == {("versioned-update", True, True, True, "full-support", True, "multiple")}


def test_conditions_and_versions_are_as_stated(api):
    """As every type says the same, one stands for all."""
    system = "http://example.org/capability"
    criteria = f"identifier={system}|one"
    patient = {"resourceType": "Patient", "identifier": [{"system": system, "value": "one"}]}
    created = api.post("/Patient", patient, headers={"if-none-exist": criteria})
    assert created.status_code == 201
    assert api.post("/Patient", patient, headers={"if-none-exist": criteria}).status_code == 200
    path = f"/Patient/{created.json()['id']}"
    first = api.get(path)
    assert api.get(path, headers={"if-none-match": first.headers["etag"]}).status_code == 304
    assert api.get(path, headers={"if-modified-since": first.headers["last-modified"]}).status_code == 304
    changed = api.put(f"/Patient?{criteria}", {**patient, "active": True})
    assert (changed.status_code, changed.json()["meta"]["versionId"]) == (200, "2")
    late = api.put(path, {**first.json(), "active": False}, headers={"if-match": 'W/"1"'})
    assert late.status_code in (409, 412)
    assert api.get(f"{path}/_history/1").status_code == 200
    assert api.put("/Patient/made-by-update", {**patient, "id": "made-by-update"}).status_code == 201
    assert api.delete(f"/Patient?{criteria}").status_code == 204
    assert [api.get(each).status_code for each in (path, "/Patient/made-by-update")] == [410, 410]


def test_the_audit_takes_back_nothing_it_does_not_state(api, resources):
    audit = resources["AuditEvent"]
    assert "delete" not in [each["code"] for each in audit["interaction"]]
    assert not {"conditionalCreate", "conditionalUpdate", "conditionalDelete", "searchInclude"} & set(audit)
    assert api.delete("/AuditEvent/1").status_code == 405
    assert api.put("/AuditEvent?type=rest", {"resourceType": "AuditEvent"}).status_code == 405
    assert api.delete("/AuditEvent?type=rest").status_code == 405
    listed = {each["name"] for each in audit["searchParam"]}
    assert api.get("/AuditEvent?policy=http://example.org").status_code == 400
    assert "policy" not in listed


def test_every_include_is_followed(api, resources):
    wrong = [
        (name, answer.text[:200])
        for name, each in resources.items()
        for rules in rules_of(each)
        if (answer := api.get(f"/{name}?_id=none&{rules}")).status_code != 200
    ]
    assert not wrong
    assert api.get("/Patient?_include=Patient:name").status_code == 400


def rules_of(resource):
    """Rules that a type states, some forty to a search."""
    rules = [f"_include={rule}" for rule in resource.get("searchInclude", ())]
    rules += [f"_revinclude={rule}" for rule in resource.get("searchRevInclude", ())]
    return ["&".join(rules[n : n + 40]) for n in range(0, len(rules), 40)]


def test_the_server_itself_does_what_it_states(api, statement):
    rest = statement["rest"][0]
    assert {each["code"] for each in rest["interaction"]} == {"transaction", "batch", "search-system", "history-system"}
    entry = {"request": {"method": "GET", "url": "Patient?_id=none"}}
    for kind in ("transaction", "batch"):
        answer = api.post("/", {"resourceType": "Bundle", "type": kind, "entry": [entry]})
        assert (answer.status_code, answer.json()["type"]) == (200, f"{kind}-response")
    assert api.get("/_history?_count=1").status_code == 200
    values = {"_has": "", "_type": "Patient", "_list": "none"}
    for each in rest["searchParam"]:
        pair = (
            "_has:Observation:patient:code=x"
            if each["name"] == "_has"
            else f"{each['name']}={values.get(each['name'], 'a')}"
        )
        query = pair if each["name"] == "_type" else f"_type=Patient&{pair}"
        assert api.get(f"/?{query}").status_code == 200, query
    for compartment in rest["compartment"]:
        name = next(each for each in r4.TYPE_NUMBER if each.lower() == compartment.rsplit("/", 1)[1])
        assert api.get(f"/{name}/none/*?_count=1").status_code in (200, 404), name
    assert api.get("/Organization/none/Observation").status_code == 404


def test_every_stated_address_is_of_this_server(api, statement):
    assert statement["implementation"]["url"] == api.base
    websocket = statement["rest"][0]["extension"][0]["valueUri"]
    assert re.sub("^ws", "http", websocket) == api.base
