"""JSON Patch: operations on a JSON document, all or none. Source: RFC 6902, RFC 6901 (pointers)

Numbers are `int` or `Decimal`, so that what no operation touches keeps every digit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any

from yersin.fhir.problem import Problem, problem

#: operations of one patch, and values that its copies may make
OPERATIONS, COPIED = 1000, 100_000
_NEEDED = {"add": ("path", "value"), "remove": ("path",), "replace": ("path", "value"), "move": ("path", "from")}
NEEDED: Mapping[str, Sequence[str]] = {**_NEEDED, "copy": ("path", "from"), "test": ("path", "value")}


def read(raw: bytes) -> Any:
    """Read JSON with exact numbers. Raises ValueError when it is none."""
    try:
        return json.loads(raw, parse_float=Decimal, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("it nests too deep") from error


def operations(raw: bytes) -> list[dict[str, Any]]:
    """Read the operations of a patch. Raises Problem (400) naming the operation that is none."""
    try:
        listed = read(raw)
    except ValueError as error:
        raise problem("structure", f"The patch is not JSON: {error}.") from error
    if not isinstance(listed, list):
        raise problem("structure", "A JSON Patch is an array of operations.")
    if len(listed) > OPERATIONS:
        raise problem("too-costly", f"A patch may hold {OPERATIONS} operations; send several.", status=413)
    for place, one in enumerate(listed):
        _check(place, one)
    return listed


def _check(place: int, one: Any) -> None:
    if not isinstance(one, dict) or not isinstance(one.get("op"), str) or one["op"] not in NEEDED:
        raise problem("structure", f"Operation {place}: op must be one of {', '.join(NEEDED)}.")
    for member in NEEDED[one["op"]]:
        if member not in one:
            raise problem("required", f"Operation {place} ({one['op']}) has no {member}.")
        if member != "value" and not _is_pointer(one[member]):
            raise problem("value", f'Operation {place}: {member} must be a JSON pointer such as "/name/0".')


def _is_pointer(text: Any) -> bool:
    return isinstance(text, str) and (not text or text[0] == "/") and "~" not in _unescaped(text, "", "")


def apply(document: Any, listed: Sequence[Mapping[str, Any]]) -> Any:
    """Answer the patched document; the one given may be used up. Raises Problem (422) naming the operation that fails."""
    copied = 0
    for place, one in enumerate(listed):
        try:
            if one["op"] == "copy":
                copied += _size(_get(document, _steps(one["from"])))
                if copied > COPIED:
                    raise problem("too-costly", "The copies of this patch are too large.", status=413)
            document = _DO[one["op"]](document, one)
        except LookupError as error:
            text = f"Operation {place} ({one['op']} {one['path']}) cannot be done: {error.args[0]}."
            raise Problem(problem("processing", text).issues, status=422) from error
        except RecursionError as error:
            raise problem("structure", f"Operation {place} nests too deep.", status=422) from error
    return document


def _steps(pointer: str) -> list[str]:
    return [_unescaped(step, "~", "/") for step in pointer.split("/")[1:]]


def _unescaped(step: str, tilde: str, slash: str) -> str:
    return step.replace("~1", slash).replace("~0", tilde)


def _get(document: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        document = document[_key(document, step)]
    return document


def _key(parent: Any, step: str) -> Any:
    """Give the member or index that a step names. Raises LookupError where there is none."""
    if isinstance(parent, dict):
        if step not in parent:
            raise LookupError(f"there is no member {step}")
        return step
    if isinstance(parent, list):
        number = _index(step)
        if number >= len(parent):
            raise LookupError(f"there is no element {step}, the array has {len(parent)}")
        return number
    raise LookupError(f"nothing can be inside a plain value, where {step} should be")


def _index(step: str) -> int:
    if not (step.isascii() and step.isdecimal()) or (len(step) > 1 and step[0] == "0") or len(step) > 9:
        raise LookupError(f"{step} is no index of an array")
    return int(step)


def _add(document: Any, one: Mapping[str, Any]) -> Any:
    return _put(document, _steps(one["path"]), deepcopy(one["value"]))


def _put(document: Any, steps: Sequence[str], value: Any) -> Any:
    if not steps:
        return value
    parent, last = _get(document, steps[:-1]), steps[-1]
    if isinstance(parent, list):
        number = len(parent) if last == "-" else _index(last)
        if number > len(parent):
            raise LookupError(f"there is no place {last}, the array has {len(parent)} elements")
        parent.insert(number, value)
        return document
    if isinstance(parent, dict):
        parent[last] = value
        return document
    raise LookupError(f"nothing can be inside a plain value, where {last} should be")


def _remove(document: Any, one: Mapping[str, Any]) -> Any:
    steps = _steps(one["path"])
    if not steps:
        raise LookupError("the whole document cannot be removed")
    parent = _get(document, steps[:-1])
    del parent[_key(parent, steps[-1])]
    return document


def _replace(document: Any, one: Mapping[str, Any]) -> Any:
    steps = _steps(one["path"])
    if not steps:
        return deepcopy(one["value"])
    parent = _get(document, steps[:-1])
    parent[_key(parent, steps[-1])] = deepcopy(one["value"])
    return document


def _move(document: Any, one: Mapping[str, Any]) -> Any:
    if f"{one['path']}/".startswith(f"{one['from']}/") and one["path"] != one["from"]:
        raise LookupError("a value cannot move into itself")
    value = _get(document, _steps(one["from"]))
    if one["path"] == one["from"]:
        return document
    return _put(_remove(document, {"path": one["from"]}), _steps(one["path"]), value)


def _copy(document: Any, one: Mapping[str, Any]) -> Any:
    return _put(document, _steps(one["path"]), deepcopy(_get(document, _steps(one["from"]))))


def _test(document: Any, one: Mapping[str, Any]) -> Any:
    if not equal(_get(document, _steps(one["path"])), one["value"]):
        raise LookupError("the value there is another")
    return document


def equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same (RFC 6902, 4.6): numbers by value, and true is no 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _size(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(_size(each) for each in inside)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


_DO: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}
