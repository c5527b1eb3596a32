"""Care relationships: which facility, or which person in it, may open a patient's chart, and until when.

Derived from the resources that say so, in the transaction that writes them; nothing else grants access to a chart.
Sources: Law 15/2023/QH15 art. 10 (confidentiality), Law 91/2025/QH15 (personal data); docs/adr/0006-access.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from yersin.db import Connection
from yersin.fhir import r4
from yersin.fhir.dates import span
from yersin.store.identity import row_id

#: a facility keeps the chart open this long after an encounter there ended, to finish its record
AFTER_ENCOUNTER = timedelta(days=7)
#: extension of a Task: a type of resource its owner may open in the patient's chart; without any it may open all of it
SHARED_TYPE = "urn:yersin:extension:shared-type"
#: the resources that speak of care
SOURCES = frozenset({"Patient", "EpisodeOfCare", "Encounter", "Task"})
_OPEN_TASK = frozenset({"requested", "received", "accepted", "in-progress", "on-hold", "ready"})

DDL = f"""
CREATE TABLE care (
  pat uuid NOT NULL, org uuid NOT NULL, practitioner uuid, since timestamptz NOT NULL, until timestamptz NOT NULL,
  type smallint NOT NULL, source uuid NOT NULL, shares smallint[], fresh timestamptz);
CREATE INDEX care_pat ON care (pat, org, until);
CREATE INDEX care_org ON care (org, until);
CREATE INDEX care_visit ON care (org, until) WHERE type <> {r4.TYPE_NUMBER["Patient"]};
CREATE INDEX care_source ON care (source);
COMMENT ON TABLE care IS 'Who may open whose chart, from when until when, and the resource that says so.';
COMMENT ON COLUMN care.shares IS 'Types that are shared, null for the whole chart; what was recorded since fresh is shared too.';
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """One relationship: `org` (and in it only `practitioner`, when given) may open the chart from `since` until `until`.

    Where `shares` names types of resources, the rest of the chart stays closed, but for what was recorded since `fresh`.
    """

    org: UUID
    practitioner: UUID | None = None
    since: datetime
    until: datetime
    shares: tuple[str, ...] = ()
    fresh: datetime | None = None


EVER = datetime.max.replace(tzinfo=UTC)
BEFORE = datetime(1900, 1, 1, tzinfo=UTC)


def told_by(resource: r4.Resource, zone: ZoneInfo) -> Iterator[Care]:
    """Care relationships that a resource speaks of; ones that ended before now are left out by the caller's SQL."""
    match resource:
        case r4.Patient(managingOrganization=r4.Reference() as keeper):
            yield from _care(keeper, None, zone)
        case r4.EpisodeOfCare(managingOrganization=r4.Reference() as keeper) if resource.status != "entered-in-error":
            yield from _care(keeper, resource.period, zone, closed=resource.status in ("finished", "cancelled"))
        case r4.Encounter(serviceProvider=r4.Reference() as keeper) if resource.status not in _NO_VISIT:
            yield from _care(keeper, resource.period, zone, closed=resource.status == "finished", after=AFTER_ENCOUNTER)
        case r4.Task(owner=r4.Reference() as keeper) if resource.status in _OPEN_TASK or resource.status == "completed":
            allowed = resource.restriction.period if resource.restriction else None
            fresh = fresh_since(resource, zone)
            for found in _care(keeper, allowed, zone, closed=resource.status == "completed"):
                yield replace(found, shares=shared_types(resource), fresh=fresh)


_NO_VISIT = frozenset({"cancelled", "entered-in-error", "unknown"})


def _care(
    keeper: r4.Reference,
    period: r4.Period | None,
    zone: ZoneInfo,
    *,
    closed: bool = False,
    after: timedelta = timedelta(0),
) -> Iterator[Care]:
    org = _organization(keeper)
    if org is None:
        return
    since = span(period.start, zone).lo if period and period.start else BEFORE
    end = span(period.end, zone).hi if period and period.end else None
    if closed and end is None:
        return
    yield Care(org=org, since=since, until=end + after if end else EVER)


def shared_types(task: r4.Task) -> tuple[str, ...]:
    """Types of resources that a request shares, empty for the whole chart. Names that are no types share nothing."""
    named = [e.valueCode or "" for e in task.extension or () if e.url == SHARED_TYPE]
    return tuple(name for name in named if name in r4.TYPE_NUMBER) or (("Patient",) if named else ())


def fresh_since(task: r4.Task, zone: ZoneInfo) -> datetime | None:
    """From when on records are open to whom a part is shared with: when the request was written."""
    return span(task.authoredOn, zone).lo if task.authoredOn else None


def _organization(reference: r4.Reference) -> UUID | None:
    type_name, _, logical_id = (reference.reference or "").rpartition("/")
    return row_id("Organization", logical_id).id if type_name.endswith("Organization") else None


class Told(NamedTuple):
    """What one resource speaks of, to be put in the place of what it spoke of before."""

    type: int
    source: UUID
    pat: UUID
    rows: Sequence[Care]
    #: the resource has just come into being, so it spoke of nothing before
    new: bool


async def put(connection: Connection, told: Sequence[Told]) -> None:
    """Put the relationships that some resources speak of in the place of those they spoke of before."""
    before = [t for t in told if not t.new]
    if before:
        await connection.execute(
            "DELETE FROM care USING unnest($1::smallint[], $2::uuid[]) AS t (type, source) "
            "WHERE care.source = t.source AND care.type = t.type",
            [t.type for t in before],
            [t.source for t in before],
        )
    rows = [
        (t.pat, c.org, c.practitioner, c.since, c.until, t.type, t.source, _numbers(c.shares), c.fresh)
        for t in told
        for c in t.rows
    ]
    if rows:
        await connection.execute(
            "INSERT INTO care (pat, org, practitioner, since, until, type, source, shares, fresh) SELECT pat, org, practitioner, "
            "since, until, type, source, shares::smallint[], fresh FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], "
            "$4::timestamptz[], $5::timestamptz[], $6::smallint[], $7::uuid[], $8::text[], $9::timestamptz[]) "
            "AS t (pat, org, practitioner, since, until, type, source, shares, fresh) WHERE t.until > now()",
            *map(list, zip(*rows, strict=True)),
        )


def _numbers(shares: Sequence[str]) -> str | None:
    """Types as the text of an array of numbers, of which a list of arrays cannot be sent."""
    return "{" + ",".join(str(r4.TYPE_NUMBER[name]) for name in shares) + "}" if shares else None
