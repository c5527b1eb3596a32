"""A CodeSystem taken apart into rows: its concepts with their words, parents and ancestors. Plain functions.

Source: https://hl7.org/fhir/R4/codesystem.html, https://hl7.org/fhir/R4/codesystem-concept-properties.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .schema import SPACE
from .words import fold, of_concept

JSON = Mapping[str, Any]
#: what a row of terms.concept holds, in the order of `rows`
COLUMNS = (
    "id", "system", "key", "code", "display", "folded", "words", "parents", "ancestors", "abstract", "inactive", "more",
)  # fmt: skip
#: hierarchies that say nothing of what is a kind of what
_OTHER_HIERARCHIES = frozenset({"grouped-by", "part-of", "classified-with"})
_ABSTRACT = ("notSelectable", "abstract")
_GONE = ("retired", "inactive")
_KEPT = ("definition", "designation", "property")


@dataclass(slots=True)
class Listed:
    """A concept at its place in the list, and the places of its parents."""

    concept: JSON
    parents: list[int] = field(default_factory=list)


def is_folding(system: JSON) -> bool:
    """Whether a code system says that case makes no difference."""
    return system.get("caseSensitive") is False


def head(system: JSON) -> dict[str, Any]:
    """A CodeSystem without its concepts."""
    return {name: value for name, value in system.items() if name not in ("concept", "text")}


def rows(system: JSON, number: int) -> list[tuple[Any, ...]]:
    """Make the rows of a system that has a number; of a code listed twice the first counts."""
    listed = _listed(system)
    folds, first = is_folding(system), number * SPACE
    ancestors = _closed(listed) if system.get("hierarchyMeaning") not in _OTHER_HIERARCHIES else {}
    made = []
    for n, one in enumerate(listed):
        concept = one.concept
        code, display = str(concept["code"]), str(concept.get("display", ""))
        names = [display, *(str(d.get("value", "")) for d in concept.get("designation", ()))]
        folded = [fold(name) for name in names if name]
        properties = concept.get("property", ())
        made.append((
            first + n, number, code.lower() if folds else code, code, display,
            "".join(f"\n{name}" for name in dict.fromkeys(folded)), of_concept(code, names),
            [first + p for p in one.parents], [first + a for a in sorted(ancestors.get(n, ()))],
            any(values(properties, name) == ["true"] for name in _ABSTRACT), _is_gone(properties),
            {name: concept[name] for name in _KEPT if name in concept},
        ))  # fmt: skip
    return made


def values(properties: Sequence[JSON], name: str) -> list[str]:
    """Values of a property as text; the code of a coding."""
    return [text_of(p) for p in properties if p.get("code") == name]


def text_of(part: JSON) -> str:
    """Value of one property as text."""
    value = next((v for k, v in part.items() if k.startswith("value")), "")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value.get("code", "")) if isinstance(value, Mapping) else str(value)


def _is_gone(properties: Sequence[JSON]) -> bool:
    return "true" in values(properties, "inactive") or any(v in _GONE for v in values(properties, "status"))


def _listed(system: JSON) -> list[Listed]:
    listed: list[Listed] = []
    place: dict[str, int] = {}
    folds = is_folding(system)
    for concept, parent in _walked(system.get("concept", ())):
        code = str(concept["code"])
        key = code.lower() if folds else code
        if key not in place:
            place[key] = len(listed)
            listed.append(Listed(concept))
        above = place.get(parent.lower() if folds else parent) if parent else None
        if above is not None and above != place[key]:
            listed[place[key]].parents.append(above)
    _take_in_properties(listed, place, folds=folds)
    return listed


def _walked(concepts: Sequence[JSON]) -> Iterator[tuple[JSON, str]]:
    """Concepts in their order, each with the code of the one it is nested in; nested as deep as may be."""
    waiting: list[tuple[JSON, str]] = [(concept, "") for concept in reversed(concepts)]
    while waiting:
        concept, parent = waiting.pop()
        if code := concept.get("code"):  # it may be missing where an extension says why
            yield concept, parent
            waiting += [(child, str(code)) for child in reversed(concept.get("concept", ()))]


def _take_in_properties(listed: list[Listed], place: Mapping[str, int], *, folds: bool) -> None:
    """Parents and children that are told as properties, where a concept has more than one parent."""
    for n, one in enumerate(listed):
        for part in one.concept.get("property", ()):
            if part.get("code") in ("parent", "child"):
                code = text_of(part)
                other = place.get(code.lower() if folds else code)
                if other is not None and other != n:
                    below, above = (n, other) if part["code"] == "parent" else (other, n)
                    listed[below].parents.append(above)
    for one in listed:
        one.parents = list(dict.fromkeys(one.parents))


def _closed(listed: Sequence[Listed]) -> dict[int, set[int]]:
    """Ancestors of every concept that has some; a circle makes nobody his own ancestor."""
    found: dict[int, set[int]] = {}
    for n, one in enumerate(listed):
        if not one.parents:
            continue
        above: set[int] = set()
        waiting = list(one.parents)
        while waiting:
            parent = waiting.pop()
            if parent not in above:
                above.add(parent)
                waiting += found[parent] if parent < n and parent in found else listed[parent].parents
        above.discard(n)
        found[n] = above
    return found
