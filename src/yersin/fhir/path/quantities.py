"""Quantities: a number and a unit, of UCUM or of the calendar. Units convert; a calendar month or year never to seconds.

Source: https://hl7.org/fhirpath/N1/#quantity, https://hl7.org/fhir/R4/fhirpath.html#quantity
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, DecimalException
from functools import lru_cache

from yersin.fhir import ucum

#: wider than the 28 digits and 8 places that are promised; numbers beyond are no result
ARITHMETIC = Context(prec=34, Emax=99, Emin=-99)
#: each calendar unit with its UCUM code, and its length in months or in milliseconds
_CALENDAR: dict[str, tuple[str, int, int]] = {
    "year": ("a", 12, 0), "month": ("mo", 1, 0), "week": ("wk", 0, 604_800_000), "day": ("d", 0, 86_400_000),
    "hour": ("h", 0, 3_600_000), "minute": ("min", 0, 60_000), "second": ("s", 0, 1000), "millisecond": ("ms", 0, 1),
}  # fmt: skip
CALENDAR_WORDS = {word + ending: word for word in _CALENDAR for ending in ("", "s")}
_FROM_UCUM = {code: word for word, (code, months, _) in _CALENDAR.items() if not months}
#: dimension and factor of a calendar unit: those with a fixed length are UCUM's seconds
Measure = tuple[Decimal, str, Decimal]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with a unit: a UCUM code, or a calendar word when `calendar` is set."""

    value: Decimal
    unit: str = "1"
    calendar: bool = False

    def __str__(self) -> str:
        return f"{self.value} {self.unit}" if self.calendar else f"{self.value} '{self.unit}'"


def made(value: Decimal, word: str) -> Quantity:
    """Make a quantity of a calendar unit, in the singular or plural."""
    return Quantity(value, CALENDAR_WORDS[word], calendar=True)


@lru_cache(maxsize=1024)
def _measure(unit: str, calendar: bool) -> Measure | None:  # noqa: FBT001 - two fields of a quantity as a cache's key
    """Give factor, dimension and shift of a unit; None when it is unknown."""
    if calendar:
        code, months, _ = _CALENDAR[unit]
        if months:
            return Decimal(months), "calendar month", Decimal(0)
        unit = code
    found = ucum.unit(unit)
    return (found.factor, found.base, found.offset) if found else None


def measure(quantity: Quantity) -> Measure | None:
    """Give what a quantity's unit means."""
    return _measure(quantity.unit, quantity.calendar)


def pair(left: Quantity, right: Quantity) -> tuple[Decimal, Decimal] | None:
    """Give both values in one unit; None when the units do not compare."""
    if left.unit == right.unit and left.calendar == right.calendar:
        return left.value, right.value
    a, b = measure(left), measure(right)
    if a is None or b is None or a[1] != b[1]:
        return None
    try:
        return _base(left, a), _base(right, b)
    except DecimalException:
        return None


def _base(quantity: Quantity, meaning: Measure) -> Decimal:
    return ARITHMETIC.add(ARITHMETIC.multiply(quantity.value, meaning[0]), meaning[2])


def converted(quantity: Quantity, unit: str, *, calendar: bool) -> Quantity | None:
    """Express a quantity in another unit."""
    if (quantity.unit, quantity.calendar) == (unit, calendar):
        return quantity
    a, b = measure(quantity), _measure(unit, calendar)
    if a is None or b is None or a[1] != b[1]:
        return None
    try:
        value = ARITHMETIC.divide(ARITHMETIC.subtract(_base(quantity, a), b[2]), b[0])
    except DecimalException:
        return None
    return Quantity(_tidy(value), unit, calendar=calendar)


def _tidy(value: Decimal) -> Decimal:
    """Drop zeros that a division left behind the point."""
    short = value.normalize(ARITHMETIC)
    return short.quantize(Decimal(1)) if short == short.to_integral_value() and abs(short) < 10**20 else short


def coarser(left: Quantity, right: Quantity) -> tuple[Quantity, Quantity] | None:
    """Give both in the coarser of the two units; a calendar year or month counts as UCUM's here."""
    left, right = _loosened(left, right)
    a, b = measure(left), measure(right)
    if (left.unit, left.calendar) == (right.unit, right.calendar):
        return left, right
    if a is None or b is None or a[1] != b[1]:
        return None
    if a[0] >= b[0]:
        other = converted(right, left.unit, calendar=left.calendar)
        return (left, other) if other else None
    other = converted(left, right.unit, calendar=right.calendar)
    return (other, right) if other else None


def _loosened(left: Quantity, right: Quantity) -> tuple[Quantity, Quantity]:
    if left.calendar == right.calendar:
        return left, right
    return _definite(left), _definite(right)


def _definite(quantity: Quantity) -> Quantity:
    return Quantity(quantity.value, _CALENDAR[quantity.unit][0]) if quantity.calendar else quantity


def finer(left: Quantity, right: Quantity) -> tuple[Quantity, Quantity] | None:
    """Give both in the finer of the two units, the one a sum is told in."""
    if (left.unit, left.calendar) == (right.unit, right.calendar):
        return left, right
    a, b = measure(left), measure(right)
    if a is None or b is None or a[1] != b[1]:
        return None
    if a[0] <= b[0]:
        other = converted(right, left.unit, calendar=left.calendar)
        return (left, other) if other else None
    other = converted(left, right.unit, calendar=right.calendar)
    return (other, right) if other else None


def product(left: Quantity, right: Quantity, *, divide: bool) -> Quantity | None:
    """Multiply or divide, with the unit that comes of it; None when there is no result."""
    left, right = _definite(left), _definite(right)
    try:
        value = (ARITHMETIC.divide if divide else ARITHMETIC.multiply)(left.value, right.value)
    except DecimalException:
        return None
    return Quantity(_tidy(value) if divide else value, _unit_of(left.unit, right.unit, divide=divide))


def _unit_of(left: str, right: str, *, divide: bool) -> str:
    if right == "1":
        return left
    if divide:
        return "1" if left == right else f"{left}/{_bracketed(right)}"
    if left == "1":
        return right
    if left == right and left.isalpha():
        return f"{left}2"
    return f"{left}.{_bracketed(right) if '/' in right else right}"


def _bracketed(unit: str) -> str:
    return f"({unit})" if "." in unit or "/" in unit else unit


def calendar_step(quantity: Quantity) -> tuple[str, Decimal] | None:
    """Give the calendar word and number that date arithmetic moves by; None when the unit is no such duration.

    UCUM's week, day, hour, minute, second and millisecond count as the calendar's; its year and month are
    averages and do not. The words of the calendar may also stand in quotes.
    """
    if quantity.calendar:
        return quantity.unit, quantity.value
    word = CALENDAR_WORDS.get(quantity.unit) or _FROM_UCUM.get(quantity.unit)
    return (word, quantity.value) if word else None


def length(word: str) -> tuple[int, int]:
    """Give months and milliseconds of one calendar unit."""
    return _CALENDAR[word][1:]
