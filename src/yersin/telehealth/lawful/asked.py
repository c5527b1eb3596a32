"""A new request: by the facility that asks, to a hub it may ask, with questions and the patient's consent.

Sources: Law 15/2023/QH15 art. 80; Circular 49/2017/TT-BYT art. 4, 7; src/yersin/telehealth/README.md, "The same over the API".
"""

from __future__ import annotations

from collections.abc import Iterator

from yersin.guard.care import SHARED_TYPE
from yersin.telehealth.asking import is_known
from yersin.telehealth.codes import ACTIVITY, EXT_ASKED, EXT_DAYS, EXT_MODE, SHARED_TYPES, code_of, extension, id_of
from yersin.telehealth.consultations import Consultation

from .facts import Breach, Facts, references

_DAYS = range(1, 91)


def judge(it: Consultation, facts: Facts) -> Breach | None:
    """Say what is against the rules in a new request, or nothing."""
    for part in (_asker, _state, _focus, _hub, _period, _shared, _asked):
        breach = next(part(it, facts), None)
        if breach:
            return breach
    return None


def _asker(it: Consultation, facts: Facts) -> Iterator[Breach]:
    if id_of(it.task.get("requester"), "Organization") != facts.organization or not facts.organization:
        yield Breach(place="Task.requester", text="A facility asks for itself: name the one you act for.", who=True)
    if not facts.roles or "telehealth.ask" not in facts.permissions:
        yield Breach(place="Task.requester", text="Only staff of a facility who may consult can ask.", who=True)


def _state(it: Consultation, _facts: Facts) -> Iterator[Breach]:
    if it.status != "requested" or it.business not in {"", "asked"}:
        yield Breach(place="Task.status", text="A request for consultation begins as requested; write this status.")
    if it.task.get("output"):
        yield Breach(place="Task.output", text="A new request has no answers yet; leave output out.")


def _focus(it: Consultation, facts: Facts) -> Iterator[Breach]:
    if it.request.get("status") != "active":
        text = "The focus is a ServiceRequest with status active; send it in the same transaction."
        yield Breach(place="Task.focus", text=text)
    if id_of(it.request.get("requester"), "PractitionerRole") not in facts.roles:
        text = "ServiceRequest.requester is your own PractitionerRole at the facility that asks."
        yield Breach(place="ServiceRequest.requester", text=text)
    if facts.asked_in:
        text = f"This ServiceRequest is asked in Task/{facts.asked_in} already; write a new one."
        yield Breach(place="Task.focus", text=text)
    if not it.patient or it.patient != id_of(it.request.get("subject"), "Patient"):
        yield Breach(place="Task.for", text="The Task and its ServiceRequest are about the same Patient.")
    kind = code_of(it.task.get("code"), ACTIVITY)
    if kind != code_of(it.request.get("code"), ACTIVITY):
        yield Breach(place="Task.code", text="The Task and its ServiceRequest have the same code.")
    mode = next((str(e.get("valueCode", "")) for e in extension(it.request, EXT_MODE)), "")
    if not is_known(kind, mode, it.task.get("priority", "routine")):
        text = f"The activity {kind!r}, the legal mode {mode!r} or the priority is not one of those in force."
        yield Breach(place="Task.code", text=text)


def _hub(it: Consultation, facts: Facts) -> Iterator[Breach]:
    hub = id_of(it.hub, "Organization")
    if hub not in facts.hubs:
        text = "The owner is a hub that your facility is tied to (OrganizationAffiliation) and that has the specialty in performerType."
        yield Breach(place="Task.owner", text=text)
    performer = references(it.request.get("performer"))
    if len(performer) != 1 or performer[0] not in facts.services(hub):
        text = "ServiceRequest.performer is the hub's HealthcareService for the specialty, and nobody else yet."
        yield Breach(place="ServiceRequest.performer", text=text)


def _period(it: Consultation, facts: Facts) -> Iterator[Breach]:
    period = it.task.get("restriction", {}).get("period", {})
    if not facts.is_now(period.get("start")):
        text = "restriction.period.start is the moment of asking, from which the hub's time is counted: write the present one."
        yield Breach(place="Task.restriction.period.start", text=text)
    if "end" in period:
        text = "When the hub's access ends is written with the conclusion; leave it out."
        yield Breach(place="Task.restriction.period.end", text=text)
    if any(e.get("valuePositiveInt") not in _DAYS for e in extension(it.task, EXT_DAYS)):
        yield Breach(place="Task.extension", text="access-days is a number of days from 1 to 90.")
    try:
        (first,) = it.hubs_asked
        noted = id_of(first["hub"], "Organization") == id_of(it.hub, "Organization") and first["round"] == 1
    except (KeyError, StopIteration, TypeError, ValueError):
        noted = False
    if not noted:
        yield Breach(
            place="Task.extension", text=f"Note the hub asked in one extension {EXT_ASKED}: hub, asked, round 1."
        )


def _shared(it: Consultation, _facts: Facts) -> Iterator[Breach]:
    """What the request says is shared is what its Task opens."""
    if not it.shared:
        return
    said = {name for part in it.shared for name in SHARED_TYPES.get(part, ())}
    opened = {str(e.get("valueCode", "")) for e in extension(it.task, SHARED_TYPE)}
    if not opened or not opened <= said:
        text = f"The request shares {', '.join(it.shared)}: write the types of these parts as {SHARED_TYPE}, and no others."
        yield Breach(place="Task.extension", text=text)


def _asked(it: Consultation, facts: Facts) -> Iterator[Breach]:
    if not it.questions or not all(question.strip() for question in it.questions):
        text = "Ask at least one question: input with a valueString for each."
        yield Breach(place="Task.input", text=text)
    if not facts.consent:
        text = "The patient has not agreed: send a Consent (active, category consultation) in the same transaction."
        yield Breach(place="Task.for", text=text)
