"""Charts as plain shapes, laid out here and drawn as SVG by the templates, each with a table of the same numbers.

No styles are written into the drawing: classes take their colours from the style sheet, light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, floor, log10

from yersin.registry.units_map import COLUMNS, ROWS, TILES, Tile

from .figures import Count
from .rules import Period, shade

WIDTH, HEIGHT = 720, 220
LEFT, BOTTOM, TOP = 34, 26, 10
TILE_WIDTH, TILE_HEIGHT, GAP = 68, 42, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A day: the bar of what was asked, the part of it that is answered, and the level compared with."""

    day: date
    x: float
    width: float
    y: float
    height: float
    answered_y: float
    answered_height: float
    then_y: float | None
    asked: int
    answered: int
    then: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A chart of days: bars, lines of the scale and the days named below."""

    bars: tuple[Bar, ...]
    lines: tuple[tuple[float, int], ...]
    days: tuple[tuple[float, date], ...]
    width: int = WIDTH
    height: int = HEIGHT
    floor: int = HEIGHT - BOTTOM


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """A tile of the map."""

    code: str
    x: int
    y: int
    shade: int
    count: int
    label: str
    label_en: str


def step(most: int) -> int:
    """Distance of the lines of a scale: 1, 2 or 5 times a power of ten, four lines or so."""
    if most <= 4:
        return 1
    rough = most / 4
    power = int(10 ** floor(log10(rough)))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= rough)


def by_day(period: Period, now: Mapping[date, Count], then: Mapping[date, Count], compare: Period) -> Columns:
    """Lay out the days of a period; the days compared with stand where they would be, counted from the first."""
    days = period.all_days()
    shift = compare.since - period.since
    old = [then.get(day + shift, Count()).asked if day + shift <= compare.until else None for day in days]
    most = max([1, *(count.asked for count in now.values()), *(n or 0 for n in old if any(old))])
    top = ceil(most / step(most)) * step(most)
    rise = (HEIGHT - BOTTOM - TOP) / top
    wide = (WIDTH - LEFT) / len(days)
    return Columns(
        bars=tuple(_bar(n, day, now.get(day, Count()), old[n] if any(old) else None, wide, rise) for n, day in enumerate(days)),
        lines=tuple((HEIGHT - BOTTOM - value * rise, value) for value in range(0, top + 1, step(most))),
        days=tuple((LEFT + (n + 0.5) * wide, days[n]) for n in _named(len(days))),
    )  # fmt: skip


def _bar(n: int, day: date, count: Count, then: int | None, wide: float, rise: float) -> Bar:
    ground = HEIGHT - BOTTOM
    return Bar(
        day=day, x=LEFT + n * wide + wide * 0.14, width=max(wide * 0.72, 1), y=ground - count.asked * rise,
        height=count.asked * rise, answered_y=ground - count.answered * rise, answered_height=count.answered * rise,
        then_y=None if then is None else ground - then * rise, asked=count.asked, answered=count.answered, then=then,
    )  # fmt: skip


def _named(days: int) -> Sequence[int]:
    """Numbers of the days whose dates are written: seven or so, the last always."""
    every = max(1, round(days / 7))
    return sorted(range(days - 1, -1, -every))


def squares(counts: Mapping[str, Count]) -> list[Square]:
    """Tiles of the map in reading order, archipelagos with the value of their province."""
    most = max((count.asked for count in counts.values()), default=0)
    return [_square(tile, counts.get(tile.code, Count()).asked, most) for tile in TILES]


def _square(tile: Tile, count: int, most: int) -> Square:
    return Square(
        code=tile.code, x=tile.col * (TILE_WIDTH + GAP), y=tile.row * (TILE_HEIGHT + GAP), shade=shade(count, most),
        count=count, label=tile.label, label_en=tile.label_en,
    )  # fmt: skip


def map_size() -> tuple[int, int]:
    """Width and height of the map."""
    return COLUMNS * (TILE_WIDTH + GAP), ROWS * (TILE_HEIGHT + GAP)


def span(minutes: float | None) -> timedelta | None:
    """Minutes as a span of time."""
    return None if minutes is None else timedelta(minutes=round(minutes))
