"""Where profiles are found by their canonical address: R4's own, and those that somebody stored. Their trees are made once.

Source: https://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .parts import JSON, Part
from .published import BASE, published, whole
from .snapshots import Builder, Flaw

#: guides that are published under two addresses: what is asked by the one is found under the other
TWINS = (
    # VN Core: the ministry's draft, and HL7 Vietnam's (what Yersin writes is the ministry's, docs/clarifications.md)
    ("http://fhir.ehealth.gov.vn/core/", "http://fhir.hl7.org.vn/core/"),
    ("https://fhir.ehealth.gov.vn/core/", "http://fhir.ehealth.gov.vn/core/"),
    ("https://fhir.hl7.org.vn/core/", "http://fhir.ehealth.gov.vn/core/"),
)  # fmt: skip
_SYSTEM = "http://hl7.org/fhirpath/System."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A profile, ready to judge: what it is called, the type it is of, and what its definition lacks."""

    url: str
    type: str
    part: Part
    flaws: tuple[Flaw, ...] = ()
    #: a base that is not here; R4's definition of the type stands in for it
    missing: str = ""


def split(canonical: str) -> tuple[str, str]:
    """Part a canonical address from its version."""
    url, _, version = canonical.partition("|")
    return url.partition("#")[0], version


def twins(url: str) -> Iterable[str]:
    """Other addresses of the same definition."""
    for one, other in TWINS:
        if url.startswith(one):
            yield other + url[len(one) :]
        elif url.startswith(other):
            yield one + url[len(other) :]


class Library:
    """Definitions by address. Stored ones go before R4's of the same address only where R4 has none."""

    def __init__(self, stored: Iterable[JSON] = (), *, is_whole: bool = False) -> None:
        #: whether elements have their texts, and where each was first defined
        self._is_whole = is_whole
        self._stored: dict[str, list[JSON]] = {}
        for each in stored:
            if isinstance(each.get("url"), str):
                self._stored.setdefault(each["url"], []).append(each)
        self._trees: dict[str, Tree | None] = {}
        self._types: dict[str, Part] = {}

    def find(self, canonical: str) -> JSON | None:
        """Find a definition by its address, with or without a version, or by the other address of its guide."""
        url, version = split(canonical)
        for address in (url, *twins(url)):
            if address in published():
                return published()[address]
            found = self._stored.get(address, ())
            fitting = [each for each in found if not version or each.get("version") == version]
            if fitting:
                return fitting[-1]
        return None

    def whole(self) -> Library:
        """Make a library of the same definitions whose trees keep all that they say."""
        return Library((each for found in self._stored.values() for each in found), is_whole=True)

    def addresses(self) -> list[tuple[str, str]]:
        """Every stored profile as address and title."""
        return [(url, str(each[-1].get("title") or each[-1].get("name") or url)) for url, each in self._stored.items()]

    def tree(self, canonical: str) -> Tree | None:
        """Give the tree of a profile; None where it is not known."""
        if canonical not in self._trees:
            definition = self.find(canonical)
            self._trees[canonical] = None  # a profile that is its own base has no tree
            self._trees[canonical] = self.made(definition) if definition else None
        return self._trees[canonical]

    def made(self, definition: JSON) -> Tree | None:
        """Make the tree of a definition that may not be stored."""
        type_name = str(definition.get("type", ""))
        base = str(definition.get("baseDefinition", ""))
        above = self.tree(base) if base else None
        missing = base if base and above is None else ""
        elements = self._said(definition, stands_alone=bool(missing) or not base)
        if above is not None:
            start = above.part.copy(type_name)
        else:
            start = self.type(type_name).copy() if missing and self._is_type(type_name) else Part(type_name, {})
        if definition.get("derivation") == "specialization" or not base:
            return _grown(self, definition, start, elements)
        builder = Builder(start, self.opened)
        builder.lay(elements)
        inherited = missing or (above.missing if above else "")
        return Tree(
            url=str(definition.get("url", "")),
            type=type_name,
            part=builder.tree,
            flaws=tuple(builder.flaws),
            missing=inherited,
        )

    def _said(self, definition: JSON, *, stands_alone: bool) -> Sequence[JSON]:
        if not self._is_whole:
            return _elements(definition, stands_alone=stands_alone)
        url = str(definition.get("url", ""))
        said = whole(url) if published().get(url) is definition else definition
        return [_sourced(each, url) for each in _elements(said, stands_alone=stands_alone)]

    def _is_type(self, name: str) -> bool:
        return BASE + name in published()

    def type(self, name: str) -> Part:
        """Give the tree of a type of R4; an empty one for a type there is not."""
        if name not in self._types:
            tree = self.tree(BASE + name) if not name.startswith(_SYSTEM) else None
            self._types[name] = tree.part if tree else Part(name, {})
        return self._types[name]

    def opened(self, tree: Part, part: Part) -> Part | None:
        """Give what an element is inside: another element it refers to, the profile of its type, or its type."""
        refers = part.own.get("contentReference")
        if refers:
            return self.referred(str(refers)) or _at(tree, str(refers).rpartition("#")[2])
        codes = [each["code"] for each in part.own.get("type", ()) if "code" in each]
        if len(codes) != 1:
            return self.type("Element") if codes else None
        profiles = [url for each in part.own["type"] for url in each.get("profile", ())]
        profiled = self.tree(profiles[0]) if len(profiles) == 1 else None
        return profiled.part if profiled else self.type(codes[0])

    def referred(self, reference: str) -> Part | None:
        """Find the element that a contentReference names."""
        path = reference.rpartition("#")[2]
        return _at(self.type(path.partition(".")[0]), path)


