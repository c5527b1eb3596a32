"""Functions of FHIRPath that ViewDefinitions may call, and the two that SQL on FHIR adds for keys.

Sources: https://hl7.org/fhirpath/N1/#functions, https://sql-on-fhir.org (getResourceKey, getReferenceKey).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from .boundaries import boundary
from .paths import Function, Items, Path, Scene, of_type, refusal, truth

_REFERENCE = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[^/]+)?$").search


def _where(items: Items, scene: Scene, arguments: list[Path]) -> Items:
    return [item for item in items if truth(arguments[0]([item], scene))]


def _select(items: Items, scene: Scene, arguments: list[Path]) -> Items:
    return [found for item in items for found in arguments[0]([item], scene)]


def _exists(items: Items, scene: Scene, arguments: list[Path]) -> Items:
    return [bool(_where(items, scene, arguments) if arguments else items)]


def _all(items: Items, scene: Scene, arguments: list[Path]) -> Items:
    return [len(_where(items, scene, arguments)) == len(items)]


def _not(items: Items, _scene: Scene, _arguments: list[Path]) -> Items:
    answer = truth(items)
    return [] if answer is None else [not answer]


def _join(items: Items, scene: Scene, arguments: list[Path]) -> Items:
    mark = arguments[0](items, scene)[0] if arguments else ""
    return [mark.join(str(item) for item in items)]


def _extension(items: Items, scene: Scene, arguments: list[Path]) -> Items:
    url = arguments[0](items, scene)
    inside = [each for item in items if isinstance(item, dict) for each in item.get("extension", ())]
    return [each for each in inside if url and each.get("url") == url[0]]


def _substring(items: Items, scene: Scene, arguments: list[Path]) -> Items:
    if not items:
        return []
    start = arguments[0](items, scene)[0]
    end = start + arguments[1](items, scene)[0] if len(arguments) > 1 else None
    return [str(items[0])[start:end]]


def _to_integer(items: Items, _scene: Scene, _arguments: list[Path]) -> Items:
    return [int(item) for item in items[:1] if re.fullmatch(r"[+-]?\d+", str(item))]


def _starts_with(items: Items, scene: Scene, arguments: list[Path]) -> Items:
    return [str(items[0]).startswith(arguments[0](items, scene)[0])] if items else []


def _distinct(items: Items, _scene: Scene, _arguments: list[Path]) -> Items:
    return [item for number, item in enumerate(items) if item not in items[:number]]


def _iif(items: Items, scene: Scene, arguments: list[Path]) -> Items:
    chosen = arguments[1:2] if truth(arguments[0](items, scene)) else arguments[2:3]
    return chosen[0](items, scene) if chosen else []


def _bounded(name: str, *, upper: bool) -> Function:
    def run(items: Items, _scene: Scene, _arguments: list[Path]) -> Items:
        if len(items) > 1:
            raise refusal(f"{name}() takes one value.")
        return [found for item in items for found in boundary(item, upper=upper)]

    return run


def _resource_key(items: Items, scene: Scene, _kind: str) -> Items:
    return [scene.key_of(item["resourceType"], item["id"]) for item in items if isinstance(item, dict) and "id" in item]


def _reference_key(items: Items, scene: Scene, kind: str) -> Items:
    found: Items = []
    for item in items:
        match = _REFERENCE(item.get("reference") or "") if isinstance(item, dict) else None
        if match and kind in ("", match[1]):
            found.append(scene.key_of(match[1], match[2]))
    return found


FUNCTIONS: Mapping[str, Function] = {
    "where": _where,
    "select": _select,
    "exists": _exists,
    "empty": lambda items, _scene, _arguments: [not items],
    "all": _all,
    "not": _not,
    "first": lambda items, _scene, _arguments: items[:1],
    "last": lambda items, _scene, _arguments: items[-1:],
    "count": lambda items, _scene, _arguments: [len(items)],
    "distinct": _distinct,
    "join": _join,
    "extension": _extension,
    "substring": _substring,
    "startsWith": _starts_with,
    "toInteger": _to_integer,
    "iif": _iif,
    "lowBoundary": _bounded("lowBoundary", upper=False),
    "highBoundary": _bounded("highBoundary", upper=True),
}
#: functions whose argument is the name of a type
TYPED: Mapping[str, Callable[[Items, Scene, str], Items]] = {
    "ofType": lambda items, _scene, kind: of_type(items, kind),
    "getResourceKey": _resource_key,
    "getReferenceKey": _reference_key,
}
