"""When items are equal, equivalent, and which comes first. Three-valued: None where it cannot be told.

Source: https://hl7.org/fhirpath/N1/#equality, https://hl7.org/fhirpath/N1/#comparison
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import msgspec

from . import quantities, temporal
from .items import Items, Node, data, type_of
from .quantities import ARITHMETIC, Quantity
from .refusal import impossible
from .temporal import Temporal

_SORTED = msgspec.json.Encoder(order="sorted", decimal_format="number").encode
_BUILD = msgspec.json.Decoder(float_hook=Decimal).decode
_NUMBERS = (int, Decimal)
_BLANK = re.compile(r"\s")
_SIMPLE = frozenset({str, bool, int})


def equal_items(left: Items, right: Items) -> bool | None:
    """Whether two collections hold equal items in the same order; None when either is empty."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    unknown = False
    for a, b in zip(left, right, strict=True):
        answer = equal(a, b)
        if answer is False:
            return False
        unknown = unknown or answer is None
    return None if unknown else True


def equal(left: Any, right: Any) -> bool | None:
    """Whether two items are equal."""
    a, b = data(left), data(right)
    if a.__class__ is b.__class__ and a.__class__ in _SIMPLE:
        return bool(a == b)
    if a is None or b is None:
        return None
    if isinstance(a, Temporal) and isinstance(b, Temporal):
        return _equal_times(a, b)
    if isinstance(a, Quantity) or isinstance(b, Quantity):
        return _equal_quantities(a, b)
    return key(a) == key(b)


def _equal_times(a: Temporal, b: Temporal) -> bool | None:
    if (a.type == "Time") != (b.type == "Time"):
        return False
    answer = temporal.compared(a, b)
    return None if answer is None else answer == 0


def as_quantity(value: Any) -> Quantity | None:
    """Give a quantity, or a number as one without a unit; None for anything else."""
    if isinstance(value, Quantity):
        return value
    if isinstance(value, _NUMBERS) and not isinstance(value, bool):
        return Quantity(Decimal(value))
    return None


def _equal_quantities(a: Any, b: Any) -> bool | None:
    left, right = as_quantity(a), as_quantity(b)
    if left is None or right is None:
        return False
    found = quantities.pair(left, right)
    return None if found is None else found[0] == found[1]


def key(found: Any) -> Hashable:
    """Give what equal items share: items are equal when their keys are."""
    value = data(found)
    if value.__class__ is str:
        return str(value)
    if isinstance(value, bool):
        return ("is", value)
    if isinstance(value, _NUMBERS):
        return ("n", value)
    if isinstance(value, Temporal):
        return ("time", value.type == "Time", value.precision, value.span, value.vague_zone)
    if isinstance(value, Quantity):
        return _quantity_key(value)
    if value.__class__ is Node:
        return ("element", value.kind.name, _SORTED(value.value))
    return ("empty", _SORTED(found.sibling)) if value is None else ("other", repr(value))


def _quantity_key(value: Quantity) -> Hashable:
    meaning = quantities.measure(value)
    if meaning is None:
        return ("quantity", value.value, value.unit)
    base = ARITHMETIC.add(ARITHMETIC.multiply(value.value, meaning[0]), meaning[2])
    return ("quantity", base, meaning[1])


def distinct(items: Items) -> Items:
    """Give the items without repetitions, the first of each."""
    if len(items) < 2:
        return items
    found: dict[Hashable, Any] = {}
    for each in items:
        found.setdefault(key(each), each)
    return list(found.values())


def equivalent_items(left: Items, right: Items) -> bool:
    """Whether two collections hold equivalent items in any order."""
    if len(left) != len(right):
        return False
    rest = list(right)
    for each in left:
        match = next((n for n, other in enumerate(rest) if equivalent(each, other)), None)
        if match is None:
            return False
        del rest[match]
    return True


def equivalent(left: Any, right: Any) -> bool:
    """Whether two items mean the same: case, kinds of white space, precision and order do not count."""
    a, b = data(left), data(right)
    if isinstance(a, str) and isinstance(b, str):
        return _normal(a) == _normal(b)
    if isinstance(a, Temporal) and isinstance(b, Temporal):
        same = a.precision == b.precision and (a.type == "Time") == (b.type == "Time")
        return same and temporal.compared(a, b) == 0
    if isinstance(a, Quantity) or isinstance(b, Quantity):
        return _equivalent_quantities(as_quantity(a), as_quantity(b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, _NUMBERS) and isinstance(b, _NUMBERS):
        return _near(Decimal(a), Decimal(b))
    if a.__class__ is Node and b.__class__ is Node:
        return a.kind.name == b.kind.name and _loose(_built(a.value)) == _loose(_built(b.value))
    return False


def _normal(text: str) -> str:
    return _BLANK.sub(" ", text.casefold())


def _near(a: Decimal, b: Decimal) -> bool:
    """Compare after rounding to the fewer decimal places of the two; zeros at the end do not count."""
    places = min(-int(each.normalize(ARITHMETIC).as_tuple().exponent) for each in (a, b))
    try:
        step = Decimal(1).scaleb(-max(0, places))
        return a.quantize(step, ROUND_HALF_UP, ARITHMETIC) == b.quantize(step, ROUND_HALF_UP, ARITHMETIC)
    except InvalidOperation:
        return a == b


def _equivalent_quantities(left: Quantity | None, right: Quantity | None) -> bool:
    if left is None or right is None:
        return False
    found = quantities.coarser(left, right)
    return found is not None and _near(found[0].value, found[1].value)


def _built(value: Any) -> Any:
    return _BUILD(_SORTED(value))


def _loose(value: Any) -> Hashable:
    """Give a form in which equivalent values are the same."""
    if isinstance(value, dict):
        return frozenset((name, _loose(each)) for name, each in value.items())
    if isinstance(value, list):
        return frozenset(Counter(map(_loose, value)).items())
    return _normal(value) if isinstance(value, str) else (type(value) is bool, value)


def order(left: Any, right: Any) -> int | None:
    """Give -1, 0 or 1 for two items; None where it cannot be told. Raises CannotEvaluate for types without order."""
    a, b = data(left), data(right)
    if a is None or b is None:
        return None
    if isinstance(a, Temporal) and isinstance(b, Temporal) and (a.type == "Time") == (b.type == "Time"):
        return temporal.compared(a, b)
    simple = (isinstance(a, str) and isinstance(b, str)) or (_is_number(a) and _is_number(b))
    if not simple and (isinstance(a, Quantity) or isinstance(b, Quantity)):
        one, other = as_quantity(a), as_quantity(b)
        if one is not None and other is not None:
            found = quantities.pair(one, other)
            if found is None:
                return None
            a, b, simple = *found, True
    if not simple:
        raise impossible(f"{type_of(left).name} and {type_of(right).name} cannot be compared")
    return int(a > b) - int(a < b)


def _is_number(value: Any) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)
