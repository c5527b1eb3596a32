"""What every generated struct shares: its configuration, and the checks that types cannot say.

The checks raise ValueError; msgspec turns it into a ValidationError while it decodes.
Source: https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

import binascii
import decimal
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
from msgspec.structs import astuple

from yersin.fhir import narrative

__all__ = [
    "Struct",
    "astuple",
    "base64_finding",
    "check_base64",
    "check_choice",
    "check_decimal",
    "check_extension",
    "check_narrative",
    "check_pair",
    "check_period",
    "decimal_finding",
    "json_name",
    "missing",
    "period_finding",
]

LARGEST_EXPONENT = 100
MOST_DIGITS = 64
SIBLING = "_ext"


def json_name(attribute: str) -> str:
    """FHIR's name of an attribute: `birthDate_ext` is `_birthDate`, `class_` is `class`."""
    return f"_{attribute.removesuffix(SIBLING)}" if attribute.endswith(SIBLING) else attribute.rstrip("_")


# gc=False: resources are trees; what cannot hold a cycle need not be tracked, and large Bundles decode a third faster
class Struct(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False, rename=json_name):
    """The base of all FHIR types."""

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {}
    REQUIRED: ClassVar[tuple[str, ...]] = ()
    WRITTEN: ClassVar[dict[str, str]] = {}


def missing(name: str) -> ValueError:
    return ValueError(f"{name} is required")


def check_choice(struct: Struct, stem: str) -> None:
    """One value at most, or exactly one when it is required; a sibling must belong to the value that is set."""
    present = {
        name
        for name in struct.CHOICES[stem]
        if getattr(struct, name) is not None or getattr(struct, f"{name}{SIBLING}", None) is not None
    }
    if len(present) > 1:
        raise ValueError(f"{stem}[x] is given {len(present)} times")
    if not present and stem in struct.REQUIRED:
        raise missing(f"{stem}[x]")


def check_pair(values: Sequence[Any] | None, siblings: Sequence[Any] | None, name: str) -> None:
    """Two arrays side by side have the same length, and each place is filled in one of them."""
    if values is None and siblings is not None:
        values = [None] * len(siblings)
    others = siblings if siblings is not None else [None] * len(values or ())
    if len(values or ()) != len(others):
        raise ValueError(f"{name} and _{name} differ in length")
    if any(a is None and b is None for a, b in zip(values or (), others, strict=True)):
        raise ValueError(f"{name} has an empty place")


def decimal_finding(value: decimal.Decimal) -> str:
    if not value.is_finite() or abs(value.adjusted()) > LARGEST_EXPONENT or len(str(value)) > MOST_DIGITS:
        return f"The number is out of bounds: use at most {MOST_DIGITS} digits and an exponent up to {LARGEST_EXPONENT}"
    return ""


def check_decimal(value: decimal.Decimal) -> None:
    if not -LARGEST_EXPONENT <= value.adjusted() <= LARGEST_EXPONENT or len(str(value)) > MOST_DIGITS:
        raise ValueError(decimal_finding(value))


def base64_finding(text: str) -> str:
    """Whether the text is base64; white space is allowed between groups."""
    try:
        binascii.a2b_base64("".join(text.split()) if _has_space(text) else text, strict_mode=True)
    except ValueError:
        return "The text is not base64: encode the bytes with the standard alphabet and its padding"
    return ""


def _has_space(text: str) -> bool:
    return " " in text or "\n" in text or "\r" in text or "\t" in text


def check_base64(text: str) -> None:
    if finding := base64_finding(text):
        raise ValueError(finding)


def check_narrative(div: str) -> None:
    if found := narrative.findings(div):
        raise ValueError(found[0])


def check_extension(extension: Any) -> None:
    """Rule ext-1: a value or further extensions, never both."""
    has_value = any(getattr(extension, name) is not None for name in extension.CHOICES["value"])
    if has_value == (extension.extension is not None):
        siblings = any(getattr(extension, f"{n}{SIBLING}", None) is not None for n in extension.CHOICES["value"])
        if has_value or not siblings:
            raise ValueError("an extension has either a value or extensions")


def period_finding(start: str, end: str) -> str:
    """Rule per-1 for what can be told without a calendar: the same precision and the same zone."""
    if len(start) == len(end) and start[19:] == end[19:] and start > end:
        return "The period ends before it starts: exchange or correct start and end"
    if len(start) != len(end) and 10 in (len(start), len(end)) and start[:10] == end[:10]:
        return "Whether the period ends before it starts cannot be told: give start and end the same precision"
    return ""


def check_period(period: Any) -> None:
    if period.start is not None and period.end is not None and period_finding(period.start, period.end):
        raise ValueError("end before start")
