"""Gathers the figures of a page from the views: one pass cuts the period every way, another the one compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from yersin.db import Connection, load
from yersin.guard.access import Access
from yersin.registry.units_population import POPULATION, Population
from yersin.views.feed import Standing, resolved, standing
from yersin.views.pseudonyms import Pseudonyms

from . import rules
from .rules import Period

QUERIES = load(__package__, "queries.sql", "cuts", "facilities", "connected", "records", "activities", "own")
_COLUMNS = ("day", "province", "asker", "hub", "specialty", "urgency", "band", "sex")
URGENCIES = ("stat", "asap", "urgent", "routine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the reader asked to see. `facility` is the key of a row in the views."""

    period: Period
    compare: Period
    province: str = ""
    activity: str = ""
    facility: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Consultations of one cut."""

    asked: int = 0
    answered: int = 0
    facilities: int = 0
    median: float | None = None
    slow: float | None = None
    name_vi: str = ""
    name_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A facility, by the name the directory gives it."""

    name: str
    province: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Records of a province against its people. None is a count that is hidden."""

    held: int | None
    registered: int | None
    counted: int | None
    population: Population | None

    @property
    def share(self) -> float | None:
        """Percentage of the people counted in households."""
        return rules.share(self.held, self.counted)

    @property
    def share_of_population(self) -> float | None:
        """Percentage of the official population."""
        return rules.share(self.held, self.population.people if self.population else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """Consultations of a period, cut every way."""

    whole: Count = Count()
    days: Mapping[date, Count] = field(default_factory=dict)
    provinces: Mapping[str, Count] = field(default_factory=dict)
    askers: Mapping[UUID, Count] = field(default_factory=dict)
    hubs: Mapping[UUID, Count] = field(default_factory=dict)
    specialties: Mapping[str, Count] = field(default_factory=dict)
    urgencies: Mapping[str, Count] = field(default_factory=dict)
    people: Mapping[tuple[int, str], int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything a page shows, as of one moment."""

    filters: Filters
    standing: Standing
    now: Cuts
    then: Cuts
    places: Mapping[UUID, Place]
    connected: int
    held: Mapping[str, Held]
    whole_held: Held
    is_invented: bool

    @property
    def sources(self) -> list[str]:
        """Sources of the populations shown, each once."""
        return sorted({held.population.source for held in self.held.values() if held.population})


async def gather(access: Access, filters: Filters, *, compares: bool = True) -> Figures:
    """Gather the figures, with those compared with where they are wanted. They are all of one snapshot."""
    zone = str(access.ground.zone)
    async with access.ground.database.searching() as connection, connection.transaction(isolation="repeatable_read"):
        now = await _cuts(connection, zone, filters, filters.period)
        then = await _cuts(connection, zone, filters, filters.compare) if compares else Cuts()
        found = await connection.fetch(QUERIES.facilities, [*now.askers, *now.hubs])
        records = await connection.fetch(QUERIES.records, filters.province)
        held, whole = _held(records, filters.province)
        return Figures(
            filters=filters,
            standing=await standing(connection),
            now=now,
            then=then,
            places={r["row_key"]: Place(name=r["name"] or "", province=r["province"] or "", kind=r["kind"] or "") for r in found},
            connected=await connection.fetchval(QUERIES.connected, filters.province),
            held=held,
            whole_held=whole,
            is_invented=any(r["invented"] for r in records),
        )  # fmt: skip


async def freshness(access: Access) -> Standing:
    """How fresh the figures are; cheap enough to be asked every other second."""
    async with access.ground.database.searching() as connection:
        return await standing(connection)


async def activities(access: Access) -> list[str]:
    """Codes of the activities there are requests of."""
    async with access.ground.database.searching() as connection:
        return [row["activity"] for row in await connection.fetch(QUERIES.activities)]


