"""JSON Merge Patch, with the cases of RFC 7396, appendix A."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from tests.running import Client

from yersin.api import merge_patch

KIND = "application/merge-patch+json"
CASES: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("document", "patch", "expected"), CASES)
def test_the_cases_of_the_rfc(document: Any, patch: Any, expected: Any) -> None:
    assert merge_patch.apply(document, patch) == expected


def made(client: Client) -> str:
    address = f"/Patient/{uuid4()}"
    body = {"resourceType": "Patient", "id": address[9:], "gender": "female", "birthDate": "1980-02-03",
            "name": [{"family": "Nguyễn"}]}  # fmt: skip
    assert client.put(address, body).status_code == 201
    return address


def sent(client: Client, address: str, patch: Any, kind: str = KIND, **headers: str) -> Any:
    content = patch if isinstance(patch, bytes) else json.dumps(patch).encode()
    return client.request("PATCH", address, content=content, headers={"content-type": kind, **headers})


@pytest.mark.parametrize("kind", [KIND, "application/json", "application/json; charset=utf-8"])
def test_members_are_replaced_and_taken_away(client: Client, kind: str) -> None:
    address = made(client)
    answer = sent(client, address, {"gender": "other", "birthDate": None}, kind)
    assert answer.status_code == 200
    read = client.get(address).json()
    assert (read["gender"], "birthDate" in read, read["name"]) == ("other", False, [{"family": "Nguyễn"}])
    assert read["meta"]["versionId"] == "2"


@pytest.mark.parametrize(
    ("patch", "status"),
    [
        ({"gender": "nobody"}, 422),
        ({"id": "other"}, 422),
        ({"resourceType": "Group"}, 422),
        ({"nonsense": 1}, 422),
        ([1], 400),
        (b"{", 400),
        (b'{"name":' + b'[{"extension":' * 400 + b"1" + b"}]" * 400 + b"}", 422),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, 400),
    ],
)
def test_what_makes_no_resource_is_refused(client: Client, patch: Any, status: int) -> None:
    address = made(client)
    answer = sent(client, address, patch)
    assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")
    assert client.get(address).json()["meta"]["versionId"] == "1"


def test_a_version_that_is_past_is_not_patched(client: Client) -> None:
    address = made(client)
    assert sent(client, address, {"gender": "other"}, **{"if-match": 'W/"7"'}).status_code == 412
