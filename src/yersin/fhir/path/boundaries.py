"""Least and greatest value that a number, date or time of limited precision can mean, and that precision itself.

Source: https://build.fhir.org/ig/HL7/FHIRPath/#lowboundaryprecision-integer-decimal--date--datetime--time
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, DecimalException
from typing import Any

from . import quantities
from .calling import Function, single, whole
from .equality import as_quantity
from .items import Items, type_of
from .quantities import ARITHMETIC, Quantity
from .refusal import impossible
from .scene import Scene
from .temporal import Temporal

_PLACES, _MOST_PLACES = 8, 31
#: digits of each precision of a date, a moment and a time of day
_DIGITS = {"Date": (4, 6, 8), "DateTime": (4, 6, 8, 10, 12, 17), "Time": (2, 4, 9)}
_EAST, _WEST = 14 * 60, -12 * 60


def _bounded(name: str, *, upper: bool) -> Function:
    def run(items: Items, _scene: Scene, *precision: Items) -> Items:
        value = single(items, name)
        digits = whole(precision[0], name) if precision else None
        if value is None:
            return []
        found = boundary(value, digits, upper=upper)
        if found is NotImplemented:
            raise impossible(f"{name} takes a number, date or time, not {type_of(items[0]).name}")
        return [] if found is None else [found]

    return Function(run, 0, 1)


def boundary(value: Any, digits: int | None, *, upper: bool) -> Any:
    """Boundary to as many digits; None where there is none, NotImplemented for what has no precision."""
    if isinstance(value, Quantity):
        found = _decimal(value.value, digits, upper=upper)
        return None if found is None else Quantity(found, value.unit, calendar=value.calendar)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return _decimal(Decimal(value), digits, upper=upper)
    if isinstance(value, Temporal):
        return _temporal(value, digits, upper=upper)
    return NotImplemented


def _decimal(value: Decimal, digits: int | None, *, upper: bool) -> Decimal | None:
    places = _PLACES if digits is None else digits
    if not 0 <= places <= _MOST_PLACES:
        return None
    half = Decimal(5).scaleb(min(0, int(value.as_tuple().exponent)) - 1)
    try:
        edge = ARITHMETIC.add(value, half) if upper else ARITHMETIC.subtract(value, half)
        wanted = Decimal(1).scaleb(-places)
        found = edge.quantize(wanted, ROUND_CEILING if upper else ROUND_FLOOR, ARITHMETIC)
        # a value finer than the places asked for cannot leave the step it stands in at nought
        return value.quantize(wanted, context=ARITHMETIC) if 0 < abs(value) < wanted / 2 and places else found
    except DecimalException:
        return None


def _temporal(value: Temporal, digits: int | None, *, upper: bool) -> Temporal | None:
    known = _DIGITS[value.type]
    if digits is None:
        digits = known[-1]
    if value.type == "Date" and digits > known[-1]:
        value = replace(value, type="DateTime")
        known = _DIGITS["DateTime"]
    if digits not in known:
        return None
    full = _filled_time(value, upper=upper) if value.type == "Time" else _filled(value, upper=upper)
    count = known.index(digits) + 1
    if count == len(known) and value.type != "Date":
        return full
    kind = "Date" if value.type == "DateTime" and count <= 3 else value.type
    zone = full.zone if count > 3 else None
    return replace(full, type=kind, parts=full.parts[:count], fraction="", zone=zone)


def _filled(value: Temporal, *, upper: bool) -> Temporal:
    year, *rest = value.parts
    month = rest[0] if rest else 12 if upper else 1
    day = rest[1] if len(rest) > 1 else monthrange(year, month)[1] if upper else 1
    clock = _minutes_at_least(value.parts[3:])
    if value.type == "Date":
        return replace(value, parts=(year, month, day))
    zone = value.zone if value.zone is not None else _WEST if upper else _EAST
    parts, fraction = _clock(clock, value.fraction, upper=upper)
    return replace(value, parts=(year, month, day, *parts), fraction=fraction, zone=zone)


def _minutes_at_least(clock: tuple[int, ...]) -> tuple[int, ...]:
    """Read hours alone as a full hour: FHIR knows no moment without minutes."""
    return (*clock, 0) if len(clock) == 1 else clock


def _filled_time(value: Temporal, *, upper: bool) -> Temporal:
    parts, fraction = _clock(value.parts, value.fraction, upper=upper)
    return replace(value, parts=parts, fraction=fraction)


def _clock(clock: tuple[int, ...], fraction: str, *, upper: bool) -> tuple[tuple[int, ...], str]:
    edge = (23, 59, 59) if upper else (0, 0, 0)
    return (*clock, *edge[len(clock) :]), fraction.ljust(3, "9" if upper else "0")


def _precision(items: Items, _scene: Scene) -> Items:
    value = single(items, "precision()")
    if isinstance(value, Temporal):
        return [_DIGITS[value.type][len(value.parts) - 1]]
    if isinstance(value, Quantity):
        value = value.value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return [max(0, -int(Decimal(value).as_tuple().exponent))]
    return []


def _comparable(items: Items, _scene: Scene, other: Items) -> Items:
    if not items or not other:
        return []
    a, b = as_quantity(single(items, "comparable()")), as_quantity(single(other, "comparable()"))
    return [a is not None and b is not None and quantities.pair(a, b) is not None]


FUNCTIONS: Mapping[str, Function] = {
    "lowBoundary": _bounded("lowBoundary()", upper=False),
    "highBoundary": _bounded("highBoundary()", upper=True),
    "precision": Function(_precision),
    "comparable": Function(_comparable, 1, 1),
}
