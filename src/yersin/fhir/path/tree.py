"""From items to their children: by name, all of them, all below. Source: https://hl7.org/fhirpath/N1/#path-selection"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import zip_longest
from typing import Any

from .items import Items, Node, TypeInfo, is_exactly, root
from .model import Kind, Member, TypeName
from .quantities import Quantity
from .refusal import impossible
from .scene import Scene

_FIELDS = {TypeInfo: ("namespace", "name"), Quantity: ("value", "unit")}


#: how a step finds a child of a kind: JSON name, that of its sibling ("" for complex ones), and its kind
Way = tuple[str, str, Kind]
Code = Callable[[Items, Scene], Items]


def step(before: Code | None, name: str) -> Code:
    """Compile a step to the children of a name, from what `before` finds or from the focus."""
    ways: dict[Kind, Way | None] = {}

    def run(this: Items, scene: Scene) -> Items:
        items = this if before is None else before(this, scene)
        found: Items = []
        for item in items:
            way = _way(ways, item, name) if item.__class__ is not Node or item.kind not in ways else ways[item.kind]
            if way is None or item.value.__class__ is not dict or way[1] in item.value:
                found += children_named([item], scene, name)
                continue
            child = item.value.get(way[0])
            if child.__class__ is list:
                kind = way[2]
                found += [Node(kind, each) for each in child if each is not None]
            elif child is not None:
                found.append(Node(way[2], child))
        scene.left -= len(found)
        return found

    return run


def _way(ways: dict[Kind, Way | None], item: Any, name: str) -> Way | None:
    """Remember how a kind writes the element, if it does so in one way."""
    if item.__class__ is not Node:
        return None
    kind = item.kind
    member = None if kind.primitive else kind.plain.get(name)
    way = None
    if member is not None and member.kind.name != "Resource":
        way = (member.name, "_" + member.name if member.kind.primitive else "", member.kind)
    ways[kind] = way
    return way


def step_of_type(before: Code | None, name: str, wanted: TypeName) -> Code:
    """Compile a step to a choice followed by ofType(): the way it is written is known beforehand."""
    ways: dict[Kind, Member | None] = {}

    def run(this: Items, scene: Scene) -> Items:
        items = this if before is None else before(this, scene)
        found: Items = []
        for item in items:
            member = _choice(ways, item, name, wanted)
            if member is None or item.value.__class__ is not dict:
                found += [each for each in children_named([item], scene, name) if is_exactly(each, wanted)]
                continue
            child, sibling = item.value.get(member.name), item.value.get("_" + member.name)
            if child is not None or sibling is not None:
                found.append(Node(member.kind, child, sibling))
        scene.left -= len(found)
        return found

    return run


def _choice(ways: dict[Kind, Member | None], item: Any, name: str, wanted: TypeName) -> Member | None:
    """Remember the one way a choice is written for a type; none when several types derive from it."""
    if item.__class__ is not Node:
        return None
    kind: Kind = item.kind
    if kind not in ways:
        members = () if kind.primitive or wanted.namespace == "System" else kind.steps.get(name, ())
        fitting = [m for m in members if wanted.name in m.kind.ancestry and wanted.name in _names(m.kind)]
        ways[kind] = fitting[0] if len(members) > 1 and len(fitting) == 1 else None
    return ways[kind]


def _names(kind: Kind) -> Collection[str]:
    return (kind.name,) if kind.primitive else kind.ancestry


def children_named(items: Items, scene: Scene, name: str) -> Items:
    """Children of a name. Raises CannotEvaluate where the scene is strict and the type has no such element."""
    found: Items = []
    for item in items:
        if item.__class__ is not Node:
            _field(item, name, found)
            continue
        kind = item.kind
        value = item.sibling if kind.primitive else item.value
        member = kind.plain.get(name)
        if member is not None:
            if value.__class__ is dict:
                child = value.get(member.name)
                sibling = value.get("_" + member.name) if member.kind.primitive else None
            else:
                child = getattr(value, member.attribute, None)
                sibling = getattr(value, member.sibling, None) if member.kind.primitive else None
            if child.__class__ is str and sibling is None:
                found.append(Node(member.kind, child))
            elif child is not None or sibling is not None:
                _put(member, child, sibling, found)
        elif name in kind.choices:
            _chosen(kind, value, name, found)
        elif scene.strict:
            raise impossible(f"{kind.name} has no element {name}")
    scene.left -= len(items) + len(found)
    return found


def _field(item: Any, name: str, found: Items) -> None:
    if name in _FIELDS.get(item.__class__, ()):
        found.append(getattr(item, name))


def _chosen(kind: Kind, value: Any, name: str, found: Items) -> None:
    """Find the one way a choice is written here."""
    members = kind.choices[name]
    if value.__class__ is dict:
        for key in value:
            member = members.get(key)
            if member is not None:
                _put(member, value.get(member.name), value.get("_" + member.name), found)
                return
        return
    for member in kind.steps[name]:
        child, sibling = getattr(value, member.attribute, None), getattr(value, member.sibling, None)
        if child is not None or sibling is not None:
            _put(member, child, sibling, found)
            return


def _put(member: Member, child: Any, sibling: Any, found: Items) -> None:
    kind = member.kind
    if kind.primitive:
        _put_primitive(member, child, sibling, found)
    elif child.__class__ is list:
        if kind.name == "Resource":
            found.extend([root(each) for each in child if each is not None])
        else:
            found.extend([Node(kind, each) for each in child if each is not None])
    elif child is not None:
        found.append(root(child) if kind.name == "Resource" else Node(kind, child))


def _put_primitive(member: Member, child: Any, sibling: Any, found: Items) -> None:
    kind = member.kind
    if child.__class__ is not list and sibling.__class__ is not list:
        found.append(Node(kind, child, sibling))
        return
    for each, other in zip_longest(child or (), sibling or ()):
        if each is not None or other is not None:
            found.append(Node(kind, each, other))


def children(items: Items, scene: Scene) -> Items:
    """All children, in the order of the specification."""
    found: Items = []
    for item in items:
        if item.__class__ is Node:
            _all_children(item, found)
    scene.spend(len(items) + len(found))
    return found


def _all_children(node: Node, found: Items) -> None:
    kind, value = node.kind, node.value
    if kind.primitive:
        value = node.sibling
        if value is None:
            return
    if value.__class__ is dict:
        for name in kind.steps:
            if name in value or "_" + name in value:
                _one_child(kind, value, name, found)
            elif name in kind.choices:
                _chosen(kind, value, name, found)
        return
    for name in kind.steps:
        _one_child(kind, value, name, found)


def _one_child(kind: Kind, value: Any, name: str, found: Items) -> None:
    member = kind.plain.get(name)
    if member is None:
        _chosen(kind, value, name, found)
        return
    if value.__class__ is dict:
        child, sibling = value.get(member.name), value.get("_" + member.name)
    else:
        child, sibling = getattr(value, member.attribute, None), getattr(value, member.sibling, None)
    if child is not None or (sibling is not None and member.kind.primitive):
        _put(member, child, sibling if member.kind.primitive else None, found)


def descendants(items: Items, scene: Scene) -> Items:
    """Children, their children and so on, level by level."""
    found: Items = []
    level = children(items, scene)
    while level:
        found += level
        level = children(level, scene)
    return found
