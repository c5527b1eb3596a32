"""Functions of texts. Source: https://hl7.org/fhirpath/N1/#string-manipulation; encode() to join() of FHIRPath 2.1"""

from __future__ import annotations

import base64
import binascii
import html
import json
from collections.abc import Callable, Mapping
from typing import Any

from . import regex
from .calling import Function, text, whole
from .conversion import to_text
from .items import Items, data
from .operators import within
from .refusal import impossible
from .scene import Scene


def _texts(name: str, work: Callable[..., Any], arguments: int = 0) -> Function:
    """Make a function of texts: without one of them the result is empty."""

    def run(items: Items, scene: Scene, *given: Items) -> Items:
        values = [text(items, name), *(text(each, name) for each in given)]
        if None in values:
            return []
        scene.spend(sum(len(value or "") for value in values) // 1000)
        found = work(*values)
        return [] if found is None else found if isinstance(found, list) else [found]

    return Function(run, arguments, arguments)


def _substring(items: Items, _scene: Scene, start: Items, *length: Items) -> Items:
    whole_text, first = text(items, "substring()"), whole(start, "substring()")
    if whole_text is None or first is None or not 0 <= first < len(whole_text):
        return []
    count = whole(length[0], "substring()") if length else None
    return [whole_text[first:] if count is None else whole_text[first : first + max(0, count)]]


def _replace(value: str, pattern: str, substitution: str) -> str:
    if (len(value) + 1) * (len(substitution) + 1) > 50_000_000:
        raise impossible("A text grows too long", code="too-costly")
    return within(value.replace(pattern, substitution))


def _join(items: Items, _scene: Scene, *separator: Items) -> Items:
    mark = text(separator[0], "join()") if separator else ""
    if not items:
        return [] if separator and mark is None else [""]
    values = [to_text(value) for item in items if (value := data(item)) is not None]
    if None in values:
        raise impossible("join() takes texts")
    return [within((mark or "").join(value or "" for value in values))]


def _split(value: str, separator: str) -> list[str]:
    return value.split(separator) if separator else list(value)


def _encode(value: str, how: str) -> str | None:
    raw = value.encode()
    match how:
        case "hex":
            return raw.hex()
        case "base64":
            return base64.b64encode(raw).decode()
        case "urlbase64":
            return base64.urlsafe_b64encode(raw).decode()
    return None


def _decode(value: str, how: str) -> str | None:
    try:
        match how:
            case "hex":
                return bytes.fromhex(value).decode()
            case "base64":
                return base64.b64decode(value, validate=True).decode()
            case "urlbase64":
                return base64.urlsafe_b64decode(value).decode()
    except (ValueError, binascii.Error):
        raise impossible(f"decode() cannot read this text as {how}") from None
    return None


def _escape(value: str, how: str) -> str | None:
    if how == "html":
        return html.escape(value, quote=True).replace("&#x27;", "&#39;")
    return json.dumps(value, ensure_ascii=False)[1:-1] if how == "json" else None


def _unescape(value: str, how: str) -> str | None:
    if how == "html":
        return html.unescape(value)
    if how != "json":
        return None
    try:
        # what names half a character is left as it is, as all that cannot be read
        return str(json.loads(f'"{value}"', strict=False)).encode().decode()
    except ValueError:
        return value


FUNCTIONS: Mapping[str, Function] = {
    "indexOf": _texts("indexOf()", str.find, 1),
    "lastIndexOf": _texts("lastIndexOf()", str.rfind, 1),
    "substring": Function(_substring, 1, 2),
    "startsWith": _texts("startsWith()", lambda value, other: value.startswith(other), 1),
    "endsWith": _texts("endsWith()", lambda value, other: value.endswith(other), 1),
    "contains": _texts("contains()", lambda value, other: other in value, 1),
    "upper": _texts("upper()", str.upper),
    "lower": _texts("lower()", str.lower),
    "replace": _texts("replace()", _replace, 2),
    "matches": _texts("matches()", regex.is_found, 1),
    "matchesFull": _texts("matchesFull()", regex.is_whole, 1),
    "replaceMatches": _texts("replaceMatches()", regex.replaced, 2),
    "length": _texts("length()", len),
    "toChars": _texts("toChars()", list),
    "trim": _texts("trim()", str.strip),
    "split": _texts("split()", _split, 1),
    "join": Function(_join, 0, 1),
    "encode": _texts("encode()", _encode, 1),
    "decode": _texts("decode()", _decode, 1),
    "escape": _texts("escape()", _escape, 1),
    "unescape": _texts("unescape()", _unescape, 1),
}
