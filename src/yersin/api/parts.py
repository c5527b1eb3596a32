"""Parts of resources: `_summary` and `_elements`. What is left out is said by the tag SUBSETTED.

Elements that the definitions demand stay, and so do those that may change what all others mean.
Source: https://hl7.org/fhir/R4/search.html#summary, https://hl7.org/fhir/R4/search.html#elements
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import structs

from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.fhir.shapes import Element, shape, struct_of
from yersin.fhir.structs import Struct

from .messages import Request, Response

_SUMMARIES = ("true", "text", "data", "count", "false")
_ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules", "modifierExtension"})
#: what is made for this answer alone is whole
_MADE = frozenset({"OperationOutcome", "Parameters"})
SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}

_read = msgspec.json.Decoder(float_hook=Decimal).decode
_write = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is wanted of each resource. `asked` is how it was asked, for links to further pages."""

    summary: str = ""
    elements: tuple[str, ...] = ()
    asked: str = ""

    def of(self, response: Response) -> Response:
        """Answer with less."""
        if self is WHOLE or not response.body or response.status >= 300:
            return response
        whole = _read(response.body)
        if whole.get("resourceType") == "Bundle" and "entry" in whole:
            for entry in whole["entry"]:
                if "resource" in entry and entry.get("search", {}).get("mode") != "outcome":
                    entry["resource"] = self._less(entry["resource"])
        elif whole.get("resourceType") != "Bundle":
            whole = self._less(whole)
        for link in whole.get("link", ()) if whole.get("resourceType") == "Bundle" else ():
            link["url"] += f"{'&' if '?' in link['url'] else '?'}{self.asked}"
        return structs.replace(response, body=_write(whole))

    def _less(self, resource: dict[str, Any]) -> dict[str, Any]:
        name = resource["resourceType"]
        if name in _MADE:
            return resource
        kept = self._kept(name, resource)
        meta = {**kept.get("meta", {})}
        tags = meta.get("tag", [])
        meta["tag"] = tags if SUBSETTED in tags else [*tags, SUBSETTED]
        head = {"resourceType": name, **({"id": kept["id"]} if "id" in kept else {}), "meta": meta}
        return {**head, **{key: value for key, value in kept.items() if key not in head}}

    def _kept(self, name: str, resource: dict[str, Any]) -> dict[str, Any]:
        struct = struct_of(name)
        if self.elements:
            prefix = f"{name}."
            named = {element.removeprefix(prefix).partition(".")[0] for element in self.elements}
            return _only(resource, struct, named)
        if self.summary == "text":
            return _only(resource, struct, {"text"})
        if self.summary == "data":
            return {key: value for key, value in resource.items() if key != "text"}
        return summarized(resource, struct)


WHOLE = Part()


def _only(resource: Mapping[str, Any], struct: type[Struct], named: set[str]) -> dict[str, Any]:
    """Named elements of a resource, and those that must be there."""
    known, kept = shape(struct), named | _ALWAYS | demanded(struct)
    return {key: value for key, value in resource.items() if key in _ALWAYS or _stem(known, key) in kept}


def summarized(value: Mapping[str, Any], struct: type[Struct]) -> dict[str, Any]:
    """Elements that the definitions mark for summaries, at every level."""
    known, kept = shape(struct), summary_of(struct) | demanded(struct)
    found = {}
    for key, inside in value.items():
        if key == "resourceType":
            found[key] = inside
        elif _stem(known, key) in kept:
            found[key] = _inside(inside, known[key])
    return found


def _inside(value: Any, element: Element) -> Any:
    if element.primitive or element.type in ("Element", "Resource", "Extension"):
        return value
    struct = struct_of(element.type)
    return [summarized(each, struct) for each in value] if isinstance(value, list) else summarized(value, struct)


def _stem(known: Mapping[str, Element], key: str) -> str:
    element = known.get(key)
    return element.path if element else key


@cache
def summary_of(struct: type[Struct]) -> frozenset[str]:
    """Elements of a struct that stand in a summary, its bases' among them; choices by their stems."""
    return frozenset(name for base in struct.__mro__ for name in _table().get(base.__name__, ()))


@cache
def demanded(struct: type[Struct]) -> frozenset[str]:
    """Elements that must be there; choices by their stems."""
    plain = {element.path for element in shape(struct).values() if element.required}
    return frozenset(plain.union(*(base.__dict__.get("REQUIRED", ()) for base in struct.__mro__)))


@cache
def _table() -> Mapping[str, Sequence[str]]:
    found: Mapping[str, Sequence[str]] = json.loads(resources.files(r4).joinpath("summary.json").read_bytes())
    return found


def taken(request: Request) -> tuple[Part | None, Request]:
    """Take what is asked about parts out of a request. Raises Problem for what cannot be asked."""
    is_form = request.method == "POST" and request.is_form
    if "_summary" not in request.query and "_elements" not in request.query and not is_form:
        return None, request
    found: list[tuple[str, str]] = []
    query = _without(request.query, found)
    body = _without(request.body.decode("utf-8", "replace"), found).encode() if is_form else request.body
    if not found:
        return None, request
    part = _part(request.path[0] if request.path else "", found)
    return part, structs.replace(request, query=query, body=body)


def of_query(type_name: str, query: str) -> tuple[Part | None, str]:
    """Take what is asked about parts out of a query."""
    found: list[tuple[str, str]] = []
    rest = _without(query, found)
    return (_part(type_name, found) if found else None), rest


def _without(text: str, found: list[tuple[str, str]]) -> str:
    """Take parameters of parts out of a query; the rest stays as it was written."""
    rest = []
    for piece in text.split("&"):
        pairs = parse_qsl(piece, keep_blank_values=True)
        if pairs and pairs[0][0] in ("_summary", "_elements") and pairs[0] != ("_summary", "count"):
            found += pairs
        else:
            rest.append(piece)
    return "&".join(rest)


def _part(type_name: str, found: Sequence[tuple[str, str]]) -> Part | None:
    given = dict(found)
    if len(given) != len(found):
        raise problem("invalid", "_summary and _elements may each stand there once.")
    summary = given.get("_summary", "false")
    if summary not in _SUMMARIES:
        text = f"_summary is {summary}; it may be {', '.join(_SUMMARIES)}."
        raise problem("invalid", text, expression="_summary")
    elements = tuple(name.strip() for name in given.get("_elements", "").split(",") if name.strip())
    if "_elements" in given:
        _check(type_name, elements)
    if summary != "false" and elements:
        raise problem("invalid", "_summary and _elements do not go together.", expression="_elements")
    if summary == "false" and not elements:
        return None
    return Part(summary=summary if summary != "false" else "", elements=elements, asked=urlencode(found))


def _check(type_name: str, elements: Sequence[str]) -> None:
    """Refuse names that no resource asked for has. Raises Problem."""
    if not elements:
        raise problem("invalid", "_elements is empty; name elements, such as name,birthDate.", expression="_elements")
    for name in elements:
        of, dot, rest = name.partition(".")
        of, rest = (of, rest) if dot and of in r4.TYPE_NUMBER else (type_name, name)
        if of not in r4.TYPE_NUMBER:
            continue
        known = {element.path for element in shape(struct_of(of)).values()}
        if rest.partition(".")[0] not in known | {"resourceType"}:  # which is always there, and clients ask for
            text = f"{of} has no element {rest}. It has: {', '.join(sorted(known))}."
            raise problem("invalid", text, expression="_elements")
