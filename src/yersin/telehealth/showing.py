"""Words for what codes say: states, refusals, parts of the chart. Pages only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from yersin.web.language import N_, ngettext
from yersin.web.language import gettext as _

from .consultations import Consultation
from .people import Person
from .rules import Refusal

STATES: Final = {
    "requested": (N_("Asked, not yet opened"), "info"),
    "received": (N_("Opened by the hospital"), "info"),
    "accepted": (N_("Accepted"), "ok"),
    "in-progress": (N_("In consultation"), "ok"),
    "on-hold": (N_("Waiting for the station's answer"), "warn"),
    "completed": (N_("Concluded"), "ok"),
    "rejected": (N_("Nobody took it"), "danger"),
    "cancelled": (N_("Withdrawn"), "quiet"),
}
_FINER: Final = {
    "proposed-time": (N_("A time is proposed"), "warn"),
    "agreed-time": (N_("A time is agreed"), "ok"),
    "answered": (N_("The station has answered"), "info"),
    "handed-over": (N_("Handed over to a colleague"), "ok"),
    "signed-by-hub": (N_("Signed by the specialist"), "warn"),
    "signed-by-both": (N_("Signed by both sides"), "ok"),
}
PARTS: Final = (
    ("problems", N_("Problems and diagnoses")),
    ("medications", N_("Medicines")),
    ("results", N_("Vital signs and results")),
    ("files", N_("Documents and images")),
    ("immunizations", N_("Immunizations")),
    ("encounters", N_("Visits")),
)
TOLD: Final = (
    ("spoken", N_("By word of mouth, in a language the patient understands")),
    ("interpreter", N_("Through an interpreter")),
    ("relative", N_("To a relative or guardian, because the patient cannot decide")),
    ("emergency", N_("Emergency: the patient could not be told before")),
)
WHY: Final = {
    "side": N_("Only the other side can do this."),
    "state": N_("The request has moved on in the meantime. This is how it stands now."),
    "taken": N_("A colleague has accepted this request."),
    "not-accepted": N_("Accept the request first."),
    "signed": N_("This is signed already."),
    "unsigned": N_("The specialist has not signed yet."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a list of requests."""

    it: Consultation
    person: Person
    mine: bool


def state(it: Consultation) -> tuple[str, str]:
    """State in words, and the kind of badge."""
    if it.status in {"accepted", "completed", "received"} and it.business in _FINER:
        words, kind = _FINER[it.business]
    else:
        words, kind = STATES.get(it.status, (it.status, "quiet"))
    return _(words), kind


def refusal(answer: Refusal) -> str:
    """A refusal in words."""
    return _(WHY[answer.why])


def words(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Choices in the language of the page."""
    return [(code, _(text)) for code, text in pairs]


def span(within: timedelta) -> str:
    """How long a clock runs, in words."""
    minutes = int(within.total_seconds() // 60)
    if minutes < 60:
        return ngettext("%(num)s minute", "%(num)s minutes", minutes)
    return ngettext("%(num)s hour", "%(num)s hours", minutes // 60)
