"""Values against what a profile asks of them: fixed, patterns, bounds.

Source: https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any


def is_same(value: Any, wanted: Any) -> bool:
    """Whether a value is exactly the fixed one."""
    if isinstance(value, dict) and isinstance(wanted, dict):
        return value.keys() == wanted.keys() and all(is_same(value[name], wanted[name]) for name in wanted)
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(is_same(a, b) for a, b in zip(value, wanted, strict=True))
    if _is_number(value) and _is_number(wanted):
        return Decimal(str(value)) == Decimal(str(wanted))
    return type(value) is type(wanted) and bool(value == wanted)


def fits(value: Any, pattern: Any) -> bool:
    """Whether a value has all that a pattern has; of a list, every item of the pattern must be met by one."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(name in value and fits(value[name], pattern[name]) for name in pattern)
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(fits(each, wanted) for each in value) for wanted in pattern)
    return is_same(value, pattern)


def is_below(value: Any, least: Any) -> bool:
    """Whether a value is surely smaller; what cannot be compared is not."""
    return _order(value, least) < 0


def is_above(value: Any, most: Any) -> bool:
    """Whether a value is surely greater."""
    return _order(value, most) > 0


def _order(value: Any, other: Any) -> int:
    if isinstance(value, dict) and isinstance(other, dict):
        if (value.get("system"), value.get("code")) != (other.get("system"), other.get("code")):
            return 0
        value, other = value.get("value"), other.get("value")
    if _is_number(value) and _is_number(other):
        a, b = Decimal(str(value)), Decimal(str(other))
        return (a > b) - (a < b)
    if isinstance(value, str) and isinstance(other, str):
        length = min(len(value), len(other), 10)
        if len(value) > 10 and len(other) > 10 and (a_b := _moments(value, other)):
            return (a_b[0] > a_b[1]) - (a_b[0] < a_b[1])
        return (value[:length] > other[:length]) - (value[:length] < other[:length])
    return 0


def _moments(value: str, other: str) -> tuple[datetime, datetime] | None:
    try:
        return datetime.fromisoformat(value), datetime.fromisoformat(other)
    except ValueError:
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
