"""Lasting diseases and their follow-up: pressures, sugars and medicines that answer each other over the years.

Thresholds and steps follow Vietnam's guides for stations (Decision 5904/QĐ-BYT 2019): treat to below 140/90 mmHg and
HbA1c 7 %, add a medicine when two visits in turn miss it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from yersin.app.demo import laboratory as lab
from yersin.app.demo.body import OXYGEN, PULSE, WEIGHT, measure_pressure, measure_size, pulse, weight
from yersin.app.demo.chance import clamp
from yersin.app.demo.chart import Chart, Diagnosis, Medicine, Visit
from yersin.app.demo.codes import JSON
from yersin.app.demo.people import Person

SUPPLY = 56


def _medicine(atc: str, name: str, dose: str, times: int = 1, each: float = 1.0, unit: str = "viên") -> Medicine:
    return Medicine(atc, name, dose, (times, each, unit), SUPPLY)


AMLODIPINE = _medicine("C08CA01", "Amlodipin 5 mg", "Uống 1 viên, ngày 1 lần, buổi sáng")
PERINDOPRIL = _medicine("C09AA04", "Perindopril 5 mg", "Uống 1 viên, ngày 1 lần, buổi sáng trước ăn")
INDAPAMIDE = _medicine("C03BA11", "Indapamid 1,5 mg SR", "Uống 1 viên, ngày 1 lần, buổi sáng")
METFORMIN = _medicine("A10BA02", "Metformin 500 mg", "Uống 1 viên, ngày 2 lần, trong bữa ăn", 2)
METFORMIN_MORE = _medicine("A10BA02", "Metformin 850 mg", "Uống 1 viên, ngày 2 lần, trong bữa ăn", 2)
GLICLAZIDE = _medicine("A10BB09", "Gliclazid MR 30 mg", "Uống 2 viên, ngày 1 lần, trước ăn sáng", 1, 2)
INSULIN = _medicine("A10AE04", "Insulin glargine 100 IU/ml", "Tiêm dưới da 12 IU, ngày 1 lần, buổi tối", 1, 12, "IU")
ATORVASTATIN = _medicine("C10AA05", "Atorvastatin 20 mg", "Uống 1 viên, ngày 1 lần, buổi tối")
ASPIRIN = _medicine("B01AC06", "Aspirin 81 mg", "Uống 1 viên, ngày 1 lần, sau ăn")
BISOPROLOL = _medicine("C07AB07", "Bisoprolol 2,5 mg", "Uống 1 viên, ngày 1 lần, buổi sáng")
TIOTROPIUM = _medicine("R03BB04", "Tiotropium 2,5 mcg/nhát", "Hít 2 nhát, ngày 1 lần, buổi sáng", 1, 2, "nhát")
BUDESONIDE = _medicine(
    "R03AK07", "Budesonid/Formoterol 160/4,5 mcg", "Hít 1 nhát, ngày 2 lần, súc miệng sau hít", 2, 1, "nhát"
)
ALLOPURINOL = _medicine("M04AA01", "Allopurinol 300 mg", "Uống 1 viên, ngày 1 lần, sau ăn")
GLUCOSAMINE = _medicine("M01AX05", "Glucosamin 500 mg", "Uống 1 viên, ngày 2 lần", 2)
TENOFOVIR = _medicine("J05AF07", "Tenofovir 300 mg", "Uống 1 viên, ngày 1 lần")
THYROXINE = _medicine("H03AA01", "Levothyroxin 50 mcg", "Uống 1 viên lúc đói, buổi sáng")
SERTRALINE = _medicine("N06AB06", "Sertralin 50 mg", "Uống 1 viên, ngày 1 lần, buổi sáng")

PRESSURE_STEPS = ((), (AMLODIPINE,), (AMLODIPINE, PERINDOPRIL), (AMLODIPINE, PERINDOPRIL, INDAPAMIDE))
SUGAR_STEPS = ((), (METFORMIN,), (METFORMIN_MORE, GLICLAZIDE), (METFORMIN_MORE, GLICLAZIDE, INSULIN))

DISEASES = {
    one.icd: one
    for one in (
        Diagnosis("I10", "Bệnh lý tăng huyết áp nguyên phát (vô căn)"),
        Diagnosis("E11.9", "Bệnh đái tháo đường típ 2, chưa có biến chứng"),
        Diagnosis("E78.5", "Tăng lipid máu, không đặc hiệu"),
        Diagnosis("N18.3", "Bệnh thận mạn, giai đoạn 3"),
        Diagnosis("I25.9", "Bệnh tim thiếu máu cục bộ mạn tính, không đặc hiệu"),
        Diagnosis("J44.9", "Bệnh phổi tắc nghẽn mạn tính, không đặc hiệu"),
        Diagnosis("J45.9", "Hen phế quản, không đặc hiệu"),
        Diagnosis("M10.9", "Gút, không đặc hiệu"),
        Diagnosis("M17.9", "Thoái hóa khớp gối, không đặc hiệu"),
        Diagnosis("B18.1", "Viêm gan vi rút B mạn, không có đồng nhiễm viêm gan vi rút D"),
        Diagnosis("E03.9", "Suy giáp, không đặc hiệu"),
        Diagnosis("F32.9", "Giai đoạn trầm cảm, không đặc hiệu"),
    )
}
FOLLOWED = ("I10", "E11.9", "E78.5", "N18.3", "I25.9")


@dataclass(slots=True)
class Course:
    """How somebody's diseases stand between two visits."""

    adherence: float
    raised: float = 0
    step: int = 1
    missed: int = 0
    haemoglobin: float = 0
    sugar_step: int = 1
    sugar_missed: int = 0
    tested: date | None = None
    problems: dict[str, JSON] = field(default_factory=dict)


