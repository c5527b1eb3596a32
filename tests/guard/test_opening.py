"""A hospital that was asked for advice sees the chart; it may not open it further, to others or to itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.cast import DAY, Cast, moment

from yersin.fhir.problem import Problem
from yersin.store.identity import new_id


def chart(cast: Cast) -> str:
    """A patient kept here, about whom the hospital there is asked for a week."""
    patient = cast.patient(managingOrganization={"reference": f"Organization/{cast.here}"})
    period = {"start": moment(-DAY), "end": moment(7 * DAY)}
    cast.write(task(patient, cast.there, restriction={"period": period}), cast.doctor(cast.here))
    assert cast.run(cast.doctor(cast.there).read("Patient", patient))
    return patient


def task(patient: str, owner: object, **more: Any) -> dict[str, Any]:
    owned = {"owner": {"reference": f"Organization/{owner}"}, "for": {"reference": f"Patient/{patient}"}}
    return {"resourceType": "Task", "status": "requested", "intent": "order", **owned, **more}


def episode(patient: str, keeper: object, **more: Any) -> dict[str, Any]:
    whose = {
        "patient": {"reference": f"Patient/{patient}"},
        "managingOrganization": {"reference": f"Organization/{keeper}"},
    }
    return {"resourceType": "EpisodeOfCare", "status": "active", **whose, **more}


def visit(patient: str, at: object, **more: Any) -> dict[str, Any]:
    whose = {"subject": {"reference": f"Patient/{patient}"}, "serviceProvider": {"reference": f"Organization/{at}"}}
    return {"resourceType": "Encounter", "status": "planned", "class": {"code": "AMB"}, **whose, **more}


@pytest.mark.parametrize("kind", [task, episode, visit])
@pytest.mark.parametrize("to", ["third", "self"])
def test_whoever_was_asked_opens_the_chart_to_nobody(cast: Cast, kind: Callable[..., dict[str, Any]], to: str) -> None:
    patient = chart(cast)
    with pytest.raises(Problem) as refused:
        cast.write(kind(patient, new_id() if to == "third" else cast.there), cast.doctor(cast.there))
    assert refused.value.status == 403
    assert "asked for advice" in str(refused.value)


def test_whoever_was_asked_may_give_work_back_to_who_asked(cast: Cast) -> None:
    patient = chart(cast)
    assert cast.write(task(patient, cast.here), cast.doctor(cast.there))["id"]


def test_whoever_was_asked_may_keep_a_task_of_its_own_within_the_days_agreed(cast: Cast) -> None:
    patient = chart(cast)
    within = {"period": {"end": moment(3 * DAY)}}
    assert cast.write(task(patient, cast.there, restriction=within), cast.doctor(cast.there))["id"]


def test_whoever_was_asked_does_not_become_the_keeper(cast: Cast) -> None:
    patient = chart(cast)
    there = cast.doctor(cast.there)
    body = {"resourceType": "Patient", "id": patient, "name": [{"family": "Người", "given": ["Bệnh"]}]}
    with pytest.raises(Problem) as refused:
        cast.write({**body, "managingOrganization": {"reference": f"Organization/{cast.there}"}}, there)
    assert refused.value.status == 403
    kept = cast.write({**body, "managingOrganization": {"reference": f"Organization/{cast.here}"}}, there)
    assert kept["meta"]["versionId"] == "2"


def test_who_has_the_patient_in_care_opens_the_chart_to_others(cast: Cast) -> None:
    patient, third = chart(cast), new_id()
    cast.write(task(patient, third), cast.doctor(cast.here))
    assert cast.run(cast.doctor(third).read("Patient", patient))


def test_a_visit_that_goes_on_opens_by_itself(cast: Cast) -> None:
    patient = chart(cast)
    there = cast.doctor(cast.there)
    cast.write(visit(patient, cast.there) | {"status": "in-progress"}, there)
    third = new_id()
    cast.write(task(patient, third), there)  # the patient is in care there now
    assert cast.run(cast.doctor(third).read("Patient", patient))
