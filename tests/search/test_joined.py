"""What a chain or `_has` passes on its way is open to the asker, or is not passed."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from tests.cast import Cast
from tests.running import Client

from yersin.guard.access import Access
from yersin.search import joins


@pytest.fixture
def cast(run: Any, system: Access) -> Cast:
    return Cast(run, system)


def found(client: Client, asked: str) -> set[str]:
    answer = client.get(f"/{asked}")
    assert answer.status_code == 200, answer.text
    return {e["resource"]["id"] for e in answer.json().get("entry", ())}


def test_no_chain_passes_a_patient_who_is_not_in_care(client: Client, cast: Cast) -> None:
    mine, other, family = cast.patient(), cast.patient(), f"F{uuid4().hex}"
    for patient in (mine, other):
        body = client.get(f"/Patient/{patient}").json()
        assert client.put(f"/Patient/{patient}", {**body, "name": [{"family": family}]}).status_code == 200
    cast.encounter(mine, cast.here, "in-progress")
    group = client.post("/Group", _group(mine, other)).json()["id"]
    theirs = client.post("/Group", _group(other)).json()["id"]
    doctor = client.bound(cast.doctor(cast.here))
    assert found(doctor, f"Patient?family={family}") == {mine}
    assert found(client, f"Group?member.family={family}") == {group, theirs}
    assert theirs not in found(doctor, f"Group?member.family={family}")
    assert found(client, f"Patient?family={family}&_has:Group:member:_id={theirs}") == {other}
    assert found(doctor, f"Patient?family={family}&_has:Group:member:_id={theirs}") == set()


def _group(*patients: str) -> Any:
    members = [{"entity": {"reference": f"Patient/{p}"}} for p in patients]
    return {"resourceType": "Group", "type": "person", "actual": True, "member": members}


def test_no_organization_is_found_by_patients_who_are_not_in_care(client: Client, cast: Cast) -> None:
    family = f"F{uuid4().hex}"
    org = client.post("/Organization", {"resourceType": "Organization", "name": family}).json()["id"]
    body = {"resourceType": "Patient", "name": [{"family": family}], "birthDate": "1980"}
    person = client.post("/Patient", {**body, "managingOrganization": {"reference": f"Organization/{org}"}}).json()[
        "id"
    ]
    doctor = client.bound(cast.doctor(cast.here))
    asked = f"Organization?name={family}&_has:Patient:organization:birthdate=1980"
    assert found(client, asked) == {org}
    assert found(doctor, f"Organization?name={family}") == {org}
    assert found(doctor, asked) == set()
    cast.encounter(person, cast.here, "in-progress")
    assert found(doctor, asked) == {org}


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Only one resource of a side may be looked up: the other side must be."""
    monkeypatch.setattr(joins, "IDS_LIMIT", 1)
    monkeypatch.setattr(joins, "CONTENT_LIMIT", 1)
    return monkeypatch


def test_the_smaller_side_of_a_join_is_looked_up(client: Client, narrow: pytest.MonkeyPatch) -> None:
    mark = uuid4().hex
    orgs = [client.post("/Organization", {"resourceType": "Organization", "name": mark}).json()["id"] for _ in "ab"]
    people = [
        client.post("/Patient", {
            "resourceType": "Patient", "name": [{"family": f"{mark}{n}"}], "active": True,
            "managingOrganization": {"reference": f"Organization/{orgs[n % 2]}"},
        }).json()["id"]
        for n in range(3)
    ]  # fmt: skip
    assert found(client, f"Patient?_id={people[1]}&organization.name={mark}") == {people[1]}
    assert found(client, f"Organization?_id={orgs[1]}&_has:Patient:organization:family={mark}") == {orgs[1]}
    assert found(client, f"Organization?_has:Patient:organization:family={mark}1") == {orgs[1]}
    assert found(client, f"Organization?_id={orgs[1]}&_has:Patient:organization:family={mark}0") == set()
    for wide in (f"Patient?organization.name={mark}", f"Organization?_has:Patient:organization:family={mark}"):
        answer = client.get(f"/{wide}")
        assert answer.status_code == 400
        assert answer.json()["issue"][0]["code"] == "too-costly"


def test_a_reference_to_the_patient_says_where_its_row_lies() -> None:
    assert joins.place_mark("Observation", "subject") == "patient"
    assert joins.place_mark("Observation", "patient") == "patient"
    assert joins.place_mark("Encounter", "patient") == "patient"
    assert joins.place_mark("MedicationRequest", "subject") == "patient"
    assert joins.place_mark("Observation", "performer") is None
    assert joins.place_mark("Account", "patient") is None, "an account may have several"
    assert joins.place_mark("Organization", "partof") is None
