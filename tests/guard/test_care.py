"""Care opens a chart and its end closes it; what is not open cannot be told from what is not there."""

from __future__ import annotations

import random
from typing import Any
from uuid import uuid4

import pytest
from tests.cast import DAY, Cast

from yersin.fhir.problem import Problem
from yersin.guard.access import Access
from yersin.guard.writing import Delete
from yersin.search.page import Query
from yersin.store.histories import Wanted


def is_open(cast: Cast, access: Access, patient: str) -> bool:
    """Whether the chart is open, asked in every way there is: all must agree."""
    seen = cast.observation(patient)
    ways = {_reads(cast, access, "Patient", patient), _reads(cast, access, "Observation", seen)}
    for kind, pair in (("Patient", ("_id", patient)), ("Observation", ("subject", f"Patient/{patient}"))):
        found = cast.run(access.search(Query.of(kind, [pair, ("_total", "accurate")])))
        counted = cast.run(access.search(Query.of(kind, [pair, ("_summary", "count")])))
        assert found.total == counted.total == len(found.versions)
        ways.add(bool(found.versions))
    for type_name in ("Observation", ""):  # of the type, and of the whole server: the newest first
        ways.add(seen in [v.id for v in cast.run(access.past(type_name, "", Wanted(limit=20))).versions])
    for way in (lambda t, i: access.past(t, i, Wanted(limit=9)), lambda t, i: access.vread(t, i, 1)):
        try:
            cast.run(way("Observation", seen))
            ways.add(True)
        except Problem as refusal:
            assert refusal.status == 404  # noqa: PT017 - both answers are right, this one only with this status
            ways.add(False)
    (answer,) = ways
    return answer


def _reads(cast: Cast, access: Access, kind: str, id_: str) -> bool:
    try:
        cast.run(access.read(kind, id_))
    except Problem as refusal:
        assert refusal.status == 404  # noqa: PT017 - both answers are right, this one only with this status
        return False
    return True


def test_nobody_but_the_keeper_opens_a_chart(cast: Cast) -> None:
    patient = cast.patient(managingOrganization={"reference": f"Organization/{cast.here}"})
    assert is_open(cast, cast.doctor(cast.here), patient)
    assert not is_open(cast, cast.doctor(cast.there), patient)
    for role in ("analyst", "administrator", "auditor", "registrar", "nobody", "no-such-role"):
        assert not is_open(cast, cast.doctor(cast.here, role), patient)


@pytest.mark.parametrize(
    ("status", "ended", "opens"),
    [
        ("in-progress", None, True),
        ("arrived", None, True),
        ("in-progress", 2 * DAY, True),
        ("finished", -6 * DAY, True),
        ("finished", -8 * DAY, False),
        ("finished", None, False),
        ("cancelled", None, False),
        ("entered-in-error", None, False),
    ],
)
def test_a_visit_opens_the_chart_until_a_week_after_its_end(
    cast: Cast, status: str, ended: Any, *, opens: bool
) -> None:
    patient = cast.patient()
    cast.encounter(patient, cast.here, status, ended)
    assert is_open(cast, cast.doctor(cast.here), patient) is opens
    assert not is_open(cast, cast.doctor(cast.there), patient)


@pytest.mark.parametrize(
    ("status", "until", "opens"),
    [
        ("requested", None, True),
        ("accepted", 3 * DAY, True),
        ("in-progress", -DAY, False),
        ("completed", None, False),
        ("completed", DAY, True),
        ("completed", -DAY, False),
        ("rejected", 9 * DAY, False),
        ("draft", None, False),
        ("cancelled", None, False),
    ],
)
def test_a_request_opens_the_chart_while_it_is_open(cast: Cast, status: str, until: Any, *, opens: bool) -> None:
    patient = cast.patient()
    cast.task(patient, cast.here, status, until)
    assert is_open(cast, cast.doctor(cast.here), patient) is opens


def test_access_ends_when_the_request_ends(cast: Cast) -> None:
    patient, hub = cast.patient(), cast.doctor(cast.there)
    task = cast.task(patient, cast.there, "accepted")
    assert is_open(cast, hub, patient)
    cast.write({**task, "owner": {"reference": f"Organization/{cast.here}"}})
    assert not is_open(cast, hub, patient)
    cast.write(task)
    assert is_open(cast, hub, patient)
    cast.run(cast.system.write([Delete(type="Task", id=task["id"])]))
    assert not is_open(cast, hub, patient)


