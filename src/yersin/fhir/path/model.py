"""What FHIRPath must know about types: the tree of R4 types read from the generated structs, and the System types.

Source: https://hl7.org/fhir/R4/fhirpath.html#types, https://hl7.org/fhirpath/N1/#types-and-reflection
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from yersin.fhir import primitives, r4
from yersin.fhir.expressions import attribute
from yersin.fhir.shapes import shape
from yersin.fhir.structs import SIBLING, Struct

from .refusal import impossible

#: bases of the primitive types; the others derive from Element
_BASES = {
    "code": "string", "id": "string", "markdown": "string", "canonical": "uri", "oid": "uri", "url": "uri",
    "uuid": "uri", "positiveInt": "integer", "unsignedInt": "integer",
}  # fmt: skip
#: what a primitive converts to
_SYSTEM = {
    "boolean": "Boolean", "integer": "Integer", "positiveInt": "Integer", "unsignedInt": "Integer",
    "decimal": "Decimal", "date": "Date", "dateTime": "DateTime", "instant": "DateTime", "time": "Time",
}  # fmt: skip
SYSTEM_TYPES = frozenset({"Any", "Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity"})
_INSIDE_OTHERS = ("Element",)  # a prefix of ElementDefinition, which is a type of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One way an element is written: its JSON name, the struct's attributes, its type."""

    name: str
    attribute: str
    sibling: str
    kind: Kind
    many: bool


class Kind:
    """A type of FHIR. `system` is what a primitive converts to; empty for others."""

    def __init__(self, name: str, struct: type[Struct] | None, *, system: str = "") -> None:
        self.name = name
        self.struct = struct
        self.system = system
        self.primitive = struct is None

    def __repr__(self) -> str:
        return f"FHIR.{self.name}"

    @cached_property
    def ancestry(self) -> frozenset[str]:
        """Names of this type and of all it derives from."""
        return frozenset(_ancestry(self))

    @cached_property
    def is_quantity(self) -> bool:
        return "Quantity" in self.ancestry

    @cached_property
    def is_resource(self) -> bool:
        return "Resource" in self.ancestry

    @cached_property
    def steps(self) -> dict[str, tuple[Member, ...]]:
        """Element name to the ways it is written, in the order of the specification; a choice has many."""
        found: dict[str, list[Member]] = {}
        for element in shape(self.struct).values() if self.struct else ():
            if not element.name.startswith("_"):
                found.setdefault(element.path, []).append(
                    Member(
                        name=element.name,
                        attribute=attribute(element.name),
                        sibling=element.name + SIBLING,
                        kind=kind_of(element.type),
                        many=element.many,
                    )
                )
        if self.primitive:
            return {**ELEMENT.steps}
        return {path: tuple(members) for path, members in found.items()}

    @cached_property
    def plain(self) -> dict[str, Member]:
        """Steps that are written in one way only."""
        return {path: members[0] for path, members in self.steps.items() if len(members) == 1}

    @cached_property
    def choices(self) -> dict[str, dict[str, Member]]:
        """Choices of types: stem to JSON name to member, and each under its name with an underscore."""
        several = {path: members for path, members in self.steps.items() if len(members) > 1}
        return {
            path: {**{m.name: m for m in members}, **{"_" + m.name: m for m in members}}
            for path, members in several.items()
        }


def _ancestry(kind: Kind) -> list[str]:
    if kind.struct is not None:
        named = [kind.name, *(base.__name__ for base in kind.struct.__mro__ if issubclass(base, Struct))]
        return [name for name in named if name != "Struct"]
    base = _BASES.get(kind.name)
    return [kind.name, base, "Element"] if base else [kind.name, "Element"]


@cache
def kind_of(name: str) -> Kind:
    """Kind of a class of the generated package: `HumanName`, `PatientContact`, `Code`."""
    if name in primitives.__all__:
        fhir = name[0].lower() + name[1:]
        return Kind(fhir, None, system=_SYSTEM.get(fhir, "String"))
    struct: type[Struct] = getattr(r4, name)
    return Kind(_type_name(struct), struct)


def _type_name(struct: type[Struct]) -> str:
    """Give the name of a type; an element with children of its own is of type BackboneElement or Element."""
    if is_inside(struct):
        return "BackboneElement" if issubclass(struct, r4.BackboneElement) else "Element"
    return struct.__name__


def is_inside(struct: type[Struct]) -> bool:
    """Whether a struct is no type of its own: a part of a resource or of a data type."""
    name = struct.__name__
    if issubclass(struct, r4.Resource):
        return False
    if struct.__module__ != r4.Element.__module__:
        return True
    return any(name.startswith(other) and name != other and other not in _INSIDE_OTHERS for other in _datatypes())


@cache
def _datatypes() -> frozenset[str]:
    here = r4.Element.__module__
    return frozenset(
        name
        for name, each in vars(r4).items()
        if isinstance(each, type) and issubclass(each, Struct) and each.__module__ == here
    )


ELEMENT = kind_of("Element")


@cache
def kinds() -> dict[str, Kind]:
    """Every type that may be named in an expression, by FHIR's name."""
    classes = [each for each in vars(r4).values() if isinstance(each, type) and issubclass(each, Struct)]
    structs = [kind_of(each.__name__) for each in classes if each is not Struct and not is_inside(each)]
    simple = [kind_of(name) for name in primitives.__all__]
    return {kind.name: kind for kind in [*structs, *simple]}


@cache
def written_types() -> frozenset[str]:
    """Names of types as choices write them."""
    return frozenset({*primitives.__all__, *_datatypes()})


def kind_of_struct(name: str) -> Kind:
    """Kind of a struct by the name of its class. Raises CannotEvaluate for anything else."""
    if name not in _classes():
        raise impossible(f"{name} is neither JSON nor a struct of FHIR R4")
    return kind_of(name)


@cache
def _classes() -> frozenset[str]:
    return frozenset(n for n, each in vars(r4).items() if isinstance(each, type) and issubclass(each, Struct))


def kind_of_resource(name: Any) -> Kind:
    """Kind of a resource by its resourceType; what R4 does not know has the elements of any resource."""
    return kind_of(name) if isinstance(name, str) and name in r4.TYPE_NUMBER else kind_of("Resource")


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeName:
    """A type as an expression names it: `FHIR.Patient`, `System.String`, or without a namespace."""

    namespace: str
    name: str

    @property
    def exists(self) -> bool:
        """Whether there is such a type."""
        fhir = self.namespace in ("", "FHIR", "System") and self.name in kinds()
        return fhir or (self.namespace in ("", "System") and self.name in SYSTEM_TYPES)
