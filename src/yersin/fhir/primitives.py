"""The primitive types of FHIR R4 as msgspec types: plain str, int, bool and Decimal with their rules.

Dates name real days (no 30 February), which the published patterns do not require.
Source: https://hl7.org/fhir/R4/datatypes.html#primitive
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

LONGEST = 1024 * 1024
_YEAR = r"(?!0000)[0-9]{4}"
_LEAP = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DAY = (
    rf"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    rf"|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?!0000){_LEAP}-02-29)"
)
_PART = rf"{_YEAR}(?:-(?:0[1-9]|1[0-2]))?"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"

DATE = rf"\A(?:{_DAY}|{_PART})\Z"
DATE_TIME = rf"\A(?:{_DAY}(?:T{_CLOCK}{_ZONE})?|{_PART})\Z"
INSTANT = rf"\A{_DAY}T{_CLOCK}{_ZONE}\Z"
TIME = rf"\A{_CLOCK}\Z"
ID = r"\A[A-Za-z0-9\-.]{1,64}\Z"
CODE = r"\A[^ \t\r\n]+(?:[ \t\r\n][^ \t\r\n]+)*\Z"  # XML Schema knows only these four as white space
URI = r"\A[^ \t\r\n]+\Z"
OID = r"\Aurn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+\Z"
UUID = r"\Aurn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z"
SMALLEST, LARGEST = -(2**31), 2**31 - 1

Base64Binary = Annotated[str, Meta(min_length=1)]
Boolean = bool
Canonical = Annotated[str, Meta(pattern=URI)]
Code = Annotated[str, Meta(pattern=CODE)]
Date = Annotated[str, Meta(pattern=DATE)]
DateTime = Annotated[str, Meta(pattern=DATE_TIME)]
Decimal = decimal.Decimal
Id = Annotated[str, Meta(pattern=ID)]
Instant = Annotated[str, Meta(pattern=INSTANT)]
Integer = Annotated[int, Meta(ge=SMALLEST, le=LARGEST)]
Markdown = Annotated[str, Meta(min_length=1, max_length=LONGEST)]
Oid = Annotated[str, Meta(pattern=OID)]
PositiveInt = Annotated[int, Meta(ge=1, le=LARGEST)]
String = Annotated[str, Meta(min_length=1, max_length=LONGEST)]
Time = Annotated[str, Meta(pattern=TIME)]
UnsignedInt = Annotated[int, Meta(ge=0, le=LARGEST)]
Uri = Annotated[str, Meta(pattern=URI)]
Url = Annotated[str, Meta(pattern=URI)]
Uuid = Annotated[str, Meta(pattern=UUID)]
Xhtml = Annotated[str, Meta(min_length=1, max_length=LONGEST)]

__all__ = [
    "Base64Binary",
    "Boolean",
    "Canonical",
    "Code",
    "Date",
    "DateTime",
    "Decimal",
    "Id",
    "Instant",
    "Integer",
    "Markdown",
    "Oid",
    "PositiveInt",
    "String",
    "Time",
    "UnsignedInt",
    "Uri",
    "Url",
    "Uuid",
    "Xhtml",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How the slow collector judges a text or whole number, and the cure it names."""

    accepts: Callable[[str], object]
    cure: str


def _whole(least: int) -> Callable[[str], object]:
    pattern = re.compile(r"-?(?:0|[1-9][0-9]{0,9})\Z")
    return lambda text: pattern.match(text) and least <= int(text) <= LARGEST


def _texts() -> dict[str, Rule]:
    found = {
        "Date": (DATE, "write a real day as YYYY, YYYY-MM or YYYY-MM-DD, for example 2024-02-29"),
        "DateTime": (
            DATE_TIME,
            "write YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz, a real day; a time needs seconds and a zone",
        ),
        "Instant": (INSTANT, "write YYYY-MM-DDThh:mm:ss.sss+zz:zz, with seconds and a zone"),
        "Time": (TIME, "write hh:mm:ss, without a zone"),
        "Id": (ID, "use 1 to 64 letters, digits, '-' and '.'"),
        "Code": (CODE, "use a code without spaces at its ends or double spaces inside"),
        "Uri": (URI, "write a URI without white space"),
        "Url": (URI, "write a URL without white space"),
        "Canonical": (URI, "write a canonical URL without white space"),
        "Oid": (OID, "write urn:oid: and the number, for example urn:oid:1.2.3"),
        "Uuid": (UUID, "write urn:uuid: and a UUID in lower case"),
    }
    return {name: Rule(accepts=re.compile(pattern).match, cure=cure) for name, (pattern, cure) in found.items()}


WHOLE = {
    "Integer": Rule(accepts=_whole(SMALLEST), cure="write a whole number of 32 bits, without a decimal point"),
    "PositiveInt": Rule(accepts=_whole(1), cure=f"write a whole number from 1 to {LARGEST}"),
    "UnsignedInt": Rule(accepts=_whole(0), cure=f"write a whole number from 0 to {LARGEST}"),
}
TEXT = _texts()
FREE_TEXT = frozenset({"String", "Markdown", "Xhtml", "Base64Binary"})