def draw(person: Person, rng: Random, today: date) -> dict[str, date]:
    """Decide which known lasting diseases somebody has, and since when."""
    years = person.age(today)
    found = {icd for icd, chance in _chances(person, years).items() if rng.random() < chance}
    if "I10" in found or "E11.9" in found:
        found |= {"E78.5"} if rng.random() < 0.4 else set()
        found |= {"N18.3"} if years > 60 and rng.random() < 0.09 else set()
    longest = max(1, min(years - 18, 12))
    return {icd: today - timedelta(days=int(rng.uniform(0.25, longest) * 365)) for icd in DISEASES if icd in found}


def _chances(person: Person, years: int) -> dict[str, float]:
    male = person.sex == "male"
    heavy = clamp(1 + 0.35 * person.z_weight, 0.4, 2)
    adult = years >= 25
    return {
        "I10": clamp((years - 28) * 0.0078, 0, 0.36) * heavy if adult else 0,
        "E11.9": clamp((years - 32) * 0.0032, 0, 0.11) * heavy if adult else 0,
        "I25.9": clamp((years - 52) * 0.002, 0, 0.05),
        "J44.9": clamp((years - 42) * 0.003, 0, 0.08) * (2.2 if person.smoker else 0.35),
        "J45.9": 0.022,
        "M10.9": 0.03 if male and years > 38 else 0.0,
        "M17.9": clamp((years - 48) * 0.007, 0, 0.18),
        "B18.1": 0.03 if years >= 20 else 0.0,
        "E03.9": 0.016 if not male and adult else 0.0,
        "F32.9": 0.014 if years > 17 else 0.0,
    }


def live(chart: Chart, diseases: dict[str, date], years: float) -> None:
    """Follow all diseases of a person over the last `years`."""
    followed = {icd: diseases[icd] for icd in FOLLOWED if icd in diseases}
    if followed:
        follow(chart, followed, years, _course(chart.rng))
    for icd, onset in diseases.items():
        if icd in OTHERS:
            _other(chart, icd, onset, years)


def _course(rng: Random) -> Course:
    return Course(adherence=rng.triangular(0.45, 1, 0.88), raised=rng.gauss(36, 8), haemoglobin=rng.uniform(7.6, 10.8))


def follow(chart: Chart, diseases: dict[str, date], years: float, course: Course) -> list[Visit]:
    """Visit after visit at the station, the first at the provincial hospital where the diagnosis was made."""
    rng = chart.rng
    start = max(min(diseases.values()), chart.today - timedelta(days=int(years * 365)))
    _settle(course, (start - min(diseases.values())).days)
    visits: list[Visit] = []
    day = start
    while day <= chart.last:
        visits.append(_follow_up(chart, diseases, course, day, first=not visits))
        day += timedelta(
            days=rng.randint(SUPPLY + 1, SUPPLY + 19) + (rng.randint(20, 50) if rng.random() > course.adherence else 0)
        )
    return visits


def _settle(course: Course, days: int) -> None:
    """Somebody treated for long before the record starts comes with the medicines she has by then."""
    if days > 200:
        course.step, course.sugar_step = 2, 1 + (days > 900)
        course.haemoglobin -= (course.haemoglobin - 7.2) * course.adherence * 0.7


def _follow_up(chart: Chart, diseases: dict[str, date], course: Course, day: date, *, first: bool) -> Visit:
    main = DISEASES[next(iter(diseases))]
    site = chart.sites.hospital if first else chart.sites.station
    visit = chart.visit(day, site, main.concept, specialty="internal" if first else "general")
    _problems(chart, diseases, course, visit)
    _vitals(chart, diseases, course, visit, first=first)
    _sugars(chart, course, visit)
    if course.tested is None or (day - course.tested).days > 170:
        course.tested = day
        lab.kidney(chart, visit, worse=1.0 if "N18.3" in diseases else 0.12 * len(diseases))
        lab.lipids(
            chart, visit, raised=0.35 if course.missed == 0 and not first else 1.0 if "E78.5" in diseases else 0.3
        )
    _medicines(chart, diseases, course, visit)
    if course.missed and "I10" in course.problems:
        chart.trouble(visit, course.problems["I10"], DISEASES["I10"], "cardiology")
    elif course.sugar_missed and "E11.9" in course.problems:
        chart.trouble(visit, course.problems["E11.9"], DISEASES["E11.9"], "endocrinology")
    return visit


