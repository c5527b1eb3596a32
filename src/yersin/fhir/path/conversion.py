"""Functions that turn values into values of another type, or ask whether they could be.

Source: https://hl7.org/fhirpath/N1/#conversion
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from . import quantities, temporal
from .arithmetic import small
from .calling import Function, single, text
from .items import Items, Node
from .quantities import CALENDAR_WORDS, Quantity, made
from .scene import Scene
from .temporal import Temporal

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}\Z").match
_DECIMAL = re.compile(r"[+-]?[0-9]{1,60}(?:\.[0-9]{1,60})?\Z").match
_QUANTITY = re.compile(r"([+-]?[0-9]{1,60}(?:\.[0-9]{1,60})?)\s*(?:'([^']+)'|([a-zA-Z]+))?\Z").match
_TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})


def to_boolean(value: Any) -> bool | None:
    """Convert to Boolean; None where it cannot be."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal):
        return bool(value) if value in (0, 1) else None
    if isinstance(value, str):
        word = value.lower()
        return True if word in _TRUE else False if word in _FALSE else None
    return None


def to_integer(value: Any) -> int | None:
    """Convert to Integer; None where it cannot be."""
    if isinstance(value, int):
        return int(value)
    return small(int(value)) if isinstance(value, str) and _INTEGER(value) else None


def to_decimal(value: Any) -> Decimal | None:
    """Convert to Decimal; None where it cannot be."""
    if isinstance(value, bool):
        return Decimal("1.0") if value else Decimal("0.0")
    if isinstance(value, int | Decimal):
        return Decimal(value)
    return Decimal(value) if isinstance(value, str) and _DECIMAL(value) else None


def to_text(value: Any) -> str | None:
    """Convert to String; None where it cannot be."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value) if isinstance(value, str | int | Temporal | Quantity) else None


def to_date(value: Any) -> Temporal | None:
    """Convert to Date; None where it cannot be."""
    if isinstance(value, Temporal):
        if value.type == "Time":
            return None
        return Temporal("Date", value.parts[:3])
    if not isinstance(value, str):
        return None
    found = temporal.date(value) or temporal.moment(value)
    return to_date(found) if found else None


def to_moment(value: Any) -> Temporal | None:
    """Convert to DateTime; None where it cannot be."""
    if isinstance(value, Temporal):
        if value.type == "Time":
            return None
        return Temporal("DateTime", value.parts, value.fraction, value.zone)
    return temporal.moment(value) if isinstance(value, str) else None


def to_time(value: Any) -> Temporal | None:
    """Convert to Time; None where it cannot be."""
    if isinstance(value, Temporal):
        return value if value.type == "Time" else None
    return temporal.time(value.removeprefix("T")) if isinstance(value, str) else None


def to_quantity(value: Any) -> Quantity | None:
    """Convert to Quantity; None where it cannot be."""
    if isinstance(value, Quantity):
        return value
    if isinstance(value, bool):
        return Quantity(Decimal("1.0" if value else "0.0"))
    if isinstance(value, int | Decimal):
        return Quantity(Decimal(value))
    match = _QUANTITY(value) if isinstance(value, str) else None
    if match is None:
        return None
    amount, unit, word = Decimal(match[1]), match[2], match[3]
    if word:
        return made(amount, word) if word in CALENDAR_WORDS else None
    return Quantity(amount, unit or "1")


Convert = Callable[[Any], Any]
_T = TypeVar("_T")


def _converting(name: str, convert: Convert) -> Function:
    def run(items: Items, _scene: Scene) -> Items:
        found = _converted(items, name, convert)
        return [] if found is None else [found]

    return Function(run)


def _asking(name: str, convert: Convert) -> Function:
    def run(items: Items, _scene: Scene) -> Items:
        return [_converted(items, name, convert) is not None] if items else []

    return Function(run)


def _converted(items: Items, name: str, convert: Callable[[Any], _T | None]) -> _T | None:
    value = single(items, name)
    if isinstance(value, Node):
        return None
    return None if value is None else convert(value)


def _in_unit(items: Items, unit: Items) -> Quantity | None:
    found = _converted(items, "toQuantity()", to_quantity)
    wanted = text(unit, "toQuantity()")
    if found is None or wanted is None:
        return found
    word = CALENDAR_WORDS.get(wanted)
    return quantities.converted(found, word or wanted.strip("'"), calendar=word is not None)


def _to_quantity(items: Items, _scene: Scene, *unit: Items) -> Items:
    found = _in_unit(items, unit[0] if unit else [])
    return [] if found is None else [found]


def _converts_to_quantity(items: Items, _scene: Scene, *unit: Items) -> Items:
    return [_in_unit(items, unit[0] if unit else []) is not None] if items else []


_TYPES: Mapping[str, Convert] = {
    "Boolean": to_boolean, "Integer": to_integer, "Decimal": to_decimal, "String": to_text, "Date": to_date,
    "DateTime": to_moment, "Time": to_time,
}  # fmt: skip
FUNCTIONS: Mapping[str, Function] = {
    **{f"to{name}": _converting(f"to{name}()", convert) for name, convert in _TYPES.items()},
    **{f"convertsTo{name}": _asking(f"convertsTo{name}()", convert) for name, convert in _TYPES.items()},
    "toQuantity": Function(_to_quantity, 0, 1),
    "convertsToQuantity": Function(_converts_to_quantity, 0, 1),
}
