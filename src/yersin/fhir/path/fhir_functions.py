"""Functions that FHIR adds. Source: https://hl7.org/fhir/R4/fhirpath.html#functions"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yersin.fhir import narrative

from .calling import Function, text
from .items import Items, Node, data, field, root
from .model import kind_of, kinds
from .refusal import impossible
from .scene import Scene
from .tree import children_named

_EXTENSION = kind_of("Extension")
_BASE = "http://hl7.org/fhir/StructureDefinition/"


def extensions(items: Items, scene: Scene, url: Items) -> Items:
    """Extensions of a URL."""
    wanted = text(url, "extension()")
    if wanted is None:
        return []
    found: Items = []
    for item in items:
        if item.__class__ is Node:
            value = item.sibling if item.kind.primitive else item.value
            if value.__class__ is dict:
                inside = value.get("extension") or ()
                found += [Node(_EXTENSION, each) for each in inside if each.get("url") == wanted]
            elif value is not None:
                inside = getattr(value, "extension", None) or ()
                found += [Node(_EXTENSION, each) for each in inside if each.url == wanted]
    scene.left -= len(items) + len(found)
    return found


def has_value(items: Items, _scene: Scene) -> Items:
    """Whether there is one primitive, with a value."""
    return [len(items) == 1 and _value(items[0]) is not None]


def _value(item: Any) -> Any:
    if item.__class__ is not Node:
        return item
    return item.value if item.kind.primitive else None


def _get_value(items: Items, _scene: Scene) -> Items:
    value = data(items[0]) if len(items) == 1 else None
    return [] if value is None or isinstance(value, Node) else [value]


def _resolve(items: Items, scene: Scene) -> Items:
    """Resources that references name: contained ones, those in the same Bundle, then what the resolver finds."""
    found: Items = []
    for item in items:
        reference = _reference(item)
        resource = _resolved(reference, scene) if reference else None
        if resource is not None:
            found.append(root(resource))
    return found


def _reference(item: Any) -> str | None:
    value = item.value if item.__class__ is Node else item
    if not isinstance(value, str):
        value = field(value, "reference")
    return value if isinstance(value, str) else None


def _resolved(reference: str, scene: Scene) -> Any:
    scene.spend(10)
    for container in scene.root_resource():
        if reference.startswith("#"):
            return _contained(container, reference[1:])
        for entry in field(container.value, "entry") or ():
            resource = field(entry, "resource")
            if resource is not None and _is_named(entry, resource, reference):
                return resource
    resolver = scene.environment.resolver
    return resolver.resolve(reference) if resolver else None


def _contained(container: Node, wanted: str) -> Any:
    if not wanted:
        return container.value
    return next((each for each in field(container.value, "contained") or () if field(each, "id") == wanted), None)


def _is_named(entry: Any, resource: Any, reference: str) -> bool:
    url = field(entry, "fullUrl")
    if url == reference:
        return True
    kind, logical = field(resource, "resourceType"), field(resource, "id")
    return bool(logical) and reference == f"{kind}/{logical}"


def _codes(item: Any) -> list[tuple[str, str]]:
    """Give pairs of system and code of a code, Coding or CodeableConcept."""
    value = item.value if item.__class__ is Node else item
    if isinstance(value, str):
        return [("", value)]
    codings = field(value, "coding")
    return [
        (field(coding, "system") or "", field(coding, "code"))
        for coding in ([value] if codings is None else codings)
        if field(coding, "code")
    ]


def _terms(scene: Scene, name: str) -> Any:
    if scene.environment.terms is None:
        raise impossible(f"{name} needs terminology, which is not at hand here", code="not-supported")
    return scene.environment.terms


def _member_of(items: Items, scene: Scene, value_set: Items) -> Items:
    url = text(value_set, "memberOf()")
    if url is None or not items:
        return []
    if len(items) > 1:
        raise impossible(f"memberOf() takes one item, and there are {len(items)}")
    terms = _terms(scene, "memberOf()")
    answers = [terms.member_of(system, code, url) for system, code in _codes(items[0])]
    return _told(answers)


def _told(answers: list[bool | None]) -> Items:
    if True in answers:
        return [True]
    return [] if None in answers else [False]


def _subsumes(items: Items, scene: Scene, other: Items) -> Items:
    if not items or not other:
        return []
    terms = _terms(scene, "subsumes()")
    pairs = [(a, b) for a in _codes(items[0]) for b in _codes(other[0]) if a[0] == b[0]]
    return _told([terms.subsumes(a[0], a[1], b[1]) for a, b in pairs])


def _subsumed_by(items: Items, scene: Scene, other: Items) -> Items:
    return _subsumes(other, scene, items)


#: steps that judging by a profile counts for: it takes about a millisecond
_CONFORMING = 1_000


def _conforms_to(items: Items, scene: Scene, profile: Items) -> Items:
    url = text(profile, "conformsTo()")
    if url is None or not items:
        return []
    if len(items) > 1 or items[0].__class__ is not Node:
        raise impossible("conformsTo() takes one resource or element")
    known = _conforms(items[0], url, scene)
    if known is None:
        raise impossible(f"The profile {url} is not known", code="not-found")
    return [known]


def _conforms(item: Node, url: str, scene: Scene) -> bool | None:
    plain = url.partition("|")[0]
    name = plain.removeprefix(_BASE)
    if plain.startswith(_BASE) and name in kinds():
        return name in item.kind.ancestry
    profiles = scene.environment.profiles
    if profiles is None:
        words = f"conformsTo() needs the profile {url}, and profiles are not at hand here: ask $validate with it"
        raise impossible(words, code="not-supported")
    scene.spend(_CONFORMING)
    return profiles.conforms(item, url)


def _html_checks(items: Items, _scene: Scene) -> Items:
    value = text(items, "htmlChecks()")
    return [] if value is None else [not narrative.findings(value)]


def _check_modifiers(items: Items, scene: Scene, *known: Items) -> Items:
    allowed = {text(each, "checkModifiers()") for each in known}
    found = [field(each.value, "url") for each in children_named(items, scene, "modifierExtension")]
    if unknown := [url for url in found if url not in allowed]:
        raise impossible(f"The modifier extension {unknown[0]} is not understood", code="extension")
    return items


def _needs_profiles(name: str) -> Function:
    def run(_items: Items, _scene: Scene, *_arguments: Items) -> Items:
        raise impossible(f"{name} needs the profile it is asked in, which is not at hand here", code="not-supported")

    return Function(run, 0, 2)


FUNCTIONS: Mapping[str, Function] = {
    "extension": Function(extensions, 1, 1),
    "hasExtension": Function(lambda items, scene, url: [bool(extensions(items, scene, url))], 1, 1),
    "hasValue": Function(has_value),
    "getValue": Function(_get_value),
    "resolve": Function(_resolve),
    "memberOf": Function(_member_of, 1, 1),
    "subsumes": Function(_subsumes, 1, 1),
    "subsumedBy": Function(_subsumed_by, 1, 1),
    "conformsTo": Function(_conforms_to, 1, 1),
    "htmlChecks": Function(_html_checks),
    "checkModifiers": Function(_check_modifiers, 0, 50),
    "elementDefinition": _needs_profiles("elementDefinition()"),
    "slice": _needs_profiles("slice()"),
}
