"""The chart over HTTP: who may open it, what the pages hold, how few questions they ask, and that nothing is done twice."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from tests.running import House

PAGES = ("", "/timeline", "/results", "/results/85354-9", "/documents", "/images", "/vitals/new")


@pytest.fixture(scope="module")
def son(house: House) -> str:
    """Id of the patient of the cast: hypertension and diabetes, kept by the station of the home commune."""
    found = house.cast["benhnhan"].patient_id
    assert found is not None
    return found


@pytest.fixture(scope="module")
def worker(house: House) -> httpx.Client:
    return house.signed_in("tram")


@pytest.mark.parametrize("path", PAGES)
def test_the_station_opens_every_page_of_a_chart_in_its_care(worker: httpx.Client, son: str, path: str) -> None:
    page = worker.get(f"/records/{son}{path}")
    assert page.status_code == 200
    assert "HOÀNG VĂN SƠN" in page.text
    assert "Sơn" not in re.search("<title>(.*?)</title>", page.text)[1]  # type: ignore[index] # every page has a title


@pytest.fixture(scope="module")
def unasked(house: House) -> str:
    """A patient of the station about whom nobody was ever asked."""
    body = {
        "resourceType": "Patient",
        "name": [{"text": "Hoàng Chưa Hỏi", "family": "Hoàng", "given": ["Chưa", "Hỏi"]}],
        "managingOrganization": {"reference": f"Organization/{house.cast['tram'].organization_id}"},
    }
    return str(house.machine().post("/fhir/Patient", json=body).json()["id"])


@pytest.mark.parametrize("path", PAGES)
def test_a_doctor_who_is_a_stranger_cannot_open_the_chart(
    house: House, worker: httpx.Client, unasked: str, path: str
) -> None:
    assert worker.get(f"/records/{unasked}").status_code == 200
    page = house.signed_in("chuyengia2").get(f"/records/{unasked}{path}")
    assert page.status_code == 404
    assert "Hoàng" not in page.text
    assert "Chưa Hỏi" not in page.text


def test_who_has_not_signed_in_sees_nothing(house: House, son: str) -> None:
    assert house.visitor().get(f"/records/{son}").status_code in (302, 303, 401)
    assert house.visitor().get("/people").status_code in (302, 303, 401)


def test_a_citizen_reads_her_own_record_and_no_other(house: House, son: str, worker: httpx.Client) -> None:
    citizen = house.signed_in("benhnhan")
    mine = citizen.get("/my-record")
    assert mine.status_code == 200
    assert "Huyết áp cao" in mine.text
    other = _somebody_else(worker, son)
    assert citizen.get(f"/records/{other}").status_code == 404
    assert citizen.get("/people").status_code == 403
    assert citizen.get(f"/records/{son}/vitals/new").status_code == 403


def _somebody_else(worker: httpx.Client, son: str) -> str:
    found = worker.post("/people/find", data={"q": "nguyen"}, headers={"hx-request": "true"}).text
    return next(str(i) for i in re.findall(r'href="/records/([0-9a-f-]+)"', found) if i != son)


def test_staff_have_no_record_of_their_own(worker: httpx.Client) -> None:
    assert worker.get("/my-record").status_code == 403


def test_the_owner_sees_who_looked(house: House, worker: httpx.Client, son: str) -> None:
    worker.get(f"/records/{son}")
    page = house.signed_in("benhnhan").get("/my-record/who-looked")
    assert "Lù Thị Mai" in page.text
    assert "đã mở hồ sơ" in page.text


def _vitals(worker: httpx.Client, son: str, **values: str) -> httpx.Response:
    return worker.post(f"/records/{son}/vitals", data=values)


def test_an_impossible_value_is_refused_with_words(worker: httpx.Client, son: str) -> None:
    page = _vitals(worker, son, pulse="720")
    assert page.status_code == 422
    assert "720" in page.text
    assert "không thể có" in page.text


def test_an_unusual_value_must_be_confirmed_and_is_then_written_once(
    house: House, worker: httpx.Client, son: str
) -> None:
    first = _vitals(worker, son, systolic="191", diastolic="103", idempotency_key="test-1")
    assert first.status_code == 422
    said = re.search(r'name="confirmed" value="([^"]+)"', first.text)
    assert said is not None
    for _ in range(2):
        done = _vitals(worker, son, systolic="191", diastolic="103", confirmed=said[1], idempotency_key="test-2")
        assert done.status_code == 303
    found = house.machine().get(
        "/fhir/Observation", params={"patient": son, "code": "85354-9", "_sort": "-date", "_count": 5}
    )
    values = [e["resource"]["component"][0]["valueQuantity"]["value"] for e in found.json()["entry"]]
    assert values.count(191) == 1
    assert "191/103" in worker.get(f"/records/{son}").text


def test_an_empty_form_is_asked_for_something(worker: httpx.Client, son: str) -> None:
    assert _vitals(worker, son).status_code == 422


def test_a_page_that_is_not_a_patient_is_not_found(worker: httpx.Client) -> None:
    assert worker.get("/records/0190f000-0000-7000-8000-000000000000").status_code == 404
    assert worker.get("/records/nonsense").status_code == 404


@pytest.mark.parametrize("path", ["/people", "/people/new", "/"])
def test_pages_of_the_registry_open(worker: httpx.Client, path: str) -> None:
    assert worker.get(path).status_code == 200


@pytest.mark.parametrize("login", ["bstinh", "chuyengia", "benhnhan", "boyte", "quantri"])
def test_everybody_has_a_first_page(house: House, login: str) -> None:
    assert house.signed_in(login).get("/").status_code == 200


def test_a_person_of_another_facility_is_opened_by_saying_that_she_is_here(house: House) -> None:
    doctor = house.signed_in("bstinh")
    found = doctor.post("/people/find", data={"q": "nguyen thi 1984"}, headers={"hx-request": "true"}).text
    stranger = re.search(r'data-here="([0-9a-f-]+)"', found)
    assert stranger is not None
    assert doctor.get(f"/records/{stranger[1]}").status_code == 404
    assert doctor.post(f"/people/{stranger[1]}/here", data={"reason": ""}).status_code == 400
    assert doctor.post(f"/people/{stranger[1]}/here", data={"reason": "Đau bụng"}).status_code == 303
    page = doctor.get(f"/records/{stranger[1]}")
    assert page.status_code == 200
    assert "Đau bụng" in page.text
    visit = re.search(r"/visits/([0-9a-f-]+)/finish", page.text)
    assert visit is not None
    assert doctor.post(f"/records/{stranger[1]}/visits/{visit[1]}/finish").status_code == 303
    assert "/finish" not in doctor.get(f"/records/{stranger[1]}").text


def _form(**more: Any) -> dict[str, Any]:
    names = {"family": "Bùi", "middle": "Thị", "given": "Thử", "born": "01/02/1990", "sex": "female", "ethnicity": "01"}
    return {**names, "relation": "MTH", "idempotency_key": "new-1", **more}


def test_registering_warns_of_likely_duplicates_and_registers_once(worker: httpx.Client) -> None:
    first = worker.post("/people", data=_form(personal="999190000001"))
    again = worker.post("/people", data=_form(personal="999190000001"))
    assert first.status_code == 303
    made = first.headers["location"].partition("?")[0]
    warned = worker.post("/people", data=_form(idempotency_key="new-2"))
    assert warned.status_code == 422
    assert made in warned.text
    assert again.status_code in (303, 422)
    answered = made.rpartition("/")[2]
    assert worker.post("/people", data=_form(idempotency_key="new-3", answered=answered)).status_code == 303
    taken = worker.post("/people", data=_form(idempotency_key="new-4", personal="999190000001", answered=answered))
    assert taken.status_code == 422
