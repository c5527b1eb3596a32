"""Search by GET and POST, and the pages that follow. Source: https://hl7.org/fhir/R4/search.html

Links to further pages are sealed: no one can read a patient's name in them, and no one can change what they ask.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import replace
from urllib.parse import parse_qsl

import msgspec
from cryptography.exceptions import InvalidTag

from yersin.fhir import encode, outcome, r4
from yersin.fhir.problem import Issue, problem
from yersin.search.compartment import NAMES, types_in
from yersin.search.page import Found, Query

from .bundles import bundle, outcome_entry, search_entry
from .messages import Request, Response

#: types that one search names at most
TYPES_LIMIT = 20


class _Place(msgspec.Struct, array_like=True):
    """What a link to a further page holds."""

    types: tuple[str, ...]
    within: tuple[str, str] | None
    text: str
    after: tuple[str, ...]
    horizon: str
    total: int | None


async def search(request: Request) -> Response:
    """GET [base]/[type]?…, POST [base]/[type]/_search"""
    return await _answer(request, _read(request, (request.path[0],), request.parameters()))


async def search_compartment(request: Request) -> Response:
    """GET [base]/Patient/[id]/[type]?…, or `*` for every type there; POST […]/_search"""
    name, logical_id, wanted = request.path[:3]
    if name not in NAMES:
        raise problem("not-found", f"There is no compartment of a {name}; there is of {', '.join(NAMES)}.", status=404)
    pairs = request.parameters()
    types: Sequence[str] = (wanted,)
    if wanted == "*":
        named, pairs = _taken_types(pairs)
        types = [t for t in named or types_in(name) if t != "AuditEvent" and request.access.who.is_granted(t, "s")]
        if not types:
            request.access.who.require_grant(name, "s")
    return await _answer(request, _read(request, types, pairs).inside((name, logical_id)))


async def search_all(request: Request) -> Response:
    """GET [base]?_type=Patient,Observation&…, POST [base]/_search, GET [base]?_page=…"""
    if not request.path and any(name == "_page" for name, _ in request.parameters()):
        return await further(request)
    types, pairs = _taken_types(request.parameters())
    if not types:
        text = f"Name the types to search, at most {TYPES_LIMIT}: _type=Patient,Observation."
        raise problem("not-supported", text, expression="_type")
    for type_name in types:
        request.access.who.require_grant(type_name, "s")
    return await _answer(request, _read(request, types, pairs))


def _taken_types(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[tuple[str, str]]]:
    """Part the types that are asked for from the other parameters."""
    types = list(dict.fromkeys(t for name, value in pairs if name == "_type" for t in value.split(",")))
    for wrong in (t for t in types if t not in r4.TYPE_NUMBER or t == "AuditEvent"):
        why = "the audit is searched by itself" if wrong == "AuditEvent" else "it is no type of R4"
        raise problem("not-supported", f"_type={wrong}: {why}.", expression="_type")
    if len(types) > TYPES_LIMIT:
        raise problem("too-costly", f"_type names more than {TYPES_LIMIT} types.", expression="_type")
    return types, [pair for pair in pairs if pair[0] != "_type"]


def _read(request: Request, types: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Query:
    lenient = "handling=lenient" in request.header("prefer").replace(" ", "").lower()
    return Query.of_several(types, pairs, lenient=lenient)


async def further(request: Request) -> Response:
    """GET [base]?_page=…: a page that follows."""
    sealed = dict(request.parameters()).get("_page", "")
    place = _open(request, sealed)
    query = Query.of_several(place.types, parse_qsl(place.text, keep_blank_values=True)).inside(place.within)
    return await _answer(request, replace(query, after=place.after, horizon=place.horizon, known_total=place.total))


async def _answer(request: Request, query: Query) -> Response:
    found = await request.access.search(query)
    links = [("self", _self(request, query))]
    if found.after:
        links.append(("next", _next(request, query, found)))
    total = found.total if query.known_total is None else query.known_total
    return Response(body=bundle("searchset", _entries(request.base, query, found), total=total, links=links))


def _types(query: Query) -> tuple[str, ...]:
    return (query.type, *(other.type for other in query.others))


def _self(request: Request, query: Query) -> str:
    where, text = f"{request.base}/{query.type}", query.text
    if query.within is not None:
        where = f"{request.base}/{'/'.join(query.within)}/{'*' if query.others else query.type}"
    elif query.others:
        where, text = request.base, "&".join(filter(None, [f"_type={','.join(_types(query))}", text]))
    return f"{where}{'?' if text else ''}{text}"


def _next(request: Request, query: Query, found: Found) -> str:
    place = _Place(_types(query), query.within, query.text, found.after, found.horizon, found.total)
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


def _entries(base: str, query: Query, found: Found) -> Iterator[bytes]:
    for version in found.versions:
        yield search_entry(base, version, b"match")
    for version in found.included:
        yield search_entry(base, version, b"include")
    ignored = dict(pair for each in (query, *query.others) for pair in each.ignored)
    if ignored:
        issues = [
            Issue(code="not-supported", severity="warning", expression=name, diagnostics=f"{name} was ignored. {why}")
            for name, why in ignored.items()
        ]
        yield outcome_entry(encode(outcome(issues)))
