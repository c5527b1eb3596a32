"""JSON Patch. Source: RFC 6902, https://hl7.org/fhir/R4/http.html#patch; cases of the FHIR project"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.outcomes import Tally
from tests.running import Client, Served

from yersin.api import json_patch
from yersin.fhir import parse
from yersin.fhir.problem import Problem

KIND = {"content-type": "application/json-patch+json"}
PATIENT = {
    "resourceType": "Patient",
    "active": True,
    "name": [{"family": "Nguyễn", "given": ["Thử"]}],
    "birthDate": "1980-02-03",
}


def patched(document: Any, patch: Any) -> Any:
    return json_patch.apply(
        json_patch.read(json.dumps(document).encode()), json_patch.operations(json.dumps(patch).encode())
    )


def test_every_case_of_the_fhir_project(shared: Path, tally: Tally) -> None:
    cases = json.loads((shared / "fhir-test-cases/patch/json-patch-tests.json").read_text())
    assert len(cases) >= 8
    for case in cases:
        if "error" in case:
            with pytest.raises(Problem):
                patched(case["doc"], case["patch"])
        else:
            assert json_patch.equal(patched(case["doc"], case["patch"]), case["expected"]), case["comment"]
    tally(len(cases))


@pytest.mark.parametrize(
    ("document", "operation", "expected"),
    [
        ({"a": [1, 2]}, {"op": "add", "path": "/a/-", "value": 3}, {"a": [1, 2, 3]}),
        ({"a": [1, 2]}, {"op": "add", "path": "/a/0", "value": 0}, {"a": [0, 1, 2]}),
        ({"a": [1]}, {"op": "add", "path": "/a/1", "value": 2}, {"a": [1, 2]}),
        ({"a": 1}, {"op": "add", "path": "", "value": {"b": 2}}, {"b": 2}),
        ({"a/b": 1, "m~n": 2}, {"op": "remove", "path": "/a~1b"}, {"m~n": 2}),
        ({"~1": 1, "/": 2}, {"op": "remove", "path": "/~01"}, {"/": 2}),
        ({"": 1, "a": 2}, {"op": "remove", "path": "/"}, {"a": 2}),
        ({"a": {"b": 1}}, {"op": "move", "from": "/a/b", "path": "/c"}, {"a": {}, "c": 1}),
        ({"a": [1, 2, 3]}, {"op": "move", "from": "/a/0", "path": "/a/2"}, {"a": [2, 3, 1]}),
        ({"a": 1}, {"op": "move", "from": "/a", "path": "/a"}, {"a": 1}),
        ({"a": [1]}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": [1], "b": [1]}),
        ({"a": 1}, {"op": "test", "path": "/a", "value": 1.0}, {"a": 1}),
        ({"a": None}, {"op": "test", "path": "/a", "value": None}, {"a": None}),
        ({"a": {"x": 1, "y": [2]}}, {"op": "test", "path": "/a", "value": {"y": [2], "x": 1}}, {"a": {"x": 1, "y": [2]}}),
        ({"a": 1}, {"op": "replace", "path": "", "value": [1]}, [1]),
        ({"a": 1}, {"op": "add", "path": "/b", "value": 1, "unknown": 9}, {"a": 1, "b": 1}),
    ],
)  # fmt: skip
def test_operations_do_what_the_rfc_says(document: Any, operation: Any, expected: Any) -> None:
    assert patched(document, [operation]) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/a/3", "value": 1},
        {"op": "add", "path": "/a/01", "value": 1},
        {"op": "add", "path": "/a/-1", "value": 1},
        {"op": "add", "path": "/a/1e0", "value": 1},
        {"op": "add", "path": "/a/x", "value": 1},
        {"op": "add", "path": "/s/x", "value": 1},
        {"op": "add", "path": "/nothing/x", "value": 1},
        {"op": "remove", "path": "/a/-"},
        {"op": "remove", "path": "/a/2"},
        {"op": "remove", "path": "/x"},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "/x", "value": 1},
        {"op": "move", "from": "/o", "path": "/o/p"},
        {"op": "move", "from": "/x", "path": "/y"},
        {"op": "copy", "from": "/x", "path": "/y"},
        {"op": "test", "path": "/t", "value": 1},
        {"op": "test", "path": "/s", "value": ["text"]},
        {"op": "test", "path": "/x", "value": None},
    ],
)
def test_what_cannot_be_done_is_refused(operation: Any) -> None:
    with pytest.raises(Problem) as refused:
        patched({"a": [1, 2], "s": "text", "t": True, "o": {"p": 1}}, [operation])
    assert refused.value.status == 422
    assert "Operation 0" in str(refused.value)


@pytest.mark.parametrize(
    "patch",
    [
        b"{",
        b"{}",
        b"[1]",
        b'[{"op":"spam","path":"/a"}]',
        b'[{"op":["add"],"path":"/a"}]',
        b'[{"op":{},"path":"/a"}]',
        b'[{"op":"add","path":"/a"}]',
        b'[{"op":"add","path":"a","value":1}]',
        b'[{"op":"add","path":"/a~2","value":1}]',
        b'[{"op":"add","path":7,"value":1}]',
        b'[{"op":"move","path":"/a"}]',
        b'[{"op":"add","path":"/a","value":NaN}]',
        b"[" * 100_000,
        b"[" + b",".join([b'{"op":"remove","path":"/a"}'] * 1001) + b"]",
    ],
)
def test_what_is_no_patch_is_refused(patch: bytes) -> None:
    with pytest.raises(Problem) as refused:
        json_patch.operations(patch)
    assert refused.value.status in (400, 413)


def test_values_that_nest_too_deep_are_refused() -> None:
    deep: Any = []
    for _ in range(600):
        deep = [deep]
    for kind in ("add", "replace", "test"):
        with pytest.raises(Problem) as refused:
            patched({"a": deep}, [{"op": kind, "path": "/a", "value": deep}] * 2)
        assert refused.value.status == 422


def test_copies_that_double_are_stopped() -> None:
    double = [{"op": "copy", "from": "/b", "path": "/b/-"}] * 40
    with pytest.raises(Problem) as refused:
        patched({"b": [1, 2, 3]}, double)
    assert refused.value.status == 413


plain_values = st.none() | st.booleans() | st.integers() | st.text()
json_values = st.recursive(
    plain_values, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@given(json_values, st.text())
def test_what_was_added_is_there_and_removing_it_leaves_what_was(value: Any, name: str) -> None:
    pointer = "/" + name.replace("~", "~0").replace("/", "~1")
    before = {"kept": 1, name: 2}
    added = patched({"kept": 1}, [{"op": "add", "path": pointer, "value": value}])
    assert json_patch.equal(added[name], value)
    assert patched(before, [{"op": "remove", "path": pointer}]) == {k: v for k, v in before.items() if k != name}


def patch(client: Client, address: str, *operations: Any, **headers: str) -> httpx.Response:
    return client.request("PATCH", address, content=json.dumps(operations), headers={**KIND, **headers})


def made(client: Client, **more: Any) -> Any:
    return client.post("/Patient", {**PATIENT, **more}).json()


def test_a_patch_makes_a_new_version_and_leaves_the_rest(client: Client) -> None:
    one = made(client)
    address = f"/Patient/{one['id']}"
    answer = patch(client, address, {"op": "replace", "path": "/name/0/family", "value": "Trần"})
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
    assert answer.json()["name"] == [{"family": "Trần", "given": ["Thử"]}]
    assert client.get(address).json() == answer.json()
    assert client.search(f"/Patient?_id={one['id']}&family=Trần")
    assert client.get(f"{address}/_history/1").json() == one


def test_decimals_keep_their_digits(client: Client) -> None:
    body = (
        b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.50,"unit":"g"}}'
    )
    one = client.post("/Observation", content=body).json()
    answer = patch(client, f"/Observation/{one['id']}", {"op": "add", "path": "/note", "value": [{"text": "x"}]})
    assert b'"value":1.50' in answer.content


def test_the_last_name_can_be_taken_away(client: Client) -> None:
    one = made(client)
    answer = patch(client, f"/Patient/{one['id']}", {"op": "remove", "path": "/name/0"})
    assert answer.status_code == 200
    assert "name" not in answer.json()


def test_a_patch_can_do_nothing_that_an_update_cannot(client: Client) -> None:
    one = made(client)
    address = f"/Patient/{one['id']}"
    refused = [
        ({"op": "replace", "path": "/birthDate", "value": "1980-02-30"}, 422),
        ({"op": "add", "path": "/nonsense", "value": 1}, 422),
        ({"op": "replace", "path": "/id", "value": "another"}, 422),
        ({"op": "remove", "path": "/id"}, 422),
        ({"op": "replace", "path": "/resourceType", "value": "Group"}, 422),
        ({"op": "test", "path": "/active", "value": False}, 422),
    ]
    for operation, status in refused:
        answer = patch(client, address, operation)
        assert answer.status_code == status, operation
        parse(answer.content, expect="OperationOutcome")
    assert client.get(address).json() == one
    assert patch(client, f"/Patient/{uuid4()}").status_code == 404
    client.delete(address)
    assert patch(client, address, {"op": "remove", "path": "/active"}).status_code == 410


def test_what_was_signed_is_not_patched(client: Client) -> None:
    mark = {"tag": [{"system": "urn:yersin:code-system:state", "code": "signed"}]}
    one = made(client, meta=mark)
    assert patch(client, f"/Patient/{one['id']}", {"op": "remove", "path": "/active"}).status_code == 409


def test_a_patch_of_a_version_that_is_past_is_refused(client: Client) -> None:
    one = made(client)
    address, operation = f"/Patient/{one['id']}", {"op": "replace", "path": "/active", "value": False}
    assert patch(client, address, operation, **{"if-match": 'W/"1"'}).status_code == 200
    assert patch(client, address, operation, **{"if-match": 'W/"1"'}).status_code == 412


@pytest.mark.parametrize(
    "kind", ["application/fhir+json", "application/json", "application/xml-patch+xml", "text/plain", ""]
)
def test_other_kinds_of_patches_are_refused_by_name(client: Client, kind: str) -> None:
    one = made(client)
    body = b'{"resourceType":"Basic","code":{"text":"x"}}'
    answer = client.request("PATCH", f"/Patient/{one['id']}", content=body, headers={"content-type": kind})
    assert answer.status_code == 415
    assert "application/json-patch+json" in answer.text


def test_many_patches_at_once_all_happen(served: Served, client: Client) -> None:
    one, token = made(client), client.token()

    def add(number: int) -> int:
        operation = [{"op": "add", "path": "/name/0/given/-", "value": f"n{number}"}]
        headers = {**KIND, "authorization": f"Bearer {token}"}
        address = f"{served.base_url}/fhir/Patient/{one['id']}"
        return httpx.patch(address, content=json.dumps(operation), headers=headers, timeout=60).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(add, range(16))) == {200}
    given_names = client.get(f"/Patient/{one['id']}").json()["name"][0]["given"]
    assert sorted(given_names) == sorted(["Thử", *(f"n{n}" for n in range(16))])


def test_half_a_character_is_refused(client: Client) -> None:
    made = client.post("/Patient", {"resourceType": "Patient"}).json()["id"]
    for path in ("", "/id", "/language"):
        content = b'[{"op": "add", "path": "%s", "value": "\\ud83d"}]' % path.encode()
        headers = {"content-type": "application/json-patch+json"}
        answer = client.request("PATCH", f"/Patient/{made}", content=content, headers=headers)
        assert answer.status_code in (400, 422), answer.text
