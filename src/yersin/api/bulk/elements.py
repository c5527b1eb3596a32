"""`_elements`: resources cut down to what was asked for, and marked so.

What R4 demands of a resource stays. Source: https://hl7.org/fhir/uv/bulkdata/STU2/export.html#query-parameters
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import msgspec

from yersin.fhir.problem import problem
from yersin.fhir.shapes import shape, struct_of

_SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_ALWAYS = ("resourceType", "id", "meta")


def of_types(texts: Sequence[str], types: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read `Type.element` and `element` into elements by type. Raises Problem naming what is no element."""
    found: dict[str, list[str]] = {}
    for text in texts:
        type_name, _, element = text.strip().rpartition(".")
        having = [name for name in ([type_name] if type_name else types) if name in types and element in _known(name)]
        if not having:
            where = type_name or "any type that is exported"
            said = f"_elements={text[:60]}: {element or text} is no element of {where}. Write Type.element or element."
            raise problem("value", said, expression="_elements")
        # an element of no type cuts down all types; those without it keep what they must have
        for name in [type_name] if type_name else types:
            found.setdefault(name, []).append(element)
    return {name: tuple(dict.fromkeys(elements)) for name, elements in found.items()}


@cache
def _known(type_name: str) -> frozenset[str]:
    return frozenset(element.path for element in shape(struct_of(type_name)).values())


@cache
def _kept(type_name: str, elements: tuple[str, ...]) -> frozenset[str]:
    struct = struct_of(type_name)
    wanted = {*elements, *struct.REQUIRED}
    named = {name for name, element in shape(struct).items() if element.path in wanted or element.required}
    return frozenset({*_ALWAYS, *named})


def cut(type_name: str, elements: tuple[str, ...], whole: bytes) -> bytes:
    """Cut a resource down."""
    kept = _kept(type_name, elements)
    found = {name: raw for name, raw in msgspec.json.decode(whole, type=dict[str, msgspec.Raw]).items() if name in kept}
    meta = msgspec.json.decode(found["meta"])
    meta["tag"] = [*meta.get("tag", ()), _SUBSETTED]
    found["meta"] = msgspec.Raw(msgspec.json.encode(meta))
    return msgspec.json.encode(found)
