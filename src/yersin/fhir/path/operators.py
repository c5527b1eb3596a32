"""Operators: of truth, equality, order, sums and sets. Source: https://hl7.org/fhirpath/N1/#operations"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, Decimal, DecimalException
from typing import Any

from . import arithmetic, equality
from .equality import distinct, key, order
from .items import Items, Node, data, type_of
from .quantities import Quantity
from .refusal import impossible
from .scene import LONGEST_TEXT, Scene

Operator = Callable[[Items, Items, Scene], Items]


def truth(items: Items) -> bool | None:
    """Truth of a collection: None when it is empty; one item that is no Boolean counts as true.

    Raises CannotEvaluate for several items.
    """
    if not items:
        return None
    if items[0] is True and len(items) == 1:
        return True
    if len(items) > 1:
        raise impossible(f"One true or false is needed here, and there are {len(items)} items")
    found = items[0]
    value = found.value if found.__class__ is Node else found
    if value is True or value is False:
        return bool(value)
    return None if value is None and found.kind.name == "boolean" else True


def one(items: Items, what: str) -> Any:
    """Give the one item there is. Raises CannotEvaluate for several."""
    if len(items) > 1:
        raise impossible(f"{what} takes one item, and there are {len(items)}")
    return items[0]


def answer(known: bool | None) -> Items:  # noqa: FBT001 - a truth value is the whole point
    """Put a truth into a collection; unknown is empty."""
    return [] if known is None else [known]


def _xor(left: Items, right: Items, _scene: Scene) -> Items:
    a, b = truth(left), truth(right)
    return [] if a is None or b is None else [a != b]


def _equal(left: Items, right: Items, _scene: Scene) -> Items:
    return answer(equality.equal_items(left, right))


def _unequal(left: Items, right: Items, _scene: Scene) -> Items:
    known = equality.equal_items(left, right)
    return [] if known is None else [not known]


def _equivalent(left: Items, right: Items, scene: Scene) -> Items:
    scene.spend(len(left) * len(right))
    return [equality.equivalent_items(left, right)]


def _not_equivalent(left: Items, right: Items, scene: Scene) -> Items:
    return [not _equivalent(left, right, scene)[0]]


def _ordered(sign: str, accepts: Callable[[int], bool]) -> Operator:
    def run(left: Items, right: Items, _scene: Scene) -> Items:
        if not left or not right:
            return []
        found = order(one(left, sign), one(right, sign))
        return [] if found is None else [accepts(found)]

    return run


def union(left: Items, right: Items, _scene: Scene) -> Items:
    """Items of both, each once."""
    return distinct([*left, *right])


def is_in(left: Items, right: Items, _scene: Scene) -> Items:
    """Whether the one item is among the others."""
    if not left:
        return []
    wanted = key(one(left, "in"))
    return [any(key(each) == wanted for each in right)]


def _contains(left: Items, right: Items, scene: Scene) -> Items:
    return is_in(right, left, scene)


def joined(left: Items, right: Items, _scene: Scene) -> Items:
    """Both texts one after the other; an empty collection is an empty text."""
    return [within("".join(_text(one(side, "&")) for side in (left, right) if side))]


def _text(found: Any) -> str:
    value = data(found)
    if value is None:
        return ""
    if not isinstance(value, str) and found.__class__ is not Node:
        raise impossible(f"& joins texts, not {type_of(found).name}")
    if isinstance(value, Node | bool):
        raise impossible(f"& joins texts, not {type_of(found).name}")
    return str(value)


def within(text: str) -> str:
    """Give a text that is not too long. Raises CannotEvaluate."""
    if len(text) > LONGEST_TEXT:
        raise impossible("A text grows too long", code="too-costly")
    return text


def _calculated(work: Callable[[Any, Any], Any], sign: str) -> Operator:
    def run(left: Items, right: Items, _scene: Scene) -> Items:
        if not left or not right:
            return []
        a, b = data(one(left, sign)), data(one(right, sign))
        if a is None or b is None:
            return []
        found = work(a, b)
        return [] if found is None else [within(found) if isinstance(found, str) else found]

    return run


def index(items: Items, numbers: Items) -> Items:
    """Give the item of a number counted from 0."""
    if not numbers:
        return []
    number = data(one(numbers, "[ ]"))
    if not isinstance(number, int) or isinstance(number, bool):
        raise impossible("The number of an item is a whole number")
    return items[number : number + 1] if number >= 0 else []


def negative(items: Items, sign: str) -> Items:
    """Give the operand of a sign, turned round by a minus."""
    if not items:
        return []
    value = data(one(items, sign))
    if isinstance(value, bool) or not isinstance(value, int | Decimal | Quantity):
        raise impossible(f"A sign stands before a number, not {type_of(items[0]).name}")
    if sign == "+":
        return [value]
    if isinstance(value, Quantity):
        return [Quantity(-value.value, value.unit, calendar=value.calendar)]
    return [-value]


def whole(value: Decimal) -> int | None:
    """Cut the decimals off; None for what no Integer can be."""
    try:
        number = int(value.to_integral_value(ROUND_DOWN))
    except (DecimalException, ValueError, OverflowError):
        return None
    return arithmetic.small(number)


OPERATORS: Mapping[str, Operator] = {
    "xor": _xor,
    "=": _equal,
    "!=": _unequal,
    "~": _equivalent,
    "!~": _not_equivalent,
    "<": _ordered("<", lambda found: found < 0),
    ">": _ordered(">", lambda found: found > 0),
    "<=": _ordered("<=", lambda found: found <= 0),
    ">=": _ordered(">=", lambda found: found >= 0),
    "|": union,
    "in": is_in,
    "contains": _contains,
    "&": joined,
    "+": _calculated(arithmetic.added, "+"),
    "-": _calculated(arithmetic.subtracted, "-"),
    "*": _calculated(arithmetic.multiplied, "*"),
    "/": _calculated(arithmetic.divided, "/"),
    "div": _calculated(arithmetic.whole_quotient, "div"),
    "mod": _calculated(arithmetic.remainder, "mod"),
}
