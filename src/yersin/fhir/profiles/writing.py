"""A profile's tree written as the elements of a snapshot, each with its id, its path, and all that is said of it.

Source: https://hl7.org/fhir/R4/structuredefinition-definitions.html#StructureDefinition.snapshot
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .library import Library, Tree
from .parts import Part

#: types that are no elements
_WITHOUT = frozenset({"http://hl7.org/fhirpath/System.String", "Resource"})


def snapshot(tree: Tree, library: Library) -> list[dict[str, Any]]:
    """Every element of a profile in the order of the specification, slices behind what they are slices of.

    `library` is the one that made the tree, with all that definitions say.
    """
    return list(_elements(tree.part, tree.type, tree.type, library))


def _elements(part: Part, path: str, name: str, library: Library, cut: str = "") -> Iterator[dict[str, Any]]:
    own = {key: value for key, value in part.own.items() if key not in ("id", "path", "sliceName")}
    sliced = {"sliceName": cut} if cut else {}
    rules = {"constraint": found} if (found := _rules(part, library)) else {}
    yield {"id": name, "path": path, **sliced, "min": 0, "max": "*", **own, **rules}
    for child in (part.children or {}).values():
        yield from _elements(child, f"{path}.{child.name}", f"{name}.{child.name}", library)
    for each, below in part.slices.items():
        full = f"{cut}/{each}" if cut else each
        yield from _elements(below, path, f"{name}/{each}" if cut else f"{name}:{each}", library, full)


def _rules(part: Part, library: Library) -> list[Any]:
    """Rules of an element; those of all elements and of all extensions are told with each."""
    own = part.own.get("constraint", [])
    kind = "Extension" if "Extension" in part.codes else "Element"
    if "." not in str(part.own.get("path")) or not set(part.codes).isdisjoint(_WITHOUT):
        return list(own)
    said = {each["key"] for each in own}
    return [*own, *(each for each in library.type(kind).own.get("constraint", ()) if each["key"] not in said)]
