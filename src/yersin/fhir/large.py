"""Large texts: what would cost too much is refused by counting, and what may be wrong is told without reading text by text.

A resource of more than 256 KiB gets one finding in place of all of them.
Source: https://hl7.org/fhir/R4/security.html#narrative
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from yersin.fhir.problem import Issue, Problem, problem

#: bytes; smaller texts may be looked through character by character
LARGE = 256 << 10
#: objects, and values of all kinds, that one resource may hold
MOST_OBJECTS, MOST_VALUES = 200_000, 2_000_000
#: control characters, escaped
_CONTROL = re.compile(rb"(?<!\\)(?:\\\\)*\\(?:u00(?:0[0-8bBcCeEfF]|1)|[bf])")
_PLACE = re.compile(r" - at `\$\.?(.*)`\Z")


def refuse_too_much(raw: bytes) -> None:
    """Raise Problem (413) for a text that holds more than one resource may."""
    if raw.count(b"{") > MOST_OBJECTS or raw.count(b",") > MOST_VALUES:
        text = f"One resource may hold {MOST_OBJECTS} objects and {MOST_VALUES} values; split it."
        raise problem("too-costly", text, status=413)


def refusal(reason: str) -> Problem:
    """Make of what the fast reader says the one finding of a large text."""
    place = _PLACE.search(reason)
    expression = re.sub(r"\[\.\.\.\]", "", place[1]) if place else ""
    words = f"This is not FHIR R4: {_PLACE.sub('', reason)}. Of a text this long only the first finding is told."
    return Problem([Issue(code="structure", diagnostics=words, expression=expression)])


def findings(raw: bytes, again: bytes) -> list[Issue]:
    """What is wrong with a text although the fast reader took it; `again` is what it understood."""
    if _CONTROL.search(raw):
        words = "Control characters may not stand in text: remove them"
    elif not _is_same(raw, again):
        words = "Something is null or empty, stands here twice, or is a number in quotes: FHIR has none of these"
    else:
        return []
    return [Issue(code="structure", diagnostics=words)]


class _Odd(Exception):  # noqa: N818 - no error of ours: what was looked for was found
    pass


def _is_same(raw: bytes, again: bytes) -> bool:
    try:
        return bool(_loads(raw) == _loads(again))
    except (_Odd, ValueError, RecursionError):
        return False


def _loads(text: bytes) -> Any:
    return json.loads(text, object_pairs_hook=_once, parse_float=_number, parse_int=_number)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs) or not pairs:
        raise _Odd
    return made


def _number(text: str) -> tuple[Decimal]:
    """Make a number that equals no text."""
    return (Decimal(text),)
