"""Measured values of a chart: series by code, their place among the usual ones, and where a series stands now.

Source: https://hl7.org/fhir/R4/observation.html (value, component, referenceRange, interpretation).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from yersin.web.wording import as_number

from . import reading
from .vitals import BY_CODE, SIGNS, Level, level

_INTERPRETED = {
    "L": Level.LOW, "LL": Level.CRITICAL_LOW, "H": Level.HIGH, "HH": Level.CRITICAL_HIGH, "LU": Level.LOW, "HU": Level.HIGH,
    "A": Level.HIGH, "AA": Level.CRITICAL_HIGH, "POS": Level.HIGH,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One value at one moment."""

    when: datetime
    value: Decimal
    unit: str
    low: Decimal | None = None
    high: Decimal | None = None
    interpretation: str = ""
    place: str = ""

    @property
    def level(self) -> Level:
        """Where the value stands, by what the laboratory said, else by its range."""
        if self.interpretation:
            return _INTERPRETED.get(self.interpretation, Level.NORMAL)
        if self.low is not None and self.value < self.low:
            return Level.LOW
        return Level.HIGH if self.high is not None and self.value > self.high else Level.NORMAL

    def level_of(self, field: str, age: float) -> Level:
        """Where a vital sign stands for an age."""
        return level(field, self.value, age, self.when.date())


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """All values of one code, newest first; or the words, where values are no numbers."""

    code: str
    name: str
    values: Sequence[Measured] = ()
    told: Sequence[tuple[datetime, str, Level]] = ()

    @property
    def when(self) -> datetime:
        return self.values[0].when if self.values else self.told[0][0]


def latest(observations: Iterable[Any], zone: ZoneInfo) -> Mapping[str, list[Measured]]:
    """Vital signs by the field of the form, newest first."""
    found: dict[str, list[Measured]] = {}
    for code, _, one in _values(observations, zone):
        sign = BY_CODE.get(code)
        if sign is not None:
            found.setdefault(sign.field, []).append(one)
    return {name: sorted(found[name], key=lambda m: m.when, reverse=True) for name in SIGNS if name in found}


def _values(observations: Iterable[Any], zone: ZoneInfo) -> Iterator[tuple[str, str, Measured]]:
    for o in observations:
        when = reading.when(o, zone)
        if when is None or o.status in ("entered-in-error", "cancelled"):
            continue
        for part in (o, *(o.component or ())):
            amount = reading.amount(part)
            codes = reading.codes(part.code)
            if amount is not None and codes:
                known = next((c for c in codes if c in BY_CODE), codes[0])
                yield known, reading.words(part.code), _measured(part, amount, when)


def _measured(part: Any, amount: tuple[Decimal, str], when: datetime) -> Measured:
    limits = next(iter(part.referenceRange or ()), None)
    marks = [code for concept in part.interpretation or () for code in reading.codes(concept)]
    return Measured(
        when=when,
        value=amount[0],
        unit=amount[1],
        low=limits.low.value if limits and limits.low else None,
        high=limits.high.value if limits and limits.high else None,
        interpretation=next(iter(marks), ""),
    )


def series(observations: Sequence[Any], zone: ZoneInfo) -> list[Series]:
    """Group observations by code, the groups with the newest values first."""
    names: dict[str, str] = {}
    values: dict[str, list[Measured]] = {}
    for code, name, one in _values(observations, zone):
        names.setdefault(code, name)
        values.setdefault(code, []).append(one)
    told: dict[str, list[tuple[datetime, str, Level]]] = {}
    for o in observations:
        when, code = reading.when(o, zone), next(iter(reading.codes(o.code)), "")
        if code and when and code not in values and reading.told(o):
            names.setdefault(code, reading.words(o.code))
            told.setdefault(code, []).append((when, reading.told(o), _interpreted(o)))
    made = [
        Series(
            code=code,
            name=name,
            values=sorted(values.get(code, ()), key=lambda m: m.when, reverse=True),
            told=sorted(told.get(code, ()), key=lambda t: t[0], reverse=True),
        )
        for code, name in names.items()
    ]
    return sorted(made, key=lambda s: s.when, reverse=True)


def _interpreted(o: Any) -> Level:
    marks = [code for concept in o.interpretation or () for code in reading.codes(concept)]
    return _INTERPRETED.get(next(iter(marks), ""), Level.NORMAL)


def days(values: Sequence[Measured], since: date) -> list[Measured]:
    """Keep the values from a day on."""
    return [m for m in values if m.when.date() >= since]


def span(limits: Any) -> str:
    """Write a usual range: `3,9–6,4`, `≤ 5,2`, `≥ 60`."""
    low, high = limits.low, limits.high
    if low is not None and high is not None:
        return f"{as_number(low)}–{as_number(high)}"
    if high is not None:
        return f"≤ {as_number(high)}"
    return f"≥ {as_number(low)}" if low is not None else ""
