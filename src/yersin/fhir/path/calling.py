"""What a function is to the compiler: its work, how many arguments it takes, and whether they are given or run by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from .items import Items, Node, data, type_of
from .refusal import impossible
from .scene import Scene

#: a compiled expression: from the focus ($this) to items
Code: TypeAlias = Callable[[Items, Scene], Items]


@dataclass(frozen=True, slots=True)
class Function:
    """A function. `work` is given the input, the scene and the arguments: items, or code where it is `lazy`.

    Where it is `typed` its arguments name types, and are given as their names.
    """

    work: Callable[..., Items]
    least: int = 0
    most: int = 0
    lazy: bool = False
    typed: bool = False


def single(items: Items, what: str) -> Any:
    """System value of the only item; None when there is none. Raises CannotEvaluate for several."""
    if not items:
        return None
    if len(items) > 1:
        raise impossible(f"{what} takes one item, and there are {len(items)}")
    return data(items[0])


def text(items: Items, what: str) -> str | None:
    """Text of the only item; None when there is none. A FHIR date counts as its text. Raises CannotEvaluate."""
    if len(items) == 1:
        value = items[0].value if items[0].__class__ is Node else items[0]
        if value.__class__ is str:
            return str(value)
    value = single(items, what)
    if value is None or isinstance(value, str):
        return value
    written = getattr(items[0], "value", None)
    if isinstance(written, str):
        return written
    raise impossible(f"{what} takes a text, not {type_of(items[0]).name}")


def number(items: Items, what: str) -> Any:
    """Integer or Decimal of the only item; None when there is none. Raises CannotEvaluate for others."""
    value = single(items, what)
    if value is None or (hasattr(value, "__round__") and not isinstance(value, bool)):
        return value
    raise impossible(f"{what} takes a number, not {type_of(items[0]).name}")


def whole(items: Items, what: str) -> int | None:
    """Integer of the only item; None when there is none. Raises CannotEvaluate for others."""
    value = single(items, what)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise impossible(f"{what} takes a whole number, not {type_of(items[0]).name}")


def each(items: Items, scene: Scene, code: Code) -> list[tuple[Any, Items]]:
    """Run code on each item with $this and $index; the items with what came of it."""
    before = scene.index
    found = []
    for number_, item in enumerate(items):
        scene.spend(1)
        scene.index = number_
        found.append((item, code([item], scene)))
    scene.index = before
    return found
