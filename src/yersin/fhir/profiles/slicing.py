"""Which slice an element belongs to, by the discriminators of its slicing.

Source: https://hl7.org/fhir/R4/profiling.html#discriminator
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from yersin.fhir.path import CannotEvaluate, Node, NotFHIRPath, Scene, compiled
from yersin.fhir.path.items import plain

from .library import Library
from .parts import JSON, Part
from .values import fits, is_same

_STEP = re.compile(r"(extension\('[^']*'\)|ofType\(\w+\)|resolve\(\)|\$this|\w+)(?:\.|\Z)")
#: whether an element meets a part in full
Meets = Callable[[Node, Part], bool]
#: whether a code of an element is in a value set; None where that cannot be told
Member = Callable[[Node, str], bool | None]


class Slicer:
    """Assigns elements to slices."""

    def __init__(self, library: Library, meets: Meets, member: Member, conforms: Callable[[Node, str], bool]) -> None:
        self._library = library
        self._meets = meets
        self._member = member
        self._conforms = conforms

    def is_in(self, node: Node, part: Part, cut: Part, scene: Scene) -> bool:
        """Whether an element of `part` belongs to its slice `cut`."""
        discriminators = part.own.get("slicing", {}).get("discriminator") or _implied(part)
        if not discriminators:
            return self._meets(node, cut)
        return all(self._agrees(node, cut, each, scene) for each in discriminators)

    def _agrees(self, node: Node, cut: Part, discriminator: JSON, scene: Scene) -> bool:
        path, kind = str(discriminator.get("path", "$this")), discriminator.get("type", "value")
        found = _found(node, path, scene)
        wanted = self._wanted(cut, path)
        if kind == "type":
            codes = {code for part in wanted for code in part.codes}
            return any(each.kind.ancestry & codes for each in found) if codes else True
        if kind == "profile":
            urls = [
                url
                for part in wanted
                for each in part.types
                for url in (*each.get("profile", ()), *each.get("targetProfile", ()))
            ]
            return any(self._conforms(each, url) for each in found for url in urls)
        if kind == "exists":
            return bool(found) != any(part.most == 0 for part in wanted)
        return self._has_value(found, wanted)

    def _has_value(self, found: list[Node], wanted: list[Part]) -> bool:
        told = [
            part
            for part in wanted
            if part.fixed or part.pattern or (part.binding and part.binding.strength == "required")
        ]
        if told:
            return any(self._is_one(each, part) for each in found for part in told)
        deeper = [part for part in wanted if part.children and _asks(part)]
        if deeper:
            return any(self._meets(each, part) for each in found for part in deeper)
        if any(part.most == 0 for part in wanted):
            return not found
        return bool(found) or not any(part.least > 0 for part in wanted)

    def _is_one(self, node: Node, part: Part) -> bool:
        if part.fixed:
            return is_same(plain(node), part.fixed[0])
        if part.pattern:
            return fits(plain(node), part.pattern[0])
        return part.binding is not None and self._member(node, part.binding.value_set) is True

    def _wanted(self, cut: Part, path: str) -> list[Part]:
        """Parts of a slice that a discriminator's path leads to; slices on the way speak for their element."""
        parts = [cut]
        for step in _STEP.findall(path):
            parts = [found for part in parts for found in self._step(part, step)]
        return parts

    def _step(self, part: Part, step: str) -> list[Part]:
        if step == "$this":
            return [part]
        if step.startswith("ofType"):
            wanted = step[7:-1]
            return [each for each in part.slices.values() if wanted in each.codes] or [part]
        if step == "resolve()":
            urls = [url for each in part.types for url in each.get("targetProfile", ())]
            return [tree.part for url in urls if (tree := self._library.tree(url))]
        children = part.children if part.children is not None else self._inside(part)
        if step.startswith("extension("):
            return self._extension(children, step[11:-2])
        child = children.get(step) or children.get(f"{step}[x]")
        return [child, *child.slices.values()] if child else []

    def _inside(self, part: Part) -> dict[str, Part]:
        opened = self._library.opened(part, part)
        return (opened.children if opened else None) or {}

    def _extension(self, children: dict[str, Part], url: str) -> list[Part]:
        named = children.get("extension")
        cuts = [each for each in (named.slices.values() if named else ()) if url in (*each.profiles, _url(each))]
        tree = self._library.tree(url)
        return cuts or ([tree.part] if tree else [])


def _url(part: Part) -> Any:
    child = (part.children or {}).get("url")
    return child.fixed[0] if child and child.fixed else None


def _asks(part: Part) -> bool:
    """Whether something below asks for a value."""
    return any(each.fixed or each.pattern for each in part.all() if each is not part)


def _implied(part: Part) -> list[dict[str, str]]:
    """Discriminators of a slicing that names none: a choice is cut by its types, extensions by their url."""
    if part.name.endswith("[x]"):
        return [{"type": "type", "path": "$this"}]
    if part.name in ("extension", "modifierExtension"):
        return [{"type": "value", "path": "url"}]
    return []


def _found(node: Node, path: str, scene: Scene) -> list[Node]:
    if path == "$this":
        return [node]
    try:
        return [each for each in compiled(path).run([node], scene) if isinstance(each, Node)]
    except (CannotEvaluate, NotFHIRPath):
        return []
