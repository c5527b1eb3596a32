"""The lifelong chart of one person: what is loaded for a page, in few searches, and how it is summed up.

Source: the International Patient Summary (ISO 27269) for what a summary holds; Decision 831/QĐ-BYT 2017.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from yersin.fhir import r4
from yersin.guard.access import Access
from yersin.search.page import Query
from yersin.store.versions import Version

from . import reading
from .measures import Measured, latest

#: active for longer, a diagnosis is a lasting problem, whether or not somebody put it on the list
LASTING = timedelta(days=90)
#: how far back a diagnosis that is over is named on the summary
YEARS_BACK = 2
#: resources a search brings at a time, and visits named in one question
_PAGE, _NAMED = 1000, 200
#: vital signs loaded for the summary: about two years of a patient who comes every week
VITALS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Resources of one type to load: every one that fits, or the newest `most`."""

    type: str
    pairs: tuple[tuple[str, str], ...] = ()
    most: int = 0

    def query(self, patient_id: str) -> Query:
        """Ask for them."""
        count = str(min(self.most or _PAGE, _PAGE))
        return Query.of(self.type, [("patient", f"Patient/{patient_id}"), *self.pairs, ("_count", count)])


#: visits that go on
GOING = Wanted(type="Encounter", pairs=(("status", "in-progress"),))


