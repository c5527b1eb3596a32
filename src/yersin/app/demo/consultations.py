"""Past consultations at a distance. The seam: `generate(consult=…)` takes any function of this shape in its place.

As written here: ServiceRequest (what the station asked), virtual Encounter (the meeting) and Task (how it went).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from yersin.app.demo.chance import Weighted
from yersin.app.demo.chart import CLASSES, Chart, Trouble, Visit
from yersin.app.demo.codes import ACTIVITY, JSON, SNOMED, SPECIALTIES, concept
from yersin.app.demo.facilities import Facility
from yersin.app.demo.workforce import Worker

URGENCY = Weighted({"routine": 70.0, "urgent": 24.0, "stat": 6.0})
MINUTES = {"routine": (240, 2800), "urgent": (25, 300), "stat": (4, 35)}
#: a hub may open the chart this long after its answer
AFTERWARDS = timedelta(days=7)
REMOTE = concept(SNOMED, "448337001", "Telemedicine consultation with patient", "Khám, tư vấn từ xa")
CARE = concept(
    ACTIVITY, "CONSULT_CARE", "Remote consultation on examination and treatment", "Tư vấn khám, chữa bệnh từ xa"
)
MODE = {"url": "urn:yersin:extension:remote-mode", "valueCode": "INTER_FACILITY_SUPPORT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything a past consultation is written from."""

    visit: Visit
    problem: JSON
    diagnosis: str
    specialty: str
    hub: Facility
    asker: Worker
    expert: Worker
    urgency: str
    question: str
    asked: datetime
    begun: datetime
    ended: datetime


Consult = Callable[[Chart, Case], None]


def case(chart: Chart, trouble: Trouble) -> Case:
    """Invent the course of a consultation that follows a visit."""
    rng, visit = chart.rng, trouble.visit
    urgency = URGENCY.pick(rng)
    asked = datetime.fromisoformat(visit.when) + timedelta(minutes=rng.randint(5, 40))
    begun = _office(asked + timedelta(minutes=int(rng.triangular(*MINUTES[urgency]))), urgency)
    return Case(
        visit=visit, problem=trouble.problem, diagnosis=trouble.diagnosis, specialty=trouble.specialty, hub=chart.sites.hub,
        asker=visit.worker, expert=chart.sites.worker(chart.sites.hub, rng, trouble.specialty), urgency=urgency,
        question=f"{trouble.diagnosis}: đề nghị hướng điều trị tiếp và có cần chuyển tuyến không?", asked=asked, begun=begun,
        ended=begun + timedelta(minutes=rng.randint(9, 38)),
    )  # fmt: skip


def _office(when: datetime, urgency: str) -> datetime:
    """What can wait is not met at night."""
    if urgency != "routine" or 8 <= when.hour < 17:
        return when
    late = when.hour >= 17
    return when.replace(hour=8 + when.minute % 3, minute=when.minute) + timedelta(days=late)


def write(chart: Chart, case: Case) -> None:
    """Write one past consultation."""
    service = {"reference": f"HealthcareService/{case.hub.service_id(case.specialty)}"}
    request = chart.add("ServiceRequest", _request(chart, case, service))
    meeting = chart.add("Encounter", _meeting(chart, case, request))
    chart.add("Task", _task(chart, case, request, meeting))


def recent(day: date, today: date) -> bool:
    """Consultations lie in the last ninety days, none on the last two."""
    return 2 < (today - day).days < 90


def _place(facility: Facility) -> JSON:
    return {"reference": f"Organization/{facility.id}", "display": facility.name}


def _request(chart: Chart, case: Case, service: JSON) -> JSON:
    return {
        "extension": [MODE], "status": "completed", "intent": "order", "category": [REMOTE], "priority": case.urgency,
        "code": CARE, "subject": chart.subject, "encounter": case.visit.ref, "authoredOn": case.asked.isoformat(),
        "requester": case.asker.role_ref, "performerType": SPECIALTIES[case.specialty].concept,
        "performer": [service, case.expert.role_ref],
        "reasonReference": [case.problem], "note": [{"text": case.question}],
    }  # fmt: skip


def _meeting(chart: Chart, case: Case, request: JSON) -> JSON:
    return {
        "status": "finished", "class": CLASSES["VR"], "serviceType": SPECIALTIES[case.specialty].concept,
        "subject": chart.subject, "basedOn": [request],
        "participant": [{"individual": case.asker.ref}, {"individual": case.expert.ref}],
        "period": {"start": case.begun.isoformat(), "end": case.ended.isoformat()},
        "serviceProvider": _place(chart.sites.station),
    }  # fmt: skip


def _task(chart: Chart, case: Case, request: JSON, meeting: JSON) -> JSON:
    return {
        "status": "completed", "intent": "order", "priority": case.urgency, "code": CARE, "focus": request,
        "for": chart.subject, "encounter": case.visit.ref, "authoredOn": case.asked.isoformat(),
        "lastModified": case.ended.isoformat(), "requester": _place(chart.sites.station), "owner": _place(case.hub),
        "restriction": {"period": {"start": case.asked.isoformat(), "end": (case.ended + AFTERWARDS).isoformat()}},
        "executionPeriod": {"start": case.begun.isoformat(), "end": case.ended.isoformat()},
        "output": [{"type": {"text": "Buổi tư vấn"}, "valueReference": meeting}],
    }  # fmt: skip
