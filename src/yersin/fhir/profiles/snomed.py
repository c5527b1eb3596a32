"""How SNOMED CT writes its codes and its expression constraints: their form, without the terminology itself.

Sources: https://confluence.ihtsdotools.org/display/DOCRELFMT/6+SNOMED+CT+Identifiers (check digit of Verhoeff),
https://confluence.ihtsdotools.org/display/DOCECL (brief syntax)
"""

from __future__ import annotations

import re

_TIMES = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_SWAPPED = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_CODE = re.compile(r"[1-9][0-9]{5,17}")
_TOKEN = re.compile(
    r"\s*(?:(?P<id>[0-9]+)|(?P<term>\|[^|]*\|)|(?P<text>\"[^\"]*\")|(?P<number>#-?[0-9.]+)"
    r"|(?P<sign><<!|<!|<<|>>!|>!|>>|<=|>=|!=|<|>|=|\^|\*|\(|\)|\{\{|\}\}|\{|\}|:|,|\.|\[|\])|(?P<word>[A-Za-z]+))"
)
_BEFORE = frozenset({"<<!", "<!", "<<", "<", ">>!", ">!", ">>", ">", "^"})
_JOINS = frozenset({"AND", "OR", "MINUS"})


def _mixed() -> tuple[tuple[int, ...], ...]:
    rows = [tuple(range(10))]
    for _ in range(7):
        rows.append(tuple(rows[-1][_SWAPPED[n]] for n in range(10)))
    return tuple(rows)


_MIXED = _mixed()


def is_snomed(code: str) -> bool:
    """Whether a text is written as an identifier of a concept or description, its check digit included."""
    if not _CODE.fullmatch(code):
        return False
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = _TIMES[check][_MIXED[place % 8][int(digit)]]
    return check == 0


def is_expression(text: str) -> bool:
    """Whether a text may be an expression constraint: concepts one after the other are joined, and brackets close.

    Refinements and filters are judged by their brackets only.
    """
    words = _words(text)
    if not words:
        return False
    reader = _Reader(words)
    return reader.joined() and reader.at == len(words)


def _words(text: str) -> list[str]:
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return []
        if not match["term"]:
            found.append(match[0].strip())
        at = match.end()
    return found


class _Reader:
    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.at = 0

    def _next(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def joined(self) -> bool:
        """Read constraints with what joins them."""
        if not self._one():
            return False
        while self._next().upper() in _JOINS:
            self.at += 1
            if not self._one():
                return False
        return True

    def _one(self) -> bool:
        while self._next() in _BEFORE:
            self.at += 1
        word = self._next()
        if word == "(":
            self.at += 1
            if not self.joined() or self._next() != ")":
                return False
            self.at += 1
        elif word == "*" or is_snomed(word):
            self.at += 1
        else:
            return False
        return self._rest()

    def _rest(self) -> bool:
        """Read attributes, refinements and filters behind a concept."""
        while self._next() == ".":
            self.at += 1
            if not self._one():
                return False
        if self._next() == "{{":
            while self._next() and self._next() != "}}":
                self.at += 1
            self.at += 1
        if self._next() == ":":
            return self._refined()
        return True

    def _refined(self) -> bool:
        depth = 0
        while self._next():
            word = self._next()
            depth += word in ("(", "{", "[") and 1
            if word in (")", "}", "]"):
                if depth == 0:
                    return True
                depth -= 1
            self.at += 1
        return depth == 0
