"""Words of the page: names of provinces, activities, urgencies, ages and spans of time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from yersin.registry import units_data
from yersin.registry.units import REFORM, Unit, unaccented
from yersin.web import language
from yersin.web.language import N_
from yersin.web.language import gettext as _
from yersin.web.wording import as_date, zone

from .figures import Count
from .rules import BANDS

#: codes of the activities of Circular 49/2017, article 1
ACTIVITIES = {
    "CONSULT_CARE": N_("Consultation on examination and treatment"),
    "CONSULT_IMAGING": N_("Consultation on diagnostic imaging"),
    "CONSULT_PATHOLOGY": N_("Consultation on pathology"),
    "CONSULT_SURGERY": N_("Consultation during surgery"),
    "ADVICE": N_("Health advice"),
    "TRAINING": N_("Training and handing over of techniques"),
}
SEXES = {"female": N_("Female"), "male": N_("Male"), "other": N_("Other"), "unknown": N_("Not known")}
STATES = {
    "active": N_("Open"),
    "completed": N_("Concluded"),
    "revoked": N_("Withdrawn"),
    "on-hold": N_("Waiting"),
    "unknown": N_("Not known"),
}
PERIODS = {
    "7": N_("7 days"), "30": N_("30 days"), "90": N_("90 days"), "month": N_("This month"), "year": N_("This year"),
}  # fmt: skip
COMPARISONS = {"before": N_("The period just before"), "year": N_("The same period last year")}


def provinces() -> dict[str, Unit]:
    """The 34 provinces by code, in the order of their names' codes."""
    return {unit.code: unit for unit in units_data.bundled().children("", REFORM)}


def province(code: str) -> str:
    """Name of a province in the language of the page."""
    unit = provinces().get(code)
    if unit is None:
        return _("Not known")
    return unit.name_en if language.current() == "en" else unit.name


def named_provinces() -> list[tuple[str, str]]:
    """Provinces to choose from, in the order of their names without marks."""
    return sorted(((code, province(code)) for code in provinces()), key=lambda each: unaccented(each[1]))


def named_activities(codes: Iterable[str]) -> list[tuple[str, str]]:
    """Activities to choose from."""
    return [(code, activity(code)) for code in codes]


def translated(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Choices with their words in the language of the page."""
    return [(code, _(text)) for code, text in texts.items()]


def by_asked(counts: Mapping[str, Count]) -> list[tuple[str, Count]]:
    """Cuts in the order of what was asked, the most first."""
    return sorted(counts.items(), key=lambda each: (-each[1].asked, each[0]))


def clock(moment: datetime) -> str:
    """Time of day to the second, with the day."""
    local = moment.astimezone(zone.get())
    return f"{local:%H:%M:%S} {as_date(local)}"


def activity(code: str) -> str:
    """Name of an activity; an unknown code stands for itself."""
    return _(ACTIVITIES[code]) if code in ACTIVITIES else code


def specialty(count: Count, code: str) -> str:
    """Name of a specialty as the requests give it."""
    return (count.name_en if language.current() == "en" else count.name_vi) or code


def band(number: int) -> str:
    """Age group, numbered from 1."""
    first = BANDS[max(number - 1, 0)]
    if number >= len(BANDS):
        return _("%(age)s and over", age=first)
    return _("%(first)s to %(last)s years", first=first, last=BANDS[number] - 1)


def duration(minutes: float | None) -> str:
    """Span of time in two units at most."""
    if minutes is None:
        return "—"
    whole = round(minutes)
    if whole < 60:
        return _("%(minutes)s min", minutes=whole)
    if whole < 48 * 60:
        return _("%(hours)s h %(minutes)s min", hours=whole // 60, minutes=f"{whole % 60:02}")
    return _("%(days)s d %(hours)s h", days=whole // 1440, hours=whole % 1440 // 60)


def state(code: str) -> str:
    """State of a request."""
    return _(STATES.get(code, STATES["unknown"]))
