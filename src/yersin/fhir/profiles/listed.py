"""Codes of value sets that list them, told without any terminology. Source: https://hl7.org/fhir/R4/valueset.html"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JSON = Mapping[str, Any]
Codes = frozenset[tuple[str, str]]
#: what an include may say besides its codes without making them more or fewer
_PLAIN = frozenset({"id", "extension", "system", "version", "concept"})


def listed(value_set: JSON) -> Codes | None:
    """Give systems and codes of a value set, from its definition or else its expansion; None where neither lists them all."""
    composed = _composed(value_set.get("compose") or {})
    return composed if composed is not None else _expanded(value_set.get("expansion") or {})


def _composed(compose: JSON) -> Codes | None:
    parts = compose.get("include") or ()
    if not parts or compose.get("exclude"):
        return None
    if not all(part.get("concept") and part.keys() <= _PLAIN for part in parts):
        return None
    return frozenset((str(part.get("system", "")), str(each.get("code"))) for part in parts for each in part["concept"])


def _expanded(expansion: JSON) -> Codes | None:
    waiting = list(expansion.get("contains") or ())
    count, found = 0, set()
    while waiting:
        entry = waiting.pop()
        count += 1
        waiting += entry.get("contains") or ()
        if entry.get("code") and not entry.get("abstract"):
            found.add((str(entry.get("system", "")), str(entry["code"])))
    return frozenset(found) if count and expansion.get("total", count) == count else None
