"""Operators of FHIRPath over collections: three-valued logic, comparison, sums. Source: https://hl7.org/fhirpath/N1/#operations"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from .paths import Items, refusal, truth

#: true, false or not known
Truth: TypeAlias = "bool | None"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d").match


def _logic(sign: str, left: Truth, right: Truth) -> Truth:
    match sign:
        case "and":
            return False if False in (left, right) else None if None in (left, right) else True
        case "or":
            return True if True in (left, right) else None if None in (left, right) else False
        case "xor":
            return None if left is None or right is None else left != right
    return True if left is False or right is True else None if None in (left, right) else False


def _logical(sign: str) -> Callable[[Items, Items], Items]:
    def run(left: Items, right: Items) -> Items:
        answer = _logic(sign, truth(left), truth(right))
        return [] if answer is None else [answer]

    return run


def _plain(value: Any) -> Any:
    """Moments compare as instants; everything else as it is."""
    if isinstance(value, str) and _MOMENT(value):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return value
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return value


def _equal(left: Items, right: Items) -> Items:
    if not left or not right:
        return []
    return [len(left) == len(right) and all(_plain(a) == _plain(b) for a, b in zip(left, right, strict=True))]


def _unequal(left: Items, right: Items) -> Items:
    return [not answer for answer in _equal(left, right)]


def _one(items: Items, sign: str) -> Any:
    if len(items) > 1:
        raise refusal(f"The operator {sign} takes one value on each side.")
    return _plain(items[0])


def _compared(sign: str, answer: Callable[[Any, Any], Any]) -> Callable[[Items, Items], Items]:
    def run(left: Items, right: Items) -> Items:
        if not left or not right:
            return []
        try:
            return [answer(_one(left, sign), _one(right, sign))]
        except TypeError:
            raise refusal(f"The operator {sign} cannot take values of these types.") from None

    return run


def _joined(left: Items, right: Items) -> Items:
    return ["".join(str(value) for value in (*left[:1], *right[:1]))]


def _union(left: Items, right: Items) -> Items:
    found: Items = []
    for item in (*left, *right):
        if item not in found:
            found.append(item)
    return found


OPERATORS: Mapping[str, Callable[[Items, Items], Items]] = {
    **{sign: _logical(sign) for sign in ("and", "or", "xor", "implies")},
    "=": _equal,
    "!=": _unequal,
    "~": _equal,
    "!~": _unequal,
    "<": _compared("<", lambda a, b: a < b),
    ">": _compared(">", lambda a, b: a > b),
    "<=": _compared("<=", lambda a, b: a <= b),
    ">=": _compared(">=", lambda a, b: a >= b),
    "+": _compared("+", lambda a, b: a + b),
    "-": _compared("-", lambda a, b: a - b),
    "*": _compared("*", lambda a, b: a * b),
    "/": _compared("/", lambda a, b: a / b),
    "&": _joined,
    "|": _union,
    "in": lambda left, right: [left[0] in right] if left else [],
    "contains": lambda left, right: [right[0] in left] if right else [],
}
