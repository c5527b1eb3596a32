"""Spoils resources and their texts: a place dropped, replaced or doubled, a slip of the hand, bytes that are no text."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from typing import Any

from yersin.fhir import Problem, parse
from yersin.fhir.xml import write as to_xml

Way = tuple[Any, ...]
LONG = "x" * 70_000


def places(value: Any, way: Way = ()) -> Iterator[Way]:
    """Every place below a value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*way, key)
        yield from places(child, (*way, key))


WORDS = [
    "", " ", "x", " x", "a\u0000", "\ud83d", "\u202e", LONG, "2021-02-30", "2021-13", "9999-12-31T23:59:60Z", "0000",
    "Patient/none", "Nothing/1", "Patient/", "#", "#none", "urn:uuid:none", "Observation/1", "http://x/Patient/1/_history/2",
    "http://hl7.org/fhir/nowhere", "http://snomed.info/sct", "http://loinc.org", "12345", "-1", "1.0", "true", "final",
    '<div xmlns="http://www.w3.org/1999/xhtml"></div>', '<div xmlns="http://www.w3.org/1999/xhtml"><script/>x</div>',
    "http://terminology.hl7.org/CodeSystem/v3-ActCode", "$(id)", "' OR 1=1 --", "zz", "text/none", "%00", "..", "=",
]  # fmt: skip
VALUES: list[Any] = [
    None, {}, [], True, False, 0, -1, 1.5, 2**31, 2**63, 1e300, [None], [[1]], {"id": "x"}, {"extension": []},
    {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]},
    {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "none"}]}, {"text": "x"},
    {"coding": [{"system": "http://snomed.info/sct", "code": "123"}]}, {"reference": "Patient/none"},
    {"reference": "#none"}, {"reference": "Medication/x"}, {"system": "urn:ietf:rfc:3986", "value": "no uri"},
    {"contentType": "image/png", "data": "AAAA", "size": 9}, {"value": 1, "comparator": "<"}, {"url": "x"},
    {"status": "empty", "div": '<div xmlns="http://www.w3.org/1999/xhtml"> </div>'}, {"start": "2021", "end": "2020"},
]  # fmt: skip
NAMES = [
    "foo", "id", "extension", "modifierExtension", "_status", "valueString", "resourceType", "contained", "text", "code",
    "value", "_given", "meta", "language", "implicitRules", "subject", "status", "identifier", "category", "period",
]  # fmt: skip
EXTENSIONS: list[Any] = [
    {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueString": "wrong type"},
    {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"city": "Huế"}},
    {"url": "http://example.org/anything", "valueBoolean": True},
    {"url": "relative", "valueBoolean": True},
    {"url": "http://hl7.org/fhir/3.0/StructureDefinition/extension-Procedure.notDone", "valueBoolean": True},
]
CONTAINED: list[Any] = [
    {"resourceType": "Patient", "id": "inside"},
    {"resourceType": "Observation", "id": "inside"},
    {"resourceType": "Patient", "id": "inside", "contained": [{"resourceType": "Basic", "code": {"text": "x"}}]},
]


def spoil(resource: Any, chance: random.Random) -> None:
    """Change one place."""
    if chance.random() < 0.08:
        resource["extension"] = [copy.deepcopy(chance.choice(EXTENSIONS))]
        return
    if chance.random() < 0.05:
        resource["contained"] = [copy.deepcopy(chance.choice(CONTAINED))]
        return
    found = list(places(resource))
    if not found:
        return
    way = chance.choice(found)
    parent = resource
    for key in way[:-1]:
        parent = parent[key]
    chance.choice((_drop, _replace, _replace_alike, _member, _again, _bend))(parent, way[-1], chance)


def _drop(parent: Any, key: Any, chance: random.Random) -> None:
    del chance
    del parent[key]


def _replace(parent: Any, key: Any, chance: random.Random) -> None:
    parent[key] = copy.deepcopy(chance.choice(VALUES))


def _replace_alike(parent: Any, key: Any, chance: random.Random) -> None:
    """Put a text in the place of a text, an object in that of an object."""
    old = parent[key]
    if isinstance(old, str):
        parent[key] = chance.choice(WORDS)
    elif isinstance(old, dict):
        parent[key] = copy.deepcopy(chance.choice([v for v in VALUES if isinstance(v, dict)]))
    elif isinstance(old, list):
        parent[key] = chance.choice(([], old * 3, [*old, None], old[:1]))
    else:
        parent[key] = chance.choice((-1, 0, 10**9, 0.1, not old))


def _member(parent: Any, key: Any, chance: random.Random) -> None:
    target = parent[key] if isinstance(parent[key], dict) else parent
    if isinstance(target, dict):
        target[chance.choice(NAMES)] = copy.deepcopy(chance.choice([*VALUES, *WORDS]))


def _again(parent: Any, key: Any, chance: random.Random) -> None:
    if isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    else:
        parent[chance.choice((f"_{key}", str(key).title(), f"{key}s"))] = copy.deepcopy(parent[key])


def _bend(parent: Any, key: Any, chance: random.Random) -> None:
    """Change one character of a text, as a slip of the hand does."""
    old = parent[key]
    if isinstance(old, str) and old:
        at = chance.randrange(len(old))
        parent[key] = old[:at] + chance.choice("0aZ-/# é|") + old[at + 1 :]


# --- bytes -------------------------------------------------------------------------------------------------------


def written(resource: Any, chance: random.Random) -> bytes:
    """JSON of a resource, sometimes spoilt as text."""
    raw = json.dumps(resource).encode()
    if chance.random() > 0.06 or len(raw) < 10:
        return raw
    at = chance.randrange(1, len(raw))
    return chance.choice(
        (
            raw[:at],
            raw[:at] + b"\xff\xfe" + raw[at:],
            raw[:at] + b"\x00" + raw[at:],
            raw + raw,
            b"\xef\xbb\xbf" + raw,
            raw[:-1] + b',"id":"x","id":"y"}',
            raw.replace(b":", b": 1e400,", 1),
            b"[" + raw + b"]",
            b"{" * 3000,
        )
    )


_TAGS = re.compile(rb"<(/?)(\w+)([^>]*)>")


def as_xml(raw: bytes, chance: random.Random) -> bytes | None:
    """The same as XML, sometimes spoilt; None where it is no resource."""
    try:
        parse(raw)
    except Problem:
        return None
    text = to_xml(raw)
    if chance.random() < 0.5:
        return text
    at = chance.randrange(len(text))
    tags = list(_TAGS.finditer(text))
    one = chance.choice(tags)
    return chance.choice(
        (
            text[:at],
            text[: one.start()] + text[one.end() :],
            text[: one.start()] + one[0] * 2 + text[one.end() :],
            text[: one.start()] + b'<foo value="x"/>' + text[one.start() :],
            text.replace(b'value="', b'value=" ', 1),
            text.replace(b'value="', b'vaule="', 1),
            re.sub(rb'value="[0-9]+', b'value="1e-99999999999999999999', text, count=1),
            text.replace(b"http://hl7.org/fhir", b"http://hl7.org/fhri", 1),
            b'<!DOCTYPE x [<!ENTITY a "b">]>' + text,
            text + b"<!-- -->",
            text[:at] + b"\xff" + text[at:],
            text.replace(b"<", b"<![CDATA[x]]><", 2),
        )
    )
