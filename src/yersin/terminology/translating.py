"""Codes translated by concept maps, in their direction or against it. Source: https://hl7.org/fhir/R4/conceptmap-operation-translate.html"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .concepts import JSON
from .finding import Finder, split

#: what an equivalence is called from the other side
_BACK = {"wider": "narrower", "narrower": "wider", "subsumes": "specializes", "specializes": "subsumes"}
_NO_MATCH = frozenset({"unmatched", "disjoint"})
#: maps that refer to other maps are followed so far
_DEPTH = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A translation: how near it is, the code, and the map that says so."""

    equivalence: str
    system: str
    version: str = ""
    code: str = ""
    display: str = ""
    source: str = ""
    comment: str = ""
    products: Sequence[JSON] = field(default_factory=tuple)

    @property
    def is_good(self) -> bool:
        return self.equivalence not in _NO_MATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is translated: a code (of any system where none is named), into which system, in which direction."""

    code: str
    system: str = ""
    version: str = ""
    target_system: str = ""
    reverse: bool = False
    #: what else is known, as (element, system, code); where nothing is said, targets that depend on something stay
    dependencies: Sequence[tuple[str, str, str]] = ()


async def translate(finder: Finder, maps: Sequence[JSON], wish: Wish, depth: int = 0) -> list[Match]:
    """Translate by some maps; each match once."""
    found: list[Match] = []
    for one in maps:
        for group in one.get("group", ()):
            found += _backwards(one, group, wish) if wish.reverse else await _forwards(finder, one, group, wish, depth)
    return list({(m.equivalence, m.system, m.code, m.source): m for m in found}.values())


async def _forwards(finder: Finder, concept_map: JSON, group: JSON, wish: Wish, depth: int) -> list[Match]:
    if wish.system and group.get("source") and group["source"] != wish.system:
        return []
    if wish.version and group.get("sourceVersion") not in (None, wish.version):
        return []
    if wish.target_system and group.get("target") != wish.target_system:
        return []
    elements = [element for element in group.get("element", ()) if element.get("code") == wish.code]
    if elements:
        targets = [target for element in elements for target in element.get("target", ())]
        return [_match(concept_map, group, target) for target in targets if _is_met(target, wish)]
    return await _unmapped(finder, concept_map, group, wish, depth)


def _is_met(target: JSON, wish: Wish) -> bool:
    """Whether all that a target depends on is among what was said; nothing said rules nothing out."""
    return not wish.dependencies or all(
        any(
            element == needed.get("property") and code == needed.get("value") and needed.get("system", system) == system
            for element, system, code in wish.dependencies
        )
        for needed in target.get("dependsOn", ())
    )


def _match(concept_map: JSON, group: JSON, target: JSON) -> Match:
    return Match(
        equivalence=str(target.get("equivalence", "equivalent")),
        system=str(group.get("target", "")),
        version=str(group.get("targetVersion", "")),
        code=str(target.get("code", "")),
        display=str(target.get("display", "")),
        source=str(concept_map.get("url", "")),
        comment=str(target.get("comment", "")),
        products=tuple(target.get("product", ())),
    )


async def _unmapped(finder: Finder, concept_map: JSON, group: JSON, wish: Wish, depth: int) -> list[Match]:
    """What a group says of codes that it does not list."""
    rule: Any = group.get("unmapped")
    if not rule or not group.get("source"):
        return []
    system, source = str(group.get("target", "")), str(concept_map.get("url", ""))
    match rule.get("mode"):
        case "provided":
            return [Match(equivalence="equal", system=system, code=wish.code, source=source)]
        case "fixed":
            code, display = str(rule.get("code", "")), str(rule.get("display", ""))
            return [Match(equivalence="inexact", system=system, code=code, display=display, source=source)]
        case "other-map" if depth < _DEPTH:
            other = await finder.definition("ConceptMap", *split(str(rule.get("url", ""))))
            return await translate(finder, [other], wish, depth + 1) if other else []
    return []


def _backwards(concept_map: JSON, group: JSON, wish: Wish) -> Iterator[Match]:
    """Translate from the map's target to its source."""
    if wish.system and group.get("target") and group["target"] != wish.system:
        return
    if wish.version and group.get("targetVersion") not in (None, wish.version):
        return
    if wish.target_system and group.get("source") != wish.target_system:
        return
    for element in group.get("element", ()):
        for target in element.get("target", ()):
            if target.get("code") == wish.code and _is_met(target, wish):
                equivalence = str(target.get("equivalence", "equivalent"))
                yield Match(
                    equivalence=_BACK.get(equivalence, equivalence),
                    system=str(group.get("source", "")),
                    version=str(group.get("sourceVersion", "")),
                    code=str(element.get("code", "")),
                    display=str(element.get("display", "")),
                    source=str(concept_map.get("url", "")),
                )
