"""Answers that stay the same until the next release: open to everybody, and not sent again to whoever has them.

Source: https://hl7.org/fhir/R4/http.html#capabilities, RFC 9110 section 13 and RFC 9111
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from . import cors
from .messages import Response


def answer(body: bytes) -> Response:
    """Answer with a body that may be kept, by its tag."""
    return Response(headers=[(b"etag", _tag(body)), cors.VARY], body=body, lasts=True)


def unless_known(response: Response, tags: bytes) -> Response:
    """Answer with 304 where the client has it already (`If-None-Match`)."""
    own = response.headers[0][1]
    known = {tag.strip().removeprefix(b"W/") for tag in tags.split(b",")} if tags else set()
    if own.removeprefix(b"W/") in known or tags.strip() == b"*":
        return Response(status=304, headers=response.headers, lasts=True)
    return response


@lru_cache(maxsize=64)
def _tag(body: bytes) -> bytes:
    return f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'.encode()
