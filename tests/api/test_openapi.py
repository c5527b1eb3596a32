"""The OpenAPI document tells what is there and nothing else; programs made from it find no failure of the server.

Sources: https://spec.openapis.org/oas/v3.1.0, https://schemathesis.readthedocs.io/
"""

from __future__ import annotations

import os
import re
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from requests import RequestException
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance
from tests.running import Client

from yersin.api.app import OWN, Api, route
from yersin.api.openapi import made
from yersin.api.operations import EVERY, Operations
from yersin.app.rooms import ROOMS
from yersin.fhir import r4
from yersin.fhir.parameters import parameters
from yersin.fhir.problem import Problem
from yersin.guard.tokens import Tokens
from yersin.guard.who import nobody

LONG = bool(os.environ.get("YERSIN_LONG_TESTS"))
#: the short form asks each operation of a small type once
TYPES = "Patient,AuditEvent,Binary,Subscription,ValueSet,Observation" if LONG else "Basic"
CASES = 40 if LONG else 1
SEED = int(os.environ.get("YERSIN_FUZZ_SEED", "1"))
METHODS = ("get", "post", "put", "patch", "delete")
ROOMS_OWN = [operation for room in ROOMS for operation in room.operations]


@pytest.fixture(scope="module")
def operations():
    return Operations((*OWN, *ROOMS_OWN))


@pytest.fixture(scope="module")
def document(operations):
    return made("http://127.0.0.1:8000/fhir", operations)


@pytest.fixture(scope="module")
def api(run, ground, system):
    client = Client(run, lambda asker: Api(asker, ground.indexer.base, ROOMS_OWN), system)
    yield client
    client.close()


def test_everybody_reads_it(api, ground):
    answer = api.bound(ground.access(nobody())).get("/openapi.json?_type=Basic")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["openapi"] == "3.1.0"
    again = api.get("/openapi.json?_type=Basic", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    assert api.get("/openapi.json?_type=Nothing").status_code == 400
    assert api.get(f"/openapi.json?_type={','.join(list(r4.TYPE_NUMBER)[:21])}").status_code == 400
    assert api.post("/openapi.json", {}).status_code == 405


def test_it_is_valid(operations):
    OpenAPIV31SpecValidator(made("http://127.0.0.1:8000/fhir", operations, ("Basic", "AuditEvent"))).validate()


def routed(method, path, operations):
    filled = re.sub(r"\{(\w+)\}", lambda match: {"version": "1", "type": "Observation"}.get(match[1], "x"), path)
    try:
        route(method, [part for part in filled.split("/") if part], operations)
    except Problem as refusal:
        return refusal.status
    return 200


def test_what_it_names_is_there_and_what_it_leaves_out_is_not(document, operations):
    wrong = [
        (method, path)
        for path, item in document["paths"].items()
        for method in METHODS
        if (routed(method.upper(), path, operations) == 200) is not (method in item)
    ]
    assert not wrong
    assert len(document["paths"]) > 800


def test_it_names_every_type_parameter_and_operation(document, operations):
    paths = document["paths"]
    for name in r4.TYPE_NUMBER:
        listed = {each["$ref"].rpartition("/")[2] for each in paths[f"/{name}"]["get"]["parameters"]}
        codes = {each.removeprefix(f"{name}.") for each in listed if each.startswith(f"{name}.")}
        if name != "AuditEvent":
            assert codes >= set(parameters(name)) - {"relationship"}
        for operation in operations.stated(name):
            heads = {"type": f"/{name}", "instance": f"/{name}/{{id}}"}
            assert all(f"{heads[level]}/${operation.name}" in paths for level in operation.levels - {"system"})
    assert all(f"/${operation.name}" in paths for operation in operations.stated(""))


def test_every_reference_in_it_leads_somewhere(document):
    def references(value):
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inside in value.values():
                yield from references(inside)
        elif isinstance(value, list):
            for inside in value:
                yield from references(inside)

    for reference in set(references(document)):
        place = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in place, reference
            place = place[part]


LEAST: dict[str, dict[str, object]] = {
    "Group": {"type": "person", "actual": True},
    "Encounter": {"status": "planned", "class": {"code": "AMB"}},
    "SearchParameter": {
        "url": "http://example.org/gone", "name": "Gone", "status": "draft", "description": "x", "code": "gone",
        "base": ["Basic"], "type": "token", "expression": "Basic.code",
    },
    "StructureDefinition": {
        "url": "http://example.org/gone", "name": "Gone", "status": "draft", "kind": "resource", "abstract": False,
        "type": "Basic", "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Basic", "derivation": "constraint",
        "differential": {"element": [{"id": "Basic", "path": "Basic"}]},
    },
    "Subscription": {
        "status": "off", "reason": "x", "criteria": "Basic?code=x",
        "channel": {"type": "rest-hook", "endpoint": "https://example.org/told", "payload": "application/fhir+json"},
    },
    "ValueSet": {"status": "draft", "compose": {"include": [{"system": "http://hl7.org/fhir/administrative-gender"}]}},
    "CodeSystem": {"status": "draft", "url": "http://example.org/gone", "content": "not-present"},
    "ConceptMap": {"status": "draft"},
    "Measure": {"status": "draft"},
    "Basic": {"code": {"text": "x"}},
}  # fmt: skip
WORDS = {"code": "x", "codeA": "x", "codeB": "y", "periodStart": "2020", "periodEnd": "2021"}


def test_no_operation_fails_where_its_resource_was_deleted(api, operations):
    failed = {}
    gone: dict[str, str] = {}
    places = [(each, of) for each in operations.all().values() for level, of in each.places() if level == "instance"]
    for operation, of in places:
        name = "Basic" if of == EVERY else of
        if name not in gone:
            made = api.post(f"/{name}", {"resourceType": name, **LEAST.get(name, {})})
            assert made.status_code == 201, made.text
            gone[name] = made.json()["id"]
            assert api.delete(f"/{name}/{gone[name]}").status_code == 204
        known = {each.name for each in operation.inputs}
        given = {key: value for key, value in WORDS.items() if key in known}
        for method in operation.methods:
            answer = api.request(method, f"/{name}/{gone[name]}/${operation.name}", params=given)
            if answer.status_code >= 500:
                failed[f"{method} {name}/${operation.name}"] = answer.status_code
    assert not failed
    assert len(places) > 10


@pytest.fixture(scope="module")
def program(ground, served):
    """What a program made from the document asks, of a running server."""
    token = Tokens(ground.keys).make("system/*.cruds", 3600)
    schema = schemathesis.openapi.from_url(f"{served.base_url}/fhir/openapi.json?_type={TYPES}")
    return schema, {"authorization": f"Bearer {token}"}


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]


