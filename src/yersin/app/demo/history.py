"""One person's life in the record: vaccines, illnesses, lasting diseases, births, allergies, consultations."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from yersin.app.demo import acute, chronic, consultations, pregnancy, vaccines
from yersin.app.demo import laboratory as lab
from yersin.app.demo.body import measure_pressure, measure_size
from yersin.app.demo.cast import PATIENT_KEY
from yersin.app.demo.chance import Weighted
from yersin.app.demo.chart import Chart, Diagnosis, Medicine, Sites
from yersin.app.demo.codes import JSON, SNOMED, TERMS, coding, concept
from yersin.app.demo.illnesses import AZITHROMYCIN, PARACETAMOL
from yersin.app.demo.people import Household

ACUTE_YEARS = 1.4
FOLLOWED_YEARS = 1.1
CAST_YEARS = 5.0
CLOPIDOGREL = Medicine("B01AC04", "Clopidogrel 75 mg", "Uống 1 viên, ngày 1 lần, sau ăn", days=56)
#: what those who are allergic get in place of the usual medicine
INSTEAD = {
    "Penicillin": {"J01C": AZITHROMYCIN, "J01D": AZITHROMYCIN},
    "Aspirin": {"B01AC06": CLOPIDOGREL, "M01A": PARACETAMOL},
}
CHECK_UP = Diagnosis("Z00.0", "Khám sức khỏe tổng quát định kỳ")
ALLERGENS = Weighted(
    {
        ("764146007", "Penicillin", "Penicillin", "medication", "Nổi mề đay"): 24.0,
        ("44027008", "Seafood", "Hải sản", "food", "Nổi mề đay, ngứa"): 34.0,
        ("387458008", "Aspirin", "Aspirin", "medication", "Phù mi mắt"): 9.0,
        ("387406002", "Sulfonamide", "Sulfamid", "medication", "Ban đỏ"): 8.0,
        ("256277009", "Grass pollen", "Phấn hoa cỏ", "environment", "Hắt hơi, chảy mũi"): 10.0,
        ("762952008", "Peanut", "Lạc (đậu phộng)", "food", "Nổi mề đay"): 7.0,
    }
)


def write(
    home: Household, number: int, sites: Sites, rng: Random, today: date, consult: consultations.Consult
) -> list[JSON]:
    """Write everything that happened to one member of a household."""
    person = home.members[number]
    chart = Chart(person, sites, rng, today)
    if person.key == PATIENT_KEY:
        return _cast(chart)
    if rng.random() < 0.06:
        _allergy(chart)
    vaccines.childhood(chart)
    vaccines.covid(chart)
    if person.sex == "female" and 16 <= person.age(today) < 50:
        pregnancy.motherhood(chart, home, number)
    chronic.live(chart, chronic.draw(person, rng, today), FOLLOWED_YEARS)
    _check_ups(chart)
    acute.episodes(chart, ACUTE_YEARS)
    _consulted(chart, consult)
    return chart.made


def _cast(chart: Chart) -> list[JSON]:
    """The patient of the cast: five years of hypertension and diabetes, pressure above target of late."""
    vaccines.covid(chart)
    _allergy(chart)
    start = chart.today - timedelta(days=int(CAST_YEARS * 365))
    diseases = {"I10": start, "E11.9": start + timedelta(days=330), "E78.5": start + timedelta(days=330)}
    course = chronic.Course(adherence=0.72, raised=46, haemoglobin=9.2)
    chronic.follow(chart, diseases, CAST_YEARS, course)
    acute.episodes(chart, ACUTE_YEARS)
    return chart.made


def _check_ups(chart: Chart) -> None:
    years = chart.person.age(chart.today)
    for year in range(chart.today.year - 1, chart.today.year + 1):
        if 5 <= years < 20:
            vaccines.school_check(chart, year)
        elif years >= 60 or chart.rng.random() < 0.2:
            _check_up(chart, date(year, 1, 5) + timedelta(days=chart.rng.randrange(340)))


def _check_up(chart: Chart, day: date) -> None:
    if not chart.alive(day) or chart.person.age(day) < 18:
        return
    visit = chart.visit(day, chart.sites.station, CHECK_UP.concept, specialty="general")
    measure_size(chart, visit)
    measure_pressure(chart, visit)
    if chart.person.age(day) >= 40:
        lab.count(chart, visit)


def _allergy(chart: Chart) -> None:
    code, en, vi, category, reaction = ALLERGENS.pick(chart.rng)
    chart.instead = INSTEAD.get(en, {})
    recorded = max(chart.person.born, chart.today - timedelta(days=chart.rng.randint(200, 2500)))
    chart.add(
        "AllergyIntolerance",
        {
            "clinicalStatus": {"coding": [coding(TERMS + "allergyintolerance-clinical", "active", "Active")]},
            "verificationStatus": {"coding": [coding(TERMS + "allergyintolerance-verification", "confirmed", "Confirmed")]},
            "type": "allergy", "category": [category], "criticality": "high" if category == "medication" else "low",
            "code": concept(SNOMED, code, en, vi), "patient": chart.subject, "recordedDate": recorded.isoformat(),
            "reaction": [{"manifestation": [{"text": reaction}], "severity": "moderate" if category == "medication" else "mild"}],
        },
    )  # fmt: skip


def _consulted(chart: Chart, consult: consultations.Consult) -> None:
    """Take the latest of the recent troubles, now and then, to the hub."""
    recent = [one for one in chart.troubles if consultations.recent(one.visit.day, chart.today)]
    if recent and chart.rng.random() < 0.6:
        consult(chart, consultations.case(chart, recent[-1]))
