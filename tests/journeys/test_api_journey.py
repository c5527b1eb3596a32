"""The main job by FHIR calls alone: a station asks, a hospital answers, both sign, the patient and the nation see it.

Nobody opens a page: people of the cast send the requests of src/yersin/telehealth/README.md, "The same over the API", with
their session; the national figures come from `/centre/export.csv`. Each test registers a patient of its own.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.journeys.consulting import (
    ADVICE,
    ANSWER,
    CAST,
    NATIONAL_ID,
    QUESTION,
    YERSIN,
    Person,
    Story,
    accept,
    acceptance,
    answered_today,
    ask,
    ask_back,
    close,
    conclude,
    conclusion,
    countersign,
    fill_chart,
    place,
    queue,
)
from tests.running import House

from yersin.app.ground import opened
from yersin.fhir import parse
from yersin.guard import accounts
from yersin.guard.who import system
from yersin.settings import Settings

_numbers = count(int(time.time()) % 10_000_000)


@pytest.fixture(scope="module")
def people(house: House) -> dict[str, Person]:
    return {login: Person(house.signed_in(login)) for login in ("tram", "bstinh", "chuyengia", "chuyengia2")}


@pytest.fixture
def story(run: Any, house: House, keys_dir: Path, people: dict[str, Person]) -> Story:
    """Register a patient over the API, and give her an account: the only act here that has no API."""
    number = f"999{next(_numbers):09d}"
    born = f"19{50 + int(number) % 40}-02-03"
    body = {
        "resourceType": "Patient", "active": True, "identifier": [{"system": NATIONAL_ID, "value": number}], "gender": "female",
        "name": [{"family": "Vàng", "given": ["Thị", f"Thử{number[-4:]}"]}], "birthDate": born,
        "managingOrganization": place("tram"),
    }  # fmt: skip
    criteria = f"identifier={NATIONAL_ID}|{number}"
    made = people["tram"].make(body, if_none_exist=criteria)
    again = people["tram"].make(body, if_none_exist=criteria)
    assert again["id"] == made["id"], "registering twice makes one record"
    run(_account(house, keys_dir, number, made["id"]))
    return Story(
        house=house,
        patient=made["id"],
        station=people["tram"],
        hospital=people["chuyengia"],
        colleague=people["chuyengia2"],
        stranger=people["bstinh"],
        citizen=Person(house.signed_in(number)),
    )


async def _account(house: House, keys_dir: Path, name: str, patient: str) -> None:
    manager = opened(Settings(data_dir=keys_dir), house.database_url, connections=2)
    async with manager as ground, ground.access(system("HSYSADMIN")).own_tables() as connection:
        links: dict[str, str | None] = {"role": "citizen", "patient_id": patient}
        await accounts.create(connection, name, house.password, "Người bệnh thử", links)


# --- the story ------------------------------------------------------------------------------------------------------


def test_from_the_station_to_the_hospital_and_back_by_fhir_calls_alone(story: Story) -> None:
    ministry = story.house.signed_in("boyte")
    before = answered_today(ministry)
    _finds_and_reads(story)
    ask(story)
    _is_in_the_queue_and_nowhere_else(story)
    accept(story)
    assert f"Task/{story.task}" not in queue(story.colleague)
    ask_back(story)
    conclude(story)
    answer = countersign(story)
    assert answer.status_code == 200, answer.text[:800]
    close(story)
    _patient_reads_it(story)
    _audit_names_everybody(story)
    _nation_counts_it(ministry, before)


def _finds_and_reads(story: Story) -> None:
    fill_chart(story)
    person = story.station.get(f"/Patient/{story.patient}")
    typed = f"family=vang&given={person['name'][0]['given'][1].lower()}&birthdate={person['birthDate']}"
    assert [p["id"] for p in story.station.found(f"/Patient?{typed}")] == [story.patient], "found without accents"
    form = {"content-type": "application/x-www-form-urlencoded"}
    posted = story.station.http.post("/fhir/Patient/_search", content=typed, headers=form).json()
    assert [e["resource"]["id"] for e in posted["entry"]] == [story.patient]
    chart = story.station.found(
        f"/Patient?_id={story.patient}&_revinclude=AllergyIntolerance:patient&_revinclude=Observation:patient"
    )
    assert [r["resourceType"] for r in chart] == ["Patient", "AllergyIntolerance", "Observation"]


def _is_in_the_queue_and_nowhere_else(story: Story) -> None:
    waiting = queue(story.hospital)
    assert {f"Task/{story.task}", f"ServiceRequest/{story.request}", f"Patient/{story.patient}"} <= set(waiting)
    assert waiting[f"Task/{story.task}"]["input"][0]["valueString"] == QUESTION
    assert story.hospital.found(f"/AllergyIntolerance?patient={story.patient}"), (
        "the Task opens the whole chart to the hub"
    )
    assert not {f"Task/{story.task}", f"Patient/{story.patient}"} & set(queue(story.stranger))


def _patient_reads_it(story: Story) -> None:
    listed = story.citizen.found(f"/Task?patient={story.patient}&code={YERSIN}telehealth-activity|&status=completed")
    assert [t["id"] for t in listed] == [story.task]
    words = {o["type"]["coding"][0]["code"]: o.get("valueString") for o in listed[0]["output"]}
    assert (words["conclusion"], words["advice"]) == (ANSWER, ADVICE)
    (minutes,) = story.citizen.found(f"/Composition?patient={story.patient}")
    assert ANSWER in minutes["section"][0]["text"]["div"]
    papers = story.citizen.found(f"/DocumentReference?patient={story.patient}")
    assert sorted("relatesTo" in p for p in papers) == [False, True]
    (closed,) = story.citizen.found(f"/Task?patient={story.patient}&based-on=Task/{story.task}")
    assert closed["output"][1]["valueCode"] == "better"


def _audit_names_everybody(story: Story) -> None:
    administrator = Person(story.house.signed_in("quantri"))
    for reader in (story.citizen, administrator):
        rows = reader.found(f"/AuditEvent?patient={story.patient}&_count=200")
        for row in rows:
            parse(httpx.Response(200, json=row).content, expect="AuditEvent")
        names = {row["agent"][0].get("name") for row in rows}
        assert {CAST["tram"].name.text, CAST["chuyengia"].name.text} <= names
        assert CAST["bstinh"].name.text not in names, "who found nothing was shown nothing"
    assert story.station.send("GET", f"/AuditEvent?patient={story.patient}").status_code == 403


def _nation_counts_it(ministry: httpx.Client, before: tuple[int, int]) -> None:
    end = time.monotonic() + 90
    after = before
    while not (after[0] > before[0] and after[1] > before[1]):
        assert time.monotonic() < end, (before, after)
        time.sleep(0.2)
        after = answered_today(ministry)


# --- wrong moves ----------------------------------------------------------------------------------------------------


def test_a_stranger_finds_reads_and_writes_nothing(story: Story) -> None:
    fill_chart(story)
    ask(story)
    names = [f"Patient/{story.patient}", f"Task/{story.task}", f"ServiceRequest/{story.request}"]
    for name in names:
        content = story.station.get(f"/{name}")
        assert story.stranger.send("GET", f"/{name}").status_code == 404
        assert story.stranger.send("GET", f"/{name}/_history").status_code == 404
        assert story.stranger.change(content).status_code in (403, 404)
        assert story.stranger.send("DELETE", f"/{name}").status_code in (403, 404)
        assert story.station.get(f"/{name}")["meta"] == content["meta"], "nothing has changed"
    for search in (
        f"/Patient?_id={story.patient}",
        f"/Observation?patient={story.patient}",
        f"/Task?patient={story.patient}",
    ):
        assert story.stranger.found(search) == []
        assert story.stranger.get(f"{search}&_total=accurate")["total"] == 0
    written = story.stranger.send("POST", "/Observation", {
        "resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": story.subject})  # fmt: skip
    assert written.status_code == 403
    nobody = Person(story.house.visitor())
    assert [nobody.send("GET", f"/{name}").status_code for name in names] == [401] * 3


def test_of_two_who_accept_the_same_version_one_gets_it(story: Story) -> None:
    ask(story)
    people = ((story.hospital, "chuyengia"), (story.colleague, "chuyengia2"))
    written = [(person, acceptance(story, person, login)) for person, login in people]
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda pair: pair[0].transaction(*pair[1]), written))
    assert sorted(a.status_code for a in answers) == [200, 412]
    lost = next(a for a in answers if a.status_code == 412).json()
    assert lost["resourceType"] == "OperationOutcome"
    assert "Read it again" in lost["issue"][0]["diagnostics"]
    assert story.read_task(story.station)["meta"]["versionId"] == "2"


def test_concluding_twice_signs_once(story: Story) -> None:
    ask(story)
    accept(story)
    written = conclusion(story)
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: story.hospital.transaction(*written), range(2)))
    assert sorted(a.status_code for a in answers) == [200, 412], [a.text[:300] for a in answers]
    for kind, expected in (("Composition", 1), ("DocumentReference", 1), ("Provenance", 1)):
        name = "patient"
        assert len(story.station.found(f"/{kind}?{name}={story.patient}")) == expected, kind
    assert len(story.station.found(f"/Task?patient={story.patient}")) == 2


def test_what_is_signed_stays_as_it_is(story: Story) -> None:
    ask(story)
    accept(story)
    conclude(story)
    assert countersign(story).status_code == 200
    composition, document = story.documents
    for person in (story.hospital, story.station):
        for name in (f"Composition/{composition}", f"DocumentReference/{document}"):
            signed = person.get(f"/{name}")
            for answer in (person.change({**signed, "language": "en"}), person.send("DELETE", f"/{name}")):
                assert answer.status_code == 409
                assert "addendum" in answer.json()["issue"][0]["diagnostics"]
            assert person.get(f"/{name}") == signed
    assert story.station.get(f"/Composition/{composition}/_history")["total"] == 1


def test_a_transaction_with_one_bad_entry_leaves_no_trace(story: Story) -> None:
    ask(story)
    accept(story)
    written = conclusion(story)
    bad = {**written[3], "recorded": "yesterday"}
    answer = story.hospital.transaction(*written[:3], bad, *written[4:])
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[3].resource.recorded"]
    assert story.station.found(f"/Composition?patient={story.patient}") == []
    assert story.read_task(story.station)["status"] == "accepted"


def test_after_the_agreed_days_the_hospital_finds_nothing(story: Story) -> None:
    ask(story)
    accept(story)
    conclude(story)
    assert story.hospital.get(f"/Patient/{story.patient}")["id"] == story.patient
    task = story.read_task(story.station)
    task["restriction"]["period"]["end"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    answer = story.station.change(task)
    assert answer.status_code == 200, answer.text
    assert story.hospital.send("GET", f"/Patient/{story.patient}").status_code == 404
    assert story.hospital.found(f"/Composition?patient={story.patient}") == []


def test_a_patient_reads_her_own_record_and_writes_nothing(story: Story) -> None:
    other = story.house.machine().get("/fhir/Patient?_count=2").json()["entry"]
    stranger = next(e["resource"]["id"] for e in other if e["resource"]["id"] != story.patient)
    assert story.citizen.get(f"/Patient/{story.patient}")["id"] == story.patient
    assert story.citizen.send("GET", f"/Patient/{stranger}").status_code == 404
    assert story.citizen.send("GET", f"/AuditEvent?patient={stranger}").status_code == 403
    written = story.citizen.send("POST", "/Observation", {
        "resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": story.subject})  # fmt: skip
    assert written.status_code == 403
    assert story.citizen.change({**story.citizen.get(f"/Patient/{story.patient}"), "active": False}).status_code == 403
