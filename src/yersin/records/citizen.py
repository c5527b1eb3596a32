"""One's own record, in plain words, and who has looked at it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Response, get

from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.guard import roles
from yersin.guard.access import Access
from yersin.guard.audit import Wanted
from yersin.search.page import Query
from yersin.store.identity import row_id
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, page

from . import plain, reading, timeline
from .chart import VITALS, load, of_category, summary
from .facing import access_of, banner, day, filled, now
from .looked import PURPOSES, folded
from .measures import series, span
from .strip import readings

_OWN = {"permission": "record.own"}
_AUDIT_ROWS = 400
_RESULTS = 200


def own_id(access: Access) -> str:
    """Give the id of the asker's own Patient."""
    if access.who.patient_id is None:
        raise problem("not-found", "Your account is not linked to a record yet. Ask your commune station.", status=404)
    return access.who.patient_id


@get("/my-record", opt=_OWN)
async def show_my_record(request: AnyRequest) -> Response[bytes]:
    """Show one's own record in plain words."""
    access = access_of(request)
    own = own_id(access)
    chart, found = await asyncio.gather(
        load(access, own, summary(now().date()), vitals=VITALS, places=True),
        access.search(of_category(own, "laboratory", _RESULTS)),
    )
    return page(
        request,
        "records/my_record.html",
        title=_("My record"),
        styles=["records/chart"],
        chart=chart,
        banner={**banner(chart), "href": "/my-record"},
        readings=readings(chart),
        results=[s for s in series([v.resource() for v in found.versions], chart.zone) if s.values][:12],
        latest=[e for e in timeline.entries(chart) if e.kind in ("visit", "vaccine")][:8],
        panels=await filled(request, "my-record.panels", chart),
        words=reading.words,
        day=day,
        means=_means,
        span=span,
    )


def _means(kind: str, concept: r4.CodeableConcept | str | None) -> str:
    table = {"illness": plain.ILLNESSES, "medicine": plain.MEDICINES, "test": plain.TESTS}[kind]
    codes = [concept] if isinstance(concept, str) else reading.codes(concept)
    found = plain.meaning(table, codes)
    return _(found) if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of who looked, in words."""

    look: Any
    role: str
    place: str
    deeds: str
    why: str


@get("/my-record/who-looked", opt=_OWN)
async def show_who_looked(request: AnyRequest) -> Response[bytes]:
    """Show who looked at one's own record."""
    access = access_of(request)
    own_id(access)
    rows = await access.recorded(Wanted(patient=access.who.patient, limit=_AUDIT_ROWS))
    looks = folded(rows, access.who.account, access.ground.zone)
    names = await _facilities(access, {k.organization for k in looks.others if k.organization})
    lines = [
        Line(
            look=k,
            role=_(roles.TITLES.get(k.role, k.role)),
            place=names.get(k.organization, "") if k.organization else "",
            deeds="; ".join(_(d) for d in k.deeds),
            why=_(PURPOSES[k.purpose]) if k.purpose in PURPOSES else "",
        )
        for k in looks.others
    ]
    return page(
        request,
        "records/who_looked.html",
        title=_("Who looked"),
        styles=["records/chart"],
        lines=lines,
        looks=looks,
        is_cut=len(rows) == _AUDIT_ROWS,
    )


async def _facilities(access: Access, ids: set[UUID]) -> Mapping[UUID, str]:
    """Name facilities by row id; ids that are no uuids are kept as uuids in rows, so names are matched by row id."""
    if not ids:
        return {}
    found = await access.search(Query.of("Organization", [("_id", ",".join(str(i) for i in ids)), ("_count", "200")]))
    return {row_id("Organization", v.id).id: str(getattr(v.resource(), "name", "") or "") for v in found.versions}


PAGES = (show_my_record, show_who_looked)