def _problems(chart: Chart, diseases: dict[str, date], course: Course, visit: Visit) -> None:
    for icd, onset in diseases.items():
        if icd not in course.problems and onset <= visit.day:
            course.problems[icd] = chart.condition(visit, DISEASES[icd], onset=onset, lasting=True)


def _vitals(chart: Chart, diseases: dict[str, date], course: Course, visit: Visit, *, first: bool) -> None:
    ill = "I10" in course.problems
    eased = (13 * course.step if not first else 0) * course.adherence
    chart.raised = clamp(course.raised - eased, 3, 60) if ill else 0
    upper, lower = measure_pressure(chart, visit)
    chart.vital(
        visit, PULSE, pulse(chart.person, visit.day) + chart.rng.gauss(0, 6) - (8 if "I25.9" in diseases else 0)
    )
    if first:
        measure_size(chart, visit)
    else:
        chart.vital(visit, WEIGHT, weight(chart.person, visit.day) * chart.rng.uniform(0.985, 1.015))
    if ill:
        course.missed = course.missed + 1 if upper >= 140 or lower >= 90 else 0
        if course.missed >= 2 and course.step < 3:
            course.step, course.missed = course.step + 1, 0


def _sugars(chart: Chart, course: Course, visit: Visit) -> None:
    if "E11.9" not in course.problems:
        if course.tested is None:
            lab.sugar(chart, visit)
        return
    goal = 6.4 + (1 - course.adherence) * 3.4 - 0.35 * (course.sugar_step - 1)
    course.haemoglobin = clamp(
        course.haemoglobin + (goal - course.haemoglobin) * 0.4 + chart.rng.gauss(0, 0.15), 5.8, 13
    )
    lab.sugar(chart, visit, course.haemoglobin)
    course.sugar_missed = course.sugar_missed + 1 if course.haemoglobin > 7.3 else 0
    if course.sugar_missed >= 2 and course.sugar_step < 3:
        course.sugar_step, course.sugar_missed = course.sugar_step + 1, 0


def _medicines(chart: Chart, diseases: dict[str, date], course: Course, visit: Visit) -> None:
    regimen: dict[str, tuple[Medicine, ...]] = {
        "I10": PRESSURE_STEPS[course.step], "E11.9": SUGAR_STEPS[course.sugar_step], "E78.5": (ATORVASTATIN,),
        "I25.9": (ASPIRIN, BISOPROLOL) if "E78.5" in diseases else (ASPIRIN, BISOPROLOL, ATORVASTATIN),
    }  # fmt: skip
    for icd, problem in course.problems.items():
        for medicine in regimen.get(icd, ()):
            chart.prescribe(visit, medicine, problem)


def _breathing(chart: Chart, visit: Visit) -> None:
    chart.vital(visit, OXYGEN, clamp(95.5 + chart.rng.gauss(0, 1.3), 88, 100))


def _uric(chart: Chart, visit: Visit) -> None:
    chart.test(visit, lab.URIC, chart.rng.uniform(390, 590))


def _liver(chart: Chart, visit: Visit) -> None:
    chart.finding(visit, lab.HBSAG, "Dương tính", "POS")
    chart.test(visit, lab.ALT, clamp(chart.rng.gauss(46, 22), 12, 180))


def _nothing(chart: Chart, visit: Visit) -> None:
    """No test belongs to these visits."""


Tested = Callable[[Chart, Visit], None]
OTHERS: dict[str, tuple[tuple[Medicine, ...], Tested, int]] = {
    "J44.9": ((TIOTROPIUM,), _breathing, 90),
    "J45.9": ((BUDESONIDE,), _breathing, 100),
    "M10.9": ((ALLOPURINOL,), _uric, 120),
    "M17.9": ((GLUCOSAMINE,), _nothing, 150),
    "B18.1": ((TENOFOVIR,), _liver, 150),
    "E03.9": ((THYROXINE,), _nothing, 100),
    "F32.9": ((SERTRALINE,), _nothing, 90),
}


def _other(chart: Chart, icd: str, onset: date, years: float) -> None:
    medicines, tested, gap = OTHERS[icd]
    day = max(onset, chart.today - timedelta(days=int(years * 365)))
    problem: JSON | None = None
    while day <= chart.last:
        visit = chart.visit(day, chart.sites.station if problem else chart.sites.hospital, DISEASES[icd].concept)
        problem = problem or chart.condition(visit, DISEASES[icd], onset=onset, lasting=True)
        if chart.person.age(day) >= 15:
            measure_pressure(chart, visit)
        tested(chart, visit)
        for medicine in medicines:
            chart.prescribe(visit, medicine, problem)
        if icd == "J44.9":
            chart.trouble(visit, problem, DISEASES[icd], "respiratory")
        day += timedelta(days=gap + chart.rng.randint(0, 30))
