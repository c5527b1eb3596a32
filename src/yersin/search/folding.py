"""Text made comparable: accent-exact for equality, keyed for Vietnamese dictionary order.

No SQL folds or sorts text a person sees. Order of letters and tones: TCVN 5712 and the dictionaries of the Institute of
Linguistics (ngang, huyền, hỏi, ngã, sắc, nặng). Old and new tone placement (hòa, hoà) are the same word.
"""

from __future__ import annotations

from functools import lru_cache
from unicodedata import normalize

_ALPHABET = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_TONES = {"̀": 1, "̉": 2, "̃": 3, "́": 4, "̣": 5}
_LETTER = {letter: chr(0x40 + place) for place, letter in enumerate(_ALPHABET)}  # "@" and up: above the digits


def normal(text: str) -> str:
    """Give the accent-exact form: case folded, blanks collapsed, tones at the end of each syllable wherever written."""
    return " ".join([_syllable(word)[0] for word in _split(text)])


@lru_cache(maxsize=16384)
def sort_key(text: str) -> str:
    """Give a text whose byte order is Vietnamese dictionary order: syllable by syllable, letters before the tone."""
    if not text:
        return ""
    parted = [_syllable(word) for word in _split(text)]
    return " ".join([key for _, key in parted]) + "\x01" + " ".join([whole for whole, _ in parted])


#: stands between the lowest and the highest key of several, below all that a key holds
BETWEEN = "\x02"


def widened(ends: str, key: str) -> str:
    """Give the lowest and the highest of some keys with another one, one key where they are the same."""
    if not ends or ends == key:
        return key
    low, high = min(ends.partition(BETWEEN)[0], key), max(ends.rpartition(BETWEEN)[2], key)
    return low if low == high else f"{low}{BETWEEN}{high}"


def _split(text: str) -> list[str]:
    return normalize("NFC", text).casefold().split()


@lru_cache(maxsize=16384)
def _syllable(word: str) -> tuple[str, str]:
    """Give a word's accent-exact form and its sort key."""
    plain, tones = _parted(word)
    letters = "".join([_LETTER.get(char, char) for char in plain])
    return plain + "".join(tones), f"{letters}{_TONES[tones[0]] if tones else 0}"


def _parted(word: str) -> tuple[str, list[str]]:
    """Part a syllable from its tones; a mark that makes another letter (ă, ơ) stays with the letter."""
    letters: list[str] = []
    tones: list[str] = []
    for char in normalize("NFD", word):
        (tones if char in _TONES else letters).append(char)
    return normalize("NFC", "".join(letters)), tones
