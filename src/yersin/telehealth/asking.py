"""Asking: one transaction writes the request, its Task at the first hub, and the patient's consent.

Sources: Law 15/2023/QH15 art. 80; Circular 49/2017/TT-BYT art. 7 (numbered questions); https://hl7.org/fhir/R4/consent.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from yersin.fhir.problem import problem
from yersin.guard.access import Access
from yersin.guard.care import SHARED_TYPE
from yersin.guard.writing import Change, Create, Writing
from yersin.store.identity import new_id

from . import law
from .codes import (
    ACTIVITY,
    BUSINESS,
    CONSENT,
    EXT_DAYS,
    EXT_MODE,
    EXT_SHARED,
    EXT_TOLD,
    ICD10,
    JSON,
    LOINC,
    PART,
    REMOTE,
    SHARED_TYPES,
    TERMS,
    concept,
    ref,
)
from .consultations import asked_hub
from .reading import clock, typed
from .routing import Pool
from .staff import Post


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A diagnosis in words, with its code where one was chosen."""

    text: str
    icd10: str = ""

    @property
    def concept(self) -> JSON:
        coding: JSON = {"coding": [{"system": ICD10, "code": self.icd10}]} if self.icd10 else {}
        return {**coding, "text": self.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked."""

    patient: str
    patient_name: str
    activity: str
    mode: str
    urgency: str
    pool: Pool
    questions: tuple[str, ...]
    diagnosis: Diagnosis | None
    history: str
    shared: tuple[str, ...]
    days: int
    told: str
    recording: bool


async def ask(access: Access, post: Post, wish: Wish, key: str) -> str:
    """Write a request and return its id. The same key sent again by the same person answers with the first request."""

    async def work(writing: Writing) -> str:
        task = new_id()
        kept = await once(writing, access, key, str(task))
        if kept != str(task):
            return kept
        await writing.write(_changes(wish, post, task, await clock(writing)))
        return kept

    return await access.atomically(work)


async def once(writing: Writing, access: Access, key: str, answer: str) -> str:
    """Claim a form for this transaction; another sending of the same form waits here and gets the first answer."""
    if not key:
        raise problem("required", "The form carries no idempotency key. Open it again.", status=422)
    sql = (
        "INSERT INTO telehealth_once (account, key, answer) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING answer"
    )
    made = await writing.connection.fetchval(sql, access.who.account, key, answer)
    if made is None:
        sql = "SELECT answer FROM telehealth_once WHERE account = $1 AND key = $2"
        made = await writing.connection.fetchval(sql, access.who.account, key)
    return str(made)


def _changes(wish: Wish, post: Post, task: UUID, at: datetime) -> list[Change]:
    request = new_id()
    made = [
        (request, request_of(wish, post, at)),
        (task, task_of(wish, post, str(request), at)),
        (new_id(), _consent(wish, post, at, "consultation", given=True)),
        (new_id(), _consent(wish, post, at, "recording", given=wish.recording)),
    ]
    return [Create(resource=typed(document), id=key) for key, document in made]


def request_of(wish: Wish, post: Post, at: datetime) -> JSON:
    """The ServiceRequest: what is asked, of whom, why, with what shown."""
    patient = ref("Patient", wish.patient)
    parts = [{"url": EXT_SHARED, "valueCode": part} for part in wish.shared]
    return {
        "resourceType": "ServiceRequest",
        "extension": [{"url": EXT_MODE, "valueCode": wish.mode}, *parts],
        "status": "active",
        "intent": "order",
        "category": [REMOTE],
        "priority": wish.urgency,
        "code": concept(ACTIVITY, wish.activity),
        "subject": patient,
        "authoredOn": at.isoformat(),
        "requester": post.ref,
        "performerType": wish.pool.concept,
        "performer": [ref("HealthcareService", wish.pool.service)],
        "reasonCode": [wish.diagnosis.concept] if wish.diagnosis else None,
        "supportingInfo": [{**patient, "display": "Hồ sơ sức khỏe"}],
        "note": [{"text": wish.history, "time": at.isoformat()}] if wish.history else None,
    }


def _limits(wish: Wish) -> list[JSON]:
    """What the guard opens to the hub besides what is recorded from now on; nothing said is the whole chart."""
    types = dict.fromkeys(name for part in wish.shared for name in SHARED_TYPES[part])
    return [{"url": SHARED_TYPE, "valueCode": name} for name in types]


def task_of(wish: Wish, post: Post, request: str, at: datetime) -> JSON:
    """The Task at the first hub. Its owner and its restriction's period are what opens the chart to the hub."""
    hub = ref("Organization", wish.pool.hub, wish.pool.hub_name)
    return {
        "resourceType": "Task",
        "extension": [{"url": EXT_DAYS, "valuePositiveInt": wish.days}, asked_hub(hub, at, 1), *_limits(wish)],
        "status": "requested",
        "businessStatus": concept(BUSINESS, "asked"),
        "intent": "order",
        "priority": wish.urgency,
        "code": concept(ACTIVITY, wish.activity),
        "focus": ref("ServiceRequest", request),
        "for": ref("Patient", wish.patient),
        "authoredOn": at.isoformat(),
        "lastModified": at.isoformat(),
        "requester": post.place,
        "owner": hub,
        "restriction": {"period": {"start": at.isoformat()}},
        "input": [
            {"type": concept(PART, "question", f"Câu hỏi {n}"), "valueString": q}
            for n, q in enumerate(wish.questions, 1)
        ],
    }


def _consent(wish: Wish, post: Post, at: datetime, kind: str, *, given: bool) -> JSON:
    told = [
        {
            "url": EXT_TOLD,
            "extension": [{"url": "by", "valueReference": post.ref}, {"url": "how", "valueCode": wish.told}],
        }
    ]
    return {
        "resourceType": "Consent",
        "extension": told,
        "status": "active" if given else "rejected",
        "scope": {"coding": [{"system": TERMS + "consentscope", "code": "treatment"}]},
        "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}, concept(CONSENT, kind)],
        "patient": ref("Patient", wish.patient),
        "dateTime": at.isoformat(),
        "performer": [ref("Patient", wish.patient)],
        "organization": [post.place],
        "policyRule": {"coding": [{"system": TERMS + "v3-ActCode", "code": "OPTIN"}]},
        "verification": [{"verified": given, "verificationDate": at.isoformat()}],
        "provision": {"type": "permit" if given else "deny"},
    }


def first_pool(listed: list[Pool], specialty: str) -> Pool | None:
    """The pool of a specialty that is asked first."""
    return next((pool for pool in listed if pool.specialty == specialty), None)


def is_known(activity: str, mode: str, urgency: str) -> bool:
    """Whether the codes are ones the law data knows."""
    known = (law.named(law.ACTIVITIES, activity), law.named(law.MODES, mode), law.named(law.URGENCIES, urgency))
    return all(known)
