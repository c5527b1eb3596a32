"""One function for each type that walks a resource once and hands every searched element to the right emitter.

The source is made from the resolved paths of the type's parameters at first use, compiled and kept.
Source: https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from yersin.fhir.expressions import Path, Visit, compiled, extractor, statements
from yersin.fhir.parameters import Component, Parameter, compartment, main_date, parameters, sorted_strings

Emitter = Callable[..., None]
UNSTORED = {"_id", "_lastUpdated"}  # columns of their own


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Values of one path of a component, from an element that a composite stands at, and where they go by themselves."""

    kind: str
    type: str
    find: Callable[[Any], list[Any]]
    slot: Slot | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slot:
    """Where the values of one path of a parameter go. Compared by identity: it is a key of the memory of tokens."""

    parameter: Parameter
    code: str
    number: int
    system: str = ""
    sort: int = -1
    rank: int = -1  # the place of this parameter among those that name the compartment's patients
    main: bool = False
    calendar: bool = False
    fold: bool = True
    parts: tuple[tuple[Part, ...], ...] = ()


def compile_type(type_name: str, emitters: Mapping[tuple[str, str], Emitter]) -> Callable[[Any, Any], None]:
    """Compile a type's walk: `run(resource, build)` calls `emitters[kind, FHIR type](build, slot, value, parent)`."""
    visits: list[Visit] = []
    scope: dict[str, Any] = {}
    for parameter in parameters(type_name).values():
        if parameter.code in UNSTORED or parameter.covers:
            continue
        for path in parameter.paths:
            emitter = emitters.get(_handled(parameter, path))
            if emitter is not None:
                visits.append(_visit(parameter, path, emitter, scope))
    return compiled(statements(visits), "r, b", scope, type_name)


def _handled(parameter: Parameter, path: Path) -> tuple[str, str]:
    if parameter.kind == "composite":
        return "composite", parameter.form
    return parameter.kind, path.type


def _visit(parameter: Parameter, path: Path, emitter: Emitter, scope: dict[str, Any]) -> Visit:
    place = len(scope)
    scope[f"s{place}"] = slot(parameter, path)
    scope[f"f{place}"] = emitter
    up = parameter.key[0] if parameter.key else None

    def leaf(names: Sequence[str]) -> str:
        parent = f", {names[up]}" if up is not None else ""
        return f"f{place}(b, s{place}, {names[-1]}{parent})"

    return Visit(path=path, leaf=leaf)


def slot(parameter: Parameter, path: Path) -> Slot:
    """Work out once what each emitter asks about its parameter."""
    strings = sorted_strings(parameter.type)
    return Slot(
        parameter=parameter,
        code=parameter.code,
        number=parameter.number,
        system=path.system,
        sort=strings.index(parameter.code) if parameter.code in strings else -1,
        rank=_rank(parameter),
        main=main_date(parameter.type) is parameter,
        calendar=parameter.calendar,
        fold=not parameter.exact,
        parts=tuple(_parts(component, path.type) for component in parameter.components),
    )


def _rank(parameter: Parameter) -> int:
    """Find a parameter, or one that it covers, among those of the Patient compartment."""
    known = parameters(parameter.type)
    for place, code in enumerate(compartment("Patient", parameter.type)):
        if parameter.code == code or parameter.code in known[code].covers:
            return place
    return -1


def _parts(component: Component, at: str) -> tuple[Part, ...]:
    paths, own = dict(component.at).get(at, component.paths), component.own
    return tuple(
        Part(kind=component.kind, type=path.type, find=extractor((path,)), slot=slot(own, path) if own else None)
        for path in paths
    )


def emitting(kind: str, types: str, emitter: Emitter) -> dict[tuple[str, str], Emitter]:
    """Name the emitter of some FHIR types for parameters of a kind."""
    return {(kind, name): emitter for name in types.split()}
