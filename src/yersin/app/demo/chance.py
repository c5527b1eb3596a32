"""Repeatable chance and stable ids: one stream of numbers a household, UUIDv5 (RFC 9562) from readable keys."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from hashlib import sha1
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar
from uuid import NAMESPACE_URL, uuid5

T = TypeVar("T")
_SPACE = uuid5(NAMESPACE_URL, "urn:yersin:demo").bytes


def stream(seed: int, *key: object) -> Random:
    """Open a stream of chance that depends on the seed and the key alone."""
    return Random(f"{seed}/" + "/".join(map(str, key)))  # noqa: S311 - invented data must repeat; nothing is secret


def uid(key: str) -> str:
    """Name a thing for ever: the UUIDv5 of its key, written without the cost of a UUID object."""
    digest = sha1(_SPACE + key.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


class Weighted(Generic[T]):
    """Values with weights, drawn quickly."""

    __slots__ = ("_sums", "_values")

    def __init__(self, weights: Mapping[T, float]) -> None:
        self._values = tuple(weights)
        self._sums = tuple(accumulate(weights.values()))

    def pick(self, rng: Random) -> T:
        """Draw one value."""
        return self._values[bisect(self._sums, rng.random() * self._sums[-1])]


def weighted(text: str) -> Weighted[str]:
    """Read `Nguyễn 38.4, Trần 11`: words and their weights (1 where none is given)."""
    return Weighted(dict(_entry(entry.split()) for entry in text.split(",")))


def _entry(words: list[str]) -> tuple[str, float]:
    counted = words[-1].replace(".", "").isdecimal()
    return (" ".join(words[:-1]), float(words[-1])) if counted else (" ".join(words), 1.0)


def clamp(value: float, low: float, high: float) -> float:
    """Keep a value within limits."""
    return low if value < low else min(value, high)
