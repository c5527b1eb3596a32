"""The timeline: visits with what was found and done in them, and whatever happened outside a visit, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from yersin.fhir import r4
from yersin.fhir.dates import FAR_PAST
from yersin.guard.access import Access
from yersin.web.language import gettext as _
from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name
from yersin.web.wording import as_number

from . import reading, stretch
from .chart import Chart, visit_id

#: kinds to filter by, with their English names
KINDS: Mapping[str, str] = {
    "visit": N_("Visits"),
    "problem": N_("Diagnoses"),
    "medicine": N_("Medicines"),
    "result": N_("Results"),
    "measure": N_("Measurements"),
    "vaccine": N_("Immunisations"),
    "document": N_("Documents"),
    "image": N_("Images"),
}
_TYPES: Mapping[str, Sequence[str]] = {
    "visit": ("Encounter", "Procedure"),
    "problem": ("Condition",),
    "medicine": ("MedicationRequest",),
    "result": ("DiagnosticReport", "Observation"),
    "measure": ("Observation",),
    "vaccine": ("Immunization",),
    "document": ("DocumentReference",),
    "image": ("ImagingStudy", "Media"),
}
EVERYTHING = tuple(dict.fromkeys(name for names in _TYPES.values() for name in names))
_ICONS = {
    "visit": "stethoscope", "problem": "clipboard-list", "medicine": "pill", "result": "flask-conical",
    "measure": "activity", "vaccine": "syringe", "document": "file-text", "image": "scan",
}  # fmt: skip
#: icons named here so that the sprite holds them: icon="stethoscope" icon="clipboard-list" icon="pill"
#: icon="flask-conical" icon="syringe" icon="file-text" icon="scan" icon="video" icon="bed" icon="activity"
#: entries a page should have at least, and stretches loaded to come to them where a filter leaves few
ENOUGH, STRETCHES = 12, 4
#: values that a line of measurements names before it is unfolded
SHOWN = 10
_OVER = {"entered-in-error", "superseded", "cancelled"}
_DICOM = "application/dicom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """A line of an entry, and what it unfolds to."""

    kind: str
    words: str
    more: str = ""

    @property
    def icon(self) -> str:
        return _ICONS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened. `when` is None of what bears no date."""

    when: datetime | None
    kind: str
    title: str
    place: str
    place_id: str
    icon: str
    details: Sequence[Detail] = field(default_factory=tuple)

    def is_of(self, kind: str) -> bool:
        """Tell whether the entry is of a kind, or holds something that is."""
        return self.kind == kind or any(d.kind == kind for d in self.details)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the timeline, the day before which the next one begins, and what to filter by."""

    chart: Chart
    entries: Sequence[Entry]
    earlier: date | None
    places: Sequence[tuple[str, str]]
    years: Sequence[int]


async def paged(
    access: Access, patient_id: str, *, kind: str = "", place: str = "", before: date | None = None
) -> Page:
    """Load the entries before a day, or the newest, that pass the filters. Raises Problem: not-found."""
    chart, earlier = await stretch.load(access, patient_id, types_of(kind), before)
    is_whole = before is None and earlier is None and "Encounter" in types_of(kind)
    known = stretch.visits_of(chart) if is_whole else await stretch.visits(access, patient_id)
    kept = _passing(chart, known, kind, place)
    for _further in range(STRETCHES):
        if earlier is None or len(kept) >= ENOUGH:
            break
        chart, earlier = await stretch.load(access, patient_id, types_of(kind), earlier)
        kept += _passing(chart, known, kind, place)
    names = {f.id: f.name for f in known.places.values() if f.id} | {e.place_id: e.place for e in kept if e.place_id}
    places = sorted(names.items(), key=lambda item: item[1])
    return Page(chart=chart, entries=kept, earlier=earlier, places=places, years=known.years)


def _passing(chart: Chart, known: stretch.Visits, kind: str, place: str) -> list[Entry]:
    placed = replace(chart, visits={**known.places, **chart.visits})
    return [e for e in entries(placed) if (not kind or e.is_of(kind)) and (not place or e.place_id == place)]


def types_of(kind: str) -> Sequence[str]:
    """Types of resources that a kind is made of; all without one."""
    return _TYPES.get(kind, EVERYTHING)


def entries(chart: Chart) -> list[Entry]:
    """List everything that happened, newest first, what bears no date last."""
    visits = {e.id: e for e in chart.of.get("Encounter", ()) if _stands(e)}
    inside: dict[str, list[Any]] = {}
    alone: list[Any] = []
    for r in _happened(chart):
        visit = visit_id(r)
        (inside.setdefault(visit, []) if visit in visits else alone).append(r)
    made = [_visit(chart, e, inside.get(e.id or "", [])) for e in visits.values()]
    made += [_alone(chart, some) for some in _together(chart, alone)]
    return sorted(made, key=lambda e: e.when or FAR_PAST, reverse=True)


def _happened(chart: Chart) -> Iterator[Any]:
    """What stands, but for values that a report holds and files that a study lists: these are shown with it."""
    reported = {reading.id_of(one) for r in chart.of.get("DiagnosticReport", ()) for one in r.result or ()}
    for type_name in EVERYTHING:
        for r in chart.of.get(type_name, ()):
            if type_name != "Encounter" and _stands(r) and not (type_name == "Observation" and r.id in reported):
                yield r


def _stands(r: Any) -> bool:
    if isinstance(r, r4.Condition):
        return "entered-in-error" not in reading.codes(r.verificationStatus)
    if isinstance(r, r4.DocumentReference) and any(c.attachment.contentType == _DICOM for c in r.content):
        return False
    return getattr(r, "status", "") not in _OVER


def _together(chart: Chart, resources: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Each resource by itself, but values that were measured in one go together."""
    measured: dict[Any, list[Any]] = {}
    for r in resources:
        if r.resourceType == "Observation":
            measured.setdefault((visit_id(r), kind_of(r), reading.when(r, chart.zone)), []).append(r)
        else:
            yield [r]
    yield from measured.values()


