"""Calls from browsers' pages of other origins: answered for apps that are registered, with a token, never with a cookie.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from yersin.fhir.problem import problem

from .messages import Response

Known = Callable[[str], Awaitable[bool]]
Headers = Sequence[tuple[bytes, bytes]]
VARY = (b"vary", b"origin")
_EXPOSED = (
    b"ETag, Location, Content-Location, Last-Modified, X-Request-Id, RateLimit, RateLimit-Policy, Retry-After, X-Progress, "
    b"Expires, Content-Range"
)
_ASKED = (
    b"Authorization, Content-Type, Accept, Accept-Language, Prefer, If-Match, If-None-Match, If-Modified-Since, "
    b"If-None-Exist, Range, X-Request-Id, X-Security-Context"
)
_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", _ASKED),
    (b"access-control-max-age", b"600"),
)


async def nobody(_origin: str) -> bool:
    """Know no app at all."""
    return False


def is_foreign(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser says that the page that asks came from another origin than this server."""
    origin = headers.get(b"origin")
    return origin is not None and origin.partition(b"://")[2] != headers.get(b"host", b"")


async def headers(known: Known, asked: Mapping[bytes, bytes]) -> Headers:
    """Headers that let a page of a registered app read the answer."""
    origin = asked[b"origin"]
    if not await known(origin.decode("latin-1")):
        return [VARY]
    return [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", _EXPOSED), VARY]


def is_preflight(method: str, asked: Mapping[bytes, bytes]) -> bool:
    """Whether a browser asks beforehand what it may ask."""
    return method == "OPTIONS" and b"access-control-request-method" in asked


def preflight(allowed: Headers) -> Response:
    """Answer what a page of that origin may ask. Raises Problem (403) where it is not registered."""
    if len(allowed) == 1:
        raise problem("forbidden", "This origin is not registered here; an administrator does that.", status=403)
    return Response(status=204, headers=_PREFLIGHT)
