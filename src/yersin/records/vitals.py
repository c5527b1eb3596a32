"""Vital signs: what each is, what cannot be, and what is usual at an age. Pure values, thresholds as dated data.

Sources: FHIR R4 vital-signs profiles (https://hl7.org/fhir/R4/observation-vitalsigns.html); Royal College of Physicians,
NEWS2 (2017) for adults; Decision 3192/QĐ-BYT 2010 (hypertension from 140/90); Advanced Paediatric Life Support 6e and
WHO IMCI 2014 (fast breathing) for children. What cannot be is our own setting, wide on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

NEWS2 = "NEWS2, Royal College of Physicians 2017"
HYPERTENSION = "Quyết định 3192/QĐ-BYT 2010; " + NEWS2
CHILDREN = "APLS 6e 2016; WHO IMCI 2014"
_SINCE = date(2017, 12, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """A vital sign: the form's field, LOINC code, names, UCUM unit, decimals, and the limits of the possible."""

    field: str
    code: str
    display: str
    vi: str
    unit: str
    ucum: str
    digits: int
    least: Decimal
    most: Decimal


def _sign(field: str, code: str, names: str, units: str, limits: str, digits: int = 0) -> Sign:
    display, vi = names.split("|")
    unit, _, ucum = units.partition("|")
    least, most = (Decimal(part) for part in limits.split("-"))
    return Sign(
        field=field,
        code=code,
        display=display,
        vi=vi,
        unit=unit,
        ucum=ucum or unit,
        digits=digits,
        least=least,
        most=most,
    )


