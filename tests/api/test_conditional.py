"""Conditional update, patch, delete and read; alone, in batches and in transactions; many clients at once.

Source: https://hl7.org/fhir/R4/http.html#cond-update
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.running import Client, House, Served

from yersin.api import conditions
from yersin.api.app import Api
from yersin.app.ground import opened
from yersin.fhir import parse
from yersin.guard.who import system
from yersin.settings import Settings

PATCHED = [{"op": "add", "path": "/active", "value": True}]


def marked(value: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": "urn:c", "value": value}], **more}


def there(client: Client, value: str) -> list[dict[str, Any]]:
    return client.search(f"/Patient?identifier=urn:c|{value}")


def made(client: Client, value: str, number: int = 1) -> list[str]:
    return [client.post("/Patient", marked(value)).json()["id"] for _ in range(number)]


def entry(method: str, url: str, resource: Any = None, **more: Any) -> dict[str, Any]:
    full_url = more.pop("fullUrl", None)
    found: dict[str, Any] = {"request": {"method": method, "url": url, **more}}
    found |= {"resource": resource} if resource else {}
    return found | ({"fullUrl": full_url} if full_url else {})


def send(client: Client, kind: str, *entries: Any) -> httpx.Response:
    return client.post("", {"resourceType": "Bundle", "type": kind, "entry": list(entries)})


def statuses(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    parse(answer.content, expect="Bundle")
    return [e["response"]["status"][:3] for e in answer.json()["entry"]]


def json_patch(operations: Any) -> dict[str, Any]:
    import json  # noqa: PLC0415 - here only

    data = b64encode(json.dumps(operations).encode()).decode()
    return {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data}


def test_a_conditional_update_makes_changes_or_refuses_by_what_matches(client: Client) -> None:
    value = str(uuid4())
    address = f"/Patient?identifier=urn:c|{value}"
    first = client.put(address, marked(value))
    assert first.status_code == 201
    again = client.put(address, marked(value, active=True))
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert again.json()["meta"]["versionId"] == "2"
    same = client.put(address, marked(value, id=first.json()["id"]))
    assert same.json()["meta"]["versionId"] == "3"
    assert client.put(address, marked(value, id="another")).status_code == 400
    made(client, value)
    assert client.put(address, marked(value)).status_code == 412
    assert client.put("/Patient", marked(value)).status_code == 400
    assert client.put("/Patient?nonsense=1", marked(value)).status_code == 400


def test_a_conditional_update_that_finds_nothing_keeps_a_free_id_and_no_taken_one(client: Client) -> None:
    value, name = str(uuid4()), f"own-{uuid4()}"
    address = f"/Patient?identifier=urn:c|{value}"
    new = client.put(address, marked(value, id=name))
    assert (new.status_code, new.json()["id"]) == (201, name)
    taken = client.put(f"/Patient?identifier=urn:c|{uuid4()}", marked(value, id=name))
    assert taken.status_code == 409
    assert client.get(f"/Patient/{name}").json()["meta"]["versionId"] == "1"


def test_a_conditional_update_of_a_version_that_is_past_is_refused(client: Client) -> None:
    value = str(uuid4())
    made(client, value)
    address = f"/Patient?identifier=urn:c|{value}"
    assert client.put(address, marked(value), headers={"if-match": 'W/"1"'}).status_code == 200
    assert client.put(address, marked(value), headers={"if-match": 'W/"1"'}).status_code == 412


def test_a_conditional_delete_deletes_what_matches_and_nothing_else(client: Client) -> None:
    value, other = str(uuid4()), str(uuid4())
    made(client, value, 3)
    made(client, other)
    assert client.delete(f"/Patient?identifier=urn:c|{value}").status_code == 204
    assert there(client, value) == []
    assert client.delete(f"/Patient?identifier=urn:c|{value}").status_code == 204
    assert len(there(client, other)) == 1
    one = client.delete(f"/Patient?identifier=urn:c|{other}")
    assert (one.status_code, one.headers["etag"]) == (204, 'W/"2"')


@pytest.mark.parametrize("criteria", ["", "?", "?_format=json", "?_count=5", "?identifier=", "?nonsense=1"])
def test_a_delete_without_criteria_deletes_nothing(client: Client, criteria: str) -> None:
    value = str(uuid4())
    made(client, value)
    assert client.delete(f"/Patient{criteria}").status_code == 400
    assert len(there(client, value)) == 1


def test_a_delete_of_too_many_deletes_none(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "DELETE_LIMIT", 2)
    value = str(uuid4())
    made(client, value, 3)
    assert client.delete(f"/Patient?identifier=urn:c|{value}").status_code == 412
    assert len(there(client, value)) == 3


def test_a_conditional_patch_needs_one_match(client: Client) -> None:
    value = str(uuid4())
    address = f"/Patient?identifier=urn:c|{value}"
    kind = {"content-type": "application/json-patch+json"}
    assert client.request("PATCH", address, json=PATCHED, headers=kind).status_code == 404
    made(client, value)
    done = client.request("PATCH", address, json=PATCHED, headers=kind)
    assert (done.status_code, done.json()["active"]) == (200, True)
    made(client, value)
    assert client.request("PATCH", address, json=PATCHED, headers=kind).status_code == 412


def test_what_the_client_has_already_is_not_sent_again(client: Client) -> None:
    (name,) = made(client, str(uuid4()))
    whole = client.get(f"/Patient/{name}")
    since = whole.headers["last-modified"]
    cases: list[tuple[dict[str, str], int]] = [
        ({"if-none-match": 'W/"1"'}, 304),
        ({"if-none-match": '"1"'}, 304),
        ({"if-none-match": 'W/"7", W/"1"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": 'W/"2"'}, 200),
        ({"if-modified-since": since}, 304),
        ({"if-modified-since": "Mon, 01 Jan 2001 00:00:00 GMT"}, 200),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-none-match": 'W/"2"', "if-modified-since": since}, 200),
    ]
    for headers, status in cases:
        answer = client.get(f"/Patient/{name}", headers=headers)
        assert (answer.status_code, bool(answer.content)) == (status, status == 200), headers


def test_a_batch_does_conditional_entries_alone(client: Client) -> None:
    value, gone = str(uuid4()), str(uuid4())
    made(client, gone, 2)
    (kept,) = made(client, str(uuid4()))
    answer = send(
        client,
        "batch",
        entry("PUT", f"Patient?identifier=urn:c|{value}", marked(value)),
        entry("PUT", f"Patient?identifier=urn:c|{value}", marked(value, active=False)),
        entry("PATCH", f"Patient?identifier=urn:c|{value}", json_patch(PATCHED)),
        entry("DELETE", f"Patient?identifier=urn:c|{gone}"),
        entry("GET", f"Patient/{kept}", ifNoneMatch='W/"1"'),
        entry("GET", f"Patient/{kept}", ifModifiedSince="2200-01-01T00:00:00Z"),
        entry("DELETE", "Patient?"),
    )
    assert statuses(answer) == ["201", "200", "200", "204", "304", "304", "400"]
    (found,) = there(client, value)
    assert (found["active"], found["meta"]["versionId"]) == (True, "3")
    assert there(client, gone) == []


def test_a_transaction_does_every_verb_by_criteria(client: Client) -> None:
    new, old, patched, gone = (str(uuid4()) for _ in range(4))
    made(client, old)
    made(client, patched)
    made(client, gone, 2)
    urns = [f"urn:uuid:{uuid4()}" for _ in range(3)]
    answer = send(
        client,
        "transaction",
        entry("PATCH", f"Patient?identifier=urn:c|{patched}", json_patch(PATCHED), fullUrl=urns[2]),
        entry("PUT", f"Patient?identifier=urn:c|{new}", marked(new), fullUrl=urns[0]),
        entry("PUT", f"Patient?identifier=urn:c|{old}", marked(old, active=False), fullUrl=urns[1]),
        entry("DELETE", f"Patient?identifier=urn:c|{gone}"),
        *(
            entry(
                "POST",
                "Observation",
                {
                    "resourceType": "Observation",
                    "status": "final",
                    "code": {"text": "x"},
                    "subject": {"reference": urn},
                },
            )
            for urn in urns
        ),
        entry("GET", f"Patient?identifier=urn:c|{gone}"),
    )
    assert statuses(answer) == ["200", "201", "200", "204", "201", "201", "201", "200"]
    entries = answer.json()["entry"]
    people = [entries[n]["resource"]["id"] for n in (1, 2, 0)]
    assert [entries[n]["resource"]["subject"]["reference"] for n in (4, 5, 6)] == [f"Patient/{p}" for p in people]
    assert entries[0]["resource"]["active"] is True
    assert "entry" not in entries[7]["resource"]


def test_a_transaction_refuses_two_entries_that_turn_out_to_be_one_resource(client: Client) -> None:
    value = str(uuid4())
    (name,) = made(client, value)
    criteria = f"Patient?identifier=urn:c|{value}"
    for other in (
        entry("PUT", f"Patient/{name}", marked(value, id=name)),
        entry("DELETE", f"Patient/{name}"),
        entry("PUT", criteria, marked(value)),
    ):
        answer = send(client, "transaction", other, entry("PUT", criteria, marked(value)))
        assert answer.status_code == 400
        assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert client.get(f"/Patient/{name}").json()["meta"]["versionId"] == "1"


def test_two_creates_by_the_same_criteria_in_one_transaction_make_one(client: Client) -> None:
    value, urn = str(uuid4()), f"urn:uuid:{uuid4()}"
    twice = {"ifNoneExist": f"identifier=urn:c|{value}"}
    answer = send(
        client,
        "transaction",
        entry("POST", "Patient", marked(value), **twice),
        entry("POST", "Patient", marked(value), fullUrl=urn, **twice),
        entry("POST", "Flag", {"resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": {"reference": urn}}),
    )  # fmt: skip
    assert statuses(answer) == ["201", "200", "201"]
    (found,) = there(client, value)
    assert answer.json()["entry"][2]["resource"]["subject"]["reference"] == f"Patient/{found['id']}"


@pytest.mark.parametrize("kind", ["update", "transaction"])
def test_of_many_conditional_updates_at_once_one_makes_and_the_others_change(
    served: Served, client: Client, kind: str
) -> None:
    value, token = str(uuid4()), client.token()
    criteria = f"Patient?identifier=urn:c|{value}"
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry("PUT", criteria, marked(value))]}

    def put(_n: int) -> int:
        headers = {"authorization": f"Bearer {token}"}
        if kind == "transaction":
            answer = httpx.post(f"{served.base_url}/fhir", json=bundle, headers=headers, timeout=60)
            return int(answer.json()["entry"][0]["response"]["status"][:3])
        address = f"{served.base_url}/fhir/{criteria}"
        return httpx.put(address, json=marked(value), headers=headers, timeout=60).status_code

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(put, range(16)))
    assert sorted(answers) == [200] * 15 + [201]
    (found,) = there(client, value)
    assert found["meta"]["versionId"] == "16"


def test_criteria_reach_only_what_is_open_to_the_asker(house: House) -> None:
    """Someone else's patient is neither patched nor deleted nor told of, by id or by criteria."""
    headers = {"authorization": f"Bearer {house.token('system/Patient.rs')}"}
    address, browser = f"{house.base_url}/fhir/Patient", house.signed_in("tram")
    everybody = httpx.get(f"{address}?_count=1000&_elements=active", headers=headers, timeout=60).json()["entry"]
    seen = {e["resource"]["id"] for e in browser.get(f"{address}?_count=1000&_elements=active").json()["entry"]}
    hidden = next(e["resource"]["id"] for e in everybody if e["resource"]["id"] not in seen)
    before = httpx.get(f"{address}/{hidden}", headers=headers, timeout=60)
    kind = {"content-type": "application/json-patch+json"}
    assert browser.patch(f"{address}/{hidden}", json=PATCHED, headers=kind).status_code == 404
    assert browser.patch(f"{address}?_id={hidden}", json=PATCHED, headers=kind).status_code == 404
    assert browser.delete(f"{address}?_id={hidden}").status_code in (204, 403)
    own = {"resourceType": "Patient", "id": hidden}
    assert browser.put(f"{address}?_id={hidden}", json=own).status_code in (403, 404)
    assert httpx.get(f"{address}/{hidden}", headers=headers, timeout=60).content == before.content


