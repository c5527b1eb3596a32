"""FHIRPath Patch: operations in a Parameters resource on the JSON of a resource. Source: https://hl7.org/fhir/R4/fhirpatch.html

A path names elements by any FHIRPath (see `fhirpath_slots`). Values of primitives and what stands beside them (id,
extensions) go together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from yersin.fhir.path import NOTHING, CannotEvaluate, Environment, NotFHIRPath
from yersin.fhir.problem import problem
from yersin.fhir.shapes import Element, shape, struct_of
from yersin.fhir.structs import Struct

from . import json_patch
from .fhirpath_slots import Document, Judged, Slot, elements, filled, not_one, values_at

#: operations of one patch
OPERATIONS = 1000
#: elements that one patch may go through, all its operations together: about two seconds
ELEMENTS = 500_000
_NEEDED: Mapping[str, Sequence[str]] = {
    "add": ("path", "name", "value"),
    "insert": ("path", "index", "value"),
    "delete": ("path",),
    "replace": ("path", "value"),
    "move": ("path", "source", "destination"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation: its kind, and its parts as the JSON of `Parameters.parameter.part`, by name."""

    kind: str
    parts: Mapping[str, Mapping[str, Any]]

    def text(self, name: str) -> str:
        """Value of a part that is a text."""
        found = _value(self.parts[name])[1]
        if not isinstance(found, str):
            raise problem("value", f"{name} must be a text.")
        return found

    def number(self, name: str) -> int:
        """Value of a part that is a whole number."""
        found = _value(self.parts[name])[1]
        if not isinstance(found, int) or isinstance(found, bool):
            raise problem("value", f"{name} must be a whole number.")
        return found


def operations(raw: bytes) -> list[Operation]:
    """Read the operations of a Parameters resource in JSON. Raises Problem (400) naming the one that is none."""
    listed = json_patch.read(raw).get("parameter", [])
    if len(listed) > OPERATIONS:
        raise problem("too-costly", f"A patch may hold {OPERATIONS} operations; send several.", status=413)
    return [_operation(n, one) for n, one in enumerate(listed)]


def _operation(number: int, one: Mapping[str, Any]) -> Operation:
    where = f"Parameters.parameter[{number}]"
    if one.get("name") != "operation":
        raise problem("invalid", "Each parameter of a patch is named operation.", expression=f"{where}.name")
    # a name may be absent where something stands beside it
    parts = {part.get("name"): part for part in one.get("part", ())}
    kind = _value(parts["type"])[1] if "type" in parts else ""
    if not isinstance(kind, str) or kind not in _NEEDED:
        said = (kind or "nothing") if isinstance(kind, str | None) else "a value of another type"
        text = f"The type of an operation is one of {', '.join(_NEEDED)}, not {said}."
        raise problem("invalid", text, expression=where)
    for name in _NEEDED[kind]:
        if name not in parts:
            raise problem("required", f"The operation {kind} needs the part {name}.", expression=where)
    return Operation(kind=kind, parts=parts)


def _value(part: Mapping[str, Any]) -> tuple[str, Any]:
    """Type and JSON value of a part; no type for an anonymous one, whose value are parts."""
    for key in part:
        if key.startswith(("value", "_value")):
            kind = key.removeprefix("_").removeprefix("value")
            return kind, part.get(f"value{kind}")
    if "resource" in part:
        return "Resource", part["resource"]
    return "", part.get("part")


def apply(document: dict[str, Any], listed: Sequence[Operation], environment: Environment = NOTHING) -> dict[str, Any]:
    """Patch a resource in place. Raises Problem: 422 naming the operation that cannot be done, 413 where they are too many."""
    seen, judged = 0, Judged(environment.profiles)
    for number, one in enumerate(listed):
        try:
            there = Document(document, environment, judged)
            seen += there.size
            if seen > ELEMENTS:
                text = f"A patch of so large a resource may hold {number} operations like these; send the others by themselves."
                raise problem("too-costly", text, status=413)
            _DO[one.kind](there, one)
        except (LookupError, CannotEvaluate, NotFHIRPath) as error:
            text = f"Operation {number} ({one.kind}) cannot be done: {error.args[0] if error.args else error}."
            raise problem("processing", text, expression=f"Parameters.parameter[{number}]", status=422) from error
    return document


def _given(one: Operation, element: Element) -> tuple[Any, Any]:
    """Value that an operation brings, and what stands beside it."""
    part = one.parts["value"]
    kind, value = _value(part)
    if not kind and not element.primitive:
        return _anonymous(value or (), struct_of(element.type)), None
    # what later operations change is not the patch itself, which may be done again
    return deepcopy(value), deepcopy(part.get(f"_value{kind}"))


