"""`$everything` of a patient, of all patients, and of an encounter, page by page; links to further pages are sealed.

Sources: https://hl7.org/fhir/R4/patient-operation-everything.html, https://hl7.org/fhir/R4/encounter-operation-everything.html
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag

from yersin.fhir import r4
from yersin.fhir.dates import span
from yersin.fhir.problem import problem
from yersin.guard.gathering import Gathered, Place, Reached, Whole, gather
from yersin.guard.who import Grant
from yersin.search.compartment import types_in
from yersin.search.page import COUNT_LIMIT

from .bundles import bundle, search_entry
from .messages import Request, Response
from .operations import Asked, Input, Operation, returning

#: resources of a compartment on a page when the client does not say
COUNT = 200


class _Link(msgspec.Struct, array_like=True):
    """What a link to a further page holds. `path` says of what it is a page, so that it opens nothing else."""

    path: tuple[str, ...]
    shown: tuple[str, ...]
    since: datetime | None
    start: datetime | None
    end: datetime | None
    count: int
    place: tuple[int, UUID, UUID]
    horizon: str
    told: tuple[int, ...]


async def everything(asked: Asked) -> Response:
    """GET or POST [base]/Patient/[id]/$everything, [base]/Patient/$everything, [base]/Encounter/[id]/$everything"""
    request = asked.request
    sealed = asked.given.text("_page")
    link = _open(request, sealed) if sealed else _begun(asked)
    reached = Reached(place=Place(*link.place), horizon=link.horizon, told=link.told)
    found = await gather(request.access, _whole(asked, link), reached)
    links = [("self", "/".join((request.base, *request.path)))]
    if found.reached is not None:
        links.append(("next", _next(request, link, found.reached)))
    return Response(body=bundle("searchset", _entries(request.base, found), total=_total(sealed, found), links=links))


def _total(sealed: str, found: Gathered) -> int | None:
    return len(found.versions) if not sealed and found.reached is None else None


def _begun(asked: Asked) -> _Link:
    given, zone = asked.given, asked.request.access.ground.zone
    since, start, end = (given.text(name) for name in ("_since", "start", "end"))
    return _Link(
        path=tuple(asked.request.path),
        shown=_named(asked),
        since=span(since, zone).lo if since else None,
        start=span(start, zone).lo if start else None,
        end=span(end, zone).hi if end else None,
        count=_count(given.text("_count")),
        place=Place(),
        horizon="",
        told=(),
    )


def _named(asked: Asked) -> tuple[str, ...]:
    """Return the types that are asked for, each of which must be granted."""
    named = tuple(t for text in asked.given.texts("_type") for t in text.split(",") if t)
    for type_name in named:
        if type_name not in r4.TYPE_NUMBER:
            raise problem("value", f"_type={type_name[:60]}: that is no resource type of FHIR R4.", expression="_type")
        asked.request.access.who.require_grant(type_name, "r")
    return named


def _count(text: str) -> int:
    if not text:
        return COUNT
    if not text.isdecimal() or len(text) > 9 or int(text) == 0:
        raise problem("value", f"_count={text}: write a whole number from 1.", expression="_count")
    return min(int(text), COUNT_LIMIT)


def _whole(asked: Asked, link: _Link) -> Whole:
    inside = [name for name in types_in(asked.type) if name != "AuditEvent"]
    alone = link.shown and all(name in inside for name in link.shown)
    return Whole(
        compartment=asked.type,
        id=asked.id,
        # what lies outside is found by what refers to it, so all of that is read
        types=[name for name in inside if name in link.shown] if alone else inside,
        shown=link.shown,
        since=link.since,
        start=link.start,
        end=link.end,
        count=link.count,
    )


def _next(request: Request, link: _Link, reached: Reached) -> str:
    further = msgspec.structs.replace(link, place=reached.place, horizon=reached.horizon, told=tuple(reached.told))
    sealed = request.access.ground.keys.seal("pages", msgspec.msgpack.encode(further))
    return f"{'/'.join((request.base, *request.path))}?_page={base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"


def _open(request: Request, sealed: str) -> _Link:
    try:
        raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        link = msgspec.msgpack.decode(request.access.ground.keys.open("pages", raw), type=_Link)
    except (ValueError, InvalidTag) as error:
        raise problem("invalid", "This link to a further page is not ours or was altered. Start again.") from error
    if link.path != tuple(request.path):
        raise problem("invalid", f"This link is a page of /{'/'.join(link.path)}.")
    return link


def _entries(base: str, found: Gathered) -> list[bytes]:
    inside = [search_entry(base, version, b"match") for version in found.versions]
    return inside + [search_entry(base, version, b"include") for version in found.referred]


_SHARED = (
    Input(name="_since", type="instant"),
    Input(name="_type", repeats=True),
    Input(name="_count", type="integer"),
    Input(name="_page"),
)
OPERATIONS: Sequence[Operation] = (
    Operation(
        name="everything",
        definition="http://hl7.org/fhir/OperationDefinition/Patient-everything",
        work=everything,
        levels=frozenset({"type", "instance"}),
        types=("Patient",),
        grant=Grant("Patient", "r"),
        title="Everything in the charts of patients",
        outputs=returning("Bundle"),
        inputs=(Input(name="start", type="date"), Input(name="end", type="date"), *_SHARED),
    ),
    Operation(
        name="everything",
        definition="http://hl7.org/fhir/OperationDefinition/Encounter-everything",
        work=everything,
        levels=frozenset({"instance"}),
        types=("Encounter",),
        grant=Grant("Encounter", "r"),
        title="Everything that was recorded at a visit",
        outputs=returning("Bundle"),
        inputs=_SHARED,
    ),
)
