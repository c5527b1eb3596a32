"""The first page: what waits for this person today, by role, with cards that other rooms add."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from litestar import Response, get

from yersin.fhir import r4
from yersin.guard.access import Access
from yersin.guard.audit import REFUSED, Recorded, Wanted
from yersin.guard.roles import TITLES
from yersin.search.page import Query
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, page
from yersin.web.wording import as_date

from . import reading
from .chart import load, summary
from .facing import access_of, day, filled, now
from .looked import folded

RECENT = 12
#: how far back the first page tells who looked, and rows of the audit read for it
LOOKED, _LOOKS = timedelta(days=30), 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A patient of a visit, for a list."""

    patient: str
    name: str
    born: str
    sex: str
    reason: str
    when: str
    is_open: bool


@get("/")
async def show_home(request: AnyRequest) -> Response[bytes]:
    """Show the first page."""
    access = access_of(request)
    seen = await visits(access) if access.may("person.find") and access.may("chart.read") else []
    return page(
        request,
        "records/home.html",
        title=_("Today"),
        styles=["records/chart", "registry/people"],
        greeting=_("Hello, %(name)s", name=access.display_name),
        today=as_date(now()),
        open_visits=[s for s in seen if s.is_open],
        recent=[s for s in seen if not s.is_open],
        may_find=access.may("person.find"),
        may_register=access.may("person.register"),
        is_citizen=access.may("record.own"),
        own=await own_record(access) if access.may("record.own") else None,
        refused=await refusals(access) if access.may("audit.read") else None,
        cards=await filled(request, "home.cards", access),
        day=day,
        words=reading.words,
        roles=TITLES,
    )


async def visits(access: Access) -> Sequence[Seen]:
    """The latest visits at one's own facility, those that go on first, each patient once."""
    if access.who.organization_id is None:
        return []
    pairs = [
        ("service-provider", f"Organization/{access.who.organization_id}"),
        ("_sort", "-date"),
        ("_count", str(RECENT * 2)),
        ("_include", "Encounter:patient"),
    ]
    found = await access.search(Query.of("Encounter", pairs))
    people = {v.id: v.resource() for v in found.included}
    made: dict[str, Seen] = {}
    for version in found.versions:
        seen = _seen(version.resource(), people)
        if seen is not None and (seen.is_open or seen.patient not in made):
            made[seen.patient] = seen
    return sorted(made.values(), key=lambda s: not s.is_open)[:RECENT]


def _seen(encounter: Any, people: dict[str, Any]) -> Seen | None:
    patient = people.get(reading.id_of(encounter.subject))
    if not isinstance(patient, r4.Patient):
        return None
    return Seen(
        patient=patient.id or "",
        name=reading.name_of(patient),
        born=_year(patient.birthDate),
        sex=patient.gender or "",
        reason="; ".join(reading.words(c) for c in encounter.reasonCode or ()),
        when=encounter.period.start if encounter.period and encounter.period.start else "",
        is_open=encounter.status == "in-progress",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What one's own record comes to, for the first page."""

    problems: Sequence[str]
    medicines: Sequence[str]
    allergies: Sequence[str]
    latest: Any
    lookers: int
    last_look: Any


async def own_record(access: Access) -> Own | None:
    """Sum up one's own record; None while the account is linked to none."""
    if access.who.patient_id is None:
        return None
    chart, found = await asyncio.gather(
        load(access, access.who.patient_id, summary(now().date())),
        access.recorded(Wanted(patient=access.who.patient, since=now() - LOOKED, limit=_LOOKS)),
    )
    looks = folded(found, access.who.account, access.ground.zone).others
    return Own(
        problems=[reading.words(c.code) for c in chart.problems],
        medicines=[reading.words(m.medicationCodeableConcept) for m in chart.medicines],
        allergies=[reading.words(a.code) for a in chart.allergies],
        latest=next((e for e in chart.all("Encounter") if e.period), None),
        lookers=len({look.display for look in looks}),
        last_look=looks[0] if looks else None,
    )


async def refusals(access: Access) -> Sequence[Recorded]:
    """Accesses refused since yesterday, newest first: what somebody tried and might not."""
    found = await access.recorded(Wanted(since=now() - timedelta(days=1), limit=_LOOKS))
    return [row for row in found if row.outcome == REFUSED]


def _year(born: str | None) -> str:
    return born[:4] if born else ""


PAGES = (show_home,)
