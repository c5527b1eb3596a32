"""JSON as it was written: every member, every digit. For the slow collector, which must see what decoders drop.

Source: RFC 8259
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from yersin.fhir.problem import Problem, problem


@dataclass(frozen=True, slots=True)
class Number:
    """A number as its text."""

    text: str


@dataclass(frozen=True, slots=True)
class Members:
    """An object as the list of its members; a name may stand there twice."""

    pairs: list[tuple[str, Any]]


def read(raw: bytes, *, deepest: int) -> Any:
    """Answer the JSON value, or raise a Problem with line and column; nothing nests deeper than `deepest`."""
    try:
        text = raw.decode()
        value = json.loads(text, object_pairs_hook=Members, parse_int=Number, parse_float=Number, parse_constant=Number)
    except UnicodeDecodeError as reason:
        raise _broken(raw[: reason.start].decode(), "the bytes are not UTF-8: save the text as UTF-8") from None
    except json.JSONDecodeError as reason:
        raise _broken(text[: reason.pos], f"the JSON is broken: {reason.msg}") from None
    except RecursionError:
        raise _too_deep(deepest) from None
    if _depth(value, deepest) > deepest:
        raise _too_deep(deepest)
    return value


def _broken(before: str, words: str) -> Problem:
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    return problem("structure", f"At line {line}, column {column}: {words}")


def _too_deep(deepest: int) -> Problem:
    return problem("too-costly", f"Objects and arrays nest deeper than {deepest} levels: send a flatter resource")


def _depth(value: Any, deepest: int) -> int:
    """Levels of nesting, counted level by level so that depth costs no stack."""
    level, count = [value], -1
    while level and count <= deepest:
        level = [child for parent in level for child in children(parent)]
        count += 1
    return count + 1 if isinstance(value, (Members, list)) else count


def children(value: Any) -> Iterator[Any]:
    if isinstance(value, Members):
        yield from (child for _, child in value.pairs)
    elif isinstance(value, list):
        yield from value
