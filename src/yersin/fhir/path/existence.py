"""Functions about whether there is anything, and of what. Source: https://hl7.org/fhirpath/N1/#existence"""

from __future__ import annotations

from collections.abc import Mapping

from .calling import Code, Function
from .equality import distinct, key
from .filtering import where
from .items import Items, Node
from .operators import truth
from .refusal import impossible
from .scene import Scene


def _exists(items: Items, scene: Scene, *criteria: Code) -> Items:
    return [bool(where(items, scene, criteria[0]) if criteria else items)]


def _all(items: Items, scene: Scene, criteria: Code) -> Items:
    before = scene.index
    met = True
    for number, item in enumerate(items):
        scene.spend(1)
        scene.index = number
        if truth(criteria([item], scene)) is not True:
            met = False
            break
    scene.index = before
    return [met]


def _truths(items: Items) -> list[bool]:
    values = [item.value if item.__class__ is Node else item for item in items]
    if not all(value is True or value is False for value in values):
        raise impossible("Only true and false can be asked whether all or any are true")
    return values


def _all_true(items: Items, _scene: Scene) -> Items:
    return [all(_truths(items))]


def _any_true(items: Items, _scene: Scene) -> Items:
    return [any(_truths(items))]


def _all_false(items: Items, _scene: Scene) -> Items:
    return [not any(_truths(items))]


def _any_false(items: Items, _scene: Scene) -> Items:
    return [not all(_truths(items))]


def is_subset(items: Items, others: Items) -> bool:
    """Whether every item is among the others."""
    known = set(map(key, others))
    return all(key(item) in known for item in items)


def _not(items: Items, _scene: Scene) -> Items:
    known = truth(items)
    return [] if known is None else [not known]


FUNCTIONS: Mapping[str, Function] = {
    "empty": Function(lambda items, _scene: [not items]),
    "exists": Function(_exists, 0, 1, lazy=True),
    "all": Function(_all, 1, 1, lazy=True),
    "allTrue": Function(_all_true),
    "anyTrue": Function(_any_true),
    "allFalse": Function(_all_false),
    "anyFalse": Function(_any_false),
    "subsetOf": Function(lambda items, _scene, others: [is_subset(items, others)], 1, 1),
    "supersetOf": Function(lambda items, _scene, others: [is_subset(others, items)], 1, 1),
    "count": Function(lambda items, _scene: [len(items)]),
    "distinct": Function(lambda items, _scene: distinct(items)),
    "isDistinct": Function(lambda items, _scene: [len(distinct(items)) == len(items)]),
    "not": Function(_not),
}
