"""Short illnesses as they happen to a person: when, where seen, what is measured, tested, given and written."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

from yersin.app.demo.body import WEIGHT, measure_fever, measure_pressure, weight
from yersin.app.demo.chance import Weighted
from yersin.app.demo.chart import Chart, Visit
from yersin.app.demo.codes import JSON
from yersin.app.demo.documents import discharge_summary
from yersin.app.demo.illnesses import ILLNESSES, Illness

COMPLAINTS = {"fever": "Sốt", "breath": "Ho, khó thở", "other": "Khám bệnh"}
RATE = (2.6, 1.35, 0.8, 1.3)


def band(years: int) -> int:
    """Place of an age among the four bands."""
    return 0 if years < 5 else 1 if years < 15 else 2 if years < 60 else 3


@cache
def _table(years: int, month: int, sex: str) -> Weighted[Illness]:
    return Weighted(
        {
            one: one.ages[years] * (1.0 if not one.season else 1.7 if month in one.season else 0.35)
            for one in ILLNESSES
            if one.ages[years] and one.sex in {"", sex}
        }
    )


def episodes(chart: Chart, years: float) -> None:
    """Let illnesses happen over the last `years`."""
    rng, person = chart.rng, chart.person
    span = int(years * 365)
    day = chart.today - timedelta(days=span)
    while True:
        rate = RATE[band(max(0, person.age(max(day, person.born))))]
        day += timedelta(days=1 + int(rng.expovariate(rate) * 365))
        if day > chart.last:
            return
        if day > person.born + timedelta(days=20):
            illness = _table(band(person.age(day)), day.month, person.sex).pick(rng)
            episode(chart, illness, day)


def episode(chart: Chart, illness: Illness, day: date) -> tuple[Visit, JSON]:
    """Write one illness: seen at the station, or admitted."""
    rng = chart.rng
    stay = rng.randint(4, 9) if rng.random() < illness.stay and chart.alive(day + timedelta(days=10)) else 0
    visit = _seen(chart, illness, day, stay)
    _measured(chart, illness, visit)
    results = illness.work_up(chart, visit) if illness.work_up and (stay or rng.random() < 0.5) else []
    problem = chart.condition(
        visit, illness.diagnosis, until=min(day + timedelta(days=illness.days + stay), chart.last)
    )
    child = chart.person.age(day) < 12
    for medicine in illness.for_children if child and illness.for_children else illness.medicines:
        chart.prescribe(visit, medicine, problem)
    if illness.after:
        illness.after(chart, visit)
    if illness.specialty != "internal" or illness.breathless:
        chart.trouble(visit, problem, illness.diagnosis, illness.specialty)
    if stay:
        discharge_summary(chart, visit, illness.diagnosis, stay, bool(results))
    return visit, problem


def _seen(chart: Chart, illness: Illness, day: date, stay: int) -> Visit:
    site = chart.sites.station if not stay else chart.rng.choice((chart.sites.centre, chart.sites.hospital))
    words = (
        COMPLAINTS["breath"]
        if illness.breathless
        else COMPLAINTS["fever"]
        if illness.fever > 1
        else illness.diagnosis.vi
    )
    child = chart.person.age(day) < 15
    specialty = "general" if not stay else "paediatrics" if child else illness.specialty
    return chart.visit(day, site, {"text": words}, class_="IMP" if stay else "AMB", specialty=specialty, days=stay)


def _measured(chart: Chart, illness: Illness, visit: Visit) -> None:
    measure_fever(chart, visit, illness.fever, breathless=illness.breathless)
    years = chart.person.age(visit.day)
    if years >= 15:
        measure_pressure(chart, visit)
    elif years < 12:
        chart.vital(visit, WEIGHT, weight(chart.person, visit.day) * chart.rng.uniform(0.98, 1.02))
