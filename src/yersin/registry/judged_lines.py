"""A resource line by line, each line with the FHIRPath of what it says, so that findings stand beside what they are about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from yersin.fhir import r4
from yersin.fhir.problem import Issue, Problem
from yersin.fhir.shapes import shape, struct_of
from yersin.fhir.structs import Struct
from yersin.fhir.xml_lines import laid_out

_RANKS = ("fatal", "error", "warning", "information")
_LINE = re.compile(r"\bline (\d+)\b")


@dataclass(slots=True, kw_only=True)
class Line:
    """A line of the resource. `place` is its FHIRPath, `found` the numbers of the findings about it."""

    number: int
    text: str
    place: str = ""
    found: list[int] = field(default_factory=list)
    #: the gravest of its findings
    severity: str = ""


def lines_of(text: str, issues: Sequence[Issue]) -> list[Line]:
    """Lines of a resource with its findings: laid out anew where it is JSON, else as it was written."""
    lines, by_place = _lines(text)
    for number, issue in enumerate(issues, 1):
        told = _LINE.search(issue.diagnostics) if issue.expression not in by_place else None
        if told:
            lines[min(int(told[1]), len(lines)) - 1].found.append(number)
        else:
            _nearest(by_place, issue.expression, lines[0]).found.append(number)
    for line in lines:
        ranks = [_RANKS.index(issues[number - 1].severity) for number in line.found]
        line.severity = _RANKS[min(ranks)] if ranks else ""
    return lines


def _lines(text: str) -> tuple[list[Line], dict[str, Line]]:
    """Lines of a text, and of them the first of each place."""
    try:
        value = json.loads(text, parse_float=Decimal)
    except ValueError:
        return _written(text)
    laid = _value(value, _struct(value), _root(value), 0, "", "")
    lines = [Line(number=n, text=each, place=place) for n, (each, place) in enumerate(laid, 1)]
    by_place: dict[str, Line] = {}
    for line in lines:
        by_place.setdefault(line.place, line)
    return lines, by_place


def _written(text: str) -> tuple[list[Line], dict[str, Line]]:
    """Lines as they were written, with the places of what is XML."""
    numbers: dict[str, int] = {}
    with suppress(Problem):
        text, numbers = laid_out(text)
    lines = [Line(number=n, text=each) for n, each in enumerate(text.splitlines() or [""], 1)]
    return lines, {place: lines[min(number, len(lines)) - 1] for place, number in numbers.items()}


def _nearest(by_place: dict[str, Line], place: str, first: Line) -> Line:
    """Line of a place, or of the nearest element around it that is there."""
    while place:
        if place in by_place:
            return by_place[place]
        if place.endswith("]") and f"{place.rpartition('[')[0]}" in by_place:
            return by_place[place.rpartition("[")[0]]
        place = place.rpartition(".")[0]
    return first


def _root(value: Any) -> str:
    return str(value.get("resourceType", "")) if isinstance(value, dict) else ""


def _struct(value: Any) -> type[Struct] | None:
    name = _root(value)
    return struct_of(name) if name in r4.TYPE_NUMBER else None


def _value(value: Any, struct: Any, place: str, deep: int, before: str, after: str) -> Iterator[tuple[str, str]]:
    """Lines of a value: `before` stands in front of it, `after` behind."""
    margin = "  " * deep
    if isinstance(value, dict) and value:
        yield f"{margin}{before}{{", place
        struct = _struct(value) or struct
        known = shape(struct) if struct else {}
        for number, (name, child) in enumerate(value.items()):
            element = known.get(name)
            path = f"{place}.{element.path if element else name}"
            below = getattr(r4, element.type, None) if element else None
            below = below if isinstance(below, type) and issubclass(below, Struct) else None
            comma = "," if number < len(value) - 1 else ""
            yield from _value(child, below, path, deep + 1, f"{json.dumps(name, ensure_ascii=False)}: ", comma)
        yield f"{margin}}}{after}", ""
    elif isinstance(value, list) and value:
        yield f"{margin}{before}[", place
        for number, child in enumerate(value):
            comma = "," if number < len(value) - 1 else ""
            yield from _value(child, struct, f"{place}[{number}]", deep + 1, "", comma)
        yield f"{margin}]{after}", ""
    else:
        text = str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
        yield f"{margin}{before}{text}{after}", place
