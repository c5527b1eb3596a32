"""Whether two descriptions may be of one person: each field compared, evidence added up, thresholds as data.

Pure values. After Fellegi and Sunter (1969), with weights set by hand for Vietnamese names, where half the country
shares six family names: a given name tells more than a family name. docs/adr: thresholds are reviewed with the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum

from yersin.fhir.folding import fold
from yersin.search.folding import normal

#: evidence for one person (same, close) and against (different); unknown weighs nothing
WEIGHTS: Mapping[str, tuple[float, float, float]] = {
    "personal": (12.0, 5.0, -3.0),
    "insurance": (10.0, 4.0, -1.0),
    "phone": (3.0, 0.0, -0.5),
    "name": (5.0, 2.5, -5.0),
    "born": (4.0, 1.5, -4.0),
    "sex": (0.5, 0.0, -4.0),
    "area": (1.5, 0.0, -0.5),
}
#: from here on a registration is stopped and asked about; from here on it is almost certainly the same person
LIKELY, CERTAIN = 6.0, 10.0
#: words of a name that may hold one slip each, and the name be close still
SLIPS = 2


class Verdict(Enum):
    """How one field compares."""

    SAME = "same"
    CLOSE = "close"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is known of a person. Everything may be missing."""

    name: str = ""
    born: str = ""  # year, month or day as FHIR writes them
    sex: str = ""
    personal: str = ""
    insurance: str = ""
    phone: str = ""
    area: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How alike two descriptions are: the sum of the evidence, and each field's verdict."""

    score: float
    fields: Mapping[str, Verdict]

    @property
    def is_likely(self) -> bool:
        return self.score >= LIKELY

    @property
    def is_certain(self) -> bool:
        return self.score >= CERTAIN


def compare(one: Description, other: Description) -> Likeness:
    """Compare two descriptions; the order does not matter."""
    fields = {name: _verdict(name, getattr(one, name), getattr(other, name)) for name in WEIGHTS}
    return Likeness(score=sum(_weight(name, verdict) for name, verdict in fields.items()), fields=fields)


def _weight(field: str, verdict: Verdict) -> float:
    same, close, different = WEIGHTS[field]
    return {Verdict.SAME: same, Verdict.CLOSE: close, Verdict.DIFFERENT: different, Verdict.UNKNOWN: 0.0}[verdict]


def _verdict(field: str, one: str, other: str) -> Verdict:
    if not one.strip() or not other.strip():
        return Verdict.UNKNOWN
    if field == "name":
        return names(one, other)
    if field == "born":
        return births(one, other)
    if fold(one) == fold(other):
        return Verdict.SAME
    is_slip = field in ("personal", "insurance") and edits(one, other, 1) == 1
    return Verdict.CLOSE if is_slip else Verdict.DIFFERENT


def names(one: str, other: str) -> Verdict:
    """Same with the same marks; close when only marks, order, one word or one letter differ."""
    if normal(one) == normal(other):
        return Verdict.SAME
    first, second = fold(one).split(), fold(other).split()
    if sorted(first) == sorted(second) or _one_word_more(first, second):
        return Verdict.CLOSE
    slips = [edits(a, b, 1) for a, b in zip(first, second, strict=False)]
    is_slip = len(first) == len(second) and max(slips) <= 1 and sum(slips) <= SLIPS
    return Verdict.CLOSE if is_slip or edits(" ".join(first), " ".join(second), 1) <= 1 else Verdict.DIFFERENT


def _one_word_more(first: list[str], second: list[str]) -> bool:
    """A middle name left out: family and given name agree."""
    short, long = sorted((first, second), key=len)
    return len(short) >= 2 and len(long) - len(short) == 1 and short[0] == long[0] and short[-1] == long[-1]


def births(one: str, other: str) -> Verdict:
    """Same as far as both are known to the day; close for the same year, day and month swapped, or one digit off."""
    if one == other:
        return Verdict.SAME if len(one) == 10 else Verdict.CLOSE
    short, long = sorted((one, other), key=len)
    if long.startswith(short) or _swapped(one, other):
        return Verdict.CLOSE
    if len(one) == len(other) == 10 and sum(a != b for a, b in zip(one, other, strict=True)) == 1:
        return Verdict.CLOSE
    return Verdict.DIFFERENT


def _swapped(one: str, other: str) -> bool:
    if len(one) != 10 or len(other) != 10:
        return False
    first, second = date.fromisoformat(one), date.fromisoformat(other)
    return first.year == second.year and (first.month, first.day) == (second.day, second.month)


def edits(one: str, other: str, most: int) -> int:
    """Count letters to change, add, drop or swap with their neighbour; `most` + 1 when there are more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return min(row[-1], most + 1)
