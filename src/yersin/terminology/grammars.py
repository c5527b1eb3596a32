"""Code systems that are a grammar and no list: whether a text is one of their codes. Nobody can list them whole.

Sources: https://ucum.org/ucum, BCP 47 (RFC 5646), BCP 13 (RFC 6838), RFC 3986.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from yersin.fhir import ucum

_LANGUAGE = re.compile(
    r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|\d{3}))?(-[A-Za-z0-9]{5,8})*(-[a-wy-z0-9](-[A-Za-z0-9]{2,8})+)*(-x(-[A-Za-z0-9]{1,8})+)?"
)
_TOKEN = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+\-]{0,126}"  # noqa: S105 - a rule of names, no secret
_MEDIA = re.compile(rf"{_TOKEN}/{_TOKEN}(\s*;\s*{_TOKEN}=(\"[^\"]*\"|[^\s;]+))*")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+")

GRAMMARS: Mapping[str, Callable[[str], bool]] = {
    ucum.SYSTEM: lambda code: ucum.unit(code) is not None,
    "urn:ietf:bcp:47": lambda code: _LANGUAGE.fullmatch(code) is not None,
    "urn:ietf:bcp:13": lambda code: _MEDIA.fullmatch(code) is not None,
    "urn:ietf:rfc:3986": lambda code: _ADDRESS.fullmatch(code) is not None,
}
