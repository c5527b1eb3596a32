"""A profile as a tree: every element with all that is asked of it, its children and its slices.

Children of a data type are not in the tree until a profile says something of them.
Source: https://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from yersin.fhir.invariants import amended
from yersin.fhir.path import CannotEvaluate, Expression, NotFHIRPath, compiled

JSON = Mapping[str, Any]
MOST = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"
NATIVE = frozenset({"ele-1"})  # stands at every element, and is checked without its expression
MANY = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A constraint; without an expression where it cannot be read."""

    key: str
    severity: str
    words: str
    expression: Expression | None
    flaw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """The value set a code is bound to, and the widest one it may come from."""

    strength: str
    value_set: str
    most: str = ""


class Part:
    """An element of a profile. `own` is its ElementDefinition, with what profiles above said of it."""

    def __init__(self, name: str, own: Mapping[str, Any]) -> None:
        self.name = name
        self.own: dict[str, Any] = dict(own)
        self.children: dict[str, Part] | None = None
        self.slices: dict[str, Part] = {}
        #: types a choice was narrowed to by naming it with its type (valueQuantity)
        self.shorthands: list[str] = []
        #: its binding is that of R4's definitions, which parsing enforces for codes
        self.is_bound_anew = False

    def __repr__(self) -> str:
        return f"<Part {self.own.get('id', self.name)}>"

    def copy(self, name: str = "") -> Part:
        """Make a tree of its own that may be changed; nothing has been derived of it yet."""
        made = Part(name or self.name, self.own)
        if self.children is not None:
            made.children = {key: child.copy() for key, child in self.children.items()}
        made.slices = {key: each.copy() for key, each in self.slices.items()}
        made.is_bound_anew = self.is_bound_anew
        return made

    def all(self) -> Iterator[Part]:
        """This element and all below, slices among them."""
        yield self
        for below in (*(self.children or {}).values(), *self.slices.values()):
            yield from below.all()

    # --- what is asked; read once a tree is made ---------------------------------------------------------------

    @cached_property
    def least(self) -> int:
        return int(self.own.get("min", 0))

    @cached_property
    def most(self) -> int:
        text = self.own.get("max", "*")
        return MANY if text == "*" else int(text)

    @cached_property
    def types(self) -> tuple[JSON, ...]:
        return tuple(self.own.get("type", ()))

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """Names of the types that are allowed."""
        return tuple(each["code"] for each in self.types if "code" in each)

    @cached_property
    def profiles(self) -> tuple[str, ...]:
        """Profiles of the types, where every type has some."""
        found = [tuple(each.get("profile", ())) for each in self.types]
        return tuple(url for each in found for url in each) if all(found) else ()

    @cached_property
    def binding(self) -> Binding | None:
        bound = self.own.get("binding")
        if not bound or not bound.get("valueSet"):
            return None
        widest = [e.get("valueCanonical") or e.get("valueUri") for e in bound.get("extension", ()) if e["url"] == MOST]
        return Binding(strength=bound["strength"], value_set=bound["valueSet"], most=(widest or [""])[0] or "")

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(_rule(each) for each in self.own.get("constraint", ()) if each["key"] not in NATIVE)

    @cached_property
    def fixed(self) -> tuple[Any] | None:
        """The fixed value, in a tuple."""
        return _chosen(self.own, "fixed")

    @cached_property
    def pattern(self) -> tuple[Any] | None:
        return _chosen(self.own, "pattern")

    @cached_property
    def bounds(self) -> tuple[Any, Any]:
        """Smallest and greatest value; None for none."""
        low, high = _chosen(self.own, "minValue"), _chosen(self.own, "maxValue")
        return (low[0] if low else None, high[0] if high else None)

    @cached_property
    def longest(self) -> int | None:
        length = self.own.get("maxLength")
        return None if length is None else int(length)

    @cached_property
    def is_plain(self) -> bool:
        """Whether nothing is asked of a primitive value but what its type says."""
        asked = (self.fixed, self.pattern, self.longest, *self.bounds)
        return not self.rules and self.binding is None and not any(each is not None for each in asked)


def _chosen(own: JSON, stem: str) -> tuple[Any] | None:
    for name, value in own.items():
        if name.startswith(stem) and name[len(stem) : len(stem) + 1].isupper():
            return (value,)
    return None


def _rule(written: JSON) -> Rule:
    text = amended(written["key"], written.get("expression", ""))
    expression, flaw = None, ""
    try:
        expression = compiled(text) if text else None
    except (NotFHIRPath, CannotEvaluate) as reason:
        flaw = str(reason)
    return Rule(
        key=written["key"],
        severity=written.get("severity", "error"),
        words=written.get("human", ""),
        expression=expression,
        flaw=flaw,
    )
