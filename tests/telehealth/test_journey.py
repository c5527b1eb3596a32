"""From a commune station to a central hospital and back, over HTTP, against a running server."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from tests.telehealth.browserless import Browser
from tests.telehealth.conftest import CAST, WISH, accepted, asked, minutes_of


def test_a_request_goes_to_the_hospital_and_comes_back_signed_by_both(browser, patient, api):
    station, specialist = browser("tram"), browser("chuyengia")
    path = asked(station, patient)
    assert "waiting" in specialist.get("/telehealth/queue").words.lower()
    assert "Opened by the hospital" in specialist.get(path).words
    assert (
        "Waiting for the station's answer" in specialist.post(f"{path}/ask-back", {"text": "Huyết áp tay trái?"}).words
    )
    assert "Huyết áp tay trái?" in station.get(path).words
    assert "The station has answered" in station.post(f"{path}/reply", {"text": "150/90 mmHg"}).words
    assert "Accepted" in accepted(specialist, path).words

    specialist.get(f"{path}/minutes")
    draft = specialist.post(f"{path}/minutes", minutes_of("save", "Thêm amlodipin.", ""))
    assert "Thêm amlodipin." in draft.body
    lacking = specialist.post(f"{path}/minutes", minutes_of("sign", "Thêm amlodipin.", ""))
    assert lacking.status == 422
    signed = specialist.post(f"{path}/minutes", minutes_of("sign", "Thêm amlodipin.", "Không cần."))
    assert "Signed by the specialist" in signed.words

    assert "Không cần." in station.get(path).words
    assert "Signed by both sides" in station.post(f"{path}/countersign", {}).words
    assert "%PDF" in station.call("GET", f"{path}/minutes.pdf").body[:10]
    assert "Đã cấp thuốc" in station.post(f"{path}/done", {"done": "Đã cấp thuốc"}).words
    outcome = station.post(f"{path}/outcome", {"followed": "followed", "patient": "better"})
    assert "Better" in outcome.words

    task = api.get(f"Task/{path.rpartition('/')[2]}")
    assert task["status"] == "completed"
    assert [o["valueString"] for o in task["output"] if o["type"]["coding"][0]["code"] == "conclusion"] == [
        "Thêm amlodipin.",
        "Không cần.",
    ]
    documents = api.found(
        f"DocumentReference?patient=Patient/{patient}&related=ServiceRequest/{task['focus']['reference'][15:]}"
    )
    assert sorted(bool(d.get("relatesTo")) for d in documents) == [False, True]
    assert all(d["meta"]["tag"][0]["code"] == "signed" for d in documents)


def test_of_two_who_accept_at_once_one_gets_it_and_the_other_learns_who(browser, patient, api):
    path = asked(browser("tram"), patient)
    both = [browser("chuyengia"), browser("chuyengia2")]
    for one in both:
        one.get(path)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda one: one.post(f"{path}/accept", {}), both))
    assert sorted(a.status for a in answers) == [200, 409]
    loser = next(a for a in answers if a.status == 409)
    request = api.get(api.get(f"Task/{path.rpartition('/')[2]}")["focus"]["reference"])
    holder = next(p["display"] for p in request["performer"] if p["reference"].startswith("PractitionerRole"))
    assert f"It is with {holder}." in loser.words


def test_the_same_form_sent_twice_makes_one_request(browser, patient):
    station = browser("tram")
    station.get(f"/telehealth/ask/{patient}")
    key = station.key
    form = [*WISH, ("urgency", "routine"), ("step", "send")]
    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(lambda _: station.post(f"/telehealth/ask/{patient}", form, follow=False, key=key), range(2))
        )
    assert [a.status for a in answers] == [303, 303]
    assert answers[0].headers["location"] == answers[1].headers["location"]


def _signed_once(answers, path, api):
    """Whoever pressed twice is brought to the signed request each time, and there is one of everything."""
    assert [(a.status, a.headers.get("location")) for a in answers] == [(303, path)] * len(answers), [
        a.words[:300] for a in answers if a.status != 303
    ]
    focus = api.get(f"Task/{path.rpartition('/')[2]}")["focus"]["reference"]
    assert len(api.found(f"DocumentReference?related={focus}")) == 1
    assert len(api.found(f"Task?focus={focus}")) == 2
    meeting = api.found(f"Encounter?based-on={focus}")[0]
    assert [c["status"] for c in api.found(f"Composition?encounter=Encounter/{meeting['id']}")] == ["final"]


def _at_once(*acts):
    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result() for future in [pool.submit(act) for act in acts]]


def test_signing_twice_signs_once(browser, patient, api):
    path = asked(browser("tram"), patient)
    specialist = browser("chuyengia")
    accepted(specialist, path)
    specialist.get(f"{path}/minutes")
    form = minutes_of("sign", "Có.", "Không.")
    answers = _at_once(*[lambda: specialist.post(f"{path}/minutes", form, follow=False)] * 3)
    later = specialist.post(f"{path}/minutes", form, follow=False)
    _signed_once([*answers, later], path, api)


def test_signing_while_the_draft_is_being_saved_signs_what_was_to_be_signed(browser, patient, api):
    path = asked(browser("tram"), patient)
    specialist = browser("chuyengia")
    accepted(specialist, path)
    specialist.get(f"{path}/minutes")

    def send(step, words):
        return specialist.post(f"{path}/minutes", minutes_of(step, words, "Không."), follow=False)

    *_saves, signed = _at_once(
        lambda: send("save", "Nháp một."), lambda: send("save", "Nháp hai."), lambda: send("sign", "Có.")
    )
    _signed_once([signed], path, api)
    task = api.get(f"Task/{path.rpartition('/')[2]}")
    assert "Có." in [o["valueString"] for o in task["output"] if o["type"]["coding"][0]["code"] == "conclusion"]


def test_countersigning_twice_signs_once(browser, patient, api):
    station, specialist = browser("tram"), browser("chuyengia")
    path = asked(station, patient)
    accepted(specialist, path)
    specialist.get(f"{path}/minutes")
    specialist.post(f"{path}/minutes", minutes_of("sign", "Có.", "Không."))
    station.get(path)
    answers = _at_once(*[lambda: station.post(f"{path}/countersign", {}, follow=False)] * 2)
    assert [a.status for a in answers] == [303, 303]
    focus = api.get(f"Task/{path.rpartition('/')[2]}")["focus"]["reference"]
    assert len(api.found(f"DocumentReference?related={focus}")) == 2


def test_signing_in_two_processes_at_once_signs_once(request, browser, patient, api):
    """Two workers share nothing but the database and the folder of the authority."""
    if os.environ.get("YERSIN_TEST_SERVER"):
        pytest.skip("a second process is started beside the house of the tests only")
    house, serve = request.getfixturevalue("house"), request.getfixturevalue("serve")
    path = asked(browser("tram"), patient)
    here = browser("chuyengia")
    accepted(here, path)
    here.get(f"{path}/minutes")
    with closing(serve(house.database_url)) as second:
        there = Browser(second.base_url, dict(here.cookies), here.token, here.key)
        form = minutes_of("sign", "Có.", "Không.")
        answers = _at_once(*[lambda b=b: b.post(f"{path}/minutes", form, follow=False) for b in (here, there)])
    _signed_once(answers, path, api)


def test_a_form_without_consent_is_refused_and_keeps_what_was_typed(browser, patient):
    station = browser("tram")
    station.get(f"/telehealth/ask/{patient}")
    form = [pair for pair in WISH if pair[0] != "consents"]
    answer = station.post(f"/telehealth/ask/{patient}", [*form, ("urgency", "routine"), ("step", "send")])
    assert answer.status == 422
    assert "Có cần chuyển tuyến không?" in answer.body


ACTIVE = {
    "clinicalStatus": {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
    }
}


def test_of_a_chart_shared_in_part_the_hospital_sees_that_part(browser, patient, api):
    station, specialist = browser("tram"), browser("chuyengia")
    drug = {"status": "active", "intent": "order", "medicationCodeableConcept": {"text": "Thuốc kín 5 mg"}}
    subject = {"subject": {"reference": f"Patient/{patient}"}}
    api.put({"resourceType": "MedicationRequest", "id": str(uuid4()), **drug, **subject})
    api.put({"resourceType": "Condition", "id": str(uuid4()), "code": {"text": "Bệnh chia sẻ"}, **ACTIVE, **subject})
    wish = [pair for pair in WISH if pair[0] not in ("whole", "share")]
    form = [*wish, ("whole", "no"), ("urgency", "routine"), ("step", "send")]
    station.get(f"/telehealth/ask/{patient}")
    for nonsense in ([], [("share", "everything")]):
        assert station.post(f"/telehealth/ask/{patient}", [*form, *nonsense]).status == 422
    path = station.post(f"/telehealth/ask/{patient}", [*form, ("share", "problems")]).path
    assert "Parts of the chart" not in specialist.get(path).words
    assert "Shared of the chart: Problems and diagnoses" in specialist.get(path).words
    seen, whole = specialist.get(f"/records/{patient}").words, station.get(f"/records/{patient}").words
    assert "Bệnh chia sẻ" in seen
    assert "Thuốc kín" not in seen
    assert "Open to you for a consultation" in seen
    assert "Medicines Not shared with you." in seen
    assert "Thuốc kín" in whole
    assert "Open to you for a consultation" not in whole
    assert "Thuốc kín" not in specialist.get(f"/records/{patient}/timeline").words


def test_a_declined_request_goes_to_the_next_hospital_and_the_chart_closes(browser, patient, api):
    specialist = browser("chuyengia")
    assert specialist.get(f"/telehealth/ask/{patient}").status == 404
    path = asked(browser("tram"), patient)
    assert specialist.get(path).status == 200
    assert specialist.get(f"/records/{patient}").status == 200
    specialist.post(f"{path}/decline", {"reason": "Chuyên gia đang mổ."})
    assert specialist.get(path).status == 404
    assert specialist.get(f"/records/{patient}").status == 404
    task = api.get(f"Task/{path.rpartition('/')[2]}")
    assert task["status"] == "requested"
    assert task["owner"]["reference"] != f"Organization/{CAST['chuyengia'].organization_id}"
    assert "Chuyên gia đang mổ." in browser("tram").get(path).words


def test_what_nobody_accepts_in_time_goes_to_the_next_hospital_and_at_last_back(browser, patient, api):
    station = browser("tram")
    key = asked(station, patient, urgency="stat").rpartition("/")[2]
    owners = []
    for _ in range(3):
        task = api.get(f"Task/{key}")
        owners.append(task["owner"]["reference"])
        task["restriction"]["period"]["start"] = (datetime.now(UTC) - timedelta(minutes=6)).isoformat()
        api.put(task)
        _until(
            lambda owner=owners[-1]: (
                (api.get(f"Task/{key}")["owner"]["reference"], api.get(f"Task/{key}")["status"]) != (owner, "requested")
            )
        )
    assert len(set(owners)) == 3
    assert api.get(f"Task/{key}")["status"] == "rejected"
    page = station.get(f"/telehealth/requests/{key}")
    assert page.words.count("nobody accepted in time") == 3
    assert station.get("/").status == 200, "the first page names it too, though no hospital has it"
    assert "Asked, not yet opened" in station.post(f"/telehealth/requests/{key}/again", {}).words
    assert api.get(f"Task/{key}")["owner"]["reference"] == owners[0]


def _until(there, seconds: float = 40.0):
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "the clock did not strike"
        time.sleep(0.5)


def test_access_ends_with_the_agreed_days(browser, patient, api):
    path = asked(browser("tram"), patient)
    specialist = browser("chuyengia")
    accepted(specialist, path)
    specialist.get(f"{path}/minutes")
    specialist.post(f"{path}/minutes", minutes_of("sign", "Có.", "Không."))
    assert specialist.get(path).status == 200
    task = api.get(f"Task/{path.rpartition('/')[2]}")
    end = datetime.fromisoformat(task["restriction"]["period"]["end"])
    assert timedelta(days=6, hours=23) < end - datetime.now(UTC) <= timedelta(days=7)
    ended = datetime.now(UTC) - timedelta(seconds=1)
    task["restriction"]["period"] = {"start": (ended - timedelta(days=8)).isoformat(), "end": ended.isoformat()}
    api.put(task)
    assert specialist.get(path).status == 404
    assert specialist.get(f"/records/{patient}").status == 404


def test_who_has_no_part_in_a_request_finds_nothing(browser, patient):
    path = asked(browser("tram"), patient)
    stranger = browser("bstinh")
    for place in ("", "/minutes", "/minutes.pdf", "/live"):
        assert stranger.get(path + place).status == 404
    assert stranger.post(f"{path}/accept", {}).status == 404
    assert browser("boyte").get(path).status == 403
