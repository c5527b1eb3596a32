"""Bytes to a resource and back. What is refused is refused whole, with every finding and its place.

The fast path is msgspec's decoder. It cannot see duplicate keys, decimals in quotes and nulls, so what it read is
written again and compared: a resource of the same length lost nothing; otherwise quotes are counted. Only when a
doubt remains does the slow collector read the text with its own eyes.
Source: https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

import functools
import re
from typing import Any, cast

import msgspec

from yersin.fhir import large, r4
from yersin.fhir.problem import Issue, Problem

DEEPEST = 200  # nested objects and arrays; walkers of resources rely on it
_TOO_DEEP = Issue(
    code="too-costly", diagnostics=f"Objects and arrays nest deeper than {DEEPEST} levels: send a flatter resource"
)
_SHALLOW = 1500  # bytes: below, not even the shortest JSON that FHIR allows nests deeper
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_ESCAPED = re.compile(rb"\\(?:u00(?:0[0-8bBcCeEfF]|1|22)|[bf])")  # control characters, and quotes that hide
_NOT_BRACKETS = bytes(set(range(256)) - set(b'{}[]"'))


@functools.cache
def _decoder() -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(r4.AnyResource)


def parse(raw: bytes | bytearray | memoryview, *, expect: str | None = None) -> r4.Resource:
    """Read one resource strictly, or raise a Problem that lists every finding with its FHIRPath."""
    raw = raw if isinstance(raw, bytes) else bytes(raw)
    if len(raw) > large.LARGE:
        large.refuse_too_much(raw)
    try:
        resource = cast("r4.Resource", _decoder().decode(raw))
        again = _ENCODER.encode(resource)
    except (msgspec.DecodeError, ValueError, RecursionError) as reason:
        raise _refusal(raw, expect, str(reason)) from None
    if is_doubtful(raw, again) and (found := _doubts(raw, again, expect)):
        raise Problem(found)
    if expect is not None and resource.resourceType != expect:
        text = f"This resource is of the type {resource.resourceType}; {expect} belongs here"
        found = [Issue(code="invalid", diagnostics=text, expression=resource.resourceType)]
        raise Problem(found if len(raw) > large.LARGE else _collect(raw, expect))
    return resource


def encode(resource: r4.Resource) -> bytes:
    """JSON as compact bytes, numbers to the digit they were given in."""
    return _ENCODER.encode(resource)


def is_doubtful(raw: bytes, again: bytes) -> bool:
    """Whether the decoder may have let something pass that FHIR refuses."""
    if len(raw) != len(again) and raw.count(b'"') != again.count(b'"'):
        return True
    if b"\\" in raw and _ESCAPED.search(raw):
        return True
    return b"{}" in again or (len(again) > _SHALLOW and again.count(b"[{") > DEEPEST // 2 and _is_deep(again))


def _is_deep(text: bytes) -> bool:
    """Take away strings, then innermost pairs of brackets, round by round; a round takes one or two levels."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    # two quotes side by side go without turning inside into outside
    quoted = text.translate(None, _NOT_BRACKETS).replace(b'""', b"")
    brackets = b"".join(quoted.split(b'"')[::2])
    for _ in range(DEEPEST // 2):
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not brackets:
            return False
    return True


def _doubts(raw: bytes, again: bytes, expect: str | None) -> list[Issue]:
    if len(raw) > large.LARGE:
        return _collect_depth(again) or large.findings(raw, again)
    return _collect(raw, expect)


def _collect_depth(again: bytes) -> list[Issue]:
    return [_TOO_DEEP] if _is_deep(again) else []


def _collect(raw: bytes, expect: str | None) -> list[Issue]:
    from yersin.fhir.collector import collect  # noqa: PLC0415 - only a refused resource needs it

    return collect(raw, expect=expect)


def _refusal(raw: bytes, expect: str | None, reason: str) -> Problem:
    if len(raw) > large.LARGE:
        return Problem([_TOO_DEEP]) if "recursion" in reason else large.refusal(reason)
    return Problem(_collect(raw, expect) or [Issue(code="structure", diagnostics=f"This is not FHIR R4: {reason}")])