def kind_of(r: Any) -> str:
    """Give the kind of a resource."""
    if r.resourceType == "Observation":
        return "result" if reading.has_code(r.category, "laboratory") else "measure"
    return next(kind for kind, names in _TYPES.items() if r.resourceType in names)


def _visit(chart: Chart, e: r4.Encounter, inside: Sequence[Any]) -> Entry:
    reason = "; ".join(reading.words(c) for c in e.reasonCode or ())
    kind, icon = visit_kind(e)
    facility = chart.facility(e)
    return Entry(
        when=reading.when(e, chart.zone),
        kind="visit",
        title=f"{kind}: {reason}" if reason else kind,
        place=facility.name,
        place_id=facility.id,
        icon=icon,
        details=tuple(_details(inside, reason)),
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


def _details(inside: Sequence[Any], said: str = "") -> Iterator[Detail]:
    """Sum up what was found and done, by kind; what the title says is not said again."""
    for kind in KINDS:
        texts = sorted({text for r in inside if kind_of(r) == kind and (text := _words(r))} - {said})
        if texts:
            yield Detail(kind=kind, words="; ".join(texts[:SHOWN]), more="; ".join(texts[SHOWN:]))


def _alone(chart: Chart, some: Sequence[Any]) -> Entry:
    first = some[0]
    kind, facility = kind_of(first), chart.facility(first)
    is_measured = first.resourceType == "Observation"
    return Entry(
        when=reading.when(first, chart.zone),
        kind=kind,
        title=_(KINDS[kind]) if is_measured else _words(first),
        place=facility.name,
        place_id=facility.id,
        icon=_ICONS[kind],
        details=tuple(_details(some)) if is_measured else (),
    )


def _words(r: Any) -> str:
    return _WORDS[r.resourceType](r)


def _report(r: r4.DiagnosticReport) -> str:
    return f"{reading.words(r.code)}: {r.conclusion}" if r.conclusion else reading.words(r.code)


def _vaccine(r: r4.Immunization) -> str:
    number = next((p.doseNumberPositiveInt for p in r.protocolApplied or () if p.doseNumberPositiveInt), None)
    name = reading.words(r.vaccineCode)
    return _("%(name)s, dose %(number)s", name=name, number=number) if number else name


def _value(r: Any) -> str:
    """Name a value with its amount: `Pulse 72 /min`, or that of each part, as `Blood pressure 150/90 mmHg`."""
    parts = [found for part in r.component or () if (found := reading.amount(part))]
    if len(parts) > 1 and len({unit for _amount, unit in parts}) == 1:
        amounts = "/".join(_number(amount) for amount, _unit in parts)
        return f"{reading.words(r.code)} {amounts} {parts[0][1]}".strip()
    one = reading.amount(r)
    told = f"{_number(one[0])} {one[1]}" if one else reading.told(r)
    inside = ", ".join(_value_of_part(part) for part in r.component or ())
    return " ".join(part for part in (reading.words(r.code), told, inside) if part).strip()


def _number(value: Decimal) -> str:
    """Write a number; what a machine worked out to many places is cut to two."""
    exponent = value.as_tuple().exponent
    return as_number(value, 2) if isinstance(exponent, int) and exponent < -4 else as_number(value)


def _value_of_part(part: Any) -> str:
    one = reading.amount(part)
    return f"{reading.words(part.code)} {f'{_number(one[0])} {one[1]}' if one else reading.told(part)}".strip()


_WORDS: Mapping[str, Callable[[Any], str]] = {
    "Condition": lambda r: reading.words(r.code),
    "Observation": _value,
    "Media": lambda r: (r.content and r.content.title) or _("Photograph"),
    "MedicationRequest": lambda r: reading.words(r.medicationCodeableConcept),
    "DiagnosticReport": _report,
    "Immunization": _vaccine,
    "DocumentReference": lambda r: r.description or reading.words(r.type),
    "ImagingStudy": lambda r: r.description or _("Images"),
    "Procedure": lambda r: reading.words(r.code),
}
