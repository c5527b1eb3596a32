"""Growth and vital signs by age and sex, in numbers.

Children follow rounded WHO medians (2006, 2007) bent towards Vietnamese adult height: 168 cm and 156 cm for people born
around 2000 (national nutrition survey 2019-2020), less for each older cohort.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date

from yersin.app.demo.chance import clamp
from yersin.app.demo.chart import Chart, Measure, Visit
from yersin.app.demo.codes import LOINC, concept
from yersin.app.demo.people import Person

WEIGHT = Measure("29463-7", "Body weight", "Cân nặng", "kg", digits=1)
HEIGHT = Measure("8302-2", "Body height", "Chiều cao", "cm", digits=1)
BMI = Measure("39156-5", "Body mass index (BMI) [Ratio]", "Chỉ số khối cơ thể", "kg/m2", digits=1)
BIRTH_WEIGHT = Measure("8339-4", "Birth weight Measured", "Cân nặng lúc sinh", "g")
PULSE = Measure("8867-4", "Heart rate", "Mạch", "lần/phút|/min")
BREATHS = Measure("9279-1", "Respiratory rate", "Nhịp thở", "lần/phút|/min")
TEMPERATURE = Measure("8310-5", "Body temperature", "Thân nhiệt", "°C|Cel", digits=1)
OXYGEN = Measure("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", "SpO₂", "%")
SYSTOLIC = Measure("8480-6", "Systolic blood pressure", "Huyết áp tâm thu", "mmHg|mm[Hg]")
DIASTOLIC = Measure("8462-4", "Diastolic blood pressure", "Huyết áp tâm trương", "mmHg|mm[Hg]")
PRESSURE = concept(LOINC, "85354-9", "Blood pressure panel with all children optional", "Huyết áp")
OXYGEN.code["coding"].append({"system": LOINC, "code": "2708-6", "display": "Oxygen saturation in Arterial blood"})

_MONTHS = (0, 1, 2, 3, 4, 6, 9, 12, 18, 24, 36, 48, 60, 84, 108, 132, 156, 180, 204, 228)
_WEIGHTS = {
    "male": (3.3, 4.5, 5.6, 6.4, 7.0, 7.9, 8.9, 9.6, 10.9, 12.2, 14.3, 16.3, 18.3, 22.9, 28.1, 34.5, 43, 51, 56.5, 60),
    "female": (
        3.2,
        4.2,
        5.1,
        5.8,
        6.4,
        7.3,
        8.2,
        8.9,
        10.2,
        11.5,
        13.9,
        16.1,
        18.2,
        22.4,
        28.2,
        35.5,
        43,
        47.5,
        49.5,
        50,
    ),
}
_HEIGHTS = {
    "male": (49.9, 54.7, 58.4, 61.4, 63.9, 67.6, 72, 75.7, 82.3, 87.1, 96.1, 103.3, 110, 121, 131.5, 141.5, 153.5, 163, 167, 168),
    "female": (49.1, 53.7, 57.1, 59.8, 62.1, 65.7, 70.1, 74, 80.7, 85.7, 95.1, 102.7, 109.4, 120, 131, 142.5, 151.5, 154.8, 155.8, 156),
}  # fmt: skip


def months(person: Person, day: date) -> float:
    """Age in months."""
    return (day - person.born).days / 30.4375


def height(person: Person, day: date) -> float:
    """Height in centimetres."""
    age = months(person, day)
    spread = 0.037 + 0.003 * (age < 24)
    shrink = clamp((2000 - person.born.year) * 0.11, 0, 6) if age > 228 else 0.0
    return _along(_HEIGHTS[person.sex], age) * (1 + spread * person.z_height) - shrink


def weight(person: Person, day: date) -> float:
    """Weight in kilograms; adults gain until about fifty-five, the old lose a little."""
    age = months(person, day)
    if age < 228:
        free = _along(_WEIGHTS[person.sex], age) * (1 + (0.1 + age * 0.0003) * person.z_weight)
        square = (height(person, day) / 100) ** 2
        return clamp(free, (12.4 if age >= 24 else 11.2) * square, 29 * square)
    years = age / 12
    index = 20.6 + 2.6 * person.z_weight + clamp((years - 19) * 0.075, 0, 2.7) - clamp((years - 62) * 0.05, 0, 1.6)
    return clamp(index, 15.2, 38) * (height(person, day) / 100) ** 2


def _along(values: tuple[float, ...], age: float) -> float:
    place = bisect_right(_MONTHS, age)
    if place >= len(_MONTHS):
        return values[-1]
    before, after = _MONTHS[place - 1], _MONTHS[place]
    return values[place - 1] + (values[place] - values[place - 1]) * (age - before) / (after - before)


def systolic(person: Person, day: date) -> float:
    """Usual systolic pressure of somebody without hypertension."""
    years = person.age(day)
    base = 92 + years * 1.4 if years < 16 else 112 + (years - 16) * 0.27
    return base + 6 * person.z_pressure + (3 if person.sex == "male" and years > 15 else 0)


def measure_size(chart: Chart, visit: Visit) -> None:
    """Record weight and height, and the index for those past two years."""
    tall, heavy = height(chart.person, visit.day), weight(chart.person, visit.day) * chart.rng.uniform(0.985, 1.015)
    chart.vital(visit, WEIGHT, heavy)
    chart.vital(visit, HEIGHT, tall)
    if months(chart.person, visit.day) >= 24:
        chart.vital(visit, BMI, heavy / (tall / 100) ** 2)


def measure_pressure(chart: Chart, visit: Visit, *, change: float = 0) -> tuple[int, int]:
    """Record the blood pressure as it stands at present, for once changed; return it."""
    upper = round(clamp(systolic(chart.person, visit.day) + chart.raised + change + chart.rng.gauss(0, 5), 74, 224))
    lower = round(clamp(upper * 0.52 + 14 + chart.rng.gauss(0, 4), 40, min(128, upper - 18)))
    chart.panel(visit, PRESSURE, ((SYSTOLIC, upper), (DIASTOLIC, lower)))
    return upper, lower


def pulse(person: Person, day: date) -> float:
    """Usual heart rate at rest."""
    age = person.age(day)
    return 76 + clamp((14 - age) * 4.2, 0, 52)


def breaths(person: Person, day: date) -> float:
    """Usual breaths a minute."""
    return 16.5 + clamp((12 - person.age(day)) * 1.6, 0, 19)


def measure_fever(chart: Chart, visit: Visit, degrees: float, *, breathless: float = 0) -> None:
    """Record temperature and heart rate, and breathing where it matters."""
    warm = clamp(36.7 + degrees + chart.rng.gauss(0, 0.2), 35.9, 41)
    chart.vital(visit, TEMPERATURE, warm)
    chart.vital(visit, PULSE, pulse(chart.person, visit.day) + 9 * max(0.0, warm - 37) + chart.rng.gauss(0, 6))
    if breathless:
        chart.vital(visit, BREATHS, breaths(chart.person, visit.day) + breathless + chart.rng.gauss(0, 1.5))
        chart.vital(visit, OXYGEN, clamp(98.4 - breathless * 0.45 + chart.rng.gauss(0, 0.7), 86, 100))
