"""Reads what the judgements rest on: the two sides of a request before and after a transaction, and the facts beside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from yersin.guard.laws import Case, Step
from yersin.guard.roles import ROLES
from yersin.search.page import Query
from yersin.store.versions import Version
from yersin.telehealth import routing, staff
from yersin.telehealth.codes import ACTIVITY, CONSENT, JSON, STATE, code_of, id_of
from yersin.telehealth.consultations import Consultation
from yersin.telehealth.reading import content

from .facts import Facts


def said(version: Version | None) -> JSON:
    """Content of a version, empty for none."""
    return content(version) if version else {}


def is_consultation(document: JSON) -> bool:
    """Whether a Task or a ServiceRequest is one of a consultation."""
    return bool(code_of(document.get("code"), ACTIVITY))


def _joined(task: JSON, request: JSON) -> Consultation:
    return Consultation(task=task, request=request, task_version=0, request_version=0)


async def pair(step: Step, case: Case) -> tuple[Consultation, Consultation]:
    """A request before and after a step on its Task; without a part of its own in the transaction the ServiceRequest stays."""
    old, new = said(step.before), said(step.after)
    before, _ = await _request(old, case, hidden=True)
    _, after = await _request(new, case, hidden=new.get("focus") == old.get("focus"))
    return _joined(old, before), _joined(new, after)


async def _request(task: JSON, case: Case, *, hidden: bool) -> tuple[JSON, JSON]:
    """The ServiceRequest a Task is about, before and after the transaction."""
    focus = id_of(task.get("focus"), "ServiceRequest")
    step = case.step("ServiceRequest", focus)
    if step is not None:
        return said(step.before), said(step.after)
    found = said(await case.read("ServiceRequest", focus, hidden=hidden)) if focus else {}
    return found, found


async def facts(case: Case) -> Facts:
    """Who writes, at which moment."""
    who = case.who
    query = staff.posts(who)
    roles = tuple(v.id for v in (await case.search(query)).versions) if query else ()
    return Facts(
        organization=who.organization_id or "",
        roles=roles,
        permissions=ROLES.get(who.role, frozenset()),
        at=await case.clock(),
        minutes=frozenset(_signed(case)),
    )


def _signed(case: Case) -> Iterable[str]:
    return [step.id for step in case.steps_of("Composition") if is_signed(said(step.after))]


def is_signed(document: JSON) -> bool:
    """Whether a Composition is final and marked so that nothing changes it any more."""
    tags = [(t.get("system"), t.get("code")) for t in document.get("meta", {}).get("tag", ())]
    return document.get("status") == "final" and (STATE, "signed") in tags


async def for_new(it: Consultation, case: Case) -> Facts:
    """Facts on which a new request is judged."""
    known = await facts(case)
    focus = id_of(it.task.get("focus"), "ServiceRequest")
    made_here = (step := case.step("ServiceRequest", focus)) is not None and step.before is None
    asked_in = "" if made_here or not focus else await _asked_in(focus, it.task["id"], case)
    consent = await _has_consent(it.patient, case)
    return replace(known, pools=await _pools(it, case), consent=consent, asked_in=asked_in)


async def for_change(before: Consultation, after: Consultation, case: Case) -> Facts:
    """Facts on which a change is judged; where it may go next is read only for what is passed on."""
    known = await facts(case)
    passed_on = after.status in {"requested", "rejected"} and after.status != before.status
    if passed_on or after.hub != before.hub:
        known = replace(known, pools=await _pools(before, case))
    named = id_of(after.accepted_by, "PractitionerRole")
    if named and after.accepted_by != before.accepted_by and named not in known.roles:
        known = replace(known, colleague=await _is_colleague(named, before.pool, case))
    return known


async def _pools(it: Consultation, case: Case) -> tuple[routing.Pool, ...]:
    spoke = id_of(it.task.get("requester"), "Organization")
    if not spoke or not it.specialty_code:
        return ()
    listed = routing.pools_of(await case.search(routing.affiliations(spoke)))
    return tuple(pool for pool in listed if pool.specialty == it.specialty_code)


async def _is_colleague(role: str, pool: str, case: Case) -> bool:
    found = said(await case.read("PractitionerRole", role))
    services = {id_of(s, "HealthcareService") for s in found.get("healthcareService", ())}
    return found.get("active", True) is True and pool in services


async def tasks_on(request: str, case: Case) -> list[Version]:
    """Consultations that are asked with a ServiceRequest, open to the writer or not."""
    query = Query.of("Task", [("focus", f"ServiceRequest/{request}"), ("code", f"{ACTIVITY}|")])
    return list((await case.search(query, hidden=True)).versions)


async def _asked_in(request: str, task: str, case: Case) -> str:
    return next((v.id for v in await tasks_on(request, case) if v.id != task), "")


async def _has_consent(patient: str, case: Case) -> bool:
    here = [said(step.after) for step in case.steps_of("Consent")]
    if any(_agrees(one, patient) for one in here):
        return True
    if not patient:
        return False
    pairs = [("patient", f"Patient/{patient}"), ("category", f"{CONSENT}|consultation"), ("status", "active")]
    return any(_agrees(content(v), patient) for v in (await case.search(Query.of("Consent", pairs))).versions)


def _agrees(consent: JSON, patient: str) -> bool:
    about = {code_of(category, CONSENT) for category in consent.get("category", ())}
    denied = consent.get("provision", {}).get("type") == "deny"
    whose = id_of(consent.get("patient"), "Patient") == patient
    return whose and "consultation" in about and consent.get("status") == "active" and not denied
