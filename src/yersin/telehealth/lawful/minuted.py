"""The minutes of a consultation: written by who accepted, final with the conclusion and not without it; additions come after."""

from __future__ import annotations

from collections.abc import Iterator

from yersin.telehealth import rules
from yersin.telehealth.codes import JSON, id_of
from yersin.telehealth.consultations import Consultation
from yersin.telehealth.minutes import is_addendum
from yersin.telehealth.rules import Refusal

from .facts import Breach, Facts, look
from .gathering import is_signed


def judge(before: JSON, after: JSON, it: Consultation, concluded: JSON, facts: Facts) -> Breach | None:
    """Say what is against the rules in a Composition of a meeting; `it`: its request, `concluded`: that request once concluded here."""
    if not after:
        return Breach(place="Composition", text="What is written of a consultation is not deleted.")
    if "telehealth.sign" not in facts.permissions:
        return Breach(place="Composition", text="Your role does not allow this (telehealth.sign).", who=True)
    if is_addendum(after) and (not before or is_addendum(before)):
        return next(_addition(it, facts), None)
    return next(_minutes(before, after, it, concluded, facts), None)


def _addition(it: Consultation, facts: Facts) -> Iterator[Breach]:
    if look(it, facts).side not in {"asker", "hub"}:
        yield Breach(place="Composition", text="Only the two sides of a consultation add to its minutes.", who=True)
    if it.status != "completed":
        yield Breach(place="Composition.relatesTo", text="There are no signed minutes to add to.")


def _minutes(before: JSON, after: JSON, it: Consultation, concluded: JSON, facts: Facts) -> Iterator[Breach]:
    answer = rules.decide("conclude", look(it, facts))
    if isinstance(answer, Refusal):
        text = "Minutes are written by who accepted the request, until it is concluded; afterwards write an addendum."
        yield Breach(place="Composition", text=text, who=answer.why in {"side", "taken"})
    if before and before.get("encounter") != after.get("encounter"):
        yield Breach(place="Composition.encounter", text="Minutes stay with the meeting they are of.")
    if not any(id_of(author, "PractitionerRole") in facts.roles for author in after.get("author", ())):
        yield Breach(
            place="Composition.author", text="Who writes the minutes is their author: your own PractitionerRole."
        )
    if not is_signed(after) and after.get("status") != "preliminary":
        yield Breach(place="Composition.status", text="Minutes are preliminary until they are final and tagged signed.")
    if is_signed(after) and after["id"] not in _named(concluded):
        text = "Minutes become final with the conclusion: write the Task, completed, in the same transaction."
        yield Breach(place="Composition.status", text=text)


def _named(task: JSON) -> set[str]:
    """Minutes that a Task names."""
    return {id_of(o.get("valueReference"), "Composition") for o in task.get("output", ())}
