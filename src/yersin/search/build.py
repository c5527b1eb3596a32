"""A row in the making, and what it becomes: what the database keeps of a resource so that it can be found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from yersin.search import tokens

CANONICAL = "="  # marks the unit of a row in base units: "=g.m-3"


class Range(NamedTuple):
    """A number, quantity or time of a parameter. A point has lo = hi; times are [lo, hi) in seconds since the epoch."""

    param: int
    key: int
    lo: float
    hi: float
    unit: str | None


@dataclass(slots=True, kw_only=True)
class Row:
    """The index side of a resource."""

    tok: list[int]
    d_lo: datetime | None
    d_hi: datetime | None
    txt: str
    srt: list[str]
    ranges: list[Range]
    patients: list[str]
    #: version of the index that made it
    ixv: int = 0


class Build:
    """A row in the making."""

    __slots__ = (
        "base",
        "hi",
        "key",
        "lines",
        "lo",
        "memory",
        "patients",
        "ranges",
        "srt",
        "texts",
        "tok",
        "zone",
    )

    def __init__(self, key: bytes, zone: ZoneInfo, base: str, memory: dict[Any, Any], strings: int) -> None:
        self.memory = memory
        self.key = key
        self.zone = zone
        self.base = base
        self.tok: list[int] = []
        self.texts: list[str] = []  # of values seldom met again: hashed once, at the end
        self.lo: datetime | None = None
        self.hi: datetime | None = None
        self.lines: dict[str, list[int]] = {}
        self.srt = [""] * strings
        self.ranges: list[Range] = []
        self.patients: dict[str, int] = {}

    def remember(self, memory_key: Any, texts: Iterable[str]) -> None:
        """Add tokens, and keep their hashes for the next resource that has the same value."""
        made = self.memory[memory_key] = self.hashes(texts)
        self.tok += made

    def hashes(self, texts: Iterable[str]) -> tuple[int, ...]:
        """Hash token texts under the database's key."""
        return tokens.hashes(texts, self.key)

    def row(self) -> Row:
        """Finish the row."""
        patients = sorted(self.patients, key=self.patients.__getitem__)
        for patient in patients:
            member = self.memory.get(patient)
            if member is None:
                self.remember(patient, (tokens.member(patient),))
            else:
                self.tok += member
        txt = "\n".join([f"|{'|'.join(map(str, numbers))}={text}" for text, numbers in self.lines.items()])
        ranges = self.ranges
        self.tok += self.hashes(self.texts)
        return Row(
            tok=sorted(set(self.tok)),
            d_lo=self.lo,
            d_hi=self.hi,
            txt=txt,
            srt=self.srt,
            ranges=list(dict.fromkeys(ranges)) if len(ranges) > 2 else ranges,
            patients=patients,
        )
