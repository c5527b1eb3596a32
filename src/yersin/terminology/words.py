"""Words of concepts made comparable: without marks and case, so that typing `benh ta` finds `Bệnh tả`.

The same folding as `yersin.search.folding`, which stands above this floor; a test holds the two together.
"""

from __future__ import annotations

import re
from unicodedata import category, normalize

_STROKE = str.maketrans("đĐ", "dD")
_WORD = re.compile(r"\w+")


class _Folded(dict[int, str]):
    """What each character folds to, worked out at its first use."""

    def __missing__(self, code: int) -> str:
        text = normalize("NFD", _without_marks(normalize("NFD", chr(code).translate(_STROKE))).casefold())
        found = self[code] = _without_marks(text)
        return found


def _without_marks(text: str) -> str:
    return "".join([c for c in text if category(c) != "Mn"])


_FOLDED = _Folded()


def fold(text: str) -> str:
    """Strip marks and case and collapse blanks: `  NGUYỄN  Văn Đức` becomes `nguyen van duc`."""
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(normalize("NFC", text).translate(_FOLDED).split())


def split(text: str) -> list[str]:
    """Give the folded words of a text; punctuation separates."""
    return _WORD.findall(fold(text))


def of_concept(code: str, names: list[str]) -> list[str]:
    """Give the words by which a concept is found: those of its names, of its code, and its code without points."""
    found = {word[:64] for name in names for word in split(name)}
    found.update(split(code), ["".join(split(code))] if split(code) else [])
    return sorted(found)


def query(typed: str) -> str:
    """Write what was typed as a text search: every word the beginning of a word, in any order; empty without words."""
    return " & ".join(f"'{word[:64]}':*" for word in split(typed)[:12])
