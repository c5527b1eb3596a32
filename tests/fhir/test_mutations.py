"""Spoilt examples: what parses comes back equal, what does not is refused with a place; nothing else ever happens."""

from __future__ import annotations

import copy
import decimal
import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yersin import fhir
from yersin.fhir.collector import collect

Way = tuple[str | int, ...]
SPOILS: list[Any] = [
    None,
    {},
    [],
    "",
    "x",
    " x",
    True,
    0,
    -1,
    1.5,
    2**40,
    "2021-02-30",
    "a\u0000",
    [None],
    {"id": "x"},
    [[1]],
    "1.0",
]
NAMES = ["foo", "id", "extension", "_status", "valueString", "resourceType", "contained", "text", "value", "_given"]


def places(value: Any, way: Way = ()) -> Iterator[Way]:
    yield way
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*way, key))


def spoil(resource: Any, data: st.DataObject) -> None:
    """Change one place: drop it, replace it, or add a member or an item."""
    way = data.draw(st.sampled_from(list(places(resource))[1:]))
    parent = resource
    for key in way[:-1]:
        parent = parent[key]
    match data.draw(st.sampled_from(["drop", "replace", "member", "again"])):
        case "drop":
            del parent[way[-1]]
        case "replace":
            parent[way[-1]] = copy.deepcopy(data.draw(st.sampled_from(SPOILS)))
        case "member" if isinstance(parent, dict):
            parent[data.draw(st.sampled_from(NAMES))] = copy.deepcopy(data.draw(st.sampled_from(SPOILS)))
        case _ if isinstance(parent, list):
            parent.append(copy.deepcopy(parent[int(way[-1])]))


def answer(raw: bytes) -> tuple[fhir.r4.Resource | None, Sequence[fhir.Issue]]:
    """The resource, or None and the findings; whatever else is raised fails the test."""
    try:
        return fhir.parse(raw), ()
    except fhir.Problem as refusal:
        return None, refusal.issues


def equal(a: bytes, b: bytes) -> bool:
    return bool(json.loads(a, parse_float=decimal.Decimal) == json.loads(b, parse_float=decimal.Decimal))


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_spoilt_example_is_refused_with_a_place_or_kept_equal(examples: list[bytes], data: st.DataObject) -> None:
    small = [raw for raw in examples if len(raw) < 8000]
    resource = json.loads(data.draw(st.sampled_from(small)))
    for _ in range(data.draw(st.integers(1, 3))):
        if len(list(places(resource))) > 1:
            spoil(resource, data)
    raw = json.dumps(resource).encode()
    parsed, issues = answer(raw)
    assert all(issue.diagnostics and issue.code for issue in issues)
    assert not any("This is not FHIR R4" in issue.diagnostics for issue in issues), raw
    assert collect(raw) == list(issues)
    assert parsed is None or equal(fhir.encode(parsed), raw)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_refused_and_never_crash(raw: bytes) -> None:
    for whole in (raw, b'{"resourceType":"Basic","code":{"text":"' + raw + b'"}}'):
        parsed, issues = answer(whole)
        assert (parsed is None) == bool(issues)
