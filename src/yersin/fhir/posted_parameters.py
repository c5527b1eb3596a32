"""Search parameters that are posted: a SearchParameter resource read, judged, and compiled for each type it is about.

Source: https://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from yersin.fhir import r4
from yersin.fhir.expressions import Path, resolve
from yersin.fhir.indexable import LEAVES, is_calendar, leaves
from yersin.fhir.parameters import Parameter, built_in
from yersin.fhir.path import CannotEvaluate, NotFHIRPath, compiled
from yersin.fhir.posted_composites import EXTENTS, Part, form_of, has_extent, judge, judge_parts, parts_of
from yersin.fhir.problem import Issue, Problem, problem
from yersin.fhir.struct_schema import STRUCTS

#: characters of a code, and of an expression
CODE_LIMIT, EXPRESSION_LIMIT = 64, 1_000
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*").fullmatch
#: paths that an expression may come to in one type, and steps of one
_PATHS_LIMIT, _STEPS_LIMIT = 200, 8
#: searched in ways of its own
_AUDIT = "AuditEvent"
_EVERY = frozenset({"Resource", "DomainResource"})
_UNDOMAINED = frozenset({"Bundle", "Binary", "Parameters"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What is kept of a parameter for one type."""

    type: str
    code: str
    kind: str
    expression: str
    targets: tuple[str, ...] = ()
    url: str = ""
    parts: tuple[Part, ...] = ()

    def parameter(self, number: int, place: int, waiting: str = "") -> Parameter:
        """Compile it. Raises Problem where the expression is none that can be indexed."""
        paths = _paths(self.type, self.kind, self.expression)
        one = Parameter(
            type=self.type,
            code=self.code,
            number=number,
            kind=self.kind,
            expression=self.expression,
            paths=paths,
            targets=self.targets,
            calendar=is_calendar(self.kind, paths),
            rows=(number,) if self.kind in EXTENTS or has_extent(self.parts) else (),
            form=form_of(self.parts) if self.parts else "",
            url=self.url,
            place=place,
            waiting=waiting,
        )
        return replace(one, components=tuple(part.component(one, n) for n, part in enumerate(self.parts)))


def read(resource: r4.SearchParameter) -> list[Posted]:
    """Read what a SearchParameter puts in force, for each type; nothing unless it is active.

    Raises Problem (422) with every finding: what is wrong, where, and what to write instead.
    """
    if resource.status != "active":
        return []
    found = [issue for judge in _JUDGES for issue in judge(resource)]
    if not found:
        found = [issue for type_name in _types(resource) for issue in _of_expression(resource, type_name)]
    if found:
        raise Problem(found, status=422)
    return [
        Posted(
            type=type_name,
            code=resource.code or "",
            kind=resource.type or "",
            expression=resource.expression or "",
            targets=tuple(sorted({t for t in resource.target or () if t})) if resource.type == "reference" else (),
            url=resource.url or "",
            parts=parts_of(resource, type_name) if resource.type == "composite" else (),
        )
        for type_name in _types(resource)
    ]


def _types(resource: r4.SearchParameter) -> list[str]:
    """List the types that a parameter is about; Resource and DomainResource stand for all that are such."""
    named = {name for name in resource.base or () if name}
    return [
        name
        for name in r4.TYPE_NUMBER
        if name in named
        or ("Resource" in named and name != _AUDIT)
        or ("DomainResource" in named and name != _AUDIT and name not in _UNDOMAINED)
    ]


def _of_code(resource: r4.SearchParameter) -> Iterator[Issue]:
    code = resource.code or ""
    if len(code) > CODE_LIMIT or not _CODE(code):
        text = f"A code is a letter and then letters, digits, - and _, at most {CODE_LIMIT} characters in all."
        yield _issue("value", text, "code")
        return
    for type_name in _types(resource):
        if code in built_in(type_name):
            text = f"{type_name} has a search parameter {code} already, FHIR's own. Choose another code."
            yield _issue("business-rule", text, "code")


def _of_base(resource: r4.SearchParameter) -> Iterator[Issue]:
    for n, name in enumerate(resource.base or ()):
        if name == _AUDIT:
            yield _issue(
                "not-supported", "The audit is searched by its own parameters only; leave it out.", f"base[{n}]"
            )
        elif name not in r4.TYPE_NUMBER and name not in _EVERY:
            yield _issue("value", f"{name} is no type of resource.", f"base[{n}]")


def _of_type(resource: r4.SearchParameter) -> Iterator[Issue]:
    if resource.type not in LEAVES and resource.type != "composite":
        text = f"Parameters of type {resource.type} cannot be added; {', '.join(LEAVES)} and composite can."
        yield _issue("not-supported", text, "type")


def _of_targets(resource: r4.SearchParameter) -> Iterator[Issue]:
    for n, name in enumerate(resource.target or ()):
        if name not in r4.TYPE_NUMBER:
            yield _issue(
                "value", f"{name} is no type of resource; leave `target` out where any will do.", f"target[{n}]"
            )


def _of_text(resource: r4.SearchParameter) -> Iterator[Issue]:
    text = resource.expression
    if not text:
        yield _issue(
            "required", "Say by a FHIRPath expression what is searched, such as Patient.maritalStatus.", "expression"
        )
    elif len(text) > EXPRESSION_LIMIT:
        yield _issue("too-long", f"An expression has at most {EXPRESSION_LIMIT} characters.", "expression")
    elif "\\" in text:
        yield _issue("not-supported", "Write texts without \\ in them; this server reads none such here.", "expression")
    else:
        try:
            compiled(text)
        except (NotFHIRPath, CannotEvaluate) as error:
            yield _issue("invalid", f"This is no FHIRPath that can be run here: {error}", "expression")


#: in the order in which their findings are told
_JUDGES: Sequence[Callable[[r4.SearchParameter], Iterator[Issue]]] = (
    _of_code,
    _of_base,
    _of_type,
    _of_targets,
    _of_text,
    judge,
)


def _of_expression(resource: r4.SearchParameter, type_name: str) -> Iterator[Issue]:
    kind, text = resource.type or "", resource.expression or ""
    try:
        paths = _paths(type_name, kind, text)
    except Problem as refusal:
        yield _issue("not-supported", f"{type_name}: {refusal.issues[0].diagnostics}", "expression")
        return
    if not paths:
        found = sorted({p.type for p in resolve(text, type_name, STRUCTS)})
        what = f"finds {', '.join(found)}" if found else "finds nothing"
        takes = LEAVES[kind].replace(" ", ", ") if kind in LEAVES else "elements that hold its parts"
        text = f"In {type_name} this {what}; a {kind} parameter takes {takes}."
        yield _issue("invalid", text, "expression")
    elif len(paths) > _PATHS_LIMIT:
        text = f"In {type_name} this comes to {len(paths)} elements, more than {_PATHS_LIMIT}. Name fewer."
        yield _issue("too-costly", text, "expression")
    elif max(len(p.steps) for p in paths) > _STEPS_LIMIT:
        text = f"In {type_name} this goes more than {_STEPS_LIMIT} steps deep. Name elements that lie higher."
        yield _issue("too-costly", text, "expression")
    elif kind == "composite":
        yield from judge_parts(resource, type_name, paths)


@cache
def _paths(type_name: str, kind: str, expression: str) -> tuple[Path, ...]:
    try:
        return leaves(kind, resolve(expression, type_name, STRUCTS), STRUCTS)
    except RecursionError:
        raise problem("too-costly", "The search expression nests too deeply.") from None


def _issue(code: str, text: str, place: str) -> Issue:
    return Issue(code=code, diagnostics=text, expression=f"SearchParameter.{place}")
