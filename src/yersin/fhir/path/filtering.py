"""Functions that choose, project, repeat, sum up and (of FHIRPath 3) sort.

Source: https://hl7.org/fhirpath/N1/#filtering-and-projection, https://hl7.org/fhirpath/N1/#aggregates
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cmp_to_key
from typing import Any

from .calling import Code, Function, each
from .equality import key, order
from .items import Items
from .operators import truth
from .refusal import impossible
from .scene import Scene


def where(items: Items, scene: Scene, criteria: Code) -> Items:
    """Items that meet the criteria."""
    before = scene.index
    found = []
    for number, item in enumerate(items):
        scene.spend(1)
        scene.index = number
        if truth(criteria([item], scene)) is True:
            found.append(item)
    scene.index = before
    return found


def _select(items: Items, scene: Scene, projection: Code) -> Items:
    found: Items = []
    before = scene.index
    for number, item in enumerate(items):
        scene.spend(1)
        scene.index = number
        found += projection([item], scene)
    scene.index = before
    return found


def _repeat(items: Items, scene: Scene, projection: Code) -> Items:
    """Project again and again what is new."""
    found: dict[Any, Any] = {}
    level = items
    while level:
        projected = _select(level, scene, projection)
        level = []
        for item in projected:
            known = key(item)
            if known not in found:
                found[known] = item
                level.append(item)
    return list(found.values())


def _repeat_all(items: Items, scene: Scene, projection: Code) -> Items:
    found: Items = []
    level = _select(items, scene, projection)
    while level:
        scene.spend(len(level))
        found += level
        level = _select(level, scene, projection)
    return found


def _aggregate(items: Items, scene: Scene, aggregator: Code, *start: Code) -> Items:
    before, index = scene.total, scene.index
    total = start[0](items, scene) if start else []
    for number, item in enumerate(items):
        scene.spend(1)
        scene.total, scene.index = total, number
        total = aggregator([item], scene)
    scene.total, scene.index = before, index
    return total


def sorted_by(items: Items, scene: Scene, keys: list[tuple[Code, bool]]) -> Items:
    """Sort by keys, each with whether it goes down; what has no key comes first either way."""
    if not keys:
        keys = [(lambda this, _scene: this, False)]
    columns = [[_sort_key(found) for _, found in each(items, scene, code)] for code, _ in keys]
    numbers = list(range(len(items)))
    for column, (_, down) in reversed(list(zip(columns, keys, strict=True))):
        place = cmp_to_key(lambda a, b, column=column, down=down: _before(column[a], column[b], down=down))  # type: ignore[misc]
        numbers.sort(key=place)
    return [items[number] for number in numbers]


def _sort_key(found: Items) -> Any:
    if len(found) > 1:
        raise impossible("sort() takes one value of each item as its key")
    return found[0] if found else None


def _before(a: Any, b: Any, *, down: bool) -> int:
    if a is None or b is None:
        return (a is not None) - (b is not None)
    found = order(a, b) or 0
    return -found if down else found


FUNCTIONS: Mapping[str, Function] = {
    "where": Function(where, 1, 1, lazy=True),
    "select": Function(_select, 1, 1, lazy=True),
    "repeat": Function(_repeat, 1, 1, lazy=True),
    "repeatAll": Function(_repeat_all, 1, 1, lazy=True),
    "aggregate": Function(_aggregate, 1, 2, lazy=True),
}
