"""The fonts documents are set in, from registry packages; a missing one is refused, never replaced in silence.

Be Vietnam Pro for the text, Noto Sans for letters it lacks (Greek, Cyrillic), typst's own DejaVu for arrows and marks. What none
can show is written as its code point, since PDF/A forbids an empty box. Source: https://learn.microsoft.com/typography/opentype/spec/cmap
"""

from __future__ import annotations

import importlib.resources
import struct
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from yersin.fhir.problem import problem

FAMILY = "Be Vietnam Pro"
FALLBACK = "Noto Sans"
_PACKAGES = {FAMILY: "fontpkg_be_vietnam_pro", FALLBACK: "fontpkg_noto_sans"}
_REGULAR = {FAMILY: "BeVietnamPro-Regular.ttf", FALLBACK: "NotoSans*.ttf"}
_LAYOUT = frozenset("\n\t")
SIGNS_FAMILY = "DejaVu Sans Mono"  # inside the typst package
SIGNS = "←↑→↓↔↕⇐⇑⇒⇓⇔∆∑−√∞∫≡■□▪▫▲△▶▷▼▽◆◇○●◦★☆☐☑☒✓✔✗✘♀♂"
FAMILIES = (FAMILY, FALLBACK, SIGNS_FAMILY)


@lru_cache(maxsize=1)
def font_folders() -> tuple[Path, ...]:
    """Return the folders of all fonts used, or refuse with the package that must be installed."""
    return tuple(_folder(family, package) for family, package in _PACKAGES.items())


def _folder(family: str, package: str) -> Path:
    try:
        folder = Path(str(importlib.resources.files(package))) / "files"
    except ModuleNotFoundError:
        folder = Path()
    if package not in folder.parts or not list(folder.glob(_REGULAR[family])):
        name = package.replace("_", "-")
        raise problem(
            "not-supported",
            f"Thiếu phông chữ {family}: hãy cài gói {name}. | The font {family} is missing: install the package {name}.",
            status=500,
        )
    return folder


@lru_cache(maxsize=1)
def covered() -> frozenset[int]:
    """Return every code point the fonts can show."""
    points = {ord(sign) for sign in SIGNS}
    for (family, _), folder in zip(_PACKAGES.items(), font_folders(), strict=True):
        points |= set(_characters(_regular(folder, family).read_bytes()))
    return frozenset(points)


def _regular(folder: Path, family: str) -> Path:
    candidates = sorted(folder.glob(_REGULAR[family]), key=lambda path: ("Italic" in path.name, len(path.name)))
    return candidates[0]


def _characters(font: bytes) -> Iterator[int]:
    start = _table(font, b"cmap")
    (count,) = struct.unpack_from(">H", font, start + 2)
    offsets = {struct.unpack_from(">HHI", font, start + 4 + 8 * i)[2] for i in range(count)}
    for offset in offsets:
        (kind,) = struct.unpack_from(">H", font, start + offset)
        if kind == 4:
            yield from _format_4(font, start + offset)
        elif kind == 12:
            yield from _format_12(font, start + offset)


def _table(font: bytes, tag: bytes) -> int:
    (count,) = struct.unpack_from(">H", font, 4)
    for i in range(count):
        name, _, offset, _ = struct.unpack_from(">4sIII", font, 12 + 16 * i)
        if name == tag:
            return int(offset)
    raise ValueError(f"The font has no {tag.decode()} table")


def _format_4(font: bytes, at: int) -> Iterator[int]:
    segments = struct.unpack_from(">H", font, at + 6)[0] // 2
    ends = struct.unpack_from(f">{segments}H", font, at + 14)
    starts = struct.unpack_from(f">{segments}H", font, at + 16 + 2 * segments)
    for first, last in zip(starts, ends, strict=True):
        yield from (point for point in range(first, last + 1) if point != 0xFFFF)


def _format_12(font: bytes, at: int) -> Iterator[int]:
    (groups,) = struct.unpack_from(">I", font, at + 12)
    for i in range(groups):
        first, last, _ = struct.unpack_from(">III", font, at + 16 + 12 * i)
        yield from range(first, last + 1)


def showable(text: str) -> str:
    """Return the text in NFC with what no font can show written as `[U+1F600]`; controls and direction marks go."""
    points = covered()
    return "".join(_shown(char, points) for char in unicodedata.normalize("NFC", text.replace("\r\n", "\n")))


def _shown(char: str, points: frozenset[int]) -> str:
    if char in _LAYOUT:
        return char
    category = unicodedata.category(char)
    if category == "Zs":
        return char if ord(char) in points else " "
    if category in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return "\n" if category in {"Zl", "Zp"} or char == "\r" else ""
    return char if ord(char) in points else f"[U+{ord(char):04X}]"


def showable_data(value: Any) -> Any:
    """Apply `showable` to every text inside lists and mappings (keys stay)."""
    if isinstance(value, str):
        return showable(value)
    if isinstance(value, dict):
        return {key: showable_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [showable_data(item) for item in value]
    return value
