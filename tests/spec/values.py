"""Makes resources from the short words in which the tables of search behaviour write values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tests.spec.tables import written_out

JSON = dict[str, Any]
NONE = "(none)"
UCUM = "http://unitsofmeasure.org"
_AMOUNT = re.compile(r"(<=|>=|<|>)?(-?[\d.]+)(?: ([^\s\"|]+))?(?: \"([^\"]+)\")?")
_SPECIAL: dict[str, JSON] = {
    "Observation": {"status": "final", "code": {"text": "x"}},
    "Condition": {"subject": {"reference": "Patient/spec-nobody"}},
    "ChargeItem": {"status": "billable", "code": {"text": "x"}, "subject": {"reference": "Patient/spec-nobody"}},
    "RiskAssessment": {"status": "final", "subject": {"reference": "Patient/spec-nobody"}},
    "Invoice": {"status": "issued"},
    "Encounter": {"status": "finished"},
    "DocumentReference": {"status": "current", "content": [{"attachment": {"contentType": "text/plain"}}]},
    "List": {"status": "current", "mode": "working"},
    "Questionnaire": {"status": "active"},
}


def resource(type_name: str, path: str, text: str, **more: Any) -> JSON:
    """Make a resource that has a value at a path such as `name[].family`, or none."""
    made = {"resourceType": type_name, **_SPECIAL.get(type_name, {}), **more}
    if text != NONE:
        put(made, path.split("."), text)
    return made


def put(node: JSON, path: list[str], text: str) -> None:
    """Set a value at a path; `name[]` is a list of one, `value[x]` takes the name of its type."""
    name, rest = path[0], path[1:]
    plain = name.removesuffix("[]").removesuffix("[x]")
    if rest:
        before = node.get(plain, {})
        inner: JSON = before[0] if isinstance(before, list) else before
        put(inner, rest, text)
        node[plain] = [inner] if name.endswith("[]") else inner
        return
    suffix, value = _value(name if name in _READERS else plain, text)
    node[plain + suffix if name.endswith("[x]") else plain] = [value] if name.endswith("[]") else value


def _value(name: str, text: str) -> tuple[str, Any]:
    """Give the type's name and the value that a word means in an element."""
    reader = _READERS.get(name)
    return reader(text) if reader else ("", text)


def _moment(text: str) -> tuple[str, Any]:
    if ".." not in text:
        return "DateTime", text
    ends = {name: part.strip() for name, part in zip(("start", "end"), text.split(".."), strict=True)}
    return "Period", {name: part for name, part in ends.items() if part}


def _chance(text: str) -> tuple[str, Any]:
    if ".." not in text:
        return "Decimal", json.loads(text)
    ends = {name: part.strip() for name, part in zip(("low", "high"), text.split(".."), strict=True)}
    return "Range", {name: {"value": json.loads(part)} for name, part in ends.items() if part}


def _coding(text: str) -> JSON:
    system, _, code = written_out(text).rpartition("|")
    return {"system": system, "code": code} if system else {"code": code}


def _concept(text: str) -> tuple[str, Any]:
    if text.startswith("code "):
        return "", text.removeprefix("code ")
    if text.startswith("text "):
        return "", {"text": text.removeprefix("text ")}
    return "", {"coding": [_coding(part) for part in text.split(" + ")]}


def _identifier(text: str) -> tuple[str, Any]:
    text, _, kind = text.partition(" of type ")
    system, _, value = text.rpartition("|")
    typed = {"type": {"coding": [_coding(kind)]}} if kind else {}
    return "", {**({"system": system} if system else {}), "value": value, **typed}


def _contact(text: str) -> tuple[str, Any]:
    system, _, value = text.partition(" ")
    return "", {"system": system, "value": value}


def _name(text: str) -> tuple[str, Any]:
    if text.startswith("text "):
        return "", {"text": text.removeprefix("text ")}
    family, _, given = text.removeprefix("family ").partition(", given ")
    return "", {"family": family, "given": given.split()}


def _reference(text: str) -> tuple[str, Any]:
    if text.startswith("identifier "):
        return "", {"identifier": _identifier(text.removeprefix("identifier "))[1]}
    return "", {"reference": text}


def _quantity(text: str) -> tuple[str, Any]:
    match = _AMOUNT.fullmatch(text)
    assert match, text
    comparator, number, code, words = match.groups()
    made: JSON = {"value": json.loads(number)}
    if comparator:
        made["comparator"] = comparator
    if code:
        made |= {"system": UCUM, "code": code}
    return "Quantity", {**made, **({"unit": words} if words else {})}


def _own(text: str) -> tuple[str, Any]:
    """Read a quantity whose unit may name a system of its own: `5.4 urn:own|mg`."""
    number, _, unit = text.partition(" ")
    if "|" not in unit:
        return _quantity(text)
    system, _, code = unit.rpartition("|")
    return "Quantity", {"value": json.loads(number), "system": system, "code": code}


def _money(text: str) -> tuple[str, Any]:
    number, _, currency = text.partition(" ")
    return "", {"value": json.loads(number), **({"currency": currency} if currency else {})}


def _position(text: str) -> tuple[str, Any]:
    latitude, longitude = text.split(", ")
    return "", {"latitude": json.loads(latitude), "longitude": json.loads(longitude)}


_READERS: dict[str, Callable[[str], tuple[str, Any]]] = {
    "active": lambda text: ("", text == "true"),
    "factorOverride": lambda text: ("", json.loads(text)),
    "effective": _moment,
    "onset": _moment,
    "probability": _chance,
    "code": _concept,
    "identifier": _identifier,
    "telecom": _contact,
    "name[]": _name,
    "class": lambda text: ("", _coding(text)),
    "encounter": _reference,
    "item": _reference,
    "location": _reference,
    "partOf": _reference,
    "position": _position,
    "performer": _reference,
    "serviceProvider": _reference,
    "subject": _reference,
    "target": _reference,
    "managingOrganization": _reference,
    "generalPractitioner": _reference,
    "value": _own,
    "totalGross": _money,
    "valueCodeableConcept": _concept,
}
