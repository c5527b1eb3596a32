"""Functions that take parts of collections or put them together. Source: https://hl7.org/fhirpath/N1/#subsetting"""

from __future__ import annotations

from collections.abc import Mapping

from .calling import Function, whole
from .equality import distinct, key
from .items import Items
from .operators import union
from .refusal import impossible
from .scene import Scene


def _single(items: Items, _scene: Scene) -> Items:
    if len(items) > 1:
        raise impossible(f"single() found {len(items)} items")
    return items


def _skip(items: Items, _scene: Scene, count: Items) -> Items:
    number = whole(count, "skip()")
    return items[max(0, number) :] if number is not None else []


def _take(items: Items, _scene: Scene, count: Items) -> Items:
    number = whole(count, "take()")
    return items[: max(0, number)] if number is not None else []


def _intersect(items: Items, _scene: Scene, others: Items) -> Items:
    known = set(map(key, others))
    return distinct([item for item in items if key(item) in known])


def _exclude(items: Items, _scene: Scene, others: Items) -> Items:
    known = set(map(key, others))
    return [item for item in items if key(item) not in known]


def _combine(items: Items, scene: Scene, others: Items) -> Items:
    scene.spend(len(items) + len(others))
    return [*items, *others]


def _coalesce(_items: Items, _scene: Scene, *others: Items) -> Items:
    return next((found for found in others if found), [])


FUNCTIONS: Mapping[str, Function] = {
    "single": Function(_single),
    "first": Function(lambda items, _scene: items[:1]),
    "last": Function(lambda items, _scene: items[-1:]),
    "tail": Function(lambda items, _scene: items[1:]),
    "skip": Function(_skip, 1, 1),
    "take": Function(_take, 1, 1),
    "intersect": Function(_intersect, 1, 1),
    "exclude": Function(_exclude, 1, 1),
    "union": Function(lambda items, scene, others: union(items, others, scene), 1, 1),
    "combine": Function(_combine, 1, 1),
    "coalesce": Function(_coalesce, 1, 50),
}
