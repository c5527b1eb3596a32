"""JSON schemas of resources, made from the generated types of R4. Source: https://hl7.org/fhir/R4/json.html"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from yersin.fhir import r4
from yersin.fhir.shapes import Element, shape, struct_of

_DATE = r"[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
_ZONE = r"(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TEXT = {"type": "string", "minLength": 1}
#: primitives of JSON (https://hl7.org/fhir/R4/datatypes.html#primitive)
_PRIMITIVES: dict[str, dict[str, Any]] = {
    "base64Binary": {"type": "string", "pattern": r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$", "minLength": 4},
    "boolean": {"type": "boolean"},
    "canonical": {"type": "string", "pattern": r"^\S+$"},
    "code": {"type": "string", "pattern": r"^[^\s]+( [^\s]+)*$"},
    "date": {"type": "string", "pattern": f"^{_DATE}$"},
    "dateTime": {"type": "string", "pattern": f"^({_DATE}|{_DAY}T{_TIME}{_ZONE})$"},
    "decimal": {"type": "number"},
    "id": {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"},
    "instant": {"type": "string", "pattern": f"^{_DAY}T{_TIME}{_ZONE}$"},
    "integer": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "markdown": _TEXT,
    "oid": {"type": "string", "pattern": r"^urn:oid:[0-2](\.(0|[1-9][0-9]*))+$"},
    "positiveInt": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
    "string": _TEXT,
    "time": {"type": "string", "pattern": f"^{_TIME}$"},
    "unsignedInt": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    "uri": {"type": "string", "pattern": r"^\S+$"},
    "url": {"type": "string", "pattern": r"^\S+$"},
    "uuid": {"type": "string", "pattern": "^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
    "xhtml": _TEXT,
}  # fmt: skip
_RESOURCE = {
    "type": "object",
    "required": ["resourceType"],
    "properties": {"resourceType": {"type": "string", "enum": list(r4.TYPE_NUMBER)}},
}
_PATCH = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": {"type": "string"},
            "from": {"type": "string"},
            "value": {},
        },
    },
}


def of(names: Iterable[str]) -> dict[str, Any]:
    """Schemas of types of resources, and of everything they consist of."""
    made: dict[str, Any] = {**_PRIMITIVES, "JsonPatch": _PATCH, "Resource": _RESOURCE}
    open_names = list(names)
    while open_names:
        name = open_names.pop()
        if name not in made:
            made[name] = _object(name)
            open_names += {element.type for element in shape(struct_of(name)).values() if not element.primitive}
    return dict(sorted(made.items()))


def _object(name: str) -> dict[str, Any]:
    elements = shape(struct_of(name))
    properties = {key: _element(element) for key, element in elements.items() if key != "resourceType"}
    # a primitive may be away and its extension there
    required = [key for key, element in elements.items() if element.required and not element.primitive]
    if name in r4.TYPE_NUMBER:
        properties, required = {"resourceType": {"const": name}, **properties}, ["resourceType", *required]
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": required} if required else found


def _element(element: Element) -> dict[str, Any]:
    if element.codes:
        schema: dict[str, Any] = {"type": "string", "enum": list(element.codes)}
    else:
        schema = {"$ref": f"#/components/schemas/{_name(element)}"}
    if not element.many:
        return schema
    if element.primitive or element.name.startswith("_"):  # two arrays side by side have gaps
        schema = {"anyOf": [schema, {"type": "null"}]}
    return {"type": "array", "items": schema, "minItems": 1}


def _name(element: Element) -> str:
    return f"{element.type[0].lower()}{element.type[1:]}" if element.primitive else element.type
