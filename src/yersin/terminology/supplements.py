"""Supplements: code systems that add designations and properties to the concepts of another, for those who ask for them.

Sources: https://hl7.org/fhir/R4/codesystem.html#supplements, https://hl7.org/fhir/R4/extension-valueset-supplement.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from yersin.fhir.problem import problem

from .concepts import JSON
from .finding import Finder, System, split

_EXTENSION = "http://hl7.org/fhir/StructureDefinition/valueset-supplement"
_CONCEPTS = "SELECT code, more FROM terms.concept WHERE system = $1 AND key = ANY($2::text[])"
#: what is added to a concept, by the address and the code of the concept
Added = Mapping[tuple[str, str], JSON]


def named(value_set: JSON) -> list[str]:
    """Addresses of the supplements that a value set asks for."""
    found = (
        e.get("valueCanonical") or e.get("valueUri")
        for e in value_set.get("extension", ())
        if e.get("url") == _EXTENSION
    )
    return [str(canonical) for canonical in found if canonical]


async def find(finder: Finder, canonicals: Iterable[str]) -> list[System]:
    """Find supplements. Raises Problem: not-found (404), invalid for a code system that is none."""
    found = []
    for canonical in dict.fromkeys(canonicals):
        system = await finder.system(*split(canonical))
        if system is None:
            text = f"The supplement {canonical} is not here. Send it as a CodeSystem with content supplement."
            raise problem("not-found", text, expression="useSupplement", status=404)
        if system.head.get("content") != "supplement" or not system.head.get("supplements"):
            text = f"{canonical} is no supplement: its content is not supplement, or it does not say of what (supplements)."
            raise problem("invalid", text, expression="useSupplement")
        found.append(system)
    return found


async def added(finder: Finder, supplements: Sequence[System], concepts: Iterable[tuple[str, str, str]]) -> Added:
    """Find what supplements add to concepts, which are told by address and version of their system, and code."""
    wanted = list(concepts) if supplements else []
    found: dict[tuple[str, str], dict[str, list[Any]]] = {}
    for supplement in supplements:
        url, version = split(str(supplement.head["supplements"]))
        of = {supplement.key(code): code for u, v, code in wanted if u == url and version in ("", v)}
        for row in await finder.connection.fetch(_CONCEPTS, supplement.id, list(of)):
            more = found.setdefault((url, of[supplement.key(row["code"])]), {"designation": [], "property": []})
            for name in more:
                more[name] += row["more"].get(name, ())
    return found
