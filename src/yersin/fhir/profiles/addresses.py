"""URIs: whether one stands for itself, and whether what names a UUID or an OID is one.

Source: https://hl7.org/fhir/R4/datatypes.html#uri
"""

from __future__ import annotations

import re
from typing import Any

from yersin.fhir import primitives

from .findings import Findings

_VALUE_SETS = "http://hl7.org/fhir/ValueSet/"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:").match
#: what a canonical reference begins with: a scheme, a fragment, or the place of a resource, as R4's own examples write
_CANONICAL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|#|[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}(?:\||\Z)").match
_UUID = re.compile(primitives.UUID).match
_OID = re.compile(primitives.OID).match


def is_absolute(uri: str) -> bool:
    """Whether a URI stands for itself, and is not told by what is around it."""
    return _SCHEME(uri) is not None


def is_whole(uri: str) -> bool:
    """Whether a URI that says it names a UUID or an OID does so."""
    if uri[:4] != "urn:":
        return True
    name = uri.partition("|")[0].partition("#")[0]
    if name.startswith("urn:uuid:"):
        return _UUID(name) is not None
    return not name.startswith("urn:oid:") or _OID(name) is not None


def is_canonical(uri: str) -> bool:
    """Whether a URI may name a definition: an absolute one, what is contained, or a resource by its place."""
    return _CANONICAL(uri) is not None and is_whole(uri)


def is_system(uri: str) -> bool:
    """Whether a URI may name a system of codes or identifiers."""
    return not uri.startswith(_VALUE_SETS) if uri[:7] == "http://" else is_absolute(uri) and is_whole(uri)


def judge_uri(value: Any, place: str, found: Findings) -> None:
    """Judge a value of one of the types of URIs."""
    if isinstance(value, str) and not is_whole(value):
        words = "urn:uuid: is followed by a UUID in lower case, urn:oid: by numbers with dots between them"
        found.add("value", place, f"{value[:200]!r} is neither: {words}")


def judge_canonical(value: Any, place: str, found: Findings) -> None:
    """Judge a reference to a definition by its url."""
    if isinstance(value, str) and is_whole(value) and not is_canonical(value):
        words = "A definition is named by an absolute URI, such as http://hl7.org/fhir/ValueSet/units-of-time"
        found.add("value", place, f"{words}; {value[:200]!r} is none")


def judge_system(value: Any, place: str, found: Findings) -> None:
    """Judge the system of a code, quantity or identifier."""
    if isinstance(value, str) and not is_absolute(value):
        words = (
            f"A system is named by an absolute URI, such as http://loinc.org or urn:oid:1.2.3; {value[:200]!r} is none"
        )
        found.add("value", f"{place}.system", words)
    elif isinstance(value, str) and value.startswith(_VALUE_SETS):
        words = f"{value[:200]} is a value set; the system of a code is the code system that defines it"
        found.add("value", f"{place}.system", words)
