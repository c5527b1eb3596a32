"""A request and an answer of the FHIR API, as plain values. Source: https://hl7.org/fhir/R4/http.html"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import msgspec

from yersin.fhir import encode, outcome
from yersin.fhir.problem import Issue, problem
from yersin.guard.access import Access
from yersin.guard.writing import ANY, NONE_YET
from yersin.store.versions import Version

if TYPE_CHECKING:
    from .operations import Operations

#: parameters of one request, at most
PARAMETERS = 1000
#: digits of a version
LONGEST_VERSION = 9


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One interaction. `path` is what follows the base, split at slashes; `base` is the address clients use."""

    method: str
    path: Sequence[str]
    query: str
    headers: Mapping[bytes, bytes]
    body: bytes
    access: Access
    base: str
    operations: Operations

    def header(self, name: str) -> str:
        """Header as text, empty when absent. `name` in lower case."""
        return self.headers.get(name.encode(), b"").decode("latin-1")

    def parameters(self) -> list[tuple[str, str]]:
        """Parameters of the query and, for a form, of the body, in their order."""
        text = self.query
        if self.is_form:
            text = "&".join(filter(None, [text, self.body.decode("utf-8", "replace")]))
        refuse_nul(text)
        try:
            return parse_qsl(text, keep_blank_values=True, max_num_fields=PARAMETERS)
        except ValueError:
            raise problem("too-costly", f"More than {PARAMETERS} parameters; send fewer.") from None

    def if_match(self) -> int | None:
        """Version that the client expects to change. Raises Problem when the header is no version tag."""
        return version_of(self.header("if-match"))

    def expected(self) -> int | None:
        """Version that an update expects; `NONE_YET` where it is to replace nothing (`If-None-Match: *`)."""
        return NONE_YET if self.header("if-none-match").strip() == "*" else self.if_match()

    @property
    def is_form(self) -> bool:
        """Whether the body holds parameters as a form sends them."""
        return self.header("content-type").startswith("application/x-www-form-urlencoded")

    @property
    def minimal(self) -> bool:
        """Whether the client asked for no body in the answer to a write."""
        return self.preferred == "minimal"

    @property
    def preferred(self) -> str:
        """What the client prefers as the body of an answer to a write: minimal, representation, OperationOutcome or nothing."""
        return _returned(self.header("prefer"))


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """Status, headers and body of an answer. `lasts`: it tells of nobody, and whoever asks may keep it."""

    status: int = 200
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""
    lasts: bool = False


Handler = Callable[[Request], Awaitable[Response]]


@lru_cache(maxsize=64)
def _returned(preference: str) -> str:
    """Value of `return` in the header Prefer (RFC 7240)."""
    for part in preference.replace(",", ";").split(";"):
        name, _, value = part.strip().partition("=")
        if name.strip().lower() == "return":
            return value.strip().strip('"')
    return ""


def refuse_nul(query: str) -> None:
    """Refuse the one character that no text may hold."""
    if "%00" in query or "\0" in query:
        raise problem("value", "The character U+0000 may not stand in parameters: remove it.")


def version_headers(version: Version) -> list[tuple[bytes, bytes]]:
    """ETag and Last-Modified of a version."""
    return [
        (b"etag", version.etag.encode()),
        (b"last-modified", _http_date(version.upd.replace(microsecond=0))),
    ]


@lru_cache(maxsize=64)
def _http_date(second: datetime) -> bytes:
    """Moment as HTTP writes it; what is written now is answered within the same second a hundred times."""
    return format_datetime(second, usegmt=True).encode()


def told(words: str) -> bytes:
    """OperationOutcome of what went well."""
    return encode(outcome([Issue(code="informational", severity="information", diagnostics=words)]))


def location(base: str, version: Version) -> str:
    """Address of a version."""
    return f"{base}/{version.type}/{version.id}/_history/{version.ver}"


def version_of(tag: str) -> int | None:
    """Version that an If-Match expects, `ANY` for `*`; None where nothing is said. Raises Problem when it is no version tag."""
    tag = tag.strip()
    if not tag or tag == "*":
        return ANY if tag else None
    number = tag.removeprefix("W/").strip('"')
    if not number.isdecimal() or len(number) > LONGEST_VERSION:
        raise problem("invalid", f'If-Match is {tag[:40]}; send the ETag of the version you read, such as W/"3".')
    return int(number)
