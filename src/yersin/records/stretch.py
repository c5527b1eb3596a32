"""A stretch of the timeline: whole days, newest first, of which everything is loaded, however long the record.

Each kind is asked for its newest resources before a day. The stretch reaches back to the day from which all kinds are
known whole; "earlier" goes on from there. What has no date at all comes with the last stretch, so that nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from yersin.fhir.dates import FAR_PAST
from yersin.guard.access import Access
from yersin.search.page import Query
from yersin.store.versions import Version

from . import reading
from .chart import Chart, Facility, every, patient_and_banner, with_resources

#: newest resources asked of a kind at a time; observations come in dozens a visit
NEWEST, MEASURED = 30, 120
_PAGE = 1000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Resources of a type by one of their dates; `without` is the better date, which these lack."""

    type: str
    date: str
    without: str = ""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(f"{self.without}:missing", "true")] if self.without else []

    @property
    def newest(self) -> int:
        return MEASURED if self.type == "Observation" else NEWEST


STREAMS = (
    Stream(type="Encounter", date="date"),
    Stream(type="Condition", date="onset-date"),
    Stream(type="Condition", date="recorded-date", without="onset-date"),
    Stream(type="MedicationRequest", date="authoredon"),
    Stream(type="Immunization", date="date"),
    Stream(type="DiagnosticReport", date="date"),
    Stream(type="DiagnosticReport", date="issued", without="date"),
    Stream(type="DocumentReference", date="date"),
    Stream(type="Procedure", date="date"),
    Stream(type="ImagingStudy", date="started"),
    Stream(type="Media", date="created"),
    Stream(type="Observation", date="date"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read of a stream, and the first day of which it is known whole."""

    resources: Sequence[Any]
    since: date = date.min


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """All visits of a record, as far as lists of facilities and years need them."""

    places: Mapping[str, Facility] = field(default_factory=dict)
    years: Sequence[int] = ()


class _Provider(msgspec.Struct):
    reference: str = ""
    display: str = ""


class _Period(msgspec.Struct):
    start: str = ""


class _Visit(msgspec.Struct):
    id: str
    period: _Period = msgspec.field(default_factory=_Period)
    serviceProvider: _Provider = msgspec.field(default_factory=_Provider)  # noqa: N815 - FHIR's name


_visit = msgspec.json.Decoder(_Visit)


async def load(access: Access, patient_id: str, types: Sequence[str], before: date | None) -> tuple[Chart, date | None]:
    """Load the stretch before a day, or the newest; and the day before which the next one begins, None at the end."""
    streams = [s for s in STREAMS if s.type in types]
    banner, read = await asyncio.gather(
        patient_and_banner(access, patient_id),
        asyncio.gather(*(_read(access, patient_id, stream, before) for stream in streams)),
    )
    since = max((r.since for r in read), default=date.min)
    kept = {(r.resourceType, r.id): r for one in read for r in one.resources if _day(r, access.ground.zone) >= since}
    if since == date.min and before:
        undated = await asyncio.gather(*(_undated(access, patient_id, name, streams) for name in dict.fromkeys(types)))
        kept |= {(v.type, v.id): v.resource() for versions in undated for v in versions}
    shown = [*(v.resource() for v in banner[1:]), *kept.values()]
    return with_resources(access, banner[0].resource(), shown), since if since > date.min else None


def visits_of(chart: Chart) -> Visits:
    """Facility and year of every visit of a chart that holds them all."""
    starts = [e.period.start for e in chart.of.get("Encounter", ()) if e.period and e.period.start]
    return Visits(places=chart.visits, years=sorted({int(start[:4]) for start in starts}, reverse=True))


async def visits(access: Access, patient_id: str) -> Visits:
    """Read facility and year of every visit, and no more of it."""
    pairs = [("patient", f"Patient/{patient_id}"), ("_count", str(_PAGE))]
    found = [_visit.decode(v.json()) for v in await every(access, Query.of("Encounter", pairs))]
    places = {
        v.id: Facility(id=v.serviceProvider.reference.rpartition("/")[2], name=v.serviceProvider.display) for v in found
    }
    years = {int(v.period.start[:4]) for v in found if v.period.start[:4].isdecimal()}
    return Visits(places=places, years=sorted(years, reverse=True))


async def _read(access: Access, patient_id: str, stream: Stream, before: date | None) -> Read:
    """Read the newest of a stream, further until at least one whole day of it is known."""
    zone = access.ground.zone
    upto = [(stream.date, f"lt{before.isoformat()}")] if before else []  # then what bears no date comes last
    pairs = [("patient", f"Patient/{patient_id}"), *stream.pairs, *upto, ("_sort", f"-{stream.date}")]
    query = Query.of(stream.type, [*pairs, ("_count", str(stream.newest))])
    found = await access.search(query)
    resources = [v.resource() for v in found.versions]
    while found.after and _whole(found.after[0], zone) > max(_day(r, zone) for r in resources):
        found = await access.search(replace(query, after=found.after, horizon=found.horizon, count=_PAGE))
        resources += [v.resource() for v in found.versions]
    return Read(resources=resources, since=_whole(found.after[0], zone) if found.after else date.min)


def _whole(place: str, zone: ZoneInfo) -> date:
    """First day known whole when the results went as far as this place: the day after it."""
    if place.endswith("infinity"):
        return date.max  # what is without a beginning is read to its end
    moment = datetime.fromisoformat(place) if "-" in place[1:] else datetime.fromtimestamp(float(place), UTC)
    return moment.astimezone(zone).date() + _DAY


def _day(resource: Any, zone: ZoneInfo) -> date:
    found = reading.begin(resource, zone)
    return date.min if found is None or found is FAR_PAST else found.astimezone(zone).date()


async def _undated(access: Access, patient_id: str, type_name: str, streams: Sequence[Stream]) -> list[Version]:
    missing = [(f"{s.date}:missing", "true") for s in streams if s.type == type_name]
    pairs = [("patient", f"Patient/{patient_id}"), *missing, ("_count", str(_PAGE))]
    return await every(access, Query.of(type_name, pairs))
