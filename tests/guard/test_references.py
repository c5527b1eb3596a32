"""YERSIN_REFERENCES=known: what is written refers to what is there, or to what is written along with it."""

from __future__ import annotations

import dataclasses
from typing import Any
from uuid import uuid4

import pytest
from tests.running import Client

from yersin.guard.access import Access, Ground
from yersin.settings import BadSettingError, read

LINK = "urn:uuid:3d2f3e0c-7f5b-4d6f-9c8e-1d2a3b4c5d6e"


@pytest.fixture
def strict(client: Client, ground: Ground, system: Access) -> Client:
    """The API of an operator who wants references to be known."""
    made = dataclasses.replace(ground, has_known_references=True)
    return client.bound(made.access(system.who))


def observation(subject: str) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": {"reference": subject}}


def entry(resource: dict[str, Any], full: str = "", method: str = "POST") -> dict[str, Any]:
    url = resource["resourceType"] + ("" if method == "POST" else f"/{resource['id']}")
    made = {"resource": resource, "request": {"method": method, "url": url}}
    return {"fullUrl": full, **made} if full else made


def transaction(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def test_a_reference_to_nothing_is_refused_with_its_place(client: Client, strict: Client) -> None:
    nobody = f"Patient/{uuid4()}"
    body = {**observation(nobody), "performer": [{"reference": f"{client.base}/Practitioner/none"}]}
    assert client.post("/Observation", body).status_code == 201
    answer = strict.post("/Observation", body)
    assert answer.status_code == 422
    assert [(i["code"], i["expression"]) for i in answer.json()["issue"]] == [
        ("not-found", ["Observation.subject"]),
        ("not-found", ["Observation.performer[0]"]),
    ]
    assert nobody in answer.text


def test_what_is_here_or_elsewhere_or_contained_may_be_referred_to(strict: Client) -> None:
    here = strict.post("/Patient", {"resourceType": "Patient"}).json()["id"]
    assert strict.post("/Observation", observation(f"Patient/{here}")).status_code == 201
    assert strict.post("/Observation", observation(f"Patient/{here}/_history/1")).status_code == 201
    assert strict.post("/Observation", observation("https://example.org/fhir/Patient/none")).status_code == 201
    inside = {**observation("#p"), "contained": [{"resourceType": "Patient", "id": "p"}]}
    assert strict.post("/Observation", inside).status_code == 201


def test_what_was_deleted_is_nothing(strict: Client) -> None:
    here = strict.post("/Patient", {"resourceType": "Patient"}).json()["id"]
    assert strict.delete(f"/Patient/{here}").status_code == 204
    assert strict.put("/Observation/late", {**observation(f"Patient/{here}"), "id": "late"}).status_code == 422


def test_what_a_transaction_writes_is_there_for_it(strict: Client) -> None:
    patient = {"resourceType": "Patient"}
    good = transaction(entry(patient, LINK), entry(observation(LINK)), entry(observation("Patient/by-name")),
                       entry({**patient, "id": "by-name"}, method="PUT"))  # fmt: skip
    answer = strict.post("/", good)
    assert answer.status_code == 200, answer.text
    assert strict.post("/", transaction(entry(patient), entry(observation("Patient/nobody")))).status_code == 422
    away = {"request": {"method": "DELETE", "url": "Patient/by-name"}}
    assert strict.post("/", transaction(entry(observation("Patient/by-name")), away)).status_code == 422


def test_a_patch_is_a_write_too(strict: Client) -> None:
    made = strict.post("/Condition", {"resourceType": "Condition", "subject": {"display": "x"}}).json()["id"]
    patch = b'[{"op": "add", "path": "/subject/reference", "value": "Patient/nobody-at-all"}]'
    headers = {"content-type": "application/json-patch+json"}
    assert strict.request("PATCH", f"/Condition/{made}", content=patch, headers=headers).status_code == 422


def test_the_setting_is_one_of_two() -> None:
    assert read({}).references == "any"
    assert read({"YERSIN_REFERENCES": "known"}).references == "known"
    with pytest.raises(BadSettingError, match="YERSIN_REFERENCES"):
        read({"YERSIN_REFERENCES": "some"})
