"""The timeline: visits with what was found and done in them, and whatever happened outside a visit, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from yersin.fhir import r4
from yersin.web.language import gettext as _
from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name

from . import reading
from .chart import Chart, place_id, visit_id

PAGE = 20
#: kinds to filter by, with their English names
KINDS: Mapping[str, str] = {
    "visit": N_("Visits"),
    "problem": N_("Diagnoses"),
    "medicine": N_("Medicines"),
    "result": N_("Results"),
    "vaccine": N_("Immunisations"),
    "document": N_("Documents"),
    "image": N_("Images"),
}
_KIND_OF = {
    "Encounter": "visit", "Condition": "problem", "MedicationRequest": "medicine", "DiagnosticReport": "result",
    "Immunization": "vaccine", "DocumentReference": "document", "ImagingStudy": "image", "Procedure": "visit",
}  # fmt: skip
_ICONS = {
    "visit": "stethoscope", "problem": "clipboard-list", "medicine": "pill", "result": "flask-conical",
    "vaccine": "syringe", "document": "file-text", "image": "scan",
}  # fmt: skip
#: icons named here so that the sprite holds them: icon="stethoscope" icon="clipboard-list" icon="pill"
#: icon="flask-conical" icon="syringe" icon="file-text" icon="scan" icon="video" icon="bed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """A line of an entry."""

    kind: str
    words: str

    @property
    def icon(self) -> str:
        return _ICONS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened."""

    when: datetime
    kind: str
    title: str
    place: str
    place_id: str
    icon: str
    is_dated: bool = True
    details: Sequence[Detail] = field(default_factory=tuple)

    def is_of(self, kind: str) -> bool:
        """Tell whether the entry is of a kind, or holds something that is."""
        return self.kind == kind or any(d.kind == kind for d in self.details)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the timeline, with the facilities to filter by."""

    entries: Sequence[Entry]
    number: int
    has_more: bool
    places: Sequence[tuple[str, str]]


def paged(chart: Chart, *, kind: str = "", place: str = "", number: int = 1) -> Page:
    """Give one page of the entries that pass the filters."""
    every = entries(chart)
    kept = [e for e in every if (not kind or e.is_of(kind)) and (not place or e.place_id == place)]
    start = (number - 1) * PAGE
    places = sorted(chart.places().items(), key=lambda item: item[1])
    return Page(entries=kept[start : start + PAGE], number=number, has_more=len(kept) > start + PAGE, places=places)


def entries(chart: Chart) -> list[Entry]:
    """List everything that happened, newest first."""
    visits = {e.id: e for e in chart.of.get("Encounter", ())}
    inside: dict[str, list[Any]] = {}
    alone: list[Any] = []
    for type_name in _KIND_OF:
        if type_name == "Encounter":
            continue
        for r in chart.of.get(type_name, ()):
            visit = visit_id(r)
            (inside.setdefault(visit, []) if visit in visits else alone).append(r)
    made = [_visit(chart, e, inside.get(e.id or "", [])) for e in visits.values() if reading.when(e, chart.zone)]
    made += [_alone(chart, r, visits) for r in alone if reading.when(r, chart.zone)]
    return sorted(made, key=lambda e: e.when, reverse=True)


def _visit(chart: Chart, e: r4.Encounter, inside: Sequence[Any]) -> Entry:
    when = reading.when(e, chart.zone)
    assert when is not None  # noqa: S101 - the caller leaves out visits without a moment
    reason = "; ".join(reading.words(c) for c in e.reasonCode or ())
    kind, icon = visit_kind(e)
    return Entry(
        when=when,
        kind="visit",
        title=f"{kind}: {reason}" if reason else kind,
        place=(e.serviceProvider and e.serviceProvider.display) or "",
        place_id=reading.id_of(e.serviceProvider),
        icon=icon,
        details=tuple(_details(inside)),
    )


def visit_kind(e: r4.Encounter) -> tuple[str, str]:
    """Give the words and icon for a kind of visit."""
    match e.class_.code:
        case "IMP" | "ACUTE" | "NONAC":
            return _("Hospital stay"), "bed"
        case "VR":
            return _("Consultation at a distance"), "video"
        case "EMER":
            return _("Emergency"), "siren"  # icon="siren"
        case "HH":
            return _("Home visit"), "house"
    return _("Visit"), "stethoscope"


def _details(inside: Sequence[Any]) -> Iterator[Detail]:
    for type_name, kind in _KIND_OF.items():
        texts = [_words(r) for r in inside if r.resourceType == type_name]
        if texts:
            yield Detail(kind=kind, words="; ".join(dict.fromkeys(text for text in texts if text)))


def _alone(chart: Chart, r: Any, visits: Mapping[str, r4.Encounter]) -> Entry:
    when, kind = reading.when(r, chart.zone), _KIND_OF[r.resourceType]
    assert when is not None  # noqa: S101 - the caller leaves out what has no moment
    return Entry(
        when=when,
        kind=kind,
        title=_words(r),
        place=chart.places().get(place_id(r, visits), ""),
        place_id=place_id(r, visits),
        icon=_ICONS[kind],
    )


def _words(r: Any) -> str:
    return _WORDS[r.resourceType](r)


def _report(r: r4.DiagnosticReport) -> str:
    return f"{reading.words(r.code)}: {r.conclusion}" if r.conclusion else reading.words(r.code)


def _vaccine(r: r4.Immunization) -> str:
    number = next((p.doseNumberPositiveInt for p in r.protocolApplied or () if p.doseNumberPositiveInt), None)
    name = reading.words(r.vaccineCode)
    return _("%(name)s, dose %(number)s", name=name, number=number) if number else name


_WORDS: Mapping[str, Callable[[Any], str]] = {
    "Condition": lambda r: reading.words(r.code),
    "MedicationRequest": lambda r: reading.words(r.medicationCodeableConcept),
    "DiagnosticReport": _report,
    "Immunization": _vaccine,
    "DocumentReference": lambda r: r.description or reading.words(r.type),
    "ImagingStudy": lambda r: r.description or _("Images"),
    "Procedure": lambda r: reading.words(r.code),
}
