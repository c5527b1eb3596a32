"""References: whether what they point to is of a type that may stand there.

Source: https://hl7.org/fhir/R4/references.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from yersin.fhir import r4
from yersin.fhir.path import Node, Scene

from .bundles import Bundle
from .findings import Findings
from .library import Library
from .parts import Part

if TYPE_CHECKING:
    from .judging import Judge

_BLANK = re.compile(r"\s").search
#: a resource of a server, by its address there
_PLACE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?(?:#.*)?\Z").match
_NAMED = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]+)?\Z")


def judge_reference(judge: Judge, node: Node, part: Part, place: str, scene: Scene, bundle: Bundle | None) -> None:
    """Judge the type that a reference names, and in a Bundle what it means there."""
    found, library = judge.found, judge.library
    reference, said = node.value.get("reference"), node.value.get("type")
    if isinstance(said, str) and said not in r4.TYPE_NUMBER:
        found.add("code-invalid", f"{place}.type", f"{said!r} is no type of resource, such as Patient")
    if not isinstance(reference, str):
        return
    if not is_formed(reference):
        words = f"{reference!r} is no address: of this server it is Type/id, of others a whole URL without blanks"
        found.add("value", f"{place}.reference", words)
        return
    if reference.startswith("#"):
        actual = _inside(reference, place, scene, found)
    else:
        actual = named_type(reference)
        if bundle is not None:
            actual = bundle.judge(reference, actual, scene.resource()[0], place, found) or actual
    if actual and said and said != actual:
        found.add("structure", place, f"The type is said to be {said}; this refers to {actual}")
    if actual and not _is_allowed(actual, part, library):
        found.add("structure", place, f"This refers to {actual}; {' or '.join(wanted(part, library))} may stand here")


def _inside(reference: str, place: str, scene: Scene, found: Findings) -> str | None:
    """Type of what a resource contains, or of the container; None where it is not there."""
    container = scene.root_resource()[0].value
    if reference == "#":
        if scene.resource()[0].value is container:
            found.add("not-found", place, "# means the resource that this one is contained in, and there is none")
        return None
    actual = next((each for each in container.get("contained") or () if each.get("id") == reference[1:]), None)
    if actual is None:
        found.add("not-found", place, f"Nothing is contained under {reference}")
        return None
    return str(actual.get("resourceType"))


def is_formed(reference: str) -> bool:
    """Whether a reference could be followed: one that begins with a type goes on with an id, and none has blanks."""
    if _BLANK(reference):
        return False
    kind, slash, _ = reference.partition("/")
    return not slash or kind not in r4.TYPE_NUMBER or _PLACE(reference) is not None


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