def test_an_episode_opens_the_chart_until_it_ends(cast: Cast) -> None:
    for status, ended, opens in (
        ("active", None, True),
        ("finished", None, False),
        ("finished", -DAY, False),
        ("active", DAY, True),
    ):
        patient = cast.patient()
        cast.episode(patient, cast.here, status, ended)
        assert is_open(cast, cast.doctor(cast.here), patient) is opens


def test_a_citizen_sees_her_own_chart_only(cast: Cast) -> None:
    mine, other = cast.patient(), cast.patient()
    assert is_open(cast, cast.citizen(mine), mine)
    assert not is_open(cast, cast.citizen(mine), other)
    everyone = cast.run(cast.citizen(mine).search(Query.of("Patient", [("_total", "accurate")])))
    assert [v.id for v in everyone.versions] == [mine]
    assert everyone.total == 1


def refused(cast: Cast, access: Access, resource: dict[str, Any]) -> int:
    with pytest.raises(Problem) as refusal:
        cast.write(resource, access)
    return refusal.value.status


def test_a_stranger_cannot_write_into_a_chart(cast: Cast) -> None:
    patient = cast.patient(managingOrganization={"reference": f"Organization/{cast.here}"})
    stranger, doctor = cast.doctor(cast.there), cast.doctor(cast.here)
    body = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": f"Patient/{patient}"},
    }
    seen = cast.write(body, doctor)
    assert refused(cast, stranger, body) == 403
    assert refused(cast, stranger, {**body, "id": str(uuid4())}) == 403
    assert refused(cast, stranger, {**seen, "status": "amended"}) in (403, 404)
    own = cast.write({"resourceType": "Patient"}, stranger)
    assert refused(cast, stranger, {**seen, "subject": {"reference": f"Patient/{own['id']}"}}) == 404
    claim = {"resourceType": "EpisodeOfCare", "status": "active", "patient": {"reference": f"Patient/{patient}"}}
    assert (
        refused(cast, stranger, {**claim, "managingOrganization": {"reference": f"Organization/{cast.there}"}}) == 403
    )
    with pytest.raises(Problem) as gone:
        cast.run(stranger.write([Delete(type="Observation", id=seen["id"])]))
    assert gone.value.status == 404
    cast.run(doctor.write([Delete(type="Observation", id=seen["id"])]))
    assert refused(cast, stranger, {**seen, "subject": {"reference": f"Patient/{own['id']}"}}) == 404
    assert not is_open(cast, stranger, patient)


def test_a_stranger_learns_no_version_from_a_refusal(cast: Cast) -> None:
    patient = cast.patient(managingOrganization={"reference": f"Organization/{cast.here}"})
    with pytest.raises(Problem) as hidden:
        cast.run(cast.doctor(cast.there).write([Delete(type="Patient", id=patient, expected=7)]))
    with pytest.raises(Problem) as absent:
        cast.run(cast.doctor(cast.there).write([Delete(type="Patient", id=str(uuid4()), expected=7)]))
    assert hidden.value.status == absent.value.status == 404


def test_roles_that_do_not_write_charts_cannot(cast: Cast) -> None:
    for access in (cast.citizen(cast.patient()), cast.doctor(cast.here, "analyst"), cast.doctor(cast.here, "nobody")):
        assert refused(cast, access, {"resourceType": "Basic", "code": {"text": "x"}}) == 403
        assert refused(cast, access, {"resourceType": "Organization", "name": "x"}) == 403
    assert refused(cast, cast.doctor(cast.here), {"resourceType": "Organization", "name": "x"}) == 403


def test_what_tells_of_patients_outside_the_compartment_is_open_to_its_authors_only(cast: Cast) -> None:
    doctor, stranger = cast.doctor(cast.here), cast.doctor(cast.there)
    bodies: tuple[dict[str, Any], ...] = (
        {"resourceType": "Binary", "contentType": "text/plain", "data": "aGk="},
        {"resourceType": "Bundle", "type": "collection"},
        {"resourceType": "Parameters"},
        {"resourceType": "Basic", "code": {"text": "x"}},
    )
    for body in bodies:
        made = cast.write(body, doctor)
        assert _reads(cast, doctor, body["resourceType"], made["id"])
        assert not _reads(cast, stranger, body["resourceType"], made["id"])
        assert not _reads(cast, cast.citizen(cast.patient()), body["resourceType"], made["id"])


