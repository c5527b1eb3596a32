"""The items that collections hold: System values of Python, and `Node`, an element of a resource with its type.

A System value is a bool, int, Decimal, str, Temporal or Quantity. A node keeps the value as it stands in the
resource, JSON or struct, beside its sibling (id and extensions of a primitive). Source: https://hl7.org/fhir/R4/fhirpath.html
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from . import temporal
from .model import Kind, TypeName, kind_of, kind_of_resource, kind_of_struct, written_types
from .quantities import CALENDAR_WORDS, Quantity
from .temporal import Temporal

Items = list[Any]
UCUM = "http://unitsofmeasure.org"
_SYSTEM_OF = {str: "String", bool: "Boolean", int: "Integer", Decimal: "Decimal", Quantity: "Quantity"}


class Node(msgspec.Struct, gc=False, eq=False):
    """An element: its value (JSON or struct; None where a primitive has only extensions), sibling and type."""

    kind: Kind
    value: Any
    sibling: Any = None

    def __repr__(self) -> str:
        return f"<{self.kind.name} {self.value!r}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeInfo:
    """What type() answers."""

    namespace: str
    name: str


def root(resource: Any) -> Node:
    """Make the node of a resource or element: plain JSON of a resource, or a struct."""
    if isinstance(resource, Node):
        return resource
    if isinstance(resource, dict):
        return Node(kind_of_resource(resource.get("resourceType")), resource)
    return Node(kind_of_struct(type(resource).__name__), resource)


def item(value: Any) -> Any:
    """Make an item of what a caller hands in: resources, elements and plain values."""
    if isinstance(value, float):
        return Decimal(repr(value))
    return root(value) if isinstance(value, dict) or hasattr(value, "__struct_fields__") else value


def element(kind: str, value: Any) -> Any:
    """Make an item of a value and the name of its type as a choice is written: `Date`, `Quantity`."""
    return Node(kind_of(kind), value) if kind in written_types() else item(value)


def data(found: Any) -> Any:
    """System value of an item; a complex node is itself, a primitive without a value is None."""
    if found.__class__ is not Node:
        return found
    kind: Kind = found.kind
    if not kind.primitive:
        return quantity(found) or found if kind.is_quantity else found
    value = found.value
    system = kind.system
    if system == "String" or value is None:
        return value
    if system == "DateTime":
        return temporal.moment(value) or value
    if system == "Date":
        return temporal.date(value) or value
    if system == "Time":
        return temporal.time(value) or value
    if system == "Decimal" and value.__class__ is not Decimal:
        return Decimal(repr(value))
    return value


def plain(found: Any) -> Any:
    """Give the value as JSON has it: what a caller outside expects."""
    if found.__class__ is Node:
        return found.value
    if isinstance(found, Temporal):
        return str(found)
    if isinstance(found, Quantity):
        named = {"unit": found.unit} if found.calendar else {"unit": found.unit, "system": UCUM, "code": found.unit}
        return {"value": found.value, **named}
    return {"namespace": found.namespace, "name": found.name} if isinstance(found, TypeInfo) else found


def field(value: Any, name: str) -> Any:
    """Read an element of JSON or of a struct by its name."""
    return value.get(name) if value.__class__ is dict else getattr(value, name, None)


def quantity(found: Node) -> Quantity | None:
    """Turn FHIR's Quantity into System's; None where it has no value, or a comparator."""
    value, code = field(found.value, "value"), field(found.value, "code")
    if value is None or field(found.value, "comparator") is not None:
        return None
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if field(found.value, "system") == UCUM and code:
        return Quantity(number, code)
    unit = field(found.value, "unit") or code
    if unit is None:
        return Quantity(number)
    if unit in CALENDAR_WORDS:
        return Quantity(number, CALENDAR_WORDS[unit], calendar=True)
    return Quantity(number, unit)


def type_of(found: Any) -> TypeInfo:
    """Name the type of an item."""
    if found.__class__ is Node:
        return TypeInfo(namespace="FHIR", name=found.kind.name)
    if isinstance(found, Temporal):
        return TypeInfo(namespace="System", name=found.type)
    return TypeInfo(namespace="System", name=_SYSTEM_OF.get(found.__class__, "Any"))


def is_of(found: Any, wanted: TypeName) -> bool:
    """Whether an item is of a type or of one derived from it."""
    if found.__class__ is Node:
        return wanted.namespace != "System" and wanted.name in found.kind.ancestry
    return wanted.namespace != "FHIR" and wanted.name in (type_of(found).name, "Any")


def is_exactly(found: Any, wanted: TypeName) -> bool:
    """Whether an item is of a type, as `as` and `ofType` ask: a primitive of that very type, others derived too."""
    if found.__class__ is Node and found.kind.primitive:
        return wanted.namespace != "System" and found.kind.name == wanted.name
    return is_of(found, wanted)
