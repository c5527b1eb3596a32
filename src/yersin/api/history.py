"""History of a resource, of a type and of the whole server, page by page. Source: https://hl7.org/fhir/R4/http.html#history

Links to further pages are sealed, as those of a search are.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import InvalidTag

from yersin.fhir.dates import FAR_FUTURE, FAR_PAST, comparison, span
from yersin.fhir.problem import Problem, problem
from yersin.search.page import COUNT, COUNT_LIMIT
from yersin.store.histories import Page, Wanted

from .bundles import history_bundle
from .messages import Request, Response

_SORTS = {"_lastUpdated": True, "-_lastUpdated": False}
_KNOWN = ("_since", "_at", "_count", "_sort")
_NO_MATTER = frozenset({"_format", "_pretty"})


class _Place(msgspec.Struct, array_like=True):
    """What a link to a further page holds. `path` says of what it is a page, so that it opens nothing else."""

    path: tuple[str, ...]
    limit: int
    since: datetime | None
    lo: datetime | None
    hi: datetime | None
    oldest_first: bool
    after: tuple[int, ...]


async def history(request: Request) -> Response:
    """GET [base]/[type]/[id]/_history, [base]/[type]/_history, [base]/_history"""
    type_name, logical_id = [*request.path[:-1], "", ""][:2]
    given = _given(request)
    wanted = _open(request, given["_page"]) if "_page" in given else _wanted(request, given)
    page = await request.access.past(type_name, logical_id, wanted)
    links = [("self", f"{_address(request)}{'?' if given else ''}{urlencode(given)}")]
    if page.after:
        links.append(("next", _next(request, wanted, page)))
    return Response(body=history_bundle(request.base, page.versions, total=page.total, links=links))


def _given(request: Request) -> dict[str, str]:
    """Parameters by name. Raises Problem naming the one that is not known, or given twice."""
    given: dict[str, str] = {}
    for name, value in request.parameters():
        if name in _NO_MATTER:
            continue
        if name not in (*_KNOWN, "_page"):
            text = f"A history is asked for by {', '.join(_KNOWN)}, not by {name}."
            raise problem("not-supported", text, expression=name)
        if name in given:
            raise problem("invalid", f"{name} stands there twice.", expression=name)
        given[name] = value
    return given


def _wanted(request: Request, given: dict[str, str]) -> Wanted:
    zone = request.access.ground.zone
    wanted = Wanted(limit=_limit(given.get("_count", str(COUNT))), oldest_first=_is_oldest_first(given))
    if "_since" in given:
        with _told_at("_since"):
            wanted = replace(wanted, since=span(given["_since"].replace(" ", "+"), zone).lo)
    if "_at" in given:
        with _told_at("_at"):
            at = comparison(given["_at"], zone)
        ends = {"eq": (at.lo, at.hi), "gt": (at.hi, FAR_FUTURE), "ge": (at.lo, FAR_FUTURE)}
        ends |= {"lt": (FAR_PAST, at.lo), "le": (FAR_PAST, at.hi)}
        if at.prefix not in ends:
            text = f"_at is {given['_at']}; before a date it may say {', '.join(ends)}."
            raise problem("not-supported", text, expression="_at")
        lo, hi = ends[at.prefix]
        wanted = replace(wanted, lo=lo, hi=hi)
    return wanted


@contextmanager
def _told_at(name: str) -> Iterator[None]:
    try:
        yield
    except Problem as refusal:
        raise refusal.at(name) from refusal


def _limit(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or int(text) == 0:
        raise problem("invalid", f"_count is {text}; it must be a whole number from 1.", expression="_count")
    return min(int(text), COUNT_LIMIT)


def _is_oldest_first(given: dict[str, str]) -> bool:
    sort = given.get("_sort", "-_lastUpdated")
    if sort not in _SORTS:
        text = f"_sort is {sort}; a history is sorted by {' or '.join(_SORTS)}."
        raise problem("not-supported", text, expression="_sort")
    return _SORTS[sort]


def _address(request: Request) -> str:
    return "/".join((request.base, *request.path))


def _next(request: Request, wanted: Wanted, page: Page) -> str:
    path = tuple(request.path)
    place = _Place(path, wanted.limit, wanted.since, wanted.lo, wanted.hi, wanted.oldest_first, page.after)
    sealed = request.access.ground.keys.seal("pages", msgspec.msgpack.encode(place))
    return f"{_address(request)}?_page={base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"


def _open(request: Request, sealed: str) -> Wanted:
    try:
        raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        place = msgspec.msgpack.decode(request.access.ground.keys.open("pages", raw), type=_Place)
    except (ValueError, InvalidTag) as error:
        raise problem("invalid", "This link to a further page is not ours or was altered. Start again.") from error
    if place.path != tuple(request.path):
        raise problem("invalid", f"This link is a page of /{'/'.join(place.path)}.")
    return Wanted(
        limit=place.limit,
        since=place.since,
        lo=place.lo,
        hi=place.hi,
        oldest_first=place.oldest_first,
        after=place.after,
    )
