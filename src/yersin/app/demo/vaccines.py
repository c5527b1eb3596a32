"""Immunisations of the national programme (Circular 10/2024/TT-BYT and those before it), and the COVID-19 campaign.

A row says from when the dose was given to newborns; doses missed are rarer in infancy than at school age.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from yersin.app.demo.body import BIRTH_WEIGHT, measure_size, months
from yersin.app.demo.body import weight as weigh
from yersin.app.demo.chart import Chart, Diagnosis, Visit, stamp
from yersin.app.demo.codes import CVX, JSON, concept, ref
from yersin.app.demo.facilities import Facility
from yersin.app.demo.workforce import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """One dose of the schedule."""

    vaccine: JSON
    number: int
    months: float
    since: date
    targets: str
    sex: str = ""
    coverage: float = 0.97


def _vaccine(code: str, en: str, vi: str) -> JSON:
    return concept(CVX, code, en, vi)


HEPB = _vaccine("08", "Hep B, adolescent or pediatric", "Viêm gan B sơ sinh")
BCG = _vaccine("19", "BCG", "Lao (BCG)")
PENTA = _vaccine("102", "DTP-Hib-Hep B", "5 trong 1 (DPT-VGB-Hib)")
OPV = _vaccine("178", "OPV bivalent", "Bại liệt uống (bOPV)")
IPV = _vaccine("10", "IPV", "Bại liệt tiêm (IPV)")
ROTA = _vaccine("122", "rotavirus, unspecified formulation", "Rota")
MEASLES = _vaccine("05", "measles", "Sởi")
MR = _vaccine("04", "M/R", "Sởi - Rubella (MR)")
DPT = _vaccine("01", "DTP", "Bạch hầu - Ho gà - Uốn ván (DPT)")
JE = _vaccine("129", "Japanese Encephalitis, unspecified formulation", "Viêm não Nhật Bản")
TD = _vaccine("138", "Td (adult)", "Uốn ván - Bạch hầu giảm liều (Td)")
TETANUS = _vaccine("35", "tetanus toxoid, adsorbed", "Uốn ván")
HPV = _vaccine("62", "HPV, quadrivalent", "HPV")
RABIES = _vaccine("90", "rabies, unspecified formulation", "Dại")
COVID = (
    _vaccine("210", "COVID-19 vaccine, vector-nr, rS-ChAdOx1, PF, 0.5 mL", "COVID-19 (AstraZeneca)"),
    _vaccine("208", "COVID-19, mRNA, LNP-S, PF, 30 mcg/0.3 mL dose", "COVID-19 (Pfizer)"),
    _vaccine("510", "COVID-19 IV Non-US Vaccine (BIBP, Sinopharm)", "COVID-19 (Sinopharm)"),
)

OPENED = date(2010, 6, 1)  # five-in-one reaches every commune
SCHEDULE: tuple[Dose, ...] = tuple(
    Dose(vaccine=vaccine, number=number, months=age, since=since, targets=targets, sex=sex, coverage=coverage)
    for vaccine, number, age, since, targets, sex, coverage in (
        (HEPB, 1, 0.01, OPENED, "Viêm gan B", "", 0.93),
        (BCG, 1, 0.5, OPENED, "Lao", "", 0.98),
        (PENTA, 1, 2.1, OPENED, "Bạch hầu, ho gà, uốn ván, viêm gan B, Hib", "", 0.98),
        (PENTA, 2, 3.2, OPENED, "Bạch hầu, ho gà, uốn ván, viêm gan B, Hib", "", 0.97),
        (PENTA, 3, 4.3, OPENED, "Bạch hầu, ho gà, uốn ván, viêm gan B, Hib", "", 0.95),
        (OPV, 1, 2.1, OPENED, "Bại liệt", "", 0.98),
        (OPV, 2, 3.2, OPENED, "Bại liệt", "", 0.97),
        (OPV, 3, 4.3, OPENED, "Bại liệt", "", 0.95),
        (ROTA, 1, 2.1, date(2024, 7, 1), "Tiêu chảy do vi rút Rota", "", 0.9),
        (ROTA, 2, 3.2, date(2024, 7, 1), "Tiêu chảy do vi rút Rota", "", 0.88),
        (IPV, 1, 5.2, date(2018, 8, 1), "Bại liệt", "", 0.93),
        (MEASLES, 1, 9.1, OPENED, "Sởi", "", 0.96),
        (IPV, 2, 9.1, date(2021, 1, 1), "Bại liệt", "", 0.9),
        (JE, 1, 12.1, date(2014, 1, 1), "Viêm não Nhật Bản", "", 0.94),
        (JE, 2, 12.6, date(2014, 1, 1), "Viêm não Nhật Bản", "", 0.92),
        (MR, 2, 18.2, date(2013, 9, 1), "Sởi, rubella", "", 0.93),
        (DPT, 4, 18.2, OPENED, "Bạch hầu, ho gà, uốn ván", "", 0.91),
        (JE, 3, 24.4, date(2014, 1, 1), "Viêm não Nhật Bản", "", 0.88),
        (TD, 5, 85.0, date(2017, 9, 1), "Uốn ván, bạch hầu", "", 0.82),
        (HPV, 1, 133.0, date(2014, 10, 1), "HPV", "female", 0.55),
    )
)
WELL_CHILD = Diagnosis("Z00.1", "Khám sức khỏe định kỳ cho trẻ em")
VACCINATION = Diagnosis("Z26.9", "Tiêm chủng phòng bệnh truyền nhiễm")


def childhood(chart: Chart) -> None:
    """Give the doses of the schedule; a session at the station weighs and measures the child as well."""
    person, rng = chart.person, chart.rng
    if person.born < OPENED:
        return
    late = rng.triangular(0, 1.2, 0.1)
    days: dict[date, list[Dose]] = {}
    for dose in SCHEDULE:
        if person.born < dose.since or (dose.sex and dose.sex != person.sex) or rng.random() > dose.coverage:
            continue
        delay = 0 if dose.months < 0.1 else int(late * (5 + dose.months))
        day = person.born + timedelta(days=int(dose.months * 30.44) + delay)
        if chart.alive(day):
            days.setdefault(day, []).append(dose)
    for day, doses in sorted(days.items()):
        _session(chart, day, doses)


def _session(chart: Chart, day: date, doses: list[Dose]) -> None:
    newborn = doses[0].months < 0.1
    recent = (chart.today - day).days < 365 * 3
    visit = None
    if recent:
        site = chart.sites.centre if newborn else chart.sites.station
        reason = VACCINATION if not newborn else WELL_CHILD
        visit = chart.visit(day, site, reason.concept, specialty="obstetrics" if newborn else "general")
        if newborn:
            chart.vital(visit, BIRTH_WEIGHT, weigh(chart.person, chart.person.born) * 1000)
        else:
            measure_size(chart, visit)
    for dose in doses:
        immunise(chart, day, dose.vaccine, dose.number, targets=dose.targets, visit=visit)


def immunise(
    chart: Chart, day: date, vaccine: JSON, number: int, *, targets: str = "", visit: Visit | None = None
) -> None:
    """Append one Immunization."""
    site: Facility = visit.site if visit else chart.sites.station
    worker: Worker = visit.worker if visit else chart.sites.worker(site, chart.rng)
    elements: JSON = {
        "status": "completed", "vaccineCode": vaccine, "patient": chart.subject,
        "occurrenceDateTime": visit.when if visit else stamp(day, chart.rng.randrange(450, 660)), "primarySource": True,
        "location": {"reference": f"Location/{site.location_id}"}, "lotNumber": f"MAU{chart.rng.randrange(1000, 9999)}",
        "performer": [{"actor": worker.ref}, {"actor": ref("Organization", site.id, site.name)}],
        "protocolApplied": [{"doseNumberPositiveInt": number, **({"targetDisease": [{"text": targets}]} if targets else {})}],
    }  # fmt: skip
    if visit:
        elements["encounter"] = visit.ref
    chart.add("Immunization", elements)


def covid(chart: Chart) -> None:
    """Give the campaign's doses of 2021 and 2022 to those of age then."""
    rng = chart.rng
    if chart.person.age(date(2021, 9, 1)) < 12 or rng.random() < 0.08:
        return
    product = rng.choice(COVID)
    day = date(2021, 8, 1) + timedelta(days=rng.randrange(90))
    for number in range(1, rng.choice((2, 3, 3, 3)) + 1):
        if chart.alive(day):
            immunise(chart, day, product if number < 3 else COVID[1], number, targets="COVID-19")
        day += timedelta(days=rng.randint(28, 60) if number == 1 else rng.randint(100, 170))


def school_check(chart: Chart, year: int) -> None:
    """Weigh and measure a pupil in September."""
    day = date(year, 9, 1) + timedelta(days=chart.rng.randrange(28))
    if chart.alive(day) and 60 <= months(chart.person, day) < 216:
        visit = chart.visit(day, chart.sites.station, WELL_CHILD.concept, specialty="general")
        measure_size(chart, visit)
