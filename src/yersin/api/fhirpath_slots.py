"""Where the elements lie that a FHIRPath names in the JSON of a resource.

An element lies in a slot: the object that holds it, its name there, and its place where it repeats. What an expression finds is
known again by identity: it is run on a likeness of the resource in which every primitive has an object of its own beside it.
Source: https://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from yersin.fhir import r4
from yersin.fhir.path import Environment, Expression, Items, Node, Profiles, compiled, last_step
from yersin.fhir.shapes import Element, shape, struct_of
from yersin.fhir.structs import Struct

#: times that one patch may ask whether something conforms to a profile, which takes a millisecond or more
JUDGED = 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slot:
    """Where an element lies: in an object of a type."""

    holder: dict[str, Any]
    struct: type[Struct]
    element: Element
    place: int | None = None


class Judged:
    """conformsTo() in a patch: asked of the resource itself and not of its likeness, and not without end."""

    def __init__(self, profiles: Profiles | None) -> None:
        self.profiles = profiles
        self.objects: dict[int, tuple[dict[str, Any], type[Struct]]] = {}
        self._left = JUDGED

    def conforms(self, resource: Node, profile: str) -> bool | None:
        """Whether a resource or element meets a profile; None where it is not known. Raises LookupError where it is asked too often."""
        self._left -= 1
        if self._left < 0:
            raise LookupError(f"one patch may ask conformsTo() {JUDGED} times")
        value = self.objects[id(resource.value)][0] if id(resource.value) in self.objects else resource.value
        return self.profiles.conforms(Node(resource.kind, value, resource.sibling), profile) if self.profiles else None


class Document:
    """A resource, and a likeness of it on which paths are run: where each of its elements lies in the resource is known."""

    def __init__(self, document: dict[str, Any], environment: Environment, judged: Judged) -> None:
        self.root = document
        self._environment = replace(environment, profiles=judged if judged.profiles else None)
        self.slots: dict[int, Slot] = {}
        self._objects: dict[int, tuple[dict[str, Any], type[Struct]]] = {}
        self._like = self._likeness(document, struct_of(document["resourceType"]))
        judged.objects = self._objects

    @property
    def size(self) -> int:
        """How many elements there are."""
        return len(self.slots) + 1

    def _likeness(self, value: dict[str, Any], struct: type[Struct]) -> dict[str, Any]:
        like = dict(value)
        self._objects[id(like)] = value, struct
        for name, element in shape(struct).items():
            if name[0] != "_":
                self._liken(value, struct, like, element)
        return like

    def _liken(self, holder: dict[str, Any], struct: type[Struct], like: dict[str, Any], element: Element) -> None:
        """Put the likeness of an element into that of its holder: of a primitive what stands beside each value."""
        name = f"_{element.name}" if element.primitive else element.name
        made: list[Any] = []
        for slot in filled(holder, struct, element):
            value = _at(holder, name, slot.place)
            inside = r4.Element if element.primitive else _type(element, value)
            made.append(
                self._likeness(value, inside) if isinstance(value, dict) else {} if element.primitive else value
            )
            self.slots[id(made[-1])] = slot
        if made:
            like[name] = made if element.many else made[0]

    def slot_of(self, node: Any, path: str) -> Slot:
        """Slot of what a path has found. Raises LookupError where that lies nowhere in the resource, or is the whole."""
        mark = _mark_of(node)
        if mark is self._like:
            raise LookupError("the whole resource cannot be changed by one operation")
        if id(mark) not in self.slots:
            raise LookupError(f"{path} names a value that is computed, and not an element of the resource")
        return self.slots[id(mark)]

    def holder_of(self, node: Any, path: str) -> tuple[dict[str, Any], type[Struct]]:
        """Object, and its type, that a path has found; for a primitive what stands beside it, made where nothing does yet."""
        mark = _mark_of(node)
        if id(mark) in self._objects:
            return self._objects[id(mark)]
        slot = self.slot_of(node, path)
        made: dict[str, Any] = {}
        _set_beside(slot, made)
        return made, r4.Element

    def holders(self, path: str, before: Expression | None = None) -> list[tuple[dict[str, Any], type[Struct]]]:
        """Objects that a path names."""
        return [self.holder_of(node, path) for node in self._run(before or compiled(path, strict=True))]

    def _run(self, expression: Expression) -> Items:
        """Run a strict expression: elements that some type has not are told only where nothing is found."""
        lenient = replace(expression, strict=False)(self._like, self._environment)
        return lenient or expression(self._like, self._environment)

    def found(self, path: str) -> list[Slot]:
        """Slots of the elements that a path names."""
        last = last_step(path)
        if last is None:
            return [self.slot_of(node, path) for node in self._run(compiled(path, strict=True))]
        before, name = last
        nodes = self._run(before)
        return [slot for node in nodes for slot in self._named(node, path, name)]

    def _named(self, node: Any, path: str, name: str) -> Iterator[Slot]:
        if id(_mark_of(node)) not in self._objects:
            self.slot_of(node, path)  # a primitive, with nothing beside it
        holder, struct = self._objects.get(id(_mark_of(node)), ({}, r4.Element))
        for element in elements(struct, name):
            yield from filled(holder, struct, element)

    def one(self, path: str) -> Slot:
        """The one slot that a path names."""
        slots = self.found(path)
        if len(slots) != 1:
            raise LookupError(not_one(path, len(slots)))
        return slots[0]

    def list_at(self, path: str) -> Slot:
        """Where the list lies that a path names, by its name or by all that is in it; its place is None."""
        last = last_step(path)
        if last is None:
            return self._whole_list(path)
        before, name = last
        holders = self.holders(path, before)
        if len(holders) != 1:
            raise LookupError(f"{path} names {len(holders)} lists, and not one")
        holder, struct = holders[0]
        element = elements(struct, name)[0]
        if not element.many:
            raise LookupError(f"{element.name} does not repeat")
        return Slot(holder=holder, struct=struct, element=element)

    def _whole_list(self, path: str) -> Slot:
        slots = self.found(path)
        first = slots[0] if slots else None
        if first is None or not first.element.many or not _are_all(slots, first):
            raise LookupError(f"{path} names no whole list; name the list by its element")
        return replace(first, place=None)


def _are_all(slots: Sequence[Slot], first: Slot) -> bool:
    """Whether slots are all those of one list."""
    count = sum(1 for _ in filled(first.holder, first.struct, first.element))
    return len(slots) == count and all(s.holder is first.holder and s.element is first.element for s in slots)


def filled(holder: dict[str, Any], struct: type[Struct], element: Element) -> Iterator[Slot]:
    """Give the slots of an element in which something lies."""
    slot = Slot(holder=holder, struct=struct, element=element)
    names = (element.name, f"_{element.name}")
    if element.many:
        for place in range(max(len(values_at(holder, name)) for name in names)):
            yield replace(slot, place=place)
    elif any(name in holder for name in names):
        yield slot


def not_one(path: str, count: int) -> str:
    """Say that a path names none or several elements, and what to do."""
    cure = "say which, by where() or an index" if count else "add it first"
    return f"{path} names {count} elements, and not one: {cure}"


def _mark_of(node: Any) -> Any:
    """Give the object by which a node is known again."""
    if not isinstance(node, Node):
        return None
    return node.sibling if node.kind.primitive else node.value


def elements(struct: type[Struct], name: str) -> list[Element]:
    """Elements of a type by a name; all values of a choice by its stem. Raises LookupError where there is none."""
    found = [e for key, e in shape(struct).items() if key[0] != "_" and name in (key, e.path)]
    if not found:
        raise LookupError(f"{struct.__name__} has no element {name}")
    return found


def _at(holder: Mapping[str, Any], name: str, place: int | None) -> Any:
    if place is None:
        return holder.get(name)
    values = values_at(holder, name)
    return values[place] if place < len(values) else None


def _set_beside(slot: Slot, made: dict[str, Any]) -> None:
    """Put an object beside a primitive that has nothing there."""
    name = f"_{slot.element.name}"
    if slot.place is None:
        slot.holder[name] = made
        return
    values = slot.holder.setdefault(name, [])
    values += [None] * (slot.place + 1 - len(values))
    values[slot.place] = made


def _type(element: Element, value: Any) -> type[Struct]:
    if element.type != "Resource":
        return struct_of(element.type)
    name = value.get("resourceType") if isinstance(value, dict) else None
    if name not in r4.TYPE_NUMBER:
        raise LookupError(f"{element.name} holds something that is no resource")
    return struct_of(name)


def values_at(holder: Mapping[str, Any], name: str) -> list[Any]:
    """Give the list under a name, empty where there is none."""
    found = holder.get(name)
    return found if isinstance(found, list) else []
