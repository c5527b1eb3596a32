"""Administrative units of Vietnam as dated data: provinces, districts (until 2025-06-30) and communes.

Two generations stand side by side: 63 provinces, districts and communes before 2025-07-01 (Decision 124/2004/QĐ-TTg
and its amendments), 34 provinces and 3,321 communes from that day (Resolution 202/2025/QH15, Decision 19/2025/QĐ-TTg).
Pure values and look-ups; `units_data` reads them from files, `units_fhir` writes them as Location resources.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

REFORM = date(2025, 7, 1)
LAST_DAY_BEFORE = date(2025, 6, 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One unit during the time it existed under this name, rank and parent. Codes are text and may be used again."""

    code: str
    level: str  # province | district | commune
    kind: str  # Tỉnh, Thành phố, Quận, Huyện, Thị xã, Xã, Phường, Thị trấn, Đặc khu
    name: str  # without the kind: Lào Cai
    name_en: str
    parent: str = ""  # code of the unit above, in the same generation
    lat: float | None = None
    lon: float | None = None
    area_km2: float | None = None
    #: None where the source does not record since when
    valid_from: date | None = None
    valid_to: date | None = None
    legal_basis: str = ""

    @property
    def full_name(self) -> str:
        """The official Vietnamese name: Tỉnh Lào Cai."""
        return f"{self.kind} {self.name}"

    @property
    def full_name_en(self) -> str:
        """The English name: Lao Cai Province."""
        return f"{self.name_en} {ENGLISH_KIND.get((self.level, self.kind), self.kind)}".strip()

    @property
    def id(self) -> str:
        """A stable FHIR id: the generation and the official code."""
        return f"vn-{'2004' if self.valid_to == LAST_DAY_BEFORE else '2025'}-{self.code}"

    def is_valid(self, day: date) -> bool:
        """Tell whether the unit existed on that day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


ENGLISH_KIND: Mapping[tuple[str, str], str] = {
    ("province", "Tỉnh"): "Province",
    ("province", "Thành phố"): "City",
    ("district", "Quận"): "Urban District",
    ("district", "Huyện"): "District",
    ("district", "Thị xã"): "Town",
    ("district", "Thành phố"): "City",
    ("commune", "Xã"): "Commune",
    ("commune", "Phường"): "Ward",
    ("commune", "Thị trấn"): "Township",
    ("commune", "Đặc khu"): "Special Zone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """One old unit and a new unit that holds its land, or part of it (`whole` is False when it was divided)."""

    old: str  # code before 2025-07-01
    new: str  # code from 2025-07-01
    whole: bool = True


class Units:
    """A set of units with its look-ups. Nothing in it changes after it is built."""

    def __init__(self, units: Iterable[Unit], successions: Iterable[Succession] = ()) -> None:
        self.all: tuple[Unit, ...] = tuple(units)
        self._by_code: dict[str, list[Unit]] = {}
        self._children: dict[str, list[Unit]] = {}
        self._by_name: dict[str, list[Unit]] = {}
        self._after: dict[str, list[Succession]] = {}
        self._before: dict[str, list[Succession]] = {}
        for unit in self.all:
            self._by_code.setdefault(unit.code, []).append(unit)
            self._children.setdefault(unit.parent, []).append(unit)
            for name in {fold(unit.name), fold(unit.full_name)}:
                self._by_name.setdefault(name, []).append(unit)
        for step in successions:
            self._after.setdefault(step.old, []).append(step)
            self._before.setdefault(step.new, []).append(step)

    def at(self, day: date) -> tuple[Unit, ...]:
        """All units that existed on that day, in the order of the source."""
        return tuple(unit for unit in self.all if unit.is_valid(day))

    def find(self, code: str, day: date) -> Unit | None:
        """Find the unit that bore this code on that day."""
        return next((unit for unit in self._by_code.get(code, ()) if unit.is_valid(day)), None)

    def named(self, name: str, day: date, *, level: str = "") -> tuple[Unit, ...]:
        """Units of that name, with or without its kind and accents."""
        return _kept(self._by_name.get(fold(name), ()), day, level)

    def children(self, code: str, day: date) -> tuple[Unit, ...]:
        """Units directly below; of the empty code, the provinces."""
        return _kept(self._children.get(code, ()), day, "")

    def path(self, unit: Unit) -> tuple[Unit, ...]:
        """List the unit and those above it, from the lowest to the province."""
        day = unit.valid_to or unit.valid_from or REFORM
        above = self.find(unit.parent, day) if unit.parent else None
        return (unit, *self.path(above)) if above else (unit,)

    def successors(self, code: str) -> tuple[Succession, ...]:
        """Where the land of an old unit went."""
        return tuple(self._after.get(code, ()))

    def predecessors(self, code: str) -> tuple[Succession, ...]:
        """Which old units a new unit was made from."""
        return tuple(self._before.get(code, ()))


def fold(text: str) -> str:
    """Lower case without accents, single spaces: how names are compared."""
    plain = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split())


def unaccented(text: str) -> str:
    """Write the name in plain Latin letters with its capitals kept: the usual English form."""
    plain = unicodedata.normalize("NFD", text.replace("Đ", "D").replace("đ", "d"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _kept(units: Sequence[Unit], day: date, level: str) -> tuple[Unit, ...]:
    return tuple(unit for unit in units if unit.is_valid(day) and (not level or unit.level == level))
