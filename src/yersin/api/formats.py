"""Forms in which bodies come and go: media types, `_format`, `_pretty`, gzip. The inside knows compact JSON alone.

Source: https://hl7.org/fhir/R4/http.html#mime-type, RFC 9110 section 12
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec

from yersin.fhir import xml
from yersin.fhir.problem import problem

JSON = b"application/fhir+json; charset=utf-8"
XML = b"application/fhir+xml; charset=utf-8"
#: shorter answers are not worth packing
PACKED_FROM = 8192
_LEVEL = 1
_NAMES = {"json": "json", "application/json": "json", "application/fhir+json": "json", "application/json+fhir": "json"}
_NAMES |= {
    "text/json": "json",
    "xml": "xml",
    "application/xml": "xml",
    "application/fhir+xml": "xml",
    "text/xml": "xml",
}
_NAMES |= {"application/xml+fhir": "xml"}
_ANY = frozenset({"*/*", "application/*", "text/html"})
_PLAIN_FORM = "application/x-www-form-urlencoded"


class Form(NamedTuple):
    """How an answer is written."""

    kind: str = "json"
    pretty: bool = False

    def written(self, body: bytes) -> bytes:
        """Write compact JSON in this form."""
        if self.kind == "xml" and body:
            return xml.write(body, pretty=self.pretty)
        return msgspec.json.format(body, indent=2) if self.pretty and body else body

    @property
    def media_type(self) -> bytes:
        """Media type of the answer."""
        return _TYPES[self.kind]


PLAIN = Form()
#: JSON that is no FHIR
OTHER = Form("other")
_TYPES = {"json": JSON, "xml": XML, "other": b"application/json"}


def wanted(headers: Mapping[bytes, bytes], query: bytes, *, other: bool = False) -> Form:
    """Form that the client wants; `_format` goes before Accept.

    Raises Problem (406) where it is none of ours, unless the answer may be of another kind (`other`).
    """
    if b"_format" not in query and b"_pretty" not in query:
        return _accepted(headers.get(b"accept", b""), other=other)
    given = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    form = PLAIN
    if not given.get("_format"):
        form = _accepted(headers.get(b"accept", b""), other=other)
    elif given["_format"] not in ("html", "text/html"):
        form = Form(_named(given["_format"]))
    return form._replace(pretty=given.get("_pretty") == "true")


def without(query: str) -> str:
    """Take what `wanted` has read out of a query; the rest stays as it was written."""
    if "_format" not in query and "_pretty" not in query:
        return query
    kept = (piece for piece in query.split("&") if piece.partition("=")[0] not in ("_format", "_pretty"))
    return "&".join(kept)


def _named(text: str) -> str:
    kind, version = _media_type(text)
    kind = kind.replace(" ", "+")
    if kind not in _NAMES or not version:
        raise problem("not-supported", f"_format is {text}; it may be {_ours()}.", status=406, expression="_format")
    return _NAMES[kind]


def _ours() -> str:
    return ", ".join(sorted(name for name in _NAMES if "/" not in name or "fhir+" in name))


def _accepted(accept: bytes, *, other: bool) -> Form:
    form = _liked(accept)
    if form is not None:
        return form
    if other:
        return PLAIN
    text = accept.decode("latin-1")[:200]
    raise problem("not-supported", f"None of {text} is spoken here; {_ours()} is.", status=406)


@lru_cache(maxsize=256)
def _liked(accept: bytes) -> Form | None:
    """Form that a client likes best among ours (RFC 9110, 12.5.1)."""
    text = accept.decode("latin-1").strip().lower()
    if not text:
        return PLAIN
    best, liked = "", 0.0
    parts = [(*_media_type(part), _weight(part)) for part in text.split(",")]
    refused = {_NAMES[kind] for kind, _, weight in parts if kind in _NAMES and not weight}
    for kind, version, weight in parts:
        name = ("xml" if "json" in refused else "json") if kind in _ANY else _NAMES.get(kind, "") if version else ""
        if name and weight > liked and name not in refused:
            best, liked = name, weight
    return (PLAIN if best == "json" else Form(best)) if best else None


def _media_type(text: str) -> tuple[str, bool]:
    """Media type without parameters, and whether it is of our release of FHIR."""
    kind, *parameters = (part.strip().lower() for part in text.split(";"))
    versions = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("fhirversion=")]
    return kind, all(version in ("4.0", "4.0.1") for version in versions)


def _weight(part: str) -> float:
    for parameter in part.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


@lru_cache(maxsize=256)
def kind_of(content_type: bytes) -> str:
    """Kind of a body: json, xml, form, or the media type itself where it is none of ours; JSON where nothing is said."""
    kind, version = _media_type(content_type.decode("latin-1"))
    if kind == _PLAIN_FORM:
        return "form"
    if not version:
        raise problem("not-supported", "This server speaks FHIR R4 (fhirVersion=4.0).", status=415)
    return _NAMES.get(kind, kind) if kind else "json"


def refuse(kind: str) -> Exception:
    """Say that a body is of no kind that is read here."""
    return problem("not-supported", f"A body of the type {kind} is not read here; {_ours()} is.", status=415)


def unpacked(headers: Mapping[bytes, bytes], body: bytes, limit: int) -> bytes:
    """Undo the Content-Encoding of a body. Raises Problem: unknown one (415), too long (413), broken."""
    coding = headers.get(b"content-encoding", b"").strip().lower()
    if coding in (b"", b"identity"):
        return body
    if coding not in (b"gzip", b"x-gzip"):
        text = f"The Content-Encoding {coding.decode('latin-1')[:40]} is not read here; gzip is."
        raise problem("not-supported", text, status=415)
    stream = zlib.decompressobj(wbits=31)
    try:
        whole = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise problem("structure", "The body says it is gzip and is not.") from error
    if len(whole) > limit:
        raise problem("too-long", f"The body unpacks to more than {limit >> 20} MiB.", status=413)
    if not stream.eof or stream.unused_data:
        raise problem("structure", "The gzip body is cut off, or more than one.")
    return whole


def is_packed(headers: Mapping[bytes, bytes], body: bytes) -> bool:
    """Whether a body is long enough to pack, and the client takes gzip."""
    return len(body) >= PACKED_FROM and _takes_gzip(headers.get(b"accept-encoding", b""))


def packed(body: bytes) -> bytes:
    """Pack a body by gzip."""
    packer = zlib.compressobj(_LEVEL, wbits=31)
    return packer.compress(body) + packer.flush()


@lru_cache(maxsize=64)
def _takes_gzip(accepted: bytes) -> bool:
    weights = {p.split(";")[0].strip(): _weight(p) for p in accepted.decode("latin-1").lower().split(",")}
    return weights.get("gzip", weights.get("*", 0.0)) > 0
