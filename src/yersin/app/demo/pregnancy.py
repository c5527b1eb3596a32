"""Antenatal care and births: a woman's history fits the birthdays of her children under four, and some are expecting."""

from __future__ import annotations

from datetime import date, timedelta

from yersin.app.demo import laboratory as lab
from yersin.app.demo.body import WEIGHT, measure_pressure, weight
from yersin.app.demo.chart import Chart, Diagnosis, Measure, Visit
from yersin.app.demo.codes import JSON, LOINC, TERMS, coding, concept
from yersin.app.demo.people import Household
from yersin.app.demo.vaccines import TETANUS, immunise

ANTENATAL = Diagnosis("Z34.9", "Giám sát thai nghén bình thường, không đặc hiệu")
NORMAL_BIRTH = Diagnosis("O80.9", "Đẻ thường một thai, không đặc hiệu")
CAESAREAN = Diagnosis("O82.9", "Đẻ một thai bằng phẫu thuật lấy thai, không đặc hiệu")
GESTATION = Measure("18185-9", "Gestational age", "Tuổi thai", "tuần|wk")
DUE = concept(LOINC, "11778-8", "Delivery date Estimated", "Ngày dự sinh")
EXAM: list[JSON] = [{"coding": [coding(TERMS + "observation-category", "exam", "Exam")]}]
VISITS = (196, 154, 112, 70, 35, 10)  # days before the birth
LENGTH = 280


def motherhood(chart: Chart, home: Household, number: int) -> None:
    """Write the pregnancies of one woman: those of her recent children, and a present one for some."""
    births = [person.born for person in home.members if person.mother == number]
    for born in births:
        if (chart.today - born).days < 4 * 365:
            _pregnancy(chart, born, boy_or_girl=True)
    years = chart.person.age(chart.today)
    lately = any((chart.today - born).days < 600 for born in births)
    settled = chart.person.relation in {"head", "spouse"} and len(home.members) > 1
    if settled and not lately and 19 <= years <= 40 and chart.rng.random() < 0.07:
        _pregnancy(chart, chart.today + timedelta(days=chart.rng.randint(20, 230)), boy_or_girl=False)


def _pregnancy(chart: Chart, due: date, *, boy_or_girl: bool) -> None:
    problem: JSON | None = None
    for before in VISITS:
        day = due - timedelta(days=before + chart.rng.randint(0, 9))
        if not chart.alive(day):
            continue
        visit = chart.visit(day, chart.sites.station, ANTENATAL.concept, specialty="obstetrics")
        if problem is None:
            problem = chart.condition(visit, ANTENATAL, until=due if boy_or_girl else None, lasting=True)
            chart.observe(visit, EXAM, {"code": DUE, "valueDateTime": due.isoformat()})
            chart.finding(visit, lab.HBSAG, "Âm tính", "NEG")
        _checked(chart, visit, LENGTH - (due - day).days, tetanus=before in {154, 112})
    if boy_or_girl and chart.alive(due):
        _birth(chart, due)


def _checked(chart: Chart, visit: Visit, days: int, *, tetanus: bool) -> None:
    measure_pressure(chart, visit, change=-4)
    chart.vital(visit, WEIGHT, weight(chart.person, visit.day) + 12 * (days / LENGTH) ** 1.4)
    chart.observe(visit, EXAM, {"code": GESTATION.code, "valueQuantity": GESTATION.quantity(days / 7)})
    if tetanus:
        lab.count(chart, visit, anaemia=chart.rng.triangular(0, 0.25, 0.08))
        immunise(chart, visit.day, TETANUS, 1 if days < 150 else 2, targets="Uốn ván", visit=visit)


def _birth(chart: Chart, born: date) -> None:
    surgical = chart.rng.random() < 0.32
    diagnosis = CAESAREAN if surgical else NORMAL_BIRTH
    site = chart.sites.hospital if surgical else chart.sites.centre
    visit = chart.visit(born, site, diagnosis.concept, class_="IMP", specialty="obstetrics", days=5 if surgical else 2)
    chart.condition(visit, diagnosis, until=min(born + timedelta(days=42), chart.last))
    measure_pressure(chart, visit)
