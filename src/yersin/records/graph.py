"""Graphs made on the server as SVG: a line of trend beside a value, and a graph with axes and the usual range as a band.

No inline style, so that the strict content policy holds; colours come from classes. Every point has its words as a title.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil, floor, log10

from markupsafe import Markup

from yersin.web.wording import as_date, as_number

_W, _H = 96, 26
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 300, 48, 18, 14, 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a graph: (moment, value, level), oldest first."""

    name: str
    points: Sequence[tuple[datetime, Decimal, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Where moments and values lie on the paper."""

    first: float
    last: float
    low: float
    high: float

    def x(self, when: datetime) -> float:
        span = (self.last - self.first) or 1
        return (
            LEFT + (WIDTH - LEFT - RIGHT) * (when.timestamp() - self.first) / span
            if self.last > self.first
            else WIDTH / 2
        )

    def y(self, value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - self.low) / ((self.high - self.low) or 1))


def spark(values: Sequence[Decimal], level: str = "normal") -> Markup:
    """Draw a small line of trend, oldest first; nothing for fewer than two values."""
    if len(values) < 2:
        return Markup("")
    low, high = float(min(values)), float(max(values))
    span = (high - low) or 1
    step = (_W - 8) / (len(values) - 1)
    points = [(4 + n * step, 4 + (_H - 8) * (1 - (float(v) - low) / span)) for n, v in enumerate(values)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" aria-hidden="true">'
        '<polyline points="{}"/><circle class="{}" cx="{:.1f}" cy="{:.1f}" r="3"/></svg>'
    ).format(_W, _H, _W, _H, path, level, x, y)


def graph(lines: Sequence[Line], low: Decimal | None, high: Decimal | None, label: str) -> Markup:
    """Draw a graph of one or more lines over time, with the usual range as a band."""
    points = [point for line in lines for point in line.points]
    if not points:
        return Markup("")
    scale = _scale(points, low, high)
    parts = [
        _band(scale, low, high),
        _values(scale),
        _moments(scale),
        *(_line(scale, n, line) for n, line in enumerate(lines)),
    ]
    return Markup('<svg class="graph" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, label, Markup("").join(parts)
    )


def _scale(points: Sequence[tuple[datetime, Decimal, str]], low: Decimal | None, high: Decimal | None) -> Scale:
    values = [float(v) for _, v, _ in points] + [float(v) for v in (low, high) if v is not None]
    step = nice((max(values) - min(values)) / 4 or abs(max(values)) / 4 or 1)
    moments = [when.timestamp() for when, _, _ in points]
    top = ceil(max(values) / step) * step
    bottom = floor(min(values) / step) * step
    return Scale(first=min(moments), last=max(moments), low=bottom, high=top if top > bottom else bottom + step)


def nice(size: float) -> float:
    """Round a step to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(size))
    return next(m for m in (1, 2, 5, 10) if size <= m * power) * power


def _band(scale: Scale, low: Decimal | None, high: Decimal | None) -> Markup:
    if low is None and high is None:
        return Markup("")
    top = scale.y(float(high)) if high is not None else TOP
    bottom = scale.y(float(low)) if low is not None else HEIGHT - BOTTOM
    return Markup('<rect class="band" x="{}" y="{:.1f}" width="{}" height="{:.1f}"/>').format(
        LEFT, top, WIDTH - LEFT - RIGHT, max(bottom - top, 0)
    )


def _values(scale: Scale) -> Markup:
    """Draw lines and words of the value axis."""
    step = nice((scale.high - scale.low) / 4)
    made = []
    value = scale.low
    while value <= scale.high + step / 100:
        y = scale.y(value)
        made.append(
            Markup(
                '<line class="rule" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/><text x="{}" y="{:.1f}" class="end">{}</text>'
            ).format(LEFT, WIDTH - RIGHT, y, y, LEFT - 8, y + 4, as_number(Decimal(f"{value:g}")))
        )
        value += step
    return Markup("").join(made)


def _moments(scale: Scale) -> Markup:
    count = 4 if scale.last > scale.first else 0
    marks = [scale.first + (scale.last - scale.first) * n / (count or 1) for n in range(count + 1)]

    made = []
    for n, mark in enumerate(marks):
        when = datetime.fromtimestamp(mark, UTC)
        place = (
            "start" if n == 0 and count else "end" if n == count and count else "middle minor" if n % 2 else "middle"
        )
        made.append(
            Markup('<text x="{:.1f}" y="{}" class="{}">{}</text>').format(
                scale.x(when), HEIGHT - 10, place, as_date(when)
            )
        )
    return Markup("").join(made)


def _line(scale: Scale, number: int, line: Line) -> Markup:
    spots = [(scale.x(when), scale.y(float(value)), when, value, level) for when, value, level in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in spots)
    dots = Markup("").join(
        Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4"><title>{}: {} ({})</title></circle>').format(
            level, x, y, line.name, as_number(value), as_date(when)
        )
        for x, y, when, value, level in spots
    )
    return Markup('<g class="line line-{}"><polyline points="{}"/>{}</g>').format(number, path, dots)
