"""Functions of numbers. What is no number, or none of 34 digits, is empty.

Source: https://hl7.org/fhirpath/N1/#math; sum(), min(), max() and avg() of FHIRPath 3
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal, DecimalException
from typing import Any

from . import arithmetic
from .arithmetic import small
from .calling import Function, number, single, whole
from .equality import order
from .items import Items, data
from .quantities import ARITHMETIC, Quantity
from .refusal import impossible
from .scene import Scene


def _of_number(name: str, work: Callable[..., Any], arguments: int = 0) -> Function:
    def run(items: Items, _scene: Scene, *given: Items) -> Items:
        values = [number(items, name), *(number(each, name) for each in given)]
        if None in values:
            return []
        try:
            found = work(*values)
        except (DecimalException, OverflowError):
            return []
        return [] if found is None else [found]

    return Function(run, arguments, arguments)


def _abs(items: Items, _scene: Scene) -> Items:
    value = single(items, "abs()")
    if isinstance(value, Quantity):
        return [Quantity(abs(value.value), value.unit, calendar=value.calendar)]
    value = number(items, "abs()")
    return [] if value is None else [abs(value)]


def _cut(rounding: str) -> Callable[[Any], int | None]:
    return lambda value: small(int(Decimal(value).to_integral_value(rounding)))


def _round(items: Items, _scene: Scene, *precision: Items) -> Items:
    value, places = number(items, "round()"), whole(precision[0], "round()") if precision else 0
    if value is None or places is None:
        return []
    if places < 0:
        raise impossible("round() takes a number of decimal places from 0 on")
    try:
        return [Decimal(value).quantize(Decimal(1).scaleb(-min(places, 40)), ROUND_HALF_UP, ARITHMETIC)]
    except DecimalException:
        return [Decimal(value)]


def _positive(work: Callable[[Decimal], Decimal]) -> Callable[[Any], Decimal | None]:
    return lambda value: work(Decimal(value)) if value > 0 else None


def _log(value: Any, base: Any) -> Decimal | None:
    if value <= 0 or base <= 0 or base == 1:
        return None
    found = ARITHMETIC.divide(ARITHMETIC.ln(Decimal(value)), ARITHMETIC.ln(Decimal(base)))
    return found.quantize(Decimal("1e-20"), context=ARITHMETIC).normalize(ARITHMETIC)


def _power(value: Any, exponent: Any) -> Any:
    if value == 0 and exponent == 0:
        return 1
    found = ARITHMETIC.power(Decimal(value), Decimal(exponent))
    if isinstance(value, int) and isinstance(exponent, int) and exponent >= 0:
        return small(int(found))
    return found


def _sqrt(value: Any) -> Decimal | None:
    return ARITHMETIC.sqrt(Decimal(value)) if value >= 0 else None


def _folded(items: Items, work: Callable[[Any, Any], Any]) -> Items:
    """Bring items together two by two; what has no value, or does not fit, leaves nothing."""
    total: Any = None
    for number_, item in enumerate(items):
        value = data(item)
        total = value if number_ == 0 else work(total, value)
        if total is None or value is None:
            return []
    return [] if total is None else [total]


def _sum(items: Items, scene: Scene) -> Items:
    scene.spend(len(items))
    return _folded(items, lambda total, value: None if value is None else arithmetic.added(total, value))


def _average(items: Items, scene: Scene) -> Items:
    found = [arithmetic.divided(total, len(items)) for total in _sum(items, scene)]
    return [] if None in found else found


def _furthest(sign: int) -> Function:
    def chosen(best: Any, value: Any) -> Any:
        found = order(value, best)
        return None if found is None else value if found == sign else best

    def run(items: Items, scene: Scene) -> Items:
        scene.spend(len(items))
        return _folded(items, chosen)

    return Function(run)


FUNCTIONS: Mapping[str, Function] = {
    "abs": Function(_abs),
    "ceiling": _of_number("ceiling()", _cut(ROUND_CEILING)),
    "floor": _of_number("floor()", _cut(ROUND_FLOOR)),
    "truncate": _of_number("truncate()", _cut(ROUND_DOWN)),
    "round": Function(_round, 0, 1),
    "exp": _of_number("exp()", lambda value: ARITHMETIC.exp(Decimal(value))),
    "ln": _of_number("ln()", _positive(ARITHMETIC.ln)),
    "log": _of_number("log()", _log, 1),
    "power": _of_number("power()", _power, 1),
    "sqrt": _of_number("sqrt()", _sqrt),
    "sum": Function(_sum),
    "avg": Function(_average),
    "min": _furthest(-1),
    "max": _furthest(1),
}
