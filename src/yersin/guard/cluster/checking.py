"""The check as a whole: alike statements are judged once, and each finding is told with an example and how many there are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from .judging import Finding, judge
from .placement import place_of

_TABLE = re.compile(r'fhir\."([a-z]+?)(_range)?"')
_ARGUMENT = re.compile(r"\$\d+")
_NUMBERS = re.compile(r"= -?\d+|'\{[\d,]+\}'|<> \d+|\b\d+ = ANY|\[\d+\]|IN \([\d, ]+\)|LIMIT \d+")
_KINDS = {"spread": "patient", "copied": "organization"}


class Shape(NamedTuple):
    """Statements that differ in types and values only: one of them, what was asked by it, how many there are."""

    sql: str
    asked: str
    alike: int


class Refused(NamedTuple):
    """A shape that a cluster cannot run, and why."""

    shape: Shape
    findings: list[Finding]


def shapes_of(asked: Mapping[str, str]) -> list[Shape]:
    """Put alike statements together."""
    found: dict[str, Shape] = {}
    for sql, of in asked.items():
        kind = _kind(sql)
        known = found.get(kind)
        found[kind] = known._replace(alike=known.alike + 1) if known else Shape(sql, of, 1)
    return list(found.values())


def _kind(sql: str) -> str:
    def kind(match: re.Match[str]) -> str:
        return f'fhir."{_KINDS[place_of("fhir", match[1]).kind]}{match[2] or ""}"'

    return _NUMBERS.sub("= 1", _ARGUMENT.sub("$1", _TABLE.sub(kind, sql)))


def refused(shapes: list[Shape]) -> list[Refused]:
    """Judge shapes and keep those that a cluster cannot run."""
    judged = [Refused(shape, judge(shape.sql)) for shape in shapes]
    return [each for each in judged if each.findings]
