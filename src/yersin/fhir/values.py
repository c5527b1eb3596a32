"""The slow judgement of one primitive value: plain words and the cure, or nothing.

Source: https://hl7.org/fhir/R4/datatypes.html#primitive
"""

from __future__ import annotations

import decimal
import difflib
import re
from dataclasses import dataclass
from typing import Any

from yersin.fhir import narrative, primitives
from yersin.fhir.reading import Members, Number
from yersin.fhir.shapes import Element
from yersin.fhir.structs import base64_finding, decimal_finding

_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An issue without its place."""

    code: str
    words: str


def kind(value: Any) -> str:
    """Say what a JSON value is, in words."""
    if isinstance(value, bool):
        return "true or false"
    names = {Members: "an object", list: "an array", str: "text", Number: "a number", type(None): "null"}
    return names[type(value)]


def findings(value: Any, element: Element) -> list[Finding]:
    """Everything wrong with a value that should be of a primitive type."""
    if element.type == "Boolean":
        return [] if isinstance(value, bool) else [_wrong_kind(value, "true or false, without quotes")]
    if element.type == "Decimal" or element.type in primitives.WHOLE:
        if not isinstance(value, Number):
            return [_wrong_kind(value, "a number, without quotes")]
        return _number(value.text, element.type)
    if not isinstance(value, str):
        return [_wrong_kind(value, "text in quotes")]
    return _text(value, element)


def _wrong_kind(value: Any, wanted: str) -> Finding:
    return Finding(code="value", words=f"This is {kind(value)}; write {wanted}")


def _number(text: str, name: str) -> list[Finding]:
    if name == "Decimal":
        try:
            words = decimal_finding(decimal.Decimal(text))
        except decimal.InvalidOperation:
            words = decimal_finding(decimal.Decimal("Infinity"))
    else:
        rule = primitives.WHOLE[name]
        words = "" if rule.accepts(text) else f"{text[:_SHOWN]} is not a {_spelled(name)}: {rule.cure}"
    return [Finding(code="value", words=words)] if words else []


def _spelled(name: str) -> str:
    """FHIR's spelling of a primitive type."""
    return name[0].lower() + name[1:]


def _text(value: str, element: Element) -> list[Finding]:
    if not value:
        return [Finding(code="value", words="The text is empty: write something or leave the element out")]
    if match := _UNWANTED.search(value):
        words = f"The character U+{ord(match[0]):04X} may not stand in text: remove it"
        return [Finding(code="value", words=words)]
    if element.type in primitives.FREE_TEXT:
        return _free_text(value, element.type)
    rule = primitives.TEXT[element.type]
    if not rule.accepts(value):
        words = f"{value[:_SHOWN]!r} is not a {_spelled(element.type)}: {rule.cure}"
        return [Finding(code="value", words=words)]
    if element.codes and value not in element.codes:
        return [
            Finding(
                code="code-invalid",
                words=f"{value[:_SHOWN]!r} is not a code of this element: {_codes(value, element.codes)}",
            )
        ]
    return []


def _codes(value: str, codes: tuple[str, ...]) -> str:
    if len(codes) > 12:
        close = difflib.get_close_matches(value, codes, n=3, cutoff=0.5)
        return f"one of {len(codes)} codes is required" + (f", such as {', '.join(close)}" if close else "")
    return f"use {', '.join(codes)}"


def _free_text(value: str, name: str) -> list[Finding]:
    if name == "Base64Binary":
        words = base64_finding(value)
        return [Finding(code="value", words=words)] if words else []
    if len(value) > primitives.LONGEST:
        return [Finding(code="too-long", words=f"The text is longer than {primitives.LONGEST} characters: shorten it")]
    if name == "Xhtml":
        return [Finding(code="invalid", words=words) for words in narrative.findings(value)]
    return []
