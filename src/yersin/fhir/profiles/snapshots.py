"""A profile's tree made from its base and its differential: snapshots for profiles that have none, or a stale one.

Sources: https://hl7.org/fhir/R4/profiling.html, https://hl7.org/fhir/R4/elementdefinition.html#id
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .parts import Part

Segment = tuple[str, str]
#: what a differential does not say anew, or is merged by its own rule
_KEPT = frozenset({"path", "base", "constraint", "sliceName"})
#: texts that may go on with what the base says, and lists that are added to
_TEXTS = frozenset({"definition", "comment", "requirements", "meaningWhenMissing"})
_ADDED = frozenset({"alias", "condition", "mapping", "example"})
_CHOSEN = ("fixed", "pattern", "minValue", "maxValue")
TYPED = {"discriminator": [{"type": "type", "path": "$this"}], "ordered": False, "rules": "closed"}
BY_URL = {"discriminator": [{"type": "value", "path": "url"}], "rules": "open"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What a differential says that means nothing, and the number of its element."""

    number: int
    words: str


#: finds the tree of what an element is: of its type, or of the one profile its type names
Opener = Callable[[Part, Part], Part | None]


class Builder:
    """Lays a differential over the tree of the base."""

    def __init__(self, tree: Part, opened: Opener) -> None:
        self.tree = tree
        self.flaws: list[Flaw] = []
        self._opened = opened
        self._slices: dict[tuple[str, ...], str] = {}

    def lay(self, elements: Sequence[Mapping[str, Any]]) -> None:
        """Lay every element over the tree; what cannot be placed is a flaw, and is left out."""
        for number, element in enumerate(elements):
            try:
                part = self._place(self._segments(element))
            except LookupError as reason:
                self.flaws.append(Flaw(number=number, words=str(reason.args[0])))
                continue
            _merge(part, element)
        for part in self.tree.all():
            _narrow(part)

    def _segments(self, element: Mapping[str, Any]) -> list[Segment]:
        """Steps to an element: names, and the slices that its id names, or that stood before it."""
        names = tuple(str(element.get("path", "")).split("."))
        by_id = [tuple(each.partition(":")[::2]) for each in str(element.get("id", "")).split(".")]
        if (
            len(by_id) == len(names)
            and _is_same(names, by_id)
            and (":" in element["id"] or not element.get("sliceName"))
        ):
            return [(name, cut) for name, (_, cut) in zip(names, by_id, strict=True)]
        for known in [each for each in self._slices if each[: len(names)] == names]:
            del self._slices[known]
        if element.get("sliceName"):
            self._slices[names] = element["sliceName"]
        return [(name, self._slices.get(names[: n + 1], "")) for n, name in enumerate(names)]

    def _place(self, segments: Sequence[Segment]) -> Part:
        part = self.tree
        path = part.name
        if segments[0][0] != path:
            raise LookupError(f"{segments[0][0]}: the elements of this definition begin with {path}")
        for name, cut in segments[1:]:
            path = f"{path}.{name}"
            child = self._child(part, name)
            if child is None:
                raise LookupError(f"{path}: {part.name} has no element {name} here")
            for each in [each for each in cut.split("/") if each and each != child.name]:
                child = _slice(child, each)
            part = child
        return part

    def _child(self, part: Part, name: str) -> Part | None:
        if part.children is None:
            opened = self._opened(self.tree, part)
            # a copy, for what is said of it here is said here only
            part.children = {key: each.copy() for key, each in ((opened and opened.children) or {}).items()}
        if name in part.children:
            return part.children[name]
        return next((found for child in part.children.values() if (found := _typed(child, name))), None)


def _is_same(names: Sequence[str], by_id: Sequence[tuple[str, ...]]) -> bool:
    """Whether an id follows the path; some write the type of a choice in one of them only."""
    return all(
        name.partition("[")[0] == other[0].partition("[")[0] or name == other[1]
        for name, other in zip(names, by_id, strict=True)
    )


def _typed(choice: Part, name: str) -> Part | None:
    """Find the slice of a choice for one type, where it is named with its type."""
    stem = choice.name.removesuffix("[x]")
    if stem == choice.name or not name.startswith(stem):
        return None
    wanted = name[len(stem) :]
    code = next((c for c in _type_codes(choice) if c[0].upper() + c[1:] == wanted), None)
    if code is None:
        return None
    if name not in choice.slices:
        made = _slice(choice, name)
        made.own["type"] = [each for each in choice.own.get("type", ()) if each.get("code") == code]
        if "slicing" not in choice.own:
            choice.own["slicing"] = TYPED
            choice.shorthands = [code]
        elif choice.shorthands:
            choice.shorthands.append(code)
    return choice.slices[name]


def _type_codes(part: Part) -> list[str]:
    return [each["code"] for each in part.own.get("type", ()) if "code" in each]


def _slice(part: Part, name: str) -> Part:
    """Find or make a slice; a new one asks for what its element asks, and need not be there."""
    if name not in part.slices:
        made = part.copy()
        made.slices = {}
        made.own = {key: value for key, value in part.own.items() if key not in ("slicing", "min")}
        made.own["min"] = 0
        part.slices[name] = made
        if "slicing" not in part.own and part.name in ("extension", "modifierExtension"):
            part.own["slicing"] = BY_URL
    return part.slices[name]


def _merge(part: Part, element: Mapping[str, Any]) -> None:
    own = part.own
    for name, value in element.items():
        if name in _KEPT or name.startswith(_CHOSEN):
            continue
        if name in _TEXTS and str(value).startswith("..."):
            value = f"{own.get(name, '')}{value[3:]}"  # noqa: PLW2901
        elif name in _ADDED:
            value = [*own.get(name, ()), *(each for each in value if each not in own.get(name, ()))]  # noqa: PLW2901
        own[name] = value
    part.is_bound_anew = part.is_bound_anew or "binding" in element
    for stem in _CHOSEN:
        found = {name: value for name, value in element.items() if name.startswith(stem) and name != stem}
        if found:
            for name in [name for name in own if name.startswith(stem)]:
                del own[name]
            own.update(found)
    if "slicing" in element:
        part.shorthands = []
    if "type" in element and part.children is not None and not part.slices and _is_opened_anew(element):
        part.children = None
    _constrain(own, element)


def _is_opened_anew(element: Mapping[str, Any]) -> bool:
    """Whether an element's type names a profile, whose children are to be taken instead of those known so far."""
    types = element["type"]
    return len(types) == 1 and len(types[0].get("profile", ())) == 1


def _constrain(own: dict[str, Any], element: Mapping[str, Any]) -> None:
    if "constraint" in element:
        said = {each["key"]: each for each in (*own.get("constraint", ()), *element["constraint"])}
        own["constraint"] = list(said.values())


def _narrow(part: Part) -> None:
    """Narrow a choice to the types it was named with."""
    if part.shorthands:
        part.own["type"] = [each for each in part.own.get("type", ()) if each.get("code") in part.shorthands]
        part.shorthands = []
