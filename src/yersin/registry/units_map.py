"""A map of the 34 provinces drawn by ourselves: one square a province, set out like the country, archipelagos always.

Hoàng Sa belongs to Đà Nẵng and Trường Sa to Khánh Hòa; they take the colour of their province and are never left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A square of the map. `label` is set for an archipelago, which shows its province's value."""

    code: str
    col: int
    row: int
    label: str = ""
    label_en: str = ""


_GRID = """
 .  .  08 04 .
 12 15 19 20 .
 11 25 01 24 22
 .  14 37 33 31
 .  38 .  .  .
 .  40 .  .  .
 .  42 .  .  .
 .  .  44 .  .
 .  .  46 .  .
 .  .  .  48 .
 .  .  .  51 .
 .  .  .  52 .
 .  .  .  66 .
 .  .  68 56 .
 80 79 75 .  .
 91 82 86 .  .
 .  92 .  .  .
 96 .  .  .  .
"""
COLUMNS, ROWS = 7, 18

TILES: tuple[Tile, ...] = (
    *(
        Tile(code=code, col=col, row=row)
        for row, line in enumerate(_GRID.split("\n")[1:-1])
        for col, code in enumerate(line.split())
        if code != "."
    ),
    Tile(code="48", col=5, row=8, label="Quần đảo Hoàng Sa", label_en="Hoang Sa archipelago"),
    Tile(code="56", col=6, row=15, label="Quần đảo Trường Sa", label_en="Truong Sa archipelago"),
)


def svg(name: Callable[[Tile], str], colour: Callable[[Tile], str], *, size: int = 44, gap: int = 3) -> str:
    """Draw the map as SVG text: `name` gives each tile's words, `colour` its fill."""
    step = size + gap
    tiles = "".join(_tile(tile, name(tile), colour(tile), size, step) for tile in TILES)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * step} {ROWS * step}" role="img">{tiles}</svg>'
    )


def _tile(tile: Tile, name: str, fill: str, size: int, step: int) -> str:
    left, top = tile.col * step, tile.row * step
    lines = _lines(name)
    first = top + size / 2 + 3 - (len(lines) - 1) * 5
    words = "".join(
        f'<tspan x="{left + size / 2:g}" y="{first + 10 * number:g}">{escape(line)}</tspan>'
        for number, line in enumerate(lines)
    )
    dash = ' stroke="currentColor" stroke-dasharray="3 2"' if tile.label else ""
    return (
        f'<g data-code="{tile.code}"><title>{escape(name)}</title>'
        f'<rect x="{left}" y="{top}" width="{size}" height="{size}" rx="6" fill="{escape(fill)}"{dash}/>'
        f'<text font-size="9" text-anchor="middle">{words}</text></g>'
    )


def _lines(name: str) -> list[str]:
    words = name.removeprefix("Quần đảo ").split()
    return [" ".join(words[:2]), " ".join(words[2:])] if len(words) > 2 else words