def _at(tree: Part, path: str) -> Part | None:
    """Find an element of a tree by its path."""
    part: Part | None = tree
    for name in path.split(".")[1:]:
        part = ((part and part.children) or {}).get(name)
    return part


def _elements(definition: JSON, *, stands_alone: bool) -> list[Mapping[str, Any]]:
    """Give what a definition says: its differential, or its snapshot where there is none or its base is not here."""
    said = [list(definition.get(name, {}).get("element", ())) for name in ("differential", "snapshot")]
    differential, snapshot = said
    return snapshot if snapshot and (stands_alone or not differential) else differential


def _sourced(element: JSON, url: str) -> JSON:
    """An element whose rules say where they come from, and that says what it was when it was first defined."""
    base = {"path": element.get("path"), "min": element.get("min", 0), "max": element.get("max", "*")}
    rules = [{"source": url, **each} for each in element.get("constraint", ())]
    return {"base": base, **element, **({"constraint": rules} if rules else {})}


def _grown(library: Library, definition: JSON, start: Part, elements: Sequence[JSON]) -> Tree:
    """Make the tree of a type: its own elements come after those of its base."""
    rules = start.own.get("constraint", [])
    flaws: list[Flaw] = []
    for number, element in enumerate(elements):
        _, *names = str(element.get("path", "")).split(".")
        part = _at(start, ".".join(["", *names[:-1]]))
        if part is None:
            flaws.append(Flaw(number=number, words=f"{element.get('path')}: what it stands in is not there"))
            continue
        if not names:
            start.own = {**element, "constraint": [*rules, *element.get("constraint", ())]}
            continue
        part.children = part.children if part.children is not None else {}
        if part is not start and not part.children:
            part.children = {k: v.copy() for k, v in _inside(library, part).items()}
        earlier = part.children.get(names[-1])
        first = {"base": earlier.own["base"]} if earlier and "base" in earlier.own else {}
        part.children[names[-1]] = Part(names[-1], {**element, **first})
    return Tree(
        url=str(definition.get("url", "")), type=str(definition.get("type", "")), part=start, flaws=tuple(flaws)
    )


def _inside(library: Library, part: Part) -> Mapping[str, Part]:
    """Children that an element with children of its own has from its type (BackboneElement or Element)."""
    codes = [each["code"] for each in part.own.get("type", ()) if "code" in each]
    return library.type(codes[0] if codes else "Element").children or {}
