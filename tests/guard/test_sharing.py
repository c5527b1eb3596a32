"""A request may share a part of a chart: the rest stays closed to the hospital, whichever way it asks."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cast import Cast

from yersin.fhir.problem import Problem
from yersin.guard.access import Access
from yersin.guard.care import SHARED_TYPE
from yersin.search.page import Query
from yersin.store.histories import Wanted

_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
ACTIVE = {"coding": [{"system": _CLINICAL, "code": "active"}]}
KINDS = ("Condition", "Observation", "MedicationRequest", "AllergyIntolerance", "Immunization")
BODIES: dict[str, dict[str, Any]] = {
    "Condition": {},
    "Observation": {"status": "final", "code": {"text": "x"}},
    "MedicationRequest": {"status": "active", "intent": "order", "medicationCodeableConcept": {"text": "x"}},
    "AllergyIntolerance": {"clinicalStatus": ACTIVE},
    "Immunization": {"status": "completed", "vaccineCode": {"text": "x"}, "occurrenceString": "x"},
}


def chart(cast: Cast) -> str:
    """A patient kept here."""
    return cast.patient(managingOrganization={"reference": f"Organization/{cast.here}"})


def record(cast: Cast, kind: str, patient: str) -> str:
    """Record something of a kind."""
    whose = "patient" if kind in ("AllergyIntolerance", "Immunization") else "subject"
    body = {"resourceType": kind, whose: {"reference": f"Patient/{patient}"}, **BODIES[kind]}
    return str(cast.write(body)["id"])


def ask(cast: Cast, patient: str, *types: str) -> dict[str, Any]:
    """A request of the facility here to the one there, sharing some types."""
    body = {
        "resourceType": "Task", "status": "requested", "intent": "order", "authoredOn": datetime.now(UTC).isoformat(),
        "for": {"reference": f"Patient/{patient}"}, "owner": {"reference": f"Organization/{cast.there}"},
        "extension": [{"url": SHARED_TYPE, "valueCode": name} for name in types],
    }  # fmt: skip
    if not types:
        del body["extension"]
    time.sleep(0.002)  # the clock of the database has milliseconds
    return cast.write(body, cast.doctor(cast.here))


def seen(cast: Cast, access: Access, kind: str, id_: str, patient: str) -> bool:
    """Whether a resource is open, asked in every way there is: all must agree."""
    ways = set()
    for ask_for in (access.read, lambda t, i: access.past(t, i, Wanted(limit=9)), lambda t, i: access.vread(t, i, 1)):
        try:
            cast.run(ask_for(kind, id_))
            ways.add(True)
        except Problem as refusal:
            assert refusal.status == 404  # noqa: PT017 - both answers are right, this one only with this status
            ways.add(False)
    found = cast.run(access.search(Query.of(kind, [("_id", id_), ("_total", "accurate")])))
    ways.add(bool(found.versions))
    ways.add(bool(found.total))
    near = cast.run(access.search(Query.of("Patient", [("_id", patient), ("_revinclude", f"{kind}:patient")])))
    ways.add(id_ in [v.id for v in near.included])
    (answer,) = ways
    return answer


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shared=st.sets(st.sampled_from(KINDS), min_size=1), before=st.lists(st.sampled_from(KINDS), max_size=4))
def test_what_is_not_shared_is_closed_in_every_way(cast: Cast, shared: set[str], before: list[str]) -> None:
    patient = chart(cast)
    old = [(kind, record(cast, kind, patient)) for kind in before]
    ask(cast, patient, *sorted(shared))
    new = [(kind, record(cast, kind, patient)) for kind in KINDS]
    there, here = cast.doctor(cast.there), cast.doctor(cast.here)
    for kind, id_ in old:
        assert seen(cast, there, kind, id_, patient) is (kind in shared or kind == "AllergyIntolerance"), kind
        assert seen(cast, here, kind, id_, patient)
    assert all(seen(cast, there, kind, id_, patient) for kind, id_ in new), "recorded since the request"
    assert cast.run(there.shared(patient)) == shared
    assert cast.run(here.shared(patient)) is None


def test_a_request_that_names_nothing_shares_the_whole_chart_and_nonsense_shares_nothing(cast: Cast) -> None:
    patient = chart(cast)
    old = record(cast, "Condition", patient)
    ask(cast, patient, "Chart")
    there = cast.doctor(cast.there)
    assert not seen(cast, there, "Condition", old, patient)
    ask(cast, patient)
    assert seen(cast, there, "Condition", old, patient)
    assert cast.run(there.shared(patient)) is None


def test_a_visit_opens_what_a_request_does_not(cast: Cast) -> None:
    patient = chart(cast)
    old = record(cast, "Condition", patient)
    ask(cast, patient, "Observation")
    cast.encounter(patient, cast.there, "in-progress")
    assert seen(cast, cast.doctor(cast.there), "Condition", old, patient)


@pytest.mark.parametrize("types", [(), ("Condition",), ("Observation", "Condition")])
def test_the_hospital_cannot_open_more_for_itself_but_the_one_that_asked_can(
    cast: Cast, types: tuple[str, ...]
) -> None:
    patient = chart(cast)
    old = record(cast, "Condition", patient)
    task = ask(cast, patient, "Observation")
    more = {**task, "status": "accepted", "extension": [{"url": SHARED_TYPE, "valueCode": name} for name in types]}
    if not types:
        del more["extension"]
    there = cast.doctor(cast.there)
    with pytest.raises(Problem) as refusal:
        cast.write(more, there)
    assert refusal.value.status == 403
    assert not seen(cast, there, "Condition", old, patient)
    cast.write({**task, "status": "accepted"}, there)
    cast.write(more, cast.doctor(cast.here))
    assert seen(cast, there, "Condition", old, patient)


@pytest.mark.parametrize("moment", ["1990-01-01", "2020-01-01T00:00:00Z"])
def test_the_hospital_cannot_open_older_records_by_an_earlier_date(cast: Cast, moment: str) -> None:
    patient = chart(cast)
    old = record(cast, "Condition", patient)
    task = ask(cast, patient, "Observation")
    there = cast.doctor(cast.there)
    with pytest.raises(Problem) as refusal:
        cast.write({**task, "authoredOn": moment}, there)
    assert refusal.value.status == 403
    assert not seen(cast, there, "Condition", old, patient)
