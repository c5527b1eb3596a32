"""Functions about time, types and what is seen on the way. Source: https://hl7.org/fhirpath/N1/#utility-functions"""

from __future__ import annotations

from collections.abc import Mapping

from .calling import Code, Function, text
from .items import Items, Node, type_of
from .operators import truth
from .refusal import impossible
from .scene import Scene
from .temporal import Temporal
from .tree import children, descendants


def _iif(items: Items, scene: Scene, criterion: Code, *results: Code) -> Items:
    """Choose by a criterion, running only what is chosen."""
    if len(items) > 1:
        raise impossible(f"iif() takes one item, and there are {len(items)}")
    found = criterion(items, scene)
    if scene.strict and found and not _is_truth(found[0]):
        raise impossible("The criterion of iif() is no true or false")
    chosen = results[0] if truth(found) else results[1] if len(results) > 1 else None
    return chosen(items, scene) if chosen else []


def _is_truth(found: object) -> bool:
    return isinstance(found.value if isinstance(found, Node) else found, bool)


def _trace(items: Items, scene: Scene, name: Code, *projection: Code) -> Items:
    told = scene.environment.trace
    if told is not None:
        seen = [found for item in items for found in projection[0]([item], scene)] if projection else items
        told(text(name(items, scene), "trace()") or "", seen)
    return items


def _today(_items: Items, scene: Scene) -> Items:
    return [Temporal("Date", scene.moment().parts[:3])]


def _time_of_day(_items: Items, scene: Scene) -> Items:
    present = scene.moment()
    return [Temporal("Time", present.parts[3:], present.fraction)]


FUNCTIONS: Mapping[str, Function] = {
    "iif": Function(_iif, 2, 3, lazy=True),
    "trace": Function(_trace, 1, 2, lazy=True),
    "now": Function(lambda _items, scene: [scene.moment()]),
    "today": Function(_today),
    "timeOfDay": Function(_time_of_day),
    "type": Function(lambda items, _scene: [type_of(item) for item in items]),
    "children": Function(children),
    "descendants": Function(descendants),
}