def summary(today: date) -> tuple[Wanted, ...]:
    """What a summary is made of. No kind can crowd out another, however long the record."""
    since = f"ge{today.year - YEARS_BACK}-01-01"
    return (
        Wanted(type="Condition", pairs=(("category", "problem-list-item"),)),
        Wanted(type="Condition", pairs=(("clinical-status", "active"),)),
        Wanted(type="Condition", pairs=(("onset-date", since),)),
        Wanted(type="Condition", pairs=(("onset-date:missing", "true"), ("recorded-date", since))),
        Wanted(type="MedicationRequest", pairs=(("status", "active"),)),
        Wanted(type="Immunization", pairs=(("status", "completed"),)),
        Wanted(type="Encounter", pairs=(("_sort", "-date"),), most=12),
        GOING,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """A facility as a record names it."""

    id: str = ""
    name: str = ""


NOWHERE = Facility()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What was loaded of one person's record. `visits` names the facility of each visit that is known."""

    patient: r4.Patient
    zone: ZoneInfo
    today: date
    of: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    vitals: Sequence[Any] = ()
    visits: Mapping[str, Facility] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.patient.id or ""

    @property
    def name(self) -> str:
        return reading.name_of(self.patient)

    @property
    def born(self) -> str:
        return self.patient.birthDate or ""

    @property
    def age(self) -> float:
        return reading.age(self.born, self.today) if self.born else 30.0

    def all(self, type_name: str) -> Sequence[Any]:
        """List the resources of a type, newest first."""
        return reading.newest_first(self.of.get(type_name, ()), self.zone)

    @property
    def problems(self) -> list[r4.Condition]:
        """Lasting problems that are not over: those on the problem list, and what has been active for long. Each once."""
        kept: dict[str, r4.Condition] = {}
        for c in self.all("Condition"):
            if _is_active(c) and (reading.has_code(c.category, "problem-list-item") or self._is_lasting(c)):
                kept[reading.words(c.code)] = c
        return list(kept.values())

    def _is_lasting(self, c: r4.Condition) -> bool:
        since = reading.when(c, self.zone)
        return since is not None and since.astimezone(self.zone).date() <= self.today - LASTING

    @property
    def past_problems(self) -> list[r4.Condition]:
        """What has passed: lasting problems that are over, and diagnoses of the last two years, each once."""
        since = f"{self.today.year - YEARS_BACK}"
        seen = {reading.words(c.code) for c in self.problems}
        kept = []
        for c in self.all("Condition"):
            name = reading.words(c.code)
            if name not in seen and _is_true(c) and (c.onsetDateTime or c.recordedDate or "9") >= since:
                seen.add(name)
                kept.append(c)
        return kept

    @property
    def medicines(self) -> list[r4.MedicationRequest]:
        """Medicines being taken, the latest prescription of each."""
        kept: dict[str, r4.MedicationRequest] = {}
        for m in self.all("MedicationRequest"):
            if m.status == "active":
                kept.setdefault(reading.words(m.medicationCodeableConcept), m)
        return list(kept.values())

    @property
    def allergies(self) -> list[r4.AllergyIntolerance]:
        """Allergies and intolerances that stand, the severe ones first."""
        standing = [
            a
            for a in self.all("AllergyIntolerance")
            if not reading.has_code([a.clinicalStatus] if a.clinicalStatus else [], "resolved")
            and not reading.has_code([a.verificationStatus] if a.verificationStatus else [], "entered-in-error")
        ]
        return sorted(standing, key=lambda a: a.criticality != "high")

    @property
    def flags(self) -> list[r4.Flag]:
        """Warnings that stand."""
        return [f for f in self.of.get("Flag", ()) if f.status == "active"]

    @property
    def vaccines(self) -> list[tuple[str, list[r4.Immunization]]]:
        """Vaccines given, those given last first."""
        kept: dict[str, list[r4.Immunization]] = {}
        for given in self.all("Immunization"):
            if given.status == "completed":
                kept.setdefault(reading.words(given.vaccineCode), []).append(given)
        return list(kept.items())

    @property
    def visit(self) -> r4.Encounter | None:
        """The visit that goes on, if one does."""
        return next((e for e in self.all("Encounter") if e.status == "in-progress"), None)

    def facility(self, resource: Any) -> Facility:
        """Give the facility a resource comes from: its visit's, else the one that it names itself."""
        if isinstance(resource, r4.Encounter):
            return named(resource.serviceProvider)
        found = self.visits.get(visit_id(resource))
        return found if found and found.name else named(reading.keeper(resource))

    def place(self, resource: Any) -> str:
        """Name the facility a resource comes from."""
        return self.facility(resource).name

    def measured(self) -> Mapping[str, list[Measured]]:
        """Vital signs by field, newest first."""
        return latest(self.vitals, self.zone)


def named(reference: r4.Reference | None) -> Facility:
    """Read a facility from a reference to it."""
    return Facility(id=reading.id_of(reference), name=reference.display or "") if reference else NOWHERE


def visit_id(resource: Any) -> str:
    """Give the id of the visit a resource was made in."""
    if isinstance(resource, r4.DocumentReference):
        return reading.id_of(next(iter((resource.context and resource.context.encounter) or ()), None))
    return reading.id_of(getattr(resource, "encounter", None))


def _is_true(c: r4.Condition) -> bool:
    return not reading.has_code([c.verificationStatus] if c.verificationStatus else [], "entered-in-error")


def _is_active(c: r4.Condition) -> bool:
    over = {"resolved", "inactive", "remission"}
    return _is_true(c) and not (over & set(reading.codes(c.clinicalStatus)))


async def load(
    access: Access, patient_id: str, wanted: Sequence[Wanted] = (), *, vitals: int = 0, places: bool = False
) -> Chart:
    """Load a chart: the banner, and what is wanted. Raises Problem: not-found, also for one that is not open to the asker.

    With `places` the visits are looked up that what was loaded belongs to, so that every facility has its name.
    """
    asked = [_versions(access, patient_id, one) for one in wanted]
    if vitals:
        newest = Wanted(type="Observation", pairs=(("category", "vital-signs"), ("_sort", "-date")), most=vitals)
        asked.append(_versions(access, patient_id, newest))
    banner, *rest = await asyncio.gather(patient_and_banner(access, patient_id), *asked)
    seen = [v.resource() for v in rest.pop()] if vitals else []
    of: dict[str, dict[str, Any]] = {}
    for version in (*banner[1:], *(v for versions in rest for v in versions)):
        of.setdefault(version.type, {}).setdefault(version.id, version.resource())
    chart = with_resources(access, banner[0].resource(), [r for found in of.values() for r in found.values()], seen)
    return await with_places(access, chart) if places else chart


def with_resources(access: Access, patient: Any, resources: Iterable[Any], vitals: Sequence[Any] = ()) -> Chart:
    """Put a chart together."""
    assert isinstance(patient, r4.Patient)  # noqa: S101 - a search for Patient finds nothing else
    zone = access.ground.zone
    of: dict[str, list[Any]] = {}
    for resource in resources:
        of.setdefault(resource.resourceType, []).append(resource)
    visits = {e.id: named(e.serviceProvider) for e in of.get("Encounter", ())}
    today = datetime.now(UTC).astimezone(zone).date()
    return Chart(patient=patient, zone=zone, today=today, of=of, vitals=vitals, visits=visits)


async def patient_and_banner(access: Access, patient_id: str) -> list[Version]:
    """The patient, and the allergies and flags that the banner of every page shows."""
    pairs = [("_id", patient_id), ("_revinclude", "AllergyIntolerance:patient"), ("_revinclude", "Flag:patient")]
    found = await access.search(Query.of("Patient", pairs))
    if not found.versions:
        await access.read("Patient", patient_id)  # refuses, and records that it did
    return [*found.versions, *found.included]


async def _versions(access: Access, patient_id: str, wanted: Wanted) -> list[Version]:
    """Load what is wanted: so many, or all there are."""
    if wanted.most:
        return list((await access.search(wanted.query(patient_id))).versions)
    return await every(access, wanted.query(patient_id))


async def every(access: Access, query: Query) -> list[Version]:
    """Search page after page, to the end."""
    found = await access.search(query)
    versions = list(found.versions)
    while found.after:
        found = await access.search(replace(query, after=found.after, horizon=found.horizon))
        versions += found.versions
    return versions


async def with_places(access: Access, chart: Chart) -> Chart:
    """Look up the facilities of the visits that what was loaded belongs to."""
    every = {visit_id(r) for found in chart.of.values() for r in found} - {""} - set(chart.visits)
    known = dict(chart.visits)
    for some in _parts(sorted(every)):
        pairs = [("patient", f"Patient/{chart.id}"), ("_id", ",".join(some)), ("_count", str(_NAMED))]
        found = await access.search(Query.of("Encounter", pairs))
        known |= {v.id: named(e.serviceProvider) for v in found.versions if isinstance(e := v.resource(), r4.Encounter)}
    return replace(chart, visits=known)


def _parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[at : at + _NAMED] for at in range(0, len(ids), _NAMED))


def of_category(patient_id: str, category: str, count: int) -> Query:
    """Ask for observations of a category, newest first."""
    pairs = [("patient", f"Patient/{patient_id}"), ("category", category), ("_sort", "-date"), ("_count", str(count))]
    return Query.of("Observation", pairs)
