"""The strip of latest vital signs: values, where they stand for the age, and their trend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from yersin.web.language import gettext as _
from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name
from yersin.web.wording import as_number

from . import graph
from .chart import Chart
from .measures import Measured
from .vitals import SIGNS, Level, worst

POINTS = 12
LABELS: Mapping[str, str] = {
    "systolic": N_("Systolic"),
    "diastolic": N_("Diastolic"),
    "pulse": N_("Pulse"),
    "temperature": N_("Temperature"),
    "respiration": N_("Breaths"),
    "saturation": "SpO₂",
    "weight": N_("Weight"),
    "height": N_("Height"),
    "bmi": "BMI",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value of the strip."""

    label: str
    text: str
    unit: str
    level: str
    when: datetime
    trend: Markup
    href: str
    is_old: bool


def readings(chart: Chart) -> list[Reading]:
    """Latest vital signs, blood pressure as one."""
    measured = chart.measured()
    found = [_pressure(chart, measured)] if "systolic" in measured and "diastolic" in measured else []
    names = ("pulse", "temperature", "respiration", "saturation", "weight", "bmi", "height")
    return [*found, *(_single(chart, name, measured[name]) for name in names if name in measured)]


def _pressure(chart: Chart, measured: Mapping[str, Sequence[Measured]]) -> Reading:
    upper, lower = measured["systolic"][0], measured["diastolic"][0]
    level = worst([upper.level_of("systolic", chart.age), lower.level_of("diastolic", chart.age)])
    text = f"{as_number(upper.value, 0)}/{as_number(lower.value, 0)}"
    return Reading(
        label=_("Blood pressure"),
        text=text,
        unit="mmHg",
        level=level.value,
        when=upper.when,
        trend=spark(measured["systolic"], level),
        href=f"/records/{chart.id}/results/85354-9",
        is_old=_is_old(chart, upper),
    )


def _single(chart: Chart, field: str, values: Sequence[Measured]) -> Reading:
    one = values[0]
    level = one.level_of(field, chart.age)
    return Reading(
        label=_(LABELS[field]),
        text=as_number(one.value, SIGNS[field].digits),
        unit=unit(field),
        level=level.value,
        when=one.when,
        trend=spark(values, level),
        href=f"/records/{chart.id}/results/{SIGNS[field].code}",
        is_old=_is_old(chart, one),
    )


def _is_old(chart: Chart, one: Measured) -> bool:
    return (chart.today - one.when.date()).days > 365


def unit(field: str) -> str:
    """Give the unit of a sign in the person's language."""
    return _("/min") if SIGNS[field].ucum == "/min" else SIGNS[field].unit


def spark(values: Sequence[Measured], level: Level) -> Markup:
    """Draw the trend of the latest values."""
    return graph.spark([m.value for m in reversed(values[:POINTS])], level.value)