def told(case, headers):
    """Send one request and say what is wrong about the answer, with all it takes to send it again but the token."""
    try:
        response = case.call(headers=headers)
    except RequestException as error:
        return f"{case.operation.label}: no answer: {error}\n  {case.as_curl_command()}"
    try:
        case.validate_response(response, checks=CHECKS)
    except (BaseExceptionGroup, AssertionError) as error:
        request = response.request
        kept = {name: value for name, value in request.headers.items() if name.lower() != "authorization"}
        found = [str(each) for each in getattr(error, "exceptions", [error])]
        return (
            f"{case.operation.label}: {found}\n  {request.method} {request.url} {kept}"
            f"\n  {(request.body or b'')[:3000]!r}\n  {response.status_code} {response.text[:600]!r}"
        )
    return None


@pytest.mark.timeout(7200 if LONG else 120)
def test_programs_made_from_it_find_no_failure(program, served, tally):
    schema, headers = program
    failures: list[str] = []
    asked: Counter[str] = Counter()
    for result in schema.get_all_operations():
        operation = result.ok()

        @seed(SEED)
        @given(case=operation.as_strategy())
        @settings(
            max_examples=CASES, deadline=None, database=None, derandomize=False, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def ask(case):
            asked[case.operation.label] += 1
            failures.extend(each for each in [told(case, headers)] if each)

        ask()
    traces = re.findall(r"^\{.*Traceback.*$", served.output.read_text(), re.MULTILINE)
    assert not failures, "\n".join([f"{len(failures)} of {asked.total()}, seed {SEED}", *failures[:40], *traces[:5]])
    described = {
        f"{m.upper()} {path}" for path, item in schema.raw_schema["paths"].items() for m in METHODS if m in item
    }
    assert set(asked) == described
    tally(asked.total())
