"""Judges the tables: keys and references of what is spread. Source: https://docs.citusdata.com/en/stable/develop/reference_ddl.html"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .judging import Finding
from .placement import Place, place_of

UNIQUE = Finding("is unique without the column that its rows are spread by", "put that column into the key")
MISSING = Finding("has no column that its rows could be spread by", "give it one, NOT NULL")
REFERS = Finding("refers to another table, and the two do not lie together", "leave the reference to the program")
TRIGGERED = Finding("has a trigger", "do its work in the statement that writes")

_CREATE = re.compile(r'CREATE TABLE (?:IF NOT EXISTS )?([\w."]+) \(')
_INDEX = re.compile(r'CREATE UNIQUE INDEX [\w"]+ ON ([\w."]+) (?:USING \w+ )?\(([^)]*)\)')
_TRIGGER = re.compile(r'CREATE (?:CONSTRAINT )?TRIGGER [^;]*? ON ([\w."]+)')
_ALTER = re.compile(r'ALTER TABLE ([\w."]+) ADD ([^;]*)')
_KEY = re.compile(r"(?:PRIMARY KEY|UNIQUE(?: NULLS NOT DISTINCT)?) \(([^)]*)\)|EXCLUDE [^(]*\(([^)]*)\)")
_REFERENCES = re.compile(r'REFERENCES ([\w."]+)')


class Broken(NamedTuple):
    """A table and what is wrong with it."""

    table: str
    finding: Finding


def judge_tables(ddl: str) -> list[Broken]:
    """Return what keeps the tables of some statements from being spread."""
    return [Broken(name, finding) for name, finding in dict.fromkeys(_findings(ddl))]


def _findings(ddl: str) -> Iterator[tuple[str, Finding]]:
    for match in _CREATE.finditer(ddl):
        name, place = _placed(match[1])
        parts = _parts(ddl[match.end() :])
        columns = {part.split()[0].strip('"'): part for part in parts if part}
        if place.kind == "spread" and "NOT NULL" not in columns.get(place.column, ""):
            yield name, MISSING
        for part in parts:
            yield from _keys(name, place, part)
            if re.search(r"\b(PRIMARY KEY|UNIQUE)\b(?! \(| NULLS)", part) and _lacks(place, [part.split()[0]]):
                yield name, UNIQUE
    for match in _ALTER.finditer(ddl):
        yield from _keys(*_placed(match[1]), match[2])
    for match in _INDEX.finditer(ddl):
        name, place = _placed(match[1])
        if _lacks(place, match[2].split(",")):
            yield name, UNIQUE
    for match in _TRIGGER.finditer(ddl):
        name, place = _placed(match[1])
        if place.kind == "spread":
            yield name, TRIGGERED


def _placed(written: str) -> tuple[str, Place]:
    schema, _, table = written.replace('"', "").rpartition(".")
    return f"{schema}.{table}".lstrip("."), place_of(schema, table)


def _keys(name: str, place: Place, part: str) -> Iterator[tuple[str, Finding]]:
    for key in _KEY.finditer(part):
        if _lacks(place, (key[1] or key[2]).split(",")):
            yield name, UNIQUE
    for reference in _REFERENCES.finditer(part):
        other = _placed(reference[1])[1]
        if place.kind == "spread" or (place.kind, other.kind) not in {
            ("local", "local"),
            ("local", "copied"),
            ("copied", "copied"),
        }:
            yield name, REFERS


def _lacks(place: Place, columns: Sequence[str]) -> bool:
    return place.kind == "spread" and place.column not in {column.split()[0].strip('" ') for column in columns}


def _parts(text: str) -> list[str]:
    """Split what stands in the parentheses of a CREATE TABLE at its commas."""
    depth, parts, current = 1, [], ""
    for char in text:
        depth += (char == "(") - (char == ")")
        if depth == 0:
            break
        if char == "," and depth == 1:
            parts.append(current.strip())
            current = ""
        else:
            current += char
    return [*parts, current.strip()]
