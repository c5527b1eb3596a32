"""References: whether what they point to is of a type that may stand there.

Source: https://hl7.org/fhir/R4/references.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from yersin.fhir import r4
from yersin.fhir.path import Node, Scene

from .bundles import Bundle
from .library import Library
from .parts import Part

if TYPE_CHECKING:
    from .judging import Judge

_NAMED = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]+)?\Z")


def judge_reference(judge: Judge, node: Node, part: Part, place: str, scene: Scene, bundle: Bundle | None) -> None:
    """Judge the type that a reference names, and in a Bundle what it means there."""
    found, library = judge.found, judge.library
    reference = node.value.get("reference")
    if not isinstance(reference, str):
        return
    container = scene.root_resource()[0].value
    if reference.startswith("#") and len(reference) > 1:
        inside = next((each for each in container.get("contained") or () if each.get("id") == reference[1:]), None)
        if inside is None:
            found.add("not-found", place, f"Nothing is contained under {reference}")
            return
        actual = inside.get("resourceType")
    else:
        actual = named_type(reference)
        if bundle is not None:
            actual = bundle.judge(reference, actual, scene.resource()[0], place, found) or actual
    if actual and not _is_allowed(actual, part, library):
        found.add("structure", place, f"This refers to {actual}; {' or '.join(wanted(part, library))} may stand here")


def named_type(reference: str) -> str | None:
    """Type that a reference names; None where it names none."""
    named = _NAMED.search(reference)
    return named[1] if named and named[1] in r4.TYPE_NUMBER else None


def wanted(part: Part, library: Library) -> list[str]:
    """Types that an element may refer to; none where it may refer to any."""
    urls = [url for each in part.types if each.get("code") == "Reference" for url in each.get("targetProfile", ())]
    trees = [library.tree(url) for url in urls]
    return sorted({tree.type for tree in trees if tree}) if all(trees) else []


def _is_allowed(actual: str, part: Part, library: Library) -> bool:
    types = wanted(part, library)
    return not types or bool({"Resource", "DomainResource", actual} & set(types))