def test_a_change_by_another_facility_does_not_take_the_chart_away(cast: Cast) -> None:
    patient = cast.write({"resourceType": "Patient"}, cast.doctor(cast.here))
    cast.task(patient["id"], cast.there, "accepted", None)
    cast.write({**patient, "active": True}, cast.doctor(cast.there))
    cast.write({**patient, "active": False})
    assert is_open(cast, cast.doctor(cast.here), patient["id"])
    for task in cast.run(cast.system.search(Query.of("Task", [("patient", f"Patient/{patient['id']}")]))).versions:
        cast.run(cast.system.write([Delete(type="Task", id=task.id)]))
    assert not is_open(cast, cast.doctor(cast.there), patient["id"])


@pytest.mark.parametrize("seed", range(4))
def test_searches_under_a_care_scope_equal_the_rule(cast: Cast, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - repeatable test data
    mark, open_ones, charts = str(uuid4()), set(), {}
    for _ in range(12):
        patient = cast.patient(identifier=[{"system": "urn:s", "value": mark}])
        charts[patient] = {cast.observation(patient, identifier=[{"value": mark}]) for _ in range(rng.randint(0, 3))}
        for _ in range(rng.randint(0, 2)):
            kind, org = rng.choice(["encounter", "task", "episode"]), rng.choice([cast.here, cast.there])
            ended = rng.choice([None, -20 * DAY, 2 * DAY])
            if kind == "encounter":
                cast.encounter(patient, org, status := rng.choice(["in-progress", "finished", "cancelled"]), ended)
                opens = (status == "in-progress" and ended != -20 * DAY) or (status == "finished" and ended == 2 * DAY)
            elif kind == "task":
                cast.task(patient, org, status := rng.choice(["accepted", "completed", "failed"]), ended)
                opens = (status == "accepted" and ended != -20 * DAY) or (status == "completed" and ended == 2 * DAY)
            else:
                cast.episode(patient, org, status := rng.choice(["active", "finished"]), ended)
                opens = (status == "active" and ended != -20 * DAY) or (status == "finished" and ended == 2 * DAY)
            if opens and org == cast.here:
                open_ones.add(patient)
    doctor = cast.doctor(cast.here)
    wanted = {o for p in open_ones for o in charts[p]}
    people = cast.run(
        doctor.search(
            Query.of(
                "Patient",
                [("identifier", f"urn:s|{mark}"), ("_total", "accurate"), ("_revinclude", "Observation:subject")],
            )
        )
    )
    assert ({v.id for v in people.versions}, people.total) == (open_ones, len(open_ones))
    assert {v.id for v in people.included} == wanted
    seen = cast.run(
        doctor.search(
            Query.of(
                "Observation",
                [("identifier", mark), ("_total", "accurate"), ("_count", "2"), ("_include", "Observation:subject")],
            )
        )
    )
    assert seen.total == len(wanted)
    assert {v.id for v in seen.versions} <= wanted
    assert {v.id for v in seen.included} <= open_ones
    found = cast.run(
        doctor.atomically(
            lambda writing: writing.find(Query.of("Observation", [("identifier", mark), ("_count", "100")]))
        )
    )
    assert {v.id for v in found} == wanted


def test_what_is_signed_refuses_change_and_removal(cast: Cast) -> None:
    signed = {"tag": [{"system": "urn:yersin:code-system:state", "code": "signed"}]}
    patient = cast.patient(managingOrganization={"reference": f"Organization/{cast.here}"})
    doctor = cast.doctor(cast.here)
    draft = cast.write(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "x"},
            "subject": {"reference": f"Patient/{patient}"},
        },
        doctor,
    )
    done = cast.write({**draft, "meta": signed}, doctor)
    for access in (doctor, cast.system):
        for body in (done, draft, {**done, "status": "amended"}):
            with pytest.raises(Problem) as refusal:
                cast.write(body, access)
            assert refusal.value.status == 409
            assert "signed" in str(refusal.value)
        with pytest.raises(Problem, match="signed"):
            cast.run(access.write([Delete(type="Observation", id=draft["id"])]))
    assert cast.run(doctor.read("Observation", draft["id"])).ver == 2