def test_nobody_changes_or_follows_anything(house: House) -> None:
    base = f"{house.base_url}/fhir"
    asked = [("GET", "/_history"), ("GET", "/Patient/_history")]
    asked += [(method, "/Patient?name=x") for method in ("DELETE", "PUT", "PATCH")]
    for method, path in asked:
        assert httpx.request(method, f"{base}{path}", timeout=60).status_code == 401, path


def test_a_create_with_criteria_in_its_address_makes_no_second_one(client: Client) -> None:
    value = str(uuid4())
    answers = [client.post(f"/Patient?identifier=urn:c|{value}", marked(value)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert len(there(client, value)) == 1
    assert client.post("/Patient?_format=json&_pretty=true", marked(value)).status_code == 201
    assert client.post(f"/Patient?identifier=urn:c|{value}", marked(value)).status_code == 412
    assert client.post("/Patient?nonsense=1", marked(value)).status_code == 400


@pytest.mark.parametrize("kind", ["create", "update", "delete", "bundle"])
def test_a_condition_that_asks_for_a_value_set_needs_no_second_connection(
    run: Any, database_url: str, keys_dir: Path, kind: str
) -> None:
    """Were one needed, writes that hold every connection of the pool would wait for each other."""
    manager = opened(Settings(data_dir=keys_dir, port=8000), database_url, connections=1)
    ground = run(asyncio.wait_for(manager.__aenter__(), 20))
    codes = [{"code": code} for code in ("female", "other")]
    include = [{"system": "http://hl7.org/fhir/administrative-gender", "concept": codes}]
    value_set = {
        "resourceType": "ValueSet",
        "url": f"urn:test:{uuid4()}",
        "status": "active",
        "compose": {"include": include},
    }
    number = {"system": "urn:test:in", "value": uuid4().hex}
    patient = {"resourceType": "Patient", "identifier": [number], "gender": "female"}
    client = Client(lambda work: run(asyncio.wait_for(work, 20)), lambda asker: Api(asker, ground.indexer.base),
                    ground.access(system("HSYSADMIN")))  # fmt: skip
    try:
        stored = client.post("/ValueSet", value_set).json()["id"]
        condition = f"identifier={number['system']}|{number['value']}&gender:in=ValueSet/{stored}"
        entry = {"resource": patient, "request": {"method": "POST", "url": "Patient", "ifNoneExist": condition}}
        ask = {
            "create": lambda: client.post("/Patient", patient, headers={"if-none-exist": condition}).status_code,
            "update": lambda: client.put(f"/Patient?{condition}", patient).status_code,
            "delete": lambda: client.delete(f"/Patient?{condition}").status_code,
            "bundle": lambda: int(
                client.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
                .json()["entry"][0]["response"]["status"][:3]
            ),
        }[kind]  # fmt: skip
        if kind == "delete":
            assert client.post("/Patient", patient).status_code == 201
        assert [ask(), ask()] == {
            "create": [201, 200],
            "update": [201, 200],
            "delete": [204, 204],
            "bundle": [201, 200],
        }[kind]
    finally:
        client.close()
        run(manager.__aexit__(None, None, None))
