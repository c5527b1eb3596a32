"""Composites that are posted: which parts stand together, judged and resolved from each element that holds them.

A part follows the rules of the parameter that its `definition` names: one of R4's, or one posted before.
Source: https://hl7.org/fhir/R4/searchparameter.html and https://hl7.org/fhir/R4/search.html#composite
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from yersin.fhir import r4
from yersin.fhir.expressions import Path, resolve
from yersin.fhir.indexable import is_calendar, leaves
from yersin.fhir.parameters import Component, Parameter, built_in, parameters
from yersin.fhir.problem import Issue, Problem
from yersin.fhir.struct_schema import STRUCTS

#: parts that a composite may have, and characters of the expression of one
PARTS_LIMIT, EXPRESSION_LIMIT = 4, 200
_R4 = "http://hl7.org/fhir/SearchParameter/"
#: kinds kept as extents, of which an index row has one, and all that may stand beside others
EXTENTS = frozenset({"date", "number", "quantity"})
_TOGETHER = frozenset({"token", "reference", "uri"}) | EXTENTS
_ALONE = _TOGETHER | {"string"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a composite: the code, kind and targets of the parameter it follows, and where it is from the composite."""

    code: str
    kind: str
    expression: str
    targets: tuple[str, ...] = ()

    def component(self, of: Parameter, n: int) -> Component:
        """Compile it as the part number `n` of a composite whose paths are known."""
        at = tuple((base.type, _paths(of.type, base, self)) for base in dict.fromkeys(of.paths))
        paths = tuple(dict.fromkeys(path for _, inner in at for path in inner))
        own = Parameter(
            type=of.type,
            code=f"{of.code}${n}",
            number=of.number,
            kind=self.kind,
            expression=self.expression,
            paths=paths,
            targets=self.targets,
            calendar=is_calendar(self.kind, paths),
            rows=(of.number,) if self.kind in EXTENTS else (),
        )
        return Component(code=self.code, kind=self.kind, paths=paths, own=own, at=at)


def parts_of(resource: r4.SearchParameter, type_name: str) -> tuple[Part, ...]:
    """Read the parts of a composite for one type; those whose parameter is not known are left out."""
    found = [(each, _followed(each, type_name)) for each in resource.component or ()]
    return tuple(
        Part(code=of.code, kind=of.kind, expression=each.expression or "", targets=of.targets)
        for each, of in found
        if of is not None
    )


def form_of(parts: Sequence[Part]) -> str:
    """How a composite is answered: `together` by an index of its own, or `and`, each of its parts by itself."""
    return "together" if _fit_together(parts) else "and"


def has_extent(parts: Sequence[Part]) -> bool:
    """Whether a part is a date, a number or a quantity."""
    return any(part.kind in EXTENTS for part in parts)


def judge(resource: r4.SearchParameter) -> Iterator[Issue]:
    """Judge how many parts there are."""
    if resource.type != "composite":
        if resource.component:
            yield _issue("business-rule", f"Only a composite has parts; this is a {resource.type}.", "component")
        return
    count = len(resource.component or ())
    if not 2 <= count <= PARTS_LIMIT:
        yield _issue("invalid", f"A composite has two to {PARTS_LIMIT} parts; this one has {count}.", "component")
    for n, each in enumerate(resource.component or ()):
        if len(each.expression or "") > EXPRESSION_LIMIT:
            text = f"The expression of a part has at most {EXPRESSION_LIMIT} characters."
            yield _issue("too-long", text, f"component[{n}].expression")


def judge_parts(resource: r4.SearchParameter, type_name: str, bases: Sequence[Path]) -> Iterator[Issue]:
    """Judge the parts for one type: each is known, finds something, and can be kept with the others."""
    known = True
    for n, each in enumerate(resource.component or ()):
        of = _followed(each, type_name)
        if of is None or of.kind not in _ALONE:
            known = False
            text = (
                f"{type_name} has no search parameter {each.definition} that could be a part. Name one of R4's, such as "
                f"{_R4}clinical-code, or one that was posted and is in force."
            )
            yield _issue("not-found", text, f"component[{n}].definition")
            continue
        part = Part(code=of.code, kind=of.kind, expression=each.expression or "")
        for base in dict.fromkeys(bases):
            for text in _of_part(type_name, base, part):
                known = False
                yield _issue("invalid", text, f"component[{n}].expression")
    if known:
        yield from _of_form(type_name, bases, parts_of(resource, type_name))


def _of_part(type_name: str, base: Path, part: Part) -> Iterator[str]:
    try:
        found = _paths(type_name, base, part)
    except Problem as refusal:
        yield f"{type_name}: {refusal.issues[0].diagnostics}"
        return
    if not found:
        yield f"In {base.type} this finds nothing that a {part.kind} parameter takes. It is read from there, not from the resource."


def _of_form(type_name: str, bases: Sequence[Path], parts: Sequence[Part]) -> Iterator[Issue]:
    """What is no set of words with one extent is answered part by part, which only the whole resource allows."""
    known = built_in(type_name)
    if _fit_together(parts):
        return
    for n, part in enumerate(parts):
        own = known.get(part.code)
        alone = (
            own is not None
            and not own.covers
            and set(own.paths) == {p for b in bases for p in _paths(type_name, b, part)}
        )
        if not alone or any(base.steps for base in bases):
            text = (
                "Strings, and a second date, number or quantity, stand together only in the resource as a whole, where each part "
                f"is what a parameter of R4's finds by itself; {part.code} is not. Post a composite of the others."
            )
            yield _issue("not-supported", text, f"component[{n}]")


def _fit_together(parts: Sequence[Part]) -> bool:
    return all(part.kind in _TOGETHER for part in parts) and sum(part.kind in EXTENTS for part in parts) < 2


def _followed(each: r4.SearchParameterComponent, type_name: str) -> Parameter | None:
    """Find the parameter whose rules a part follows: R4's by the id it has there (`clinical-code`), others by their address."""
    url = (each.definition or "").partition("|")[0]
    if url.startswith(_R4):
        group, _, code = url.removeprefix(_R4).partition("-")
        known = built_in(type_name)
        fits = group == type_name or group not in r4.TYPE_NUMBER
        return (known.get(code) or known.get(f"_{code}")) if fits else None
    return next((p for p in parameters(type_name).values() if p.url and p.url == url), None)


@cache
def _paths(type_name: str, base: Path, part: Part) -> tuple[Path, ...]:
    """Resolve a part from an element of a composite. Raises Problem."""
    start = base.type if base.steps else type_name
    return leaves(part.kind, resolve(part.expression, start, STRUCTS, base=Path(type=base.type)), STRUCTS)


def _issue(code: str, text: str, place: str) -> Issue:
    return Issue(code=code, diagnostics=text, expression=f"SearchParameter.{place}")
