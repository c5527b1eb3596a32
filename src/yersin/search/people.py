"""People found as someone types: what was typed, read into tokens; candidates; and their order.

Marks are ignored to find and counted to rank: `duong` finds Dương and Đường, `đường` puts Đường first. At most `LIMIT`
candidates are taken, in no order, and ranked here; nothing is ever counted. Own care area first, then the nation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir.folding import fold, words
from yersin.store.content import body
from yersin.store.schema import table

from . import tokens
from .folding import normal

#: candidates taken from each circle, and people shown
LIMIT, SHOWN = 200, 20
_WORD = re.compile(r"[^\s,;]+")
_DATE = re.compile(r"\b(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})\b")
_YEAR = re.compile(r"(19|20)\d\d")
_SHORTEST_NUMBER = 6
_TONES = "\u0300\u0309\u0303\u0301\u0323"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is looked for: sets of token texts, one of which must hold whole; and what was typed, for ranking."""

    alternatives: tuple[tuple[str, ...], ...]
    names: tuple[str, ...] = ()
    number: str = ""
    born: str = ""

    def __bool__(self) -> bool:
        return bool(self.alternatives)


def typed(text: str) -> Asked:
    """Read what was typed: parts of a name in any order, a year or date of birth, a number of any kind."""
    born, rest = _birth(text)
    names, number, year = _parts(rest)
    sure = [*(t for name in names for t in tokens.typed(name))]
    year = born[:4] or year
    if year:
        sure.append(f"{tokens.YEAR}|{year}")
    if not number:
        return Asked(alternatives=(tuple(sure),) if sure else (), names=tuple(names), born=born or year)
    if len(number) < _SHORTEST_NUMBER:
        return Asked(alternatives=())
    kinds = [f"{tokens.IDENTIFIER}|{tokens.signs(number)}"]
    if tokens.phone(number):
        kinds.append(f"{tokens.PHONE}|{tokens.phone(number)}")
    found = tuple((*sure, kind) for kind in kinds)
    return Asked(alternatives=found, names=tuple(names), number=tokens.signs(number), born=born or year)


def _birth(text: str) -> tuple[str, str]:
    found = _DATE.search(text)
    if found is None:
        return "", text
    day, month, year = found.groups()
    return f"{year}-{int(month):02d}-{int(day):02d}", text[: found.start()] + " " + text[found.end() :]


def _parts(text: str) -> tuple[list[str], str, str]:
    """Part the words of names from a number, which may hold blanks, and a year of birth."""
    names: list[str] = []
    number = year = ""
    for word in _WORD.findall(text):
        if not any(c.isdigit() for c in word):
            names += [word] if words(word) else []
        elif number and len(number) < 10 and word.isdigit():
            number += word
        elif not year and _YEAR.fullmatch(word):
            year = word
        else:
            number += word
    return names, number, year


class _Name(msgspec.Struct):
    text: str = ""
    family: str = ""
    given: list[str | None] = []
    use: str = ""

    @property
    def whole(self) -> str:
        return self.text or " ".join([self.family, *(g for g in self.given if g)]).strip()


class _Coding(msgspec.Struct):
    code: str = ""
    display: str = ""


class _Concept(msgspec.Struct):
    coding: list[_Coding] = []
    text: str = ""


class _Numbered(msgspec.Struct):
    system: str = ""
    value: str = ""
    use: str = ""


class _Address(msgspec.Struct):
    text: str = ""
    line: list[str | None] = []
    district: str = ""
    state: str = ""
    use: str = ""

    @property
    def area(self) -> str:
        return ", ".join(part for part in (self.district, self.state) if part)


class Patient(msgspec.Struct):
    """The few elements of Patient that a list of people needs; the rest is not even decoded."""

    id: str = ""
    name: list[_Name] = []
    gender: str = ""
    birthDate: str = ""  # noqa: N815 - FHIR's name
    identifier: list[_Numbered] = []
    telecom: list[_Numbered] = []
    address: list[_Address] = []
    active: bool = True
    deceasedDateTime: str = ""  # noqa: N815 - as above
    deceasedBoolean: bool = False  # noqa: N815 - as above

    @property
    def full_name(self) -> str:
        best = min(self.name, key=lambda n: n.use != "official", default=_Name())
        return best.whole

    @property
    def phones(self) -> list[str]:
        return [t.value for t in self.telecom if t.system in ("phone", "sms", "") and t.value]

    @property
    def died(self) -> bool:
        return self.deceasedBoolean or bool(self.deceasedDateTime)


_decoder = msgspec.json.Decoder(Patient)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Someone who may be meant. `own` says that the asker may open the chart; `note` is the chooser's own."""

    pat: UUID
    patient: Patient
    own: bool
    note: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A line of a list of people. Of those outside the asker's care it names little: year, commune, ends of numbers."""

    id: str
    name: str
    sex: str
    born: str
    area: str
    identifiers: tuple[tuple[str, str], ...]
    phone: str
    died: bool
    own: bool
    note: Any = None


