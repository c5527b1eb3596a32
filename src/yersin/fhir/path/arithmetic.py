"""Sums of numbers, texts, quantities, and of dates with durations. What cannot be told in 32 or 34 digits is None.

Source: https://hl7.org/fhirpath/N1/#math, https://hl7.org/fhirpath/N1/#datetime-arithmetic
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, DecimalException
from typing import Any

from . import quantities, temporal
from .quantities import ARITHMETIC, Quantity
from .refusal import CannotEvaluate, impossible
from .temporal import DAY, MONTH, YEAR, Temporal

SMALLEST, LARGEST = -(2**31), 2**31 - 1
_DAYS_OF_YEAR, _DAYS_OF_MONTH = 365, 30
_PER_MILLISECOND = temporal.TICK // 1000
_OF_A_DAY = ("year", "month", "week", "day")
_DAY_MS = 86_400_000


def small(number: int) -> int | None:
    """Give an Integer, None beyond 32 bits."""
    return number if SMALLEST <= number <= LARGEST else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _numbers(a: Any, b: Any, whole: Callable[[int, int], int], exact: Callable[..., Decimal]) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        return small(whole(a, b))
    return _decimal(exact, a, b)


def _decimal(work: Callable[..., Decimal], *values: Any) -> Decimal | None:
    try:
        return work(*(Decimal(value) for value in values))
    except DecimalException:
        return None


def _refused(sign: str, a: Any, b: Any) -> CannotEvaluate:
    return impossible(f"{sign} cannot take {_named(a)} and {_named(b)}")


def _named(value: Any) -> str:
    if isinstance(value, Temporal):
        return value.type
    names = {bool: "Boolean", str: "String", int: "Integer", Decimal: "Decimal", Quantity: "Quantity"}
    return names.get(type(value), "an element")


def added(a: Any, b: Any) -> Any:
    """Sum of numbers or quantities, two texts joined, or a date moved on."""
    if _is_number(a) and _is_number(b):
        return _numbers(a, b, int.__add__, ARITHMETIC.add)
    if isinstance(a, str) and isinstance(b, str):
        return a + b
    if isinstance(a, Temporal) and isinstance(b, Quantity):
        return shifted(a, b, 1)
    if isinstance(a, Quantity) or isinstance(b, Quantity):
        return _summed("+", a, b, ARITHMETIC.add)
    raise _refused("+", a, b)


def subtracted(a: Any, b: Any) -> Any:
    """Difference of numbers or quantities, or a date moved back."""
    if _is_number(a) and _is_number(b):
        return _numbers(a, b, int.__sub__, ARITHMETIC.subtract)
    if isinstance(a, Temporal) and isinstance(b, Quantity):
        return shifted(a, b, -1)
    if isinstance(a, Quantity) or isinstance(b, Quantity):
        return _summed("-", a, b, ARITHMETIC.subtract)
    raise _refused("-", a, b)


def _quantity(value: Any) -> Any:
    """Give a number as a quantity without a unit; anything else as it is."""
    return Quantity(Decimal(value)) if _is_number(value) else value


def _summed(sign: str, a: Any, b: Any, work: Callable[..., Decimal]) -> Quantity | None:
    left, right = _quantity(a), _quantity(b)
    if not isinstance(left, Quantity) or not isinstance(right, Quantity):
        raise _refused(sign, a, b)
    found = quantities.finer(left, right)
    if found is None:
        return None
    value = _decimal(work, found[0].value, found[1].value)
    return None if value is None else Quantity(value, found[0].unit, calendar=found[0].calendar)


def multiplied(a: Any, b: Any) -> Any:
    """Product of numbers or quantities."""
    if _is_number(a) and _is_number(b):
        return _numbers(a, b, int.__mul__, ARITHMETIC.multiply)
    return _of_quantities("*", a, b)


def _of_quantities(sign: str, a: Any, b: Any) -> Quantity | None:
    left, right = _quantity(a), _quantity(b)
    if not isinstance(left, Quantity) or not isinstance(right, Quantity):
        raise _refused(sign, a, b)
    if sign == "*" and _is_number(a):
        b, left, right = a, right, left
    if _is_number(b) and left.calendar:
        value = _decimal(ARITHMETIC.divide if sign == "/" else ARITHMETIC.multiply, left.value, right.value)
        return None if value is None else Quantity(value, left.unit, calendar=True)
    return quantities.product(left, right, divide=sign == "/")


def divided(a: Any, b: Any) -> Any:
    """Quotient; nothing by zero."""
    if _is_number(a) and _is_number(b):
        return _decimal(ARITHMETIC.divide, a, b)
    return _of_quantities("/", a, b)


def whole_quotient(a: Any, b: Any) -> Any:
    """Quotient cut to a whole number; nothing by zero."""
    if not _is_number(a) or not _is_number(b):
        raise _refused("div", a, b)
    found = _decimal(ARITHMETIC.divide_int, a, b)
    return None if found is None else small(int(found))


def remainder(a: Any, b: Any) -> Any:
    """Remainder with the sign of the dividend; nothing by zero."""
    if not _is_number(a) or not _is_number(b):
        raise _refused("mod", a, b)
    found = _decimal(ARITHMETIC.remainder, a, b)
    if found is None:
        return None
    return int(found) if isinstance(a, int) and isinstance(b, int) else found


def shifted(value: Temporal, duration: Quantity, direction: int) -> Temporal | None:
    """Move a date by a duration of the calendar. Raises CannotEvaluate for a unit that does not fit."""
    step = quantities.calendar_step(duration)
    if step is None:
        raise impossible(f"A {value.type} moves by a duration of the calendar, not by {duration}")
    word, number = step
    if value.type == "Time" and word in _OF_A_DAY:
        raise impossible(f"A time of day cannot move by a {word}")
    if word not in ("second", "millisecond"):
        number = Decimal(int(number))
    months, milliseconds = quantities.length(word)
    try:
        return _moved(value, int(number * months), int(number * milliseconds * _PER_MILLISECOND), direction)
    except (OverflowError, DecimalException):
        return None


def _moved(value: Temporal, months: int, ticks: int, direction: int) -> Temporal | None:
    """Bring a finer duration to the date's own precision, cutting what is left, and move."""
    if value.type != "Time" and value.precision < DAY:
        days = _toward_zero(ticks, _DAY_MS * _PER_MILLISECOND)
        months += _toward_zero(days, _DAYS_OF_MONTH) if value.precision == MONTH else 0
        months += 12 * _toward_zero(days, _DAYS_OF_YEAR) if value.precision == YEAR else 0
        months = 12 * _toward_zero(months, 12) if value.precision == YEAR else months
        ticks = 0
    elif value.precision < temporal.SECOND:
        unit = {3: 86400, 4: 3600, 5: 60}[value.precision] * temporal.TICK
        ticks = _toward_zero(ticks, unit) * unit
    return temporal.moved(value, direction * months, direction * ticks)


def _toward_zero(number: int, unit: int) -> int:
    return abs(number) // unit * (1 if number >= 0 else -1)