async def facility(access: Access, key: UUID) -> Place | None:
    """Name of the facility that a page is narrowed to."""
    async with access.ground.database.searching() as connection:
        found = await connection.fetchrow(QUERIES.facilities, [key])
    return (
        Place(name=found["name"] or "", province=found["province"] or "", kind=found["kind"] or "") if found else None
    )


async def organizations(access: Access, keys: Sequence[UUID]) -> dict[UUID, str]:
    """Ids of the Organizations behind keys of facilities, as far as the asker may read them."""
    found = await resolved(access.ground, access.scope, "Organization", keys)
    pseudonyms = Pseudonyms(access.ground.keys)
    return {pseudonyms.of("Organization", version.id): version.id for version in found}


async def own(access: Access, filters: Filters, key: UUID) -> Sequence[Any]:
    """Requests that a facility sent or was sent."""
    zone, period = str(access.ground.zone), filters.period
    async with access.ground.database.searching() as connection:
        rows: Sequence[Any] = await connection.fetch(
            QUERIES.own, zone, period.since, period.until, key, filters.activity
        )
    return rows


async def _cuts(connection: Connection, zone: str, filters: Filters, of: Period) -> Cuts:
    rows = await connection.fetch(
        QUERIES.cuts, zone, of.since, of.until, filters.province, filters.activity, filters.facility, list(rules.BANDS)
    )
    people = {(r["band"], r["sex"]): r["asked"] for r in _of(rows, "band", "sex") if r["band"] is not None}
    whole = next(iter(_of(rows)), None)
    return Cuts(
        whole=_count(whole) if whole else Count(),
        days={r["day"]: _count(r) for r in _of(rows, "day")},
        provinces={r["province"]: _count(r) for r in _of(rows, "province") if r["province"]},
        askers=_largest(rows, "asker"),
        hubs=_largest(rows, "hub"),
        specialties=_largest(rows, "specialty"),
        urgencies={r["urgency"]: _count(r) for r in _of(rows, "urgency")},
        people=rules.suppressed(people),
    )


def _of(rows: Sequence[Any], *columns: str) -> list[Any]:
    """Rows that were grouped by these columns alone."""
    mask = sum(1 << (len(_COLUMNS) - 1 - n) for n, name in enumerate(_COLUMNS) if name not in columns)
    return [row for row in rows if row["mask"] == mask]


def _largest(rows: Sequence[Any], column: str) -> dict[Any, Count]:
    found = [row for row in _of(rows, column) if row[column] is not None]
    return {row[column]: _count(row) for row in sorted(found, key=lambda row: (-row["asked"], str(row[column])))}


def _count(row: Any) -> Count:
    return Count(
        asked=row["asked"], answered=row["answered"], facilities=row["facilities"], median=row["median"],
        slow=row["slow"], name_vi=row["name_vi"] or "", name_en=row["name_en"] or row["name_vi"] or "",
    )  # fmt: skip


def _held(rows: Sequence[Any], province: str) -> tuple[dict[str, Held], Held]:
    """Records by province, with every province that has a population; small counts hidden, the whole is not."""
    by_code = {row["province"]: row for row in rows if row["province"]}
    codes = [province] if province else sorted(POPULATION)
    held = rules.suppressed({code: by_code[code]["held"] if code in by_code else 0 for code in codes})
    people = rules.suppressed({code: by_code[code]["registered"] if code in by_code else 0 for code in codes})
    made = {
        code: Held(held=held[code], registered=people[code], counted=_counted(by_code.get(code)), population=POPULATION.get(code))
        for code in codes
    }  # fmt: skip
    whole = Held(
        held=rules.suppressed({0: sum(row["held"] for row in rows)})[0],
        registered=rules.suppressed({0: sum(row["registered"] for row in rows)})[0],
        counted=sum(row["counted"] or 0 for row in rows),
        population=POPULATION.get(province),
    )
    return made, whole


def _counted(row: Any) -> int | None:
    """People counted in households; a handful could be one family, so a small number is hidden as others are."""
    count = row["counted"] if row else None
    return None if count is None or count < rules.SMALLEST else int(count)