def shown(candidate: Candidate) -> Person:
    """Show a candidate as far as the asker may know them."""
    patient, own = candidate.patient, candidate.own
    numbers = [(n.system, n.value) for n in patient.identifier if n.value and n.use != "old"]
    return Person(
        id=patient.id,
        name=patient.full_name,
        sex=patient.gender,
        born=patient.birthDate if own else patient.birthDate[:4],
        area=next((a.area for a in patient.address), ""),
        identifiers=tuple(numbers if own else [(system, _masked(value)) for system, value in numbers]),
        phone=next(iter(patient.phones), "") if own else "",
        died=patient.died,
        own=own,
        note=candidate.note,
    )


def _masked(value: str) -> str:
    return "•" * min(len(value) - 3, 6) + value[-3:] if len(value) > 5 else "•••"


Chooser = Callable[[Sequence[Candidate]], Sequence[Candidate]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """Where to look; everywhere when nothing is given.

    `keeper` is the id of the organization that keeps them: the index then meets nobody else, however common the name.
    `within` writes a condition on rows `r`.
    """

    keeper: str | None = None
    within: Callable[[Sql], str] | None = None


NATION = Circle()


async def find(
    connection: Connection, key: bytes, asked: Asked, circle: Circle, opened: Callable[[Sql], str] | None = None
) -> list[Candidate]:
    """Take candidates of a circle, in no order. `opened` writes whether the asker may open the chart of row `r`."""
    sql = Sql()
    kept = (tokens.kept_by(circle.keeper),) if circle.keeper else ()
    either = " OR ".join(
        f"r.tok @> {sql.arg(list(tokens.hashes((*texts, *kept), key)), 'bigint[]')}" for texts in asked.alternatives
    )
    within = f" AND {circle.within(sql)}" if circle.within else ""
    rows = await connection.fetch(
        f"SELECT r.id, r.name, r.enc, r.content, r.pat, {opened(sql) if opened else 'false'} AS own "
        f"FROM {table('Patient')} r WHERE ({either}){within} LIMIT {LIMIT}",
        *sql.arguments,
    )
    return [_candidate(row) for row in rows]


def _candidate(row: Any) -> Candidate:
    patient = _decoder.decode(body(row["enc"], row["content"]))
    patient.id = row["name"] or str(row["id"])
    return Candidate(pat=row["pat"], patient=patient, own=row["own"])


def ranked(asked: Asked) -> Chooser:
    """Rank candidates by how well they fit what was typed, the best first, and keep those a page shows."""
    wanted = [(fold(name), normal(name)) for name in asked.names]

    def choose(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        fitting = [c for c in candidates if _is_born(c.patient, asked.born)]
        return sorted(fitting, key=lambda c: _order(c, wanted))[:SHOWN]

    return choose


def _is_born(patient: Patient, born: str) -> bool:
    """Someone of whom only the year is known is not ruled out by a day."""
    known = patient.birthDate
    return not born or known.startswith(born) or born.startswith(known)


def _order(candidate: Candidate, wanted: Sequence[tuple[str, str]]) -> tuple[Any, ...]:
    """One's own and the living first, then marks that fit, whole words, the given name, the order of typing, the alphabet."""
    patient = candidate.patient
    name = [_spelt(word) for word in patient.full_name.split()]
    last = len(name) - 1
    marks = wholes = 0
    places: list[int] = []
    for plain, marked in wanted:
        begun = [n for n, word in enumerate(name) if word.folded.startswith(plain)]
        marks += not any(_has_marks(name[n], marked) for n in begun)
        wholes += not any(name[n].folded == plain for n in begun)
        places.append(begun[-1] if begun else -1)
    fit = (marks, wholes, last < 0 or last not in places, places != sorted(places))
    return (not candidate.own, patient.died, *fit, [word.folded for word in name], patient.birthDate, patient.id)


class _Spelt(NamedTuple):
    """A word of a name: folded, with its letters' marks, and the tone apart."""

    folded: str
    letters: str
    tone: str


@lru_cache(maxsize=16384)
def _spelt(word: str) -> _Spelt:
    exact = normal(word)
    letters = exact.rstrip(_TONES)
    return _Spelt(fold(word), letters, exact[len(letters) :])


def _has_marks(word: _Spelt, typed: str) -> bool:
    """Whether a word begins as typed with the same marks; a tone not typed yet may still come."""
    start = typed.rstrip(_TONES)
    wanted = typed[len(start) :]
    if word.letters == start:
        return word.tone == wanted
    return word.letters.startswith(start) and wanted in ("", word.tone)