SIGNS: Mapping[str, Sign] = {
    s.field: s
    for s in (
        _sign("systolic", "8480-6", "Systolic blood pressure|Huyết áp tâm thu", "mmHg|mm[Hg]", "40-300"),
        _sign("diastolic", "8462-4", "Diastolic blood pressure|Huyết áp tâm trương", "mmHg|mm[Hg]", "15-200"),
        _sign("pulse", "8867-4", "Heart rate|Mạch", "lần/phút|/min", "20-300"),
        _sign("temperature", "8310-5", "Body temperature|Thân nhiệt", "°C|Cel", "28-43", 1),
        _sign("respiration", "9279-1", "Respiratory rate|Nhịp thở", "lần/phút|/min", "3-120"),
        _sign("saturation", "2708-6", "Oxygen saturation in Arterial blood|SpO₂", "%", "30-100"),
        _sign("weight", "29463-7", "Body weight|Cân nặng", "kg", "0.3-350", 1),
        _sign("height", "8302-2", "Body height|Chiều cao", "cm", "20-250", 1),
        _sign("bmi", "39156-5", "Body mass index (BMI) [Ratio]|Chỉ số khối cơ thể", "kg/m²|kg/m2", "5-120", 1),
    )
}
BY_CODE: Mapping[str, Sign] = {s.code: s for s in SIGNS.values()} | {"59408-5": SIGNS["saturation"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is usual from one age up to another, and from where it is critical. None: no such limit."""

    field: str
    since_age: float
    until_age: float
    low: Decimal | None
    high: Decimal | None
    critical_low: Decimal | None
    critical_high: Decimal | None
    source: str
    valid_from: date = _SINCE
    valid_to: date | None = None

    def fits(self, age: float, day: date) -> bool:
        """Tell whether these limits are for someone of that age on that day."""
        return self.since_age <= age < self.until_age and self.valid_from <= day and (self.valid_to or day) >= day


_AGES = ((0, 1 / 6), (1 / 6, 1), (1, 2), (2, 5), (5, 12), (12, 16), (16, 200))
#: by age band: low-high usual, then critical low-high; a dash for none
_TABLE: Mapping[str, tuple[str, ...]] = {
    "systolic": ("65 95 50 110", "70 100 60 120", "80 105 65 125", "80 110 70 130", "85 120 75 140", "95 135 80 160", "100 139 90 180"),
    "diastolic": ("35 65 - 80", "40 70 - 85", "40 70 - 85", "45 75 - 90", "50 80 - 95", "55 85 - 105", "60 89 40 120"),
    "pulse": ("110 160 90 190", "110 160 90 180", "100 150 80 170", "95 140 70 160", "80 120 60 150", "60 100 50 140", "51 100 40 131"),
    "temperature": ("36.1 37.5 35.5 38.5", *("36.1 38.0 35.0 39.5",) * 5, "36.1 38.0 35.0 39.1"),
    "respiration": ("30 59 20 70", "25 49 18 60", "22 39 15 50", "20 39 14 50", "16 29 10 40", "12 24 9 30", "12 20 8 25"),
    "saturation": ("95 - 91 -",) * 7,
    "bmi": ("- - - -",) * 6 + ("18.5 24.9 15 40",),
}  # fmt: skip


def _limits() -> Iterator[Limits]:
    for field, bands in _TABLE.items():
        for (since, until), text in zip(_AGES, bands, strict=True):
            low, high, critical_low, critical_high = (None if t == "-" else Decimal(t) for t in text.split())
            adult = HYPERTENSION if field in ("systolic", "diastolic") else NEWS2
            yield Limits(
                field=field, since_age=since, until_age=until, low=low, high=high, critical_low=critical_low,
                critical_high=critical_high, source=adult if since >= 16 else CHILDREN,
            )  # fmt: skip


LIMITS: tuple[Limits, ...] = tuple(_limits())


class Level(Enum):
    """Where a value stands among the usual ones; the words are those of the `reading` component."""

    NORMAL = "normal"
    LOW = "low"
    HIGH = "high"
    CRITICAL_LOW = "critical-low"
    CRITICAL_HIGH = "critical-high"

    @property
    def is_critical(self) -> bool:
        return self in (Level.CRITICAL_LOW, Level.CRITICAL_HIGH)


def limits(field: str, age: float, day: date) -> Limits | None:
    """Give the limits for an age on a day."""
    return next((each for each in LIMITS if each.field == field and each.fits(age, day)), None)


def level(field: str, value: Decimal, age: float, day: date) -> Level:
    """Place a value among the usual ones. A critical limit is itself critical."""
    found = limits(field, age, day)
    if found is None:
        return Level.NORMAL
    if found.critical_low is not None and value <= found.critical_low:
        return Level.CRITICAL_LOW
    if found.critical_high is not None and value >= found.critical_high:
        return Level.CRITICAL_HIGH
    if found.low is not None and value < found.low:
        return Level.LOW
    return Level.HIGH if found.high is not None and value > found.high else Level.NORMAL


def worst(levels: Sequence[Level]) -> Level:
    """Give the most urgent of several levels."""
    order = (Level.CRITICAL_HIGH, Level.CRITICAL_LOW, Level.HIGH, Level.LOW)
    return next((each for each in order if each in levels), Level.NORMAL)


class Fault(Enum):
    """Why a value is refused, or asked about."""

    IMPOSSIBLE = "impossible"
    REVERSED = "reversed"
    ALONE = "alone"
    CRITICAL = "critical"
    UNLIKE_BEFORE = "unlike before"
    UNLIKELY_BUILD = "unlikely build"


REFUSED = frozenset({Fault.IMPOSSIBLE, Fault.REVERSED, Fault.ALONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something about one field: a refusal, or a thing to confirm. `before` is the value of last time."""

    field: str
    fault: Fault
    value: Decimal
    level: Level = Level.NORMAL
    before: Decimal | None = None

    @property
    def is_refusal(self) -> bool:
        return self.fault in REFUSED


#: change since last time that is asked about: part of the value, and how many days later it stays strange
SUDDEN: Mapping[str, tuple[Decimal, int]] = {"weight": (Decimal("0.15"), 180), "height": (Decimal("0.05"), 180)}
BUILD = (Decimal(9), Decimal(60))
_PRESSURES = frozenset({"systolic", "diastolic"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """A value of last time."""

    value: Decimal
    day: date


def judge(values: Mapping[str, Decimal], age: float, before: Mapping[str, Before], day: date) -> list[Remark]:
    """Judge what was measured: refusals first, then what must be confirmed."""
    remarks = [*_impossible(values), *_pressure(values)]
    refused = {remark.field for remark in remarks}
    if refused & _PRESSURES:
        refused |= _PRESSURES  # one of the two is wrong: which, only measuring again can tell
    for field, value in values.items():
        if field in refused:
            continue
        found = level(field, value, age, day)
        if found.is_critical:
            remarks.append(Remark(field=field, fault=Fault.CRITICAL, value=value, level=found))
        elif _is_sudden(field, value, before.get(field), age, day):
            remarks.append(Remark(field=field, fault=Fault.UNLIKE_BEFORE, value=value, before=before[field].value))
    index = bmi(values.get("weight"), values.get("height"))
    if index is not None and not refused & {"weight", "height"} and not BUILD[0] <= index <= BUILD[1]:
        remarks.append(Remark(field="weight", fault=Fault.UNLIKELY_BUILD, value=index))
    return remarks


def _impossible(values: Mapping[str, Decimal]) -> Iterator[Remark]:
    for field, value in values.items():
        if not SIGNS[field].least <= value <= SIGNS[field].most:
            yield Remark(field=field, fault=Fault.IMPOSSIBLE, value=value)


def _pressure(values: Mapping[str, Decimal]) -> Iterator[Remark]:
    upper, lower = values.get("systolic"), values.get("diastolic")
    if upper is not None and lower is None:
        yield Remark(field="diastolic", fault=Fault.ALONE, value=upper)
    elif lower is not None and upper is None:
        yield Remark(field="systolic", fault=Fault.ALONE, value=lower)
    elif upper is not None and lower is not None and lower >= upper:
        yield Remark(field="diastolic", fault=Fault.REVERSED, value=lower)


def _is_sudden(field: str, value: Decimal, before: Before | None, age: float, day: date) -> bool:
    """A growing child is expected to change; an adult is not."""
    if before is None or field not in SUDDEN or (field == "height" and age < 20) or (field == "weight" and age < 2):
        return False
    share, days = SUDDEN[field]
    return (day - before.day).days <= days and abs(value - before.value) > before.value * share


def bmi(weight: Decimal | None, height: Decimal | None) -> Decimal | None:
    """Body mass index, kg/m², to one decimal; None without both or without a height."""
    if weight is None or not height:
        return None
    return (weight / (height / 100) ** 2).quantize(Decimal("0.1"))
