"""The rules of a consultation hold for whoever writes over the API: every way in, every jump, every hand in what is not theirs."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.journeys.consulting import (
    CAST,
    JSON,
    NATIONAL_ID,
    YERSIN,
    Person,
    Story,
    accept,
    acceptance,
    ask,
    asking,
    close,
    concept,
    conclude,
    conclusion,
    countersign,
    entry,
    now,
    place,
    role,
)
from tests.running import House

_numbers = count(int(time.time()) % 10_000_000)
FINER = YERSIN + "consultation-state"


@pytest.fixture(scope="module")
def people(house: House) -> dict[str, Person]:
    return {login: Person(house.signed_in(login)) for login in ("tram", "bstinh", "chuyengia", "chuyengia2")}


@pytest.fixture
def story(house: House, people: dict[str, Person]) -> Story:
    """A patient of the station, nothing asked yet."""
    station = people["tram"]
    made = station.make({
        "resourceType": "Patient", "active": True, "gender": "female", "birthDate": "1961-02-03", "managingOrganization": place("tram"),
        "identifier": [{"system": NATIONAL_ID, "value": f"999{next(_numbers):09d}"}],
        "name": [{"family": "Vàng", "given": ["Thị", "Luật"]}],
    })  # fmt: skip
    return Story(
        house=house, patient=made["id"], station=station, hospital=people["chuyengia"], colleague=people["chuyengia2"],
        stranger=people["bstinh"], citizen=station,
    )  # fmt: skip


def refused(answer: httpx.Response, status: int, where: str, words: str = "") -> None:
    """Whether an answer refuses, says where, and says what to do."""
    assert answer.status_code == status, (answer.status_code, answer.text[:600])
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    (issue,) = outcome["issue"]
    assert issue["code"] == {403: "forbidden", 409: "business-rule"}[status], issue
    assert any(where in place_ for place_ in issue["expression"]), issue
    assert words in issue["diagnostics"], issue


def state(task: JSON, status: str, finer: str = "") -> JSON:
    more = {"businessStatus": concept(FINER, finer)} if finer else {}
    return {**task, "status": status, "lastModified": now(), **more}


# --- the states -----------------------------------------------------------------------------------------------------


def test_no_state_is_reached_but_by_a_move_of_the_right_side(story: Story) -> None:
    ask(story)
    before = story.read_task(story.station)
    for person, jumps in (
        (
            story.hospital,
            {"in-progress": 409, "completed": 409, "on-hold": 200, "cancelled": 403, "failed": 409, "draft": 409},
        ),
        (story.station, {"received": 403, "accepted": 403, "in-progress": 409, "completed": 409, "rejected": 403}),
    ):
        for status, expected in jumps.items():
            if expected != 200:
                refused(person.change(state(before, status)), expected, "Task.status")
    assert story.read_task(story.station) == before, "nothing was written"
    assert story.hospital.change(state(before, "received")).status_code == 200
    refused(story.hospital.change(state(story.read_task(story.hospital), "requested", "asked")), 409, "Task.", "")


def test_whoever_opens_the_chart_otherwise_takes_no_side(story: Story) -> None:
    ask(story)
    visit = {
        "resourceType": "Encounter", "status": "in-progress", "class": {"code": "AMB"}, "subject": story.subject,
        "serviceProvider": place("bstinh"), "period": {"start": now()},
    }  # fmt: skip
    story.stranger.make(visit)
    task, request = story.read_task(story.stranger), story.stranger.get(f"/ServiceRequest/{story.request}")
    for status in ("cancelled", "accepted", "requested"):
        refused(story.stranger.change(state(task, status)), 403, "Task", "two sides")
    refused(story.stranger.change({**request, "status": "revoked"}), 409, "ServiceRequest.status")
    refused(story.stranger.send("DELETE", f"/Task/{story.task}"), 409, "Task", "cancel")


def test_every_way_in_is_the_same(story: Story) -> None:
    ask(story)
    before = story.read_task(story.station)
    jump = {k: v for k, v in state(before, "completed", "signed-by-both").items() if k != "meta"}
    address, person = f"Task/{story.task}", story.hospital

    def bundle(kind: str) -> httpx.Response:
        listed = [{"resource": jump, "request": {"method": "PUT", "url": address}}]
        return person.send("POST", "", {"resourceType": "Bundle", "type": kind, "entry": listed})

    refused(person.send("PUT", f"/{address}", jump), 409, "Task.status")
    refused(bundle("transaction"), 409, "Task.status")
    batch = bundle("batch").json()["entry"][0]["response"]
    assert batch["status"].startswith("409")
    assert batch["outcome"]["issue"][0]["code"] == "business-rule"
    conditional = person.send("PUT", f"/Task?_id={story.task}", jump)
    assert conditional.status_code >= 400, "by condition or not at all, never through"
    assert story.read_task(story.station) == before


def test_what_a_transaction_changes_beside_it_excuses_nothing(story: Story) -> None:
    """A second Task on the same ServiceRequest does not open it to changes."""
    ask(story)
    request = story.hospital.get(f"/ServiceRequest/{story.request}")
    beside = {
        "resourceType": "Task", "status": "requested", "intent": "order", "for": story.subject, "owner": place("chuyengia"),
        "focus": {"reference": f"ServiceRequest/{story.request}"},
    }  # fmt: skip
    taken = {**request, "performer": [*request["performer"], role("chuyengia")]}
    refused(story.hospital.transaction(taken, beside), 409, "ServiceRequest.performer")
    refused(
        story.hospital.transaction({**taken, "priority": "stat"}, story.read_task(story.hospital)),
        409,
        "ServiceRequest.",
    )


# --- the hub --------------------------------------------------------------------------------------------------------


def test_a_hub_opens_the_chart_to_nobody_and_for_no_longer(story: Story) -> None:
    ask(story)
    accept(story)
    task = story.read_task(story.hospital)
    period = task["restriction"]["period"]
    for changed, where in (
        ({"owner": place("bstinh")}, "Task.owner"),
        ({"status": "requested", "businessStatus": concept(FINER, "asked"), "owner": place("bstinh")}, "Task.owner"),
        ({"restriction": {"period": {**period, "end": "2099-01-01T00:00:00Z"}}}, "Task.restriction.period.end"),
        ({"requester": place("chuyengia")}, "Task.requester"),
        ({"extension": [e for e in task["extension"] if "days" not in e["url"]]}, "Task.extension"),
        ({"for": {"reference": f"Patient/{uuid4()}"}}, "Task"),
    ):
        answer = story.hospital.change({**task, **changed})
        if where == "Task":
            assert answer.status_code in (403, 409)
        else:
            refused(answer, 409, where)
    late = conclusion(story)
    late[4]["restriction"]["period"]["end"] = (datetime.now(UTC) + timedelta(days=8)).isoformat()
    refused(story.hospital.transaction(*late), 409, "Task.restriction.period.end", "7 days")
    conclude(story)
    task = story.read_task(story.hospital)
    longer = {"period": {**task["restriction"]["period"], "end": "2099-01-01T00:00:00Z"}}
    refused(story.hospital.change({**task, "restriction": longer}), 409, "Task.restriction.period.end")
    refused(story.station.change({**task, "restriction": longer}), 409, "Task.restriction.period.end")


def test_a_declined_request_goes_to_the_next_hub_and_then_comes_back(story: Story) -> None:
    ask(story)
    task, request = story.read_task(story.hospital), story.hospital.get(f"/ServiceRequest/{story.request}")
    ranked = _ranked(story)
    assert len(ranked) > 2
    hub, service = ranked[1]
    noted = {"url": "urn:yersin:extension:asked-hub", "extension": [
        {"url": "hub", "valueReference": {"reference": hub}}, {"url": "asked", "valueDateTime": now()},
        {"url": "round", "valuePositiveInt": 1},
    ]}  # fmt: skip
    passed = {
        **state(task, "requested", "asked"), "owner": {"reference": hub}, "restriction": {"period": {"start": now()}},
        "extension": [*task["extension"], noted],
    }  # fmt: skip
    sent = {**request, "performer": [{"reference": service}]}
    refused(story.hospital.transaction({**passed, "owner": {"reference": ranked[-1][0]}}, sent), 409, "Task.owner", hub)
    refused(story.hospital.transaction({**passed, "extension": task["extension"]}, sent), 409, "Task.extension")
    refused(story.hospital.change(passed), 409, "ServiceRequest.performer")
    assert story.hospital.transaction(passed, sent).status_code == 200
    assert story.hospital.send("GET", f"/Task/{story.task}").status_code == 404, "the chart is closed to who declined"
    assert story.read_task(story.station)["owner"]["reference"] == hub
    refused(story.station.change({**story.read_task(story.station), "owner": place("chuyengia")}), 409, "Task.owner")


def _ranked(story: Story) -> list[tuple[str, str]]:
    """Hubs for the specialty and their pools, first ranks first."""
    request = story.station.get(f"/ServiceRequest/{story.request}")
    specialty = request["performerType"]["coding"][0]["code"]
    listed = story.station.found(
        f"/OrganizationAffiliation?participating-organization={place('tram')['reference']}&active=true"
        "&_include=OrganizationAffiliation:service&_count=100"
    )
    services = {
        f"HealthcareService/{r['id']}" for r in listed if r["resourceType"] == "HealthcareService"
        and any(c["code"] == specialty for s in r["specialty"] for c in s["coding"])
    }  # fmt: skip
    ranked = sorted(
        (e["valuePositiveInt"], r["organization"]["reference"], s["reference"])
        for r in listed if r["resourceType"] == "OrganizationAffiliation" for e in r.get("extension", ())
        if e["url"] == "urn:yersin:extension:hub-rank" for s in r.get("healthcareService", ()) if s["reference"] in services
    )  # fmt: skip
    return [(hub, service) for _rank, hub, service in ranked]


def test_what_a_colleague_accepted_is_theirs(story: Story) -> None:
    ask(story)
    refused(
        story.hospital.change(state(story.read_task(story.hospital), "accepted", "accepted")),
        409,
        "performer",
        "PractitionerRole",
    )
    accept(story)
    task = story.read_task(story.colleague)
    for status, finer in (
        ("in-progress", "meeting"),
        ("on-hold", "waiting-answer"),
        ("rejected", "declined"),
        ("accepted", "handed-over"),
    ):
        refused(
            story.colleague.change(state(task, status, finer)),
            409,
            "Task.status",
            str(CAST["chuyengia"].practitioner_role_id),
        )
    written = conclusion(story)
    refused(story.colleague.transaction(*written), 403, "Composition")
    refused(story.colleague.transaction(*written[4:6]), 409, "Task.status", "accepted")
    request = story.colleague.get(f"/ServiceRequest/{story.request}")
    stolen = {
        **request,
        "performer": [p for p in request["performer"] if "Healthcare" in p["reference"]] + [role("chuyengia2")],
    }
    refused(story.colleague.change(stolen), 409, "ServiceRequest.performer")
    refused(story.colleague.transaction(stolen, task), 409, "ServiceRequest.performer")
    handed = {**stolen, "performer": [*stolen["performer"][:-1], role("bstinh")]}
    outside = story.hospital.transaction(state(story.read_task(story.hospital), "accepted", "handed-over"), handed)
    refused(outside, 409, "ServiceRequest.performer", "pool")
    assert (
        story.hospital.transaction(
            state(story.read_task(story.hospital), "accepted", "handed-over"), stolen
        ).status_code
        == 200
    )
    refused(story.hospital.change(state(story.read_task(story.hospital), "in-progress", "meeting")), 409, "Task.status")


def test_of_two_who_accept_at_once_without_a_condition_one_gets_it(story: Story) -> None:
    ask(story)
    both = ((story.hospital, "chuyengia"), (story.colleague, "chuyengia2"))
    written = [(person, [_unconditional(r) for r in acceptance(story, person, login)]) for person, login in both]

    def send(pair: tuple[Person, list[JSON]]) -> httpx.Response:
        return pair[0].send("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": pair[1]})

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(send, written))
    assert sorted(a.status_code for a in answers) == [200, 409], [a.text[:300] for a in answers]
    refused(next(a for a in answers if a.status_code == 409), 409, "Task.", "has accepted")
    assert story.read_task(story.station)["meta"]["versionId"] == "2"


def _unconditional(resource: JSON) -> JSON:
    made = entry(resource)
    made["request"].pop("ifMatch", None)
    return made


# --- conclusion and outcome -----------------------------------------------------------------------------------------


def test_a_conclusion_is_whole_or_none(story: Story) -> None:
    ask(story)
    accept(story)

    def without(kind: str) -> Callable[[list[JSON]], Any]:
        return lambda w: w[4].update(output=[o for o in w[4]["output"] if o["type"]["coding"][0]["code"] != kind])

    cases: list[tuple[Callable[[list[JSON]], Any], str]] = [
        (without("conclusion"), "Task.output"),
        (without("minutes"), ""),
        (_as_draft, "Task.output"),
        (lambda w: w[0].update(author=[role("tram")]), "Composition.author"),
        (lambda w: w.pop(5), "ServiceRequest.status"),
        (lambda w: w.pop(4), ""),
        (lambda w: w[6].update(status="completed"), "Task.status"),
        (lambda w: w[6].update(owner=place("bstinh")), "Task.owner"),
    ]
    for spoil, where in cases:
        written = conclusion(story)
        spoil(written)
        refused(story.hospital.transaction(*written), 409, where)
    assert story.station.found(f"/Composition?patient={story.patient}") == []
    assert story.read_task(story.station)["status"] == "accepted"
    conclude(story)
    answer = story.station.change(
        {**story.read_task(story.station), "output": story.read_task(story.station)["output"][1:]}
    )
    refused(answer, 409, "Task.output")
    assert countersign(story).status_code == 200
    refused(countersign(story), 409, "Task.")


def _as_draft(written: list[JSON]) -> None:
    del written[0]["meta"]
    written[0]["status"] = "preliminary"


def test_minutes_are_written_by_who_accepted_and_never_deleted(story: Story) -> None:
    ask(story)
    accept(story)
    draft = {**conclusion(story)[0], "status": "preliminary"}
    del draft["fullUrl"], draft["meta"]
    for person, login in ((story.colleague, "chuyengia2"), (story.station, "tram")):
        refused(person.send("POST", "/Composition", {**draft, "author": [role(login)]}), 403, "Composition")
    made = story.hospital.make(draft)
    refused(story.hospital.send("DELETE", f"/Composition/{made['id']}"), 409, "Composition")
    refused(story.hospital.change({**made, "status": "final"}), 409, "Composition.status")
    assert story.hospital.change({**made, "title": "Biên bản"}).status_code == 200


def test_the_outcome_is_the_stations_and_is_reported_once(story: Story) -> None:
    ask(story)
    accept(story)
    conclude(story)
    task = story.station.get(f"/Task/{story.outcome}")
    refused(story.hospital.change({**task, "status": "completed"}), 403, "Task")
    refused(story.station.change({**task, "status": "completed"}), 409, "Task.output")
    refused(story.station.change({**task, "status": "cancelled"}), 409, "Task.status")
    refused(story.station.change({**task, "owner": place("bstinh")}), 409, "Task.owner")
    assert story.station.change({**task, "status": "in-progress"}).status_code == 200
    refused(
        story.station.change({**story.station.get(f"/Task/{story.outcome}"), "status": "ready"}), 409, "Task.status"
    )
    close(story)
    done = story.station.get(f"/Task/{story.outcome}")
    refused(story.station.change({**done, "output": done["output"][:1]}), 409, "Task.output")
    refused(story.station.send("DELETE", f"/Task/{story.outcome}"), 409, "Task")
    again = {k: v for k, v in task.items() if k not in ("id", "meta")}
    refused(story.hospital.send("POST", "/Task", again), 409, "Task.basedOn")


# --- asking ---------------------------------------------------------------------------------------------------------


def test_what_is_asked_is_neither_deleted_nor_changed(story: Story) -> None:
    ask(story)
    task, request = story.read_task(story.station), story.station.get(f"/ServiceRequest/{story.request}")
    for name in (f"Task/{story.task}", f"ServiceRequest/{story.request}"):
        for person in (story.station, story.hospital):
            refused(person.send("DELETE", f"/{name}"), 409, name.partition("/")[0], "cancel")
    both = [
        {"request": {"method": "DELETE", "url": name}}
        for name in (f"Task/{story.task}", f"ServiceRequest/{story.request}")
    ]
    answer = story.station.send("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": both})
    refused(answer, 409, "", "cancel")
    refused(story.station.change({**task, "input": [{**task["input"][0], "valueString": "x"}]}), 409, "Task.input")
    refused(story.station.change({**task, "code": {"text": "x"}}), 409, "Task.code")
    refused(story.station.change({**request, "note": [{"text": "x"}]}), 409, "ServiceRequest.note")
    assert story.station.change({**task, "note": [{"text": "Đã gọi điện"}]}).status_code == 200
    refused(
        story.station.change(state(story.read_task(story.station), "cancelled", "withdrawn")),
        409,
        "ServiceRequest.status",
    )
    task = story.read_task(story.station)
    assert story.station.transaction(state(task, "cancelled"), {**request, "status": "revoked"}).status_code == 200
    assert story.hospital.send("GET", f"/Task/{story.task}").status_code == 404


def test_a_request_begins_as_the_pages_begin_it(story: Story) -> None:
    def without(name: str) -> Callable[[list[JSON]], Any]:
        return lambda w: w[1].pop(name)

    cases: list[tuple[Callable[[list[JSON]], Any], int, str]] = [
        (lambda w: w[1].update(status="completed"), 409, "Task.status"),
        (lambda w: w[1].update(status="accepted"), 409, "Task.status"),
        (lambda w: w[1].update(owner=place("tram")), 409, "Task.owner"),
        (lambda w: w[1].update(requester=place("chuyengia")), 403, "Task.requester"),
        (
            lambda w: w[1].update(restriction={"period": {"start": "2020-01-01T00:00:00Z"}}),
            409,
            "Task.restriction.period.start",
        ),
        (without("input"), 409, "Task.input"),
        (without("extension"), 409, "Task.extension"),
        (lambda w: w[0].update(requester=role("chuyengia")), 409, "ServiceRequest.requester"),
        (lambda w: w[0]["performer"].append(role("chuyengia")), 409, "ServiceRequest.performer"),
        (lambda w: w.pop(0), 409, "Task.focus"),
        (lambda w: w[2].update(status="rejected"), 409, "Task.for"),
        (lambda w: w.pop(2), 409, "Task.for"),
    ]
    for spoil, status, where in cases:
        written = asking(story)
        spoil(written)
        if len(written) == 3 and where == "Task.focus":
            written[0]["focus"] = {"reference": f"ServiceRequest/{uuid4()}"}
        refused(story.station.transaction(*written), status, where)
    assert story.station.found(f"/Task?patient={story.patient}") == []
    assert story.station.found(f"/ServiceRequest?patient={story.patient}") == [], "all or none"


def test_only_the_facility_that_asks_asks_and_for_each_request_once(story: Story) -> None:
    ask(story)
    refused(story.hospital.transaction(*asking(story)), 403, "Task.requester")
    fresh = {k: v for k, v in story.read_task(story.station).items() if k not in ("id", "meta")}
    again = {**fresh, "restriction": {"period": {"start": now()}}}
    refused(story.station.send("POST", "/Task", again), 409, "Task.focus", story.task)
    refused(story.station.send("POST", "/Task", again, if_none_exist="identifier=urn:x|none"), 409, "Task.focus")
    key = str(uuid4())
    for status in ("completed", "accepted"):
        refused(
            story.hospital.send("PUT", f"/Task/{key}", {**fresh, "id": key, "status": status}), 403, "Task.requester"
        )
        refused(story.station.send("PUT", f"/Task/{key}", {**fresh, "id": key, "status": status}), 409, "Task.status")


def test_the_operator_brings_in_what_happened_elsewhere_and_people_leave_it_as_it_is(story: Story) -> None:
    ask(story)
    fresh = {k: v for k, v in story.read_task(story.station).items() if k not in ("id", "meta", "extension")}
    machine = Person(story.house.machine())
    elsewhere = machine.make({**fresh, "status": "completed", "focus": {"display": "elsewhere"}})
    assert machine.change({**elsewhere, "status": "failed"}).status_code == 200
    brought = story.station.get(f"/Task/{elsewhere['id']}")
    refused(story.station.change({**brought, "status": "requested"}), 409, "Task", "elsewhere")
    refused(story.station.send("DELETE", f"/Task/{elsewhere['id']}"), 409, "Task")
