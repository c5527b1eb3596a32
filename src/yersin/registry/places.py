"""Communes found as someone types, by today's names and by those before 2025-07-01.

Sources: Resolution 202/2025/QH15; Decision 19/2025/QĐ-TTg. An old name leads to the communes that hold its land now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache

from .units import LAST_DAY_BEFORE, REFORM, Unit, Units, fold
from .units_data import bundled

SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A commune of today, as it is offered; `was` is the old name by which it was found."""

    code: str
    name: str
    province: str
    was: str = ""

    @property
    def label(self) -> str:
        return f"{self.name}, {self.province}"


def find(text: str) -> list[Place]:
    """Find communes whose name, with province and former district, holds every word typed; today's names first."""
    wanted = fold(text.replace(",", " ")).split()
    if not wanted:
        return []
    fitting = [(_rank(names, wanted), n, place) for n, (names, place) in enumerate(_index()) if _fits(names, wanted)]
    seen: dict[str, Place] = {}
    for _, _, place in sorted(fitting, key=lambda found: found[:2]):
        seen.setdefault(place.code, place)
        if len(seen) == SHOWN:
            break
    return list(seen.values())


def commune(code: str) -> tuple[Unit, Unit] | None:
    """Give a commune of today and its province."""
    units = bundled()
    unit = units.find(code, date.today()) if code else None  # noqa: DTZ011 - units change at midnight in Vietnam, never at noon
    if unit is None or unit.level != "commune":
        return None
    return unit, units.path(unit)[-1]


def _fits(names: str, wanted: list[str]) -> bool:
    return all(f" {word}" in names for word in wanted)


def _rank(names: str, wanted: list[str]) -> tuple[bool, bool]:
    """Names of today first, and among them those that begin as typed."""
    return names.endswith(" "), not names.startswith(" " + " ".join(wanted))


@cache
def _index() -> tuple[tuple[str, Place], ...]:
    """Folded names with a blank before each word; those of old units end with a blank."""
    units = bundled()
    return (*_today(units), *_before(units))


def _today(units: Units) -> Iterator[tuple[str, Place]]:
    for province in units.children("", REFORM):
        for unit in units.children(province.code, REFORM):
            names = f" {fold(unit.name)} {fold(unit.kind)} {fold(province.name)}"
            yield names, Place(code=unit.code, name=unit.full_name, province=province.full_name)


def _before(units: Units) -> Iterator[tuple[str, Place]]:
    for old in units.at(LAST_DAY_BEFORE):
        if old.level != "commune":
            continue
        above = units.path(old)[1:]
        names = " " + " ".join(fold(u.name) for u in (old, *above)) + " "
        was = ", ".join(u.full_name for u in (old, *above))
        for step in units.successors(old.code):
            new = units.find(step.new, REFORM)
            if new is not None:
                province = units.path(new)[-1]
                yield names, Place(code=new.code, name=new.full_name, province=province.full_name, was=was)
