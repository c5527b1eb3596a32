"""Text made comparable for search: without marks, case and needless blanks, so that `benh ta` finds `Bệnh tả`."""

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


def words(text: str) -> list[str]:
    """Give the folded words of a text; punctuation separates."""
    return _WORD.findall(fold(text))
