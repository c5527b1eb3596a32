"""Links between the entries of a bundle: `fullUrl`s become the ids that entries get.

References are replaced as bytes. Where an address of an entry stands anywhere else, the resource is looked through by
its types: elements of type uri and url and links of narratives change. Canonical ones do not, nor what they name: the
`url` of a definition or an extension, the system of a code, and what a profile fixes.
Source: https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from yersin.fhir import r4
from yersin.fhir.shapes import Element, shape
from yersin.fhir.structs import Struct

#: a reference in JSON; a quoted name inside a string would be escaped, so it cannot be taken for one
REFERENCE = re.compile(rb'("reference"\s*:\s*")([^"\\]+)(")')
_URN = re.compile(rb"urn:(?:uuid|oid):[0-9A-Za-z.\-]+")
_LINK = re.compile(r"""(\b(?:href|src)\s*=\s*["'])([^"']+)(["'])""")
_ADDRESSES = frozenset({"Uri", "Url"})
#: elements that name a definition: the system of a code, what a profile wants of one
_NAMES = frozenset({"system", "fixedUri", "patternUri"})


def rewritten(raw: bytes, place: Callable[[str], bytes | None]) -> bytes:
    """Put the ids that entries get in the place of their `fullUrl` in references."""

    def new(match: re.Match[bytes]) -> bytes:
        address, hash_, inside = match[2].decode().partition("#")
        settled = place(address)
        return match[1] + settled + (hash_ + inside).encode() + match[3] if settled else match[0]

    return REFERENCE.sub(new, raw)


def has_more(raw: bytes, ids: Mapping[str, bytes]) -> bool:
    """Whether addresses of entries stand elsewhere than in references that were rewritten."""
    return b"urn:" in raw and any(urn.decode() in ids for urn in _URN.findall(raw))


def readdress(resource: r4.Resource, ids: Mapping[str, bytes]) -> None:
    """Put the ids in the place of addresses in elements of type uri and url, and in links of narratives.

    What canonical references name keeps its address: they keep theirs, and would name nothing.
    """

    def new(address: str) -> str:
        settled = ids.get(address) if address.startswith("urn:") else None
        return settled.decode() if settled else address

    for struct in _inside(resource):
        for element in shape(type(struct)).values():
            _change(struct, element, new)


def _inside(struct: Struct) -> Iterator[Struct]:
    """Every struct of a tree, itself first."""
    yield struct
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        for each in value if isinstance(value, list) else (value,):
            if isinstance(each, Struct):
                yield from _inside(each)


def _change(struct: Struct, element: Element, new: Callable[[str], str]) -> None:
    name = element.attribute
    value = getattr(struct, name)
    if value is None:
        return
    if element.type in _ADDRESSES and not _names(struct, name):
        setattr(struct, name, [each and new(each) for each in value] if element.many else new(value))
    elif element.type == "Xhtml":
        setattr(struct, name, _LINK.sub(lambda match: match[1] + new(match[2]) + match[3], value))


def _names(struct: Struct, attribute: str) -> bool:
    """Whether an element names a definition, and is no link to a place."""
    if attribute == "url":
        return isinstance(struct, r4.Extension) or hasattr(struct, "publisher")
    return attribute in _NAMES


def conditional(raw: bytes) -> Iterator[str]:
    """References that name what they mean by criteria, such as `Practitioner?identifier=…`."""
    if b"?" in raw:
        yield from (match[2].decode() for match in REFERENCE.finditer(raw) if b"?" in match[2])
