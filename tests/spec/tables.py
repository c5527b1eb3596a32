"""Reads the tables of search behaviour beside it: Markdown that people read, tests run and docs/search.md repeats.

A line such as "Stored `Patient.birthDate`, asked `birthdate={}1980`." before a table says where its stored values go and how
its words become a query. A table with an empty corner makes resources, a table `asked | found` says in which order they come.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent
FILES = tuple(sorted(FOLDER.glob("*.md")))
_STORED = re.compile(r"Stored `(\w+)\.([^`]+)`, asked `([^`]+)`\.")
_CELL = re.compile(r"(?<!\\)\|")
SHORT = {
    "ucum": "http://unitsofmeasure.org",
    "loinc": "http://loinc.org",
    "act": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
}
_SHORT = re.compile(rf"\b({'|'.join(SHORT)})(?=\|)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it stands: its head, its rows, and the lines that say what is stored and asked."""

    file: str
    line: int
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    stored: tuple[tuple[str, str, str], ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One table run on one element: stored values, queries, and for each pair the answer."""

    type: str
    path: str
    stored: tuple[str, ...]
    asked: tuple[str, ...]
    answers: dict[tuple[str, str], str]


def tables(path: Path) -> Iterator[Table]:
    """Tables of a file, in their order."""
    stored: list[tuple[str, str, str]] = []
    rows: list[tuple[str, ...]] = []
    for number, line in enumerate([*path.read_text().splitlines(), ""], 1):
        if line.startswith("|"):
            rows.append(cells(line))
            continue
        if rows:
            yield Table(file=path.name, line=number, head=rows[0], rows=tuple(rows[2:]), stored=tuple(stored))
            rows, stored = [], []
        stored += [(found[1], found[2], found[3]) for found in [_STORED.match(line)] if found]


def cells(line: str) -> tuple[str, ...]:
    """Cells of a line; a bar that belongs to a cell stands behind a backslash."""
    return tuple(part.strip().replace("\\|", "|") for part in _CELL.split(line.strip())[1:-1])


def cases(table: Table) -> Iterator[Case]:
    """Cases of a table of stored values and queries."""
    for type_name, path, template in table.stored:
        asked = [
            template.replace("{}", word) for word in (table.head[1:] if table.head[0] == "stored" else _first(table))
        ]
        stored = _first(table) if table.head[0] == "stored" else table.head[1:]
        answers = {}
        for row in table.rows:
            for title, answer in zip(table.head[1:], row[1:], strict=True):
                value, word = (row[0], title) if table.head[0] == "stored" else (title, row[0])
                answers[value, template.replace("{}", word)] = answer
        yield Case(type=type_name, path=path, stored=tuple(stored), asked=tuple(asked), answers=answers)


def _first(table: Table) -> tuple[str, ...]:
    return tuple(row[0] for row in table.rows)


def written_out(text: str) -> str:
    """Put whole addresses in the place of the short names of code systems."""
    return _SHORT.sub(lambda found: SHORT[found[1]], text)
