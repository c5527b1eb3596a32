"""Lists every finding of a refused resource with its FHIRPath. Runs only after the fast path failed or doubted.

Source: https://hl7.org/fhir/R4/json.html, https://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

import difflib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from yersin.fhir import r4, values, versions
from yersin.fhir.problem import Issue, Problem
from yersin.fhir.reading import Members, read
from yersin.fhir.shapes import Element, shape, struct_of
from yersin.fhir.structs import Struct, period_finding

DEEPEST = 200
MOST = 1000  # findings; a list of more helps nobody


def collect(raw: bytes, *, expect: str | None = None) -> list[Issue]:
    """Every finding in the text of a resource; none when it is good FHIR R4."""
    try:
        value = read(raw, deepest=DEEPEST)
    except Problem as broken:
        return list(broken.issues)
    collector = _Collector()
    with suppress(_Enough):
        collector.resource(value, "", expect=expect)
    return collector.issues


class _Enough(Exception):  # noqa: N818 - nothing failed: more findings help nobody
    pass


@dataclass(slots=True)
class _Collector:
    issues: list[Issue] = field(default_factory=list)

    def add(self, code: str, place: str, words: str) -> None:
        self.issues.append(Issue(code=code, diagnostics=words, expression=place))
        if len(self.issues) >= MOST:
            raise _Enough

    def resource(self, value: Any, place: str, *, expect: str | None = None) -> None:
        if not isinstance(value, Members):
            self.add("structure", place, f"This is {values.kind(value)}; a resource is an object with a resourceType")
            return
        names = [v for k, v in value.pairs if k == "resourceType"]
        name = names[0] if names else None
        if not isinstance(name, str):
            self.add(
                "structure", place, 'The resourceType is missing: say which resource this is, for example "Patient"'
            )
        elif name not in r4.TYPE_NUMBER:
            self.add("not-supported", place, _unknown_type(name))
        elif expect is not None and name != expect:
            self.add("invalid", name, f"This resource is of the type {name}; {expect} belongs here")
        else:
            rest = Members([pair for pair in value.pairs if pair[0] != "resourceType"])
            where = place or name
            if len(names) > 1:
                self.add("structure", where, "resourceType stands here twice: keep one")
            self.members(rest, struct_of(name), where)

    def object(self, value: Any, struct: type[Struct], place: str) -> None:
        if not isinstance(value, Members):
            self.add("structure", place, f"This is {values.kind(value)}; a {struct.__name__} is an object in braces")
        elif not value.pairs:
            self.add("structure", place, "The object is empty: fill it or leave it out")
        else:
            self.members(value, struct, place)

    def members(self, value: Members, struct: type[Struct], place: str) -> None:
        """One object against its struct: each member, then what the members owe each other."""
        known = shape(struct)
        for name, times in Counter(name for name, _ in value.pairs).items():
            if times > 1:
                self.add("structure", f"{place}.{name}", f"{name} stands here {times} times: keep one")
        for name, child in value.pairs:
            if name in known:
                self.member(child, known[name], f"{place}.{known[name].path}")
            else:
                self.add("structure", f"{place}.{name}", _unknown_element(name, struct, known))
        present = dict(value.pairs)
        self.missing(present, struct, place)
        self.choices(present, struct, place)
        self.pairs(present, known, place)
        self.rules(present, struct, place)

    def member(self, value: Any, element: Element, place: str) -> None:
        if value is None:
            self.add("structure", place, "null says nothing in FHIR: leave the element out")
        elif not element.many:
            self.one(value, element, place, wanted=f"{element.name} occurs once: remove the brackets")
        elif not isinstance(value, list):
            self.add(
                "structure",
                place,
                f"This is {values.kind(value)}; {element.name} may repeat: write an array in brackets",
            )
        elif not value:
            self.add("structure", place, "The array is empty: fill it or leave it out")
        else:
            self.items(value, element, place)

    def items(self, value: list[Any], element: Element, place: str) -> None:
        may_be_null = element.primitive or element.name.startswith("_")
        for index, item in enumerate(value):
            if item is not None:
                self.one(item, element, f"{place}[{index}]", wanted="an array inside an array means nothing here")
            elif not may_be_null:
                self.add("structure", f"{place}[{index}]", "null says nothing in FHIR: leave the item out")

    def one(self, value: Any, element: Element, place: str, *, wanted: str) -> None:
        if isinstance(value, list):
            self.add("structure", place, f"This is an array; {wanted}")
        elif element.primitive:
            for finding in values.findings(value, element):
                self.add(finding.code, place, finding.words)
        elif element.type == "Resource":
            self.resource(value, place)
        else:
            self.object(value, struct_of(element.type), place)

    def missing(self, present: dict[str, Any], struct: type[Struct], place: str) -> None:
        known = shape(struct)
        for element in known.values():
            if element.required and element.name not in present:
                self.add("required", f"{place}.{element.path}", f"{element.name} is required: add it")
        for stem in (stem for base in struct.__mro__ for stem in base.__dict__.get("REQUIRED", ())):
            names = [e.name for e in known.values() if e.path == stem]
            if not any(name in present for name in names):
                shown = f"{stem}[x]" if stem in struct.CHOICES else stem
                self.add("required", f"{place}.{stem}", f"{shown} is required: add it")

    def choices(self, present: dict[str, Any], struct: type[Struct], place: str) -> None:
        for stem, names in struct.CHOICES.items():
            found = [name for name in names if name in present or f"_{name}" in present]
            if len(found) > 1:
                self.add("structure", f"{place}.{stem}", f"{' and '.join(found)} exclude each other: keep one")

    def pairs(self, present: dict[str, Any], known: dict[str, Element], place: str) -> None:
        """Arrays of primitives and of their siblings go side by side; null keeps a place for the other."""
        for element in known.values():
            if not (element.many and element.primitive):
                continue
            values_, siblings = present.get(element.name), present.get(f"_{element.name}")
            own = values_ if isinstance(values_, list) else [None] * len(siblings) if isinstance(siblings, list) else []
            other = siblings if isinstance(siblings, list) else [None] * len(own)
            self.pair(own, other, f"{place}.{element.path}", element.name)

    def pair(self, own: list[Any], other: list[Any], place: str, name: str) -> None:
        if len(own) != len(other):
            self.add("structure", place, f"{name} has {len(own)} items and _{name} has {len(other)}: make them equal")
        for index, (value, sibling) in enumerate(zip(own, other, strict=False)):
            if value is None and sibling is None:
                self.add("structure", f"{place}[{index}]", "This place is empty: fill it or leave it out")

    def rules(self, present: dict[str, Any], struct: type[Struct], place: str) -> None:
        """Check the invariants that parsing enforces: ext-1 and per-1."""
        if struct is r4.Extension:
            has_value = any(n in present or f"_{n}" in present for n in struct.CHOICES["value"])
            if has_value == ("extension" in present):
                self.add(
                    "invariant", place, "An extension has either a value or further extensions, never both (ext-1)"
                )
        elif struct is r4.Period:
            start, end = present.get("start"), present.get("end")
            if isinstance(start, str) and isinstance(end, str) and (words := period_finding(start, end)):
                self.add("invariant", place, f"{words} (per-1)")


def _unknown_type(name: str) -> str:
    version = versions.origin_of_type(name)
    if version:
        return f"{name} is a resource of FHIR {version}; {versions.SPEAKS}"
    close = difflib.get_close_matches(name, r4.TYPE_NUMBER, n=1)
    hint = f": did you mean {close[0]}?" if close else ""
    return f"{name[:60]!r} is no resource type; {versions.SPEAKS}{hint}"


def _unknown_element(name: str, struct: type[Struct], known: dict[str, Element]) -> str:
    owner = struct.__name__
    if versions.is_later_element(owner, name.removeprefix("_")):
        return f"{name} belongs to {owner} of a later FHIR version; {versions.SPEAKS}"
    close = difflib.get_close_matches(name, known, n=1) if len(name) < 2 * max(map(len, known)) else ()
    hint = f"did you mean {close[0]}?" if close else "remove it, or carry it in an extension"
    return f"{owner} has no element {name[:60]!r} in FHIR R4: {hint}"
