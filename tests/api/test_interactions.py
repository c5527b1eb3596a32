"""Create, read, vread, update, delete, history and what they refuse. Source: https://hl7.org/fhir/R4/http.html"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.running import Client, Served

from yersin.api import app as api_app
from yersin.fhir import parse

PATIENT = {"resourceType": "Patient", "name": [{"family": "Nguyễn", "given": ["Thử"]}], "birthDate": "1980-02-03"}


def outcome(answer: httpx.Response) -> Any:
    """The one issue of a refusal; the body parses as R4."""
    assert answer.headers["content-type"].startswith("application/fhir+json")
    parse(answer.content, expect="OperationOutcome")
    (issue,) = answer.json()["issue"]
    assert issue["diagnostics"]
    return issue


def make(client: Client, **more: Any) -> Any:
    answer = client.post("/Patient", {**PATIENT, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_create_answers_with_the_first_version_and_its_place(client: Client) -> None:
    answer = client.post("/Patient", {**PATIENT, "id": "not-mine-to-choose"})
    made = answer.json()
    assert answer.status_code == 201
    assert made["id"] != "not-mine-to-choose"
    assert made["meta"]["versionId"] == "1"
    assert answer.headers["location"] == f"{client.base}/Patient/{made['id']}/_history/1"
    assert answer.headers["etag"] == 'W/"1"'
    assert parsedate_to_datetime(answer.headers["last-modified"]).tzinfo is not None
    assert client.get(answer.headers["location"]).json() == made


def test_the_client_may_ask_for_no_body(client: Client) -> None:
    answer = client.post("/Patient", PATIENT, headers={"prefer": "return=minimal"})
    assert (answer.status_code, answer.content) == (201, b"")


def test_an_update_makes_a_new_version_and_keeps_the_old_one(client: Client) -> None:
    made = make(client)
    answer = client.put(f"/Patient/{made['id']}", {**made, "active": True})
    assert answer.status_code == 200
    assert answer.json()["meta"]["versionId"] == "2"
    assert answer.json()["meta"]["lastUpdated"] > made["meta"]["lastUpdated"]
    assert client.get(f"/Patient/{made['id']}").json()["active"] is True
    assert client.get(f"/Patient/{made['id']}/_history/1").json() == made


def test_an_update_makes_the_resource_when_the_id_is_new(client: Client) -> None:
    answer = client.put("/Patient/a-name.of-its-own", {**PATIENT, "id": "a-name.of-its-own"})
    assert answer.status_code == 201
    assert client.get("/Patient/a-name.of-its-own").json()["id"] == "a-name.of-its-own"


def test_if_match_lets_only_the_version_that_was_read_be_changed(client: Client) -> None:
    made = make(client)
    address = f"/Patient/{made['id']}"
    assert client.put(address, made, headers={"if-match": 'W/"1"'}).status_code == 200
    stale = client.put(address, made, headers={"if-match": 'W/"1"'})
    assert stale.status_code == 412
    assert outcome(stale)["code"] == "conflict"
    assert client.get(address).json()["meta"]["versionId"] == "2"
    assert client.delete(address, headers={"if-match": 'W/"1"'}).status_code == 412
    bad = client.put(address, made, headers={"if-match": "yesterday's"})
    assert bad.status_code == 400
    assert client.put(f"/Patient/{uuid4()}", {**PATIENT}, headers={"if-match": 'W/"1"'}).status_code in (400, 412)


def test_reading_the_same_version_again_sends_nothing(client: Client) -> None:
    made = make(client)
    assert client.get(f"/Patient/{made['id']}", headers={"if-none-match": 'W/"1"'}).status_code == 304
    assert client.get(f"/Patient/{made['id']}", headers={"if-none-match": 'W/"2"'}).status_code == 200


def test_what_is_deleted_is_gone_but_its_history_stays(client: Client) -> None:
    made = make(client)
    address = f"/Patient/{made['id']}"
    gone = client.delete(address)
    assert (gone.status_code, gone.headers["etag"]) == (204, 'W/"2"')
    answer = client.get(address)
    assert answer.status_code == 410
    assert outcome(answer)["code"] == "deleted"
    assert client.get(f"{address}/_history/2").status_code == 410
    assert client.get(f"{address}/_history/1").json() == made
    methods = [e["request"]["method"] for e in client.get(f"{address}/_history").json()["entry"]]
    assert methods == ["DELETE", "POST"]
    assert client.search(f"/Patient?_id={made['id']}") == []
    assert client.delete(address).status_code == 204
    assert len(client.get(f"{address}/_history").json()["entry"]) == 2


def test_what_was_deleted_can_be_written_again_and_goes_on_counting(client: Client) -> None:
    made = make(client)
    address = f"/Patient/{made['id']}"
    client.delete(address)
    again = client.put(address, made)
    assert again.status_code == 201
    assert again.json()["meta"]["versionId"] == "3"
    versions = client.get(f"{address}/_history").json()["entry"]
    assert [e["request"]["method"] for e in versions] == ["PUT", "DELETE", "POST"]
    assert [v["id"] for v in client.search(f"/Patient?_id={made['id']}")] == [made["id"]]


def observation(subject: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": subject},
        **more,
    }


@pytest.mark.parametrize("deleted_between", [False, True])
def test_a_resource_that_changes_its_patient_carries_its_history_along(
    client: Client, *, deleted_between: bool
) -> None:
    one, two = make(client), make(client)
    made = client.post("/Observation", observation(f"Patient/{one['id']}")).json()
    address = f"/Observation/{made['id']}"
    if deleted_between:
        client.delete(address)
    moved = client.put(address, {**made, "subject": {"reference": f"Patient/{two['id']}"}})
    assert moved.status_code in (200, 201)
    versions = client.get(f"{address}/_history").json()["entry"]
    assert len(versions) == 2 + deleted_between
    assert client.get(f"{address}/_history/1").json() == made
    assert client.search(f"/Observation?subject=Patient/{one['id']}") == []
    assert [o["id"] for o in client.search(f"/Observation?subject=Patient/{two['id']}")] == [made["id"]]


def test_refusals_are_operation_outcomes(client: Client) -> None:
    refused = {
        404: client.get(f"/Patient/{uuid4()}"),
        405: client.request("OPTIONS", f"/Patient/{uuid4()}"),
        415: client.request("PATCH", f"/Patient/{uuid4()}", content=b"[]", headers={"content-type": "text/plain"}),
        400: client.post("/Patient", {"resourceType": "Observation"}),
    }
    for status, answer in refused.items():
        assert answer.status_code == status, answer.text
        outcome_of_several(answer)
    assert client.get("/Spaceship/1").status_code == 404
    assert client.get("/Patient/1/2/3/4").status_code == 404
    assert client.get("/Patient/x/_history/0").status_code == 404
    assert client.get("/Patient/x/_history/99999999999999999999").status_code == 404
    assert client.delete("/Patient").status_code == 400
    assert client.delete(f"/Patient/{uuid4()}").status_code == 204
    for path in ("/Spaceship/1", "/Patient/1/2/3/4", "/Patient/x/_history/0"):
        outcome(client.get(path))


def outcome_of_several(answer: httpx.Response) -> None:
    parse(answer.content, expect="OperationOutcome")
    assert answer.json()["issue"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"{", "line 1"),
        (b"[]", ""),
        (b"\xff\xfe", "UTF-8"),
        (b'{"resourceType":"Patient","nonsense":1}', "nonsense"),
        (b'{"resourceType":"Patient","birthDate":"1980-13-01"}', "birthDate"),
        (b"<Patient xmlns='http://hl7.org/fhir'/>", ""),
        (b'{"resourceType":"Patient","id":"a b"}', ""),
    ],
)
def test_bad_bodies_are_refused_with_their_place(client: Client, body: bytes, words: str) -> None:
    for answer in (client.post("/Patient", content=body), client.put("/Patient/a", content=body)):
        assert answer.status_code == 400
        outcome_of_several(answer)
        assert words in answer.text


def test_the_body_names_the_same_id_as_the_address(client: Client) -> None:
    assert client.put("/Patient/one", {**PATIENT, "id": "two"}).status_code == 400
    assert client.put("/Patient/one", PATIENT).status_code == 400
    assert client.put(f"/Patient/{'x' * 65}", {**PATIENT, "id": "x" * 65}).status_code == 400


def test_a_body_that_is_too_long_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_app, "BODY_LIMIT", 1000)
    long = {**PATIENT, "implicitRules": "http://" + "x" * 1000}
    announced = client.post("/Patient", long)

    async def chunks() -> Any:
        for _ in range(3):
            yield b" " * 500

    streamed = client.post("/Patient", content=chunks())
    assert [a.status_code for a in (announced, streamed)] == [413, 413]
    assert outcome(streamed)["code"] == "too-long"


def test_conditional_create_makes_one_whatever_the_number_of_clients(served: Served, client: Client) -> None:
    value = str(uuid4())
    token = client.token()
    body = {**PATIENT, "identifier": [{"system": "urn:x", "value": value}]}
    spellings = [f"identifier=urn:x|{value}", f"identifier=urn%3Ax%7C{value}", f"Patient?identifier=urn:x|{value}"]

    def create(n: int) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}", "if-none-exist": spellings[n % 3]}
        return httpx.post(f"{served.base_url}/fhir/Patient", json=body, headers=headers, timeout=60)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(create, range(20)))
    assert sorted(a.status_code for a in answers) == [200] * 19 + [201]
    assert len({a.json()["id"] for a in answers}) == 1
    assert len(client.search(f"/Patient?identifier=urn:x|{value}")) == 1


def test_conditional_create_is_refused_when_several_match(client: Client) -> None:
    value = str(uuid4())
    for _ in range(2):
        make(client, identifier=[{"system": "urn:x", "value": value}])
    answer = client.post("/Patient", PATIENT, headers={"if-none-exist": f"identifier=urn:x|{value}"})
    assert answer.status_code == 412
    assert outcome(answer)["code"] == "multiple-matches"
    assert client.post("/Patient", PATIENT, headers={"if-none-exist": "?"}).status_code == 400
    assert client.post("/Patient", PATIENT, headers={"if-none-exist": "nonsense=1"}).status_code == 400


def test_many_clients_that_make_the_same_id_all_get_an_answer(served: Served, client: Client) -> None:
    address, token = str(uuid4()), client.token()

    def put(_n: int) -> int:
        return httpx.put(
            f"{served.base_url}/fhir/Patient/{address}",
            json={**PATIENT, "id": address},
            headers={"authorization": f"Bearer {token}"},
            timeout=60,
        ).status_code

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(put, range(24)))
    assert sorted(answers) == [200] * 23 + [201]
    assert client.get(f"/Patient/{address}").json()["meta"]["versionId"] == "24"


def test_of_many_clients_with_one_version_in_hand_one_wins(served: Served, client: Client) -> None:
    made, token = make(client), client.token()

    def put(_n: int) -> int:
        headers = {"authorization": f"Bearer {token}", "if-match": 'W/"1"'}
        return httpx.put(
            f"{served.base_url}/fhir/Patient/{made['id']}", json=made, headers=headers, timeout=60
        ).status_code

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(put, range(12)))
    assert sorted(answers) == [200] + [412] * 11


def test_head_answers_without_a_body(client: Client) -> None:
    made = make(client)
    answer = client.request("HEAD", f"/Patient/{made['id']}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_what_says_that_parts_of_it_are_missing_is_not_written(client):
    whole = client.post("/Patient", {"resourceType": "Patient", "gender": "female", "birthDate": "1980-01-01"}).json()
    part = client.get(f"/Patient/{whole['id']}?_elements=gender").json()
    assert "birthDate" not in part
    entry = {"resource": part, "request": {"method": "PUT", "url": f"Patient/{whole['id']}"}}
    refused = (
        client.put(f"/Patient/{whole['id']}", part),
        client.post("/Patient", part),
        client.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}),
    )
    for answer in refused:
        assert answer.status_code == 422, answer.text
        [issue] = answer.json()["issue"]
        assert "Read it whole" in issue["diagnostics"]
        assert issue["expression"][0].endswith("Patient.meta.tag")
    assert client.get(f"/Patient/{whole['id']}").json() == whole
    del part["meta"]
    assert client.put(f"/Patient/{whole['id']}", part).status_code == 200, "whoever means it takes the tag away"