def _anonymous(parts: Sequence[Mapping[str, Any]], struct: type[Struct]) -> dict[str, Any]:
    """Object of a type without a name, from parts named as its elements."""
    made: dict[str, Any] = {}
    known = shape(struct)
    for part in parts:
        kind, value = _value(part)
        stem = part.get("name", "").removesuffix("[x]")
        name = stem if stem in known else f"{stem}{kind}"
        if name not in known:
            raise LookupError(f"{struct.__name__} has no element {stem or 'without a name'}")
        element = known[name]
        if not element.many and (name in made or f"_{name}" in made):
            raise LookupError(f"{name} stands there twice, and does not repeat")
        if not kind and not element.primitive:
            value = _anonymous(value or (), struct_of(element.type))
        pair = deepcopy((value, part.get(f"_value{kind}")))
        _place(made, element, _count(made, element) if element.many else None, pair)
    return made


def _place(holder: dict[str, Any], element: Element, place: int | None, pair: tuple[Any, Any]) -> None:
    """Put a value and what stands beside it; into a list before what stands at the place."""
    names = (element.name, f"_{element.name}")
    if place is None:
        for name, value in zip(names, pair, strict=True):
            holder.pop(name, None)
            if value is not None:
                holder[name] = value
        return
    count = _count(holder, element)
    for name, value in zip(names, pair, strict=True):
        if value is None and name not in holder:
            continue
        values = holder.setdefault(name, [])
        values += [None] * (count - len(values))
        values.insert(place, value)


def _count(holder: dict[str, Any], element: Element) -> int:
    return max(len(values_at(holder, name)) for name in (element.name, f"_{element.name}"))


def _take(slot: Slot) -> tuple[Any, Any]:
    """Take an element out of its slot; answers it with what stood beside it."""
    names = (slot.element.name, f"_{slot.element.name}")
    if slot.place is None:
        return slot.holder.pop(names[0], None), slot.holder.pop(names[1], None)
    taken = []
    for name in names:
        values = values_at(slot.holder, name)
        taken.append(values.pop(slot.place) if slot.place < len(values) else None)
        if name in slot.holder and not any(each is not None for each in values):
            del slot.holder[name]
    return taken[0], taken[1]


def _add(document: Document, one: Operation) -> None:
    path, name = one.text("path"), one.text("name").removesuffix("[x]")
    holders = document.holders(path)
    if len(holders) != 1:
        raise LookupError(not_one(path, len(holders)))
    holder, struct = holders[0]
    named = elements(struct, name)
    kind = _value(one.parts["value"])[0]
    element = next((e for e in named if e.name in (name, f"{name}{kind}")), None)
    if element is None:
        raise LookupError(f"{name} cannot be a {kind}")
    if not element.many and any(e.name in holder or f"_{e.name}" in holder for e in named):
        raise LookupError(f"{name} is there already; replace it")
    _place(holder, element, _count(holder, element) if element.many else None, _given(one, element))


def _insert(document: Document, one: Operation) -> None:
    slot = document.list_at(one.text("path"))
    index = one.number("index")
    _check(index, len(list(filled(slot.holder, slot.struct, slot.element))))
    _place(slot.holder, slot.element, index, _given(one, slot.element))


def _check(index: int, last: int) -> None:
    if not 0 <= index <= last:
        raise LookupError(f"the list has no place {index}; its places go to {last}")


def _delete(document: Document, one: Operation) -> None:
    slots = document.found(one.text("path"))
    if len(slots) > 1:
        raise LookupError(not_one(one.text("path"), len(slots)))
    for slot in slots:
        _take(slot)


def _replace(document: Document, one: Operation) -> None:
    slot = document.one(one.text("path"))
    element = slot.element
    kind = _value(one.parts["value"])[0]
    if element.choice and kind:
        # another way of the choice may take the place of the one that is there
        named = elements(slot.struct, element.choice)
        element = next((e for e in named if e.name == f"{element.choice}{kind}"), element)
    _take(slot)
    _place(slot.holder, element, slot.place, _given(one, element))


def _move(document: Document, one: Operation) -> None:
    slot = document.list_at(one.text("path"))
    source, destination = one.number("source"), one.number("destination")
    last = len(list(filled(slot.holder, slot.struct, slot.element))) - 1
    _check(source, last)
    _check(destination, last)
    _place(slot.holder, slot.element, destination, _take(replace(slot, place=source)))


_DO: Mapping[str, Callable[[Document, Operation], None]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}
