"""The lifelong chart of one person: what is loaded for a page, in few searches, and how it is summed up.

Source: the International Patient Summary (ISO 27269) for what a summary holds; Decision 831/QĐ-BYT 2017.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from yersin.fhir import r4
from yersin.guard.access import Access
from yersin.search.page import Query

from . import reading
from .measures import Measured, latest

#: loaded with every page of a chart: what the banner shows
BANNER = ("AllergyIntolerance", "Flag")
SUMMARY = (*BANNER, "Condition", "MedicationRequest", "Immunization", "Encounter")
_EVENTS = ("Encounter", "Condition", "MedicationRequest", "Immunization", "DiagnosticReport", "DocumentReference")
TIMELINE = (*BANNER, *_EVENTS, "Procedure", "ImagingStudy")
PAPERS = (*BANNER, "Encounter", "DocumentReference", "DiagnosticReport")
PICTURES = (*BANNER, "Encounter", "ImagingStudy", "Media", "DocumentReference", "DiagnosticReport")
#: vital signs loaded for the summary: about two years of a patient who comes every week
VITALS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What was loaded of one person's record."""

    patient: r4.Patient
    zone: ZoneInfo
    today: date
    of: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    vitals: Sequence[Any] = ()

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
        """Lasting problems that are not over."""
        return [c for c in self.all("Condition") if _is_active(c) and reading.has_code(c.category, "problem-list-item")]

    @property
    def past_problems(self) -> list[r4.Condition]:
        """What has passed: lasting problems that are over, and diagnoses of the last two years, each once."""
        since = f"{self.today.year - 2}"
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

    def place(self, resource: Any) -> str:
        """Name the facility a resource comes from."""
        return self.places().get(place_id(resource, self._visits()), "")

    def places(self) -> Mapping[str, str]:
        """Name the facilities this record comes from, by id."""
        found: dict[str, str] = {}
        for e in self.of.get("Encounter", ()):
            if e.serviceProvider is not None:
                found.setdefault(reading.id_of(e.serviceProvider), e.serviceProvider.display or "")
        return found

    def _visits(self) -> Mapping[str, r4.Encounter]:
        return {e.id: e for e in self.of.get("Encounter", ())}

    def measured(self) -> Mapping[str, list[Measured]]:
        """Vital signs by field, newest first."""
        return latest(self.vitals, self.zone)


def place_id(resource: Any, visits: Mapping[str, r4.Encounter]) -> str:
    """Give the id of the facility a resource comes from: its own visit's."""
    encounter = resource if isinstance(resource, r4.Encounter) else visits.get(visit_id(resource))
    return reading.id_of(encounter.serviceProvider) if encounter else ""


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


async def load(access: Access, patient_id: str, types: Sequence[str], *, vitals: int = 0) -> Chart:
    """Load a chart in at most two searches. Raises Problem: not-found, also for a chart that is not open to the asker."""
    pairs = [("_id", patient_id), *(("_revinclude", f"{name}:patient") for name in types)]
    asked = [access.search(Query.of("Patient", pairs))]
    if vitals:
        asked.append(access.search(of_category(patient_id, "vital-signs", vitals)))
    found, *rest = await asyncio.gather(*asked)
    if not found.versions:
        await access.read("Patient", patient_id)  # refuses, and records that it did
    patient = found.versions[0].resource()
    assert isinstance(patient, r4.Patient)  # noqa: S101 - a search for Patient finds nothing else
    of: dict[str, list[Any]] = {}
    for version in found.included:
        of.setdefault(version.type, []).append(version.resource())
    zone = access.ground.zone
    seen = [v.resource() for r in rest for v in r.versions]
    return Chart(patient=patient, zone=zone, today=datetime.now(UTC).astimezone(zone).date(), of=of, vitals=seen)


def of_category(patient_id: str, category: str, count: int) -> Query:
    """Ask for observations of a category, newest first."""
    pairs = [("patient", f"Patient/{patient_id}"), ("category", category), ("_sort", "-date"), ("_count", str(count))]
    return Query.of("Observation", pairs)
