"""Search by GET and POST, and the pages that follow. Source: https://hl7.org/fhir/R4/search.html

Links to further pages are sealed: no one can read a patient's name in them, and no one can change what they ask.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qsl

import msgspec
from cryptography.exceptions import InvalidTag

from yersin.fhir.problem import problem
from yersin.search.page import Found, Query

from .bundles import bundle, search_entry
from .messages import Request, Response


class _Place(msgspec.Struct, array_like=True):
    """What a link to a further page holds."""

    type: str
    text: str
    after: tuple[str, ...]
    horizon: str
    total: int | None


async def search(request: Request) -> Response:
    """GET [base]/[type]?…, POST [base]/[type]/_search"""
    type_name = request.path[0]
    return await _answer(request, Query.of(type_name, request.parameters()))


async def further(request: Request) -> Response:
    """GET [base]?_page=…: a page that follows."""
    sealed = dict(request.parameters()).get("_page", "")
    place = _open(request, sealed)
    query = Query.of(place.type, parse_qsl(place.text, keep_blank_values=True))
    return await _answer(request, replace(query, after=place.after, horizon=place.horizon, known_total=place.total))


async def _answer(request: Request, query: Query) -> Response:
    found = await request.access.search(query)
    links = [("self", _self(request, query))]
    if found.after:
        links.append(("next", _next(request, query, found)))
    total = found.total if query.known_total is None else query.known_total
    return Response(body=bundle("searchset", _entries(request.base, found), total=total, links=links))


def _self(request: Request, query: Query) -> str:
    return f"{request.base}/{query.type}{'?' if query.text else ''}{query.text}"


def _next(request: Request, query: Query, found: Found) -> str:
    place = _Place(query.type, query.text, found.after, found.horizon, found.total)
    sealed = request.access.ground.keys.seal("pages", msgspec.msgpack.encode(place))
    return f"{request.base}?_page={base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"


def _open(request: Request, sealed: str) -> _Place:
    try:
        raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        return msgspec.msgpack.decode(request.access.ground.keys.open("pages", raw), type=_Place)
    except (ValueError, InvalidTag) as error:
        raise problem(
            "invalid", "This link to a further page is not ours or was altered. Start the search again."
        ) from error


def _entries(base: str, found: Found) -> Iterator[bytes]:
    for version in found.versions:
        yield search_entry(base, version, b"match")
    for version in found.included:
        yield search_entry(base, version, b"include")
