"""Thin readers of the resources in a chart: words, moments and amounts, whichever way a facility wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from yersin.fhir import choice, r4
from yersin.fhir.dates import FAR_PAST, span
from yersin.imaging.resources import FACILITY

LOINC = "http://loinc.org"


def words(concept: r4.CodeableConcept | None) -> str:
    """Give the words of a concept: its text, else a display, else its code."""
    if concept is None:
        return ""
    codings = concept.coding or []
    return (
        concept.text
        or next((c.display for c in codings if c.display), "")
        or next((c.code for c in codings if c.code), "")
    )


def codes(concept: r4.CodeableConcept | None, system: str = "") -> list[str]:
    """List the codes of a concept, of one system if given."""
    found = (concept.coding or []) if concept else []
    return [c.code for c in found if c.code and (not system or c.system == system)]


def has_code(concepts: Iterable[r4.CodeableConcept] | None, code: str) -> bool:
    """Tell whether one of the concepts has a code."""
    return any(code in codes(concept) for concept in concepts or ())


def moment(text: str | None, zone: ZoneInfo) -> datetime | None:
    """Give the beginning of what a FHIR date, dateTime or instant covers."""
    return span(text, zone).lo if text else None


def when(resource: Any, zone: ZoneInfo) -> datetime | None:
    """Give the moment a resource speaks of."""
    value = _dated(resource)
    return moment(value.start or value.end if isinstance(value, r4.Period) else value, zone)


def begin(resource: Any, zone: ZoneInfo) -> datetime | None:
    """Give the beginning of what a resource speaks of, which is what searches sort by."""
    value = _dated(resource)
    if isinstance(value, r4.Period):
        return moment(value.start, zone) if value.start else FAR_PAST
    return moment(value, zone)


def _dated(resource: Any) -> Any:
    for name in _MOMENTS.get(resource.resourceType, ()):
        value = getattr(resource, name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, r4.Period) and (value.start or value.end):
            return value
    return None


_MOMENTS = {
    "Encounter": ("period",),
    "Condition": ("onsetDateTime", "onsetPeriod", "recordedDate"),
    "Observation": ("effectiveDateTime", "effectivePeriod", "effectiveInstant", "issued"),
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod", "issued"),
    "MedicationRequest": ("authoredOn",),
    "Immunization": ("occurrenceDateTime",),
    "Procedure": ("performedDateTime", "performedPeriod"),
    "DocumentReference": ("date",),
    "ImagingStudy": ("started",),
    "Media": ("createdDateTime", "createdPeriod", "issued"),
    "AllergyIntolerance": ("recordedDate",),
    "ServiceRequest": ("authoredOn",),
}


def keeper(resource: Any) -> r4.Reference | None:
    """Give the facility that a resource names itself, whichever way: who keeps, performed, wrote or asked for it."""
    own = (e.valueReference for e in resource.extension or () if e.url == FACILITY and e.valueReference)
    return next((r for r in (*own, *_named(resource)) if "Organization/" in (r.reference or "")), None)


def _named(resource: Any) -> Iterator[r4.Reference]:
    for name in ("custodian", "performer", "author", "requester"):
        value = getattr(resource, name, None)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, r4.Reference):
                yield one
            elif one is not None:
                yield from (r for r in (one.actor, getattr(one, "onBehalfOf", None)) if r is not None)


def newest_first(resources: Iterable[Any], zone: ZoneInfo) -> list[Any]:
    """Sort by moment, those without one last."""
    return sorted(resources, key=lambda r: when(r, zone) or FAR_PAST, reverse=True)


def age(born: str, day: date) -> float:
    """Give an age in years, as near as the birth date is known."""
    year, month, of_month = (*(int(part) for part in born[:10].split("-")), 1, 1)[:3]
    return max(0.0, (day - date(year, month, of_month)).days / 365.2425)


def name_of(patient: r4.Patient) -> str:
    """Give the name a person is called by: the official one first."""
    names = sorted(patient.name or [], key=lambda n: n.use != "official")
    for name in names:
        whole = name.text or " ".join([*(p for p in (name.family,) if p), *(g for g in name.given or () if g)])
        if whole:
            return whole
    return ""


def id_of(reference: r4.Reference | None) -> str:
    """Give the logical id a reference names."""
    return ((reference and reference.reference) or "").rpartition("/")[2]


def amount(observation: Any) -> tuple[Decimal, str] | None:
    """Give the number and unit of an observation or component, if it has one."""
    value = choice(observation, "value")
    if isinstance(value, r4.Quantity) and value.value is not None:
        return value.value, value.unit or value.code or ""
    return None


def told(observation: Any) -> str:
    """Give the value of an observation that is no number."""
    value = choice(observation, "value")
    if isinstance(value, r4.CodeableConcept):
        return words(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "+" if value else "−"
    return words(observation.dataAbsentReason)
