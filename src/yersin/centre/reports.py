"""Figures as a MeasureReport: the numbers of the page for programs. A count that the page hides is masked here.

Sources: https://hl7.org/fhir/R4/measurereport.html, https://hl7.org/fhir/R4/extension-data-absent-reason.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import Decimal
from typing import Any
from uuid import UUID

from yersin.fhir import r4
from yersin.registry.units_fhir import UNIT_CODES
from yersin.store.versions import instant
from yersin.views.indicators import Indicator

from . import measures, rules, wording
from .figures import Count, Cuts, Figures, Held
from .rules import Period

FACILITY = "urn:yersin:extension:facility"
SOURCE = "urn:yersin:extension:population-source"
UNCOUNTED = "urn:yersin:extension:uncounted"
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_SEX = "http://hl7.org/fhir/administrative-gender"
_URGENCY = "http://hl7.org/fhir/request-priority"
_UNITS = {"%": "%", "min": "phút"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Numbers of a group or of a line of a table: counts by population (None is hidden), and the score with its unit."""

    counts: Mapping[str, int | None]
    score: float | None = None
    unit: str = "%"
    #: where the number of a population comes from
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a report is about. `organizations` are the ids of facilities by their keys."""

    indicator: Indicator
    asked: Period
    subject: str
    organizations: Mapping[UUID, str]


def report(figures: Figures, wanted: Wanted) -> r4.MeasureReport:
    """Make the report. While views are being filled it is pending."""
    standing, indicator = figures.standing, wanted.indicator
    return r4.MeasureReport(
        language="vi",
        extension=_extensions(figures, wanted) or None,
        status="pending" if standing.filling else "complete",
        type="summary",
        measure=measures.canonical(indicator),
        subject=r4.Reference(reference=wanted.subject) if wanted.subject.startswith("Location/") else None,
        date=instant(standing.as_of.astimezone(UTC)),
        reporter=r4.Reference(display=indicator.owner.vi),
        period=r4.Period(start=wanted.asked.since.isoformat(), end=wanted.asked.until.isoformat()),
        improvementNotation=measures.improvement(indicator),
        group=[_group(figures, wanted)],
    )


def _extensions(figures: Figures, wanted: Wanted) -> list[r4.Extension]:
    """A report cannot name an Organization as its subject, so an extension does; nor say what could not be counted."""
    made = []
    if wanted.subject.startswith("Organization/"):
        made.append(r4.Extension(url=FACILITY, valueReference=r4.Reference(reference=wanted.subject)))
    if figures.standing.refused:
        made.append(r4.Extension(url=UNCOUNTED, valueUnsignedInt=figures.standing.refused))
    return made


def _group(figures: Figures, wanted: Wanted) -> r4.MeasureReportGroup:
    whole = _whole(figures, wanted.indicator.id)
    shape = measures.SHAPES[wanted.indicator.id]
    tables = [_table(code, _LINES[code](figures, wanted)) for code in shape.stratifiers]
    if shape.components:
        tables.append(_people(figures.now.people))
    return r4.MeasureReportGroup(
        population=[
            r4.MeasureReportGroupPopulation(code=measures.population(code), **_count(whole, code))
            for code in whole.counts
        ],
        measureScore=_score(whole),
        stratifier=tables,
    )


def _whole(figures: Figures, indicator: str) -> Part:
    whole = figures.now.whole
    if indicator == "facilities":
        counts = {"denominator": figures.connected, "numerator": whole.facilities}
        return Part(counts=counts, score=rules.share(whole.facilities, figures.connected))
    return _held(figures.whole_held) if indicator == "records" else _part(indicator, whole)


def _part(indicator: str, count: Count) -> Part:
    """Numbers of an indicator in one cut of the consultations."""
    asked, answered = count.asked, count.answered
    if indicator == "answered":
        counts = {"initial-population": asked, "denominator": asked, "numerator": answered}
        return Part(counts=counts, score=rules.share(answered, asked))
    if indicator in ("median", "slow"):
        score = count.median if indicator == "median" else count.slow
        return Part(counts={"initial-population": asked, "measure-population": answered}, score=score, unit="min")
    if indicator == "facilities":
        return Part(counts={"numerator": count.facilities})
    return Part(counts={"initial-population": asked})


def _held(held: Held) -> Part:
    counts = {"initial-population": held.registered, "numerator": held.held}
    if held.population is None:
        return Part(counts=counts)
    source = f"{held.population.source}, {held.population.as_of.isoformat()}"
    return Part(
        counts={**counts, "denominator": held.population.people},
        score=held.share_of_population,
        sources={"denominator": source},
    )


# --- tables --------------------------------------------------------------------------------------------------------

Line = tuple[r4.CodeableConcept, str, Part]


def _cut(counts: Iterable[tuple[r4.CodeableConcept, str, Count]], indicator: str) -> Iterable[Line]:
    return ((value, facility, _part(indicator, count)) for value, facility, count in counts)


def _days(figures: Figures, wanted: Wanted) -> Iterable[Line]:
    counted: Mapping[date, Count] = figures.now.days
    days = figures.filters.period.all_days()
    return _cut(((_text(d.isoformat()), "", counted.get(d, Count())) for d in days), wanted.indicator.id)


def _provinces(figures: Figures, wanted: Wanted) -> Iterable[Line]:
    counted = figures.now.provinces
    return _cut(((_province(code), "", counted.get(code, Count())) for code in figures.held), wanted.indicator.id)


def _residences(figures: Figures, _wanted: Wanted) -> Iterable[Line]:
    return ((_province(code), "", _held(held)) for code, held in figures.held.items())


def _facilities(of: Callable[[Cuts], Mapping[UUID, Count]]) -> Callable[[Figures, Wanted], Iterable[Line]]:
    def lines(figures: Figures, wanted: Wanted) -> Iterable[Line]:
        named = {key: place.name for key, place in figures.places.items()}
        counted = (
            (_text(named.get(key) or wording.province("")), wanted.organizations.get(key, ""), count)
            for key, count in of(figures.now).items()
        )
        return _cut(counted, wanted.indicator.id)

    return lines


def _specialties(figures: Figures, wanted: Wanted) -> Iterable[Line]:
    counted = figures.now.specialties.items()
    named = ((_coded("", code, wording.specialty(count, code)), "", count) for code, count in counted)
    return _cut(named, wanted.indicator.id)


def _urgencies(figures: Figures, wanted: Wanted) -> Iterable[Line]:
    named = ((_coded(_URGENCY, code), "", count) for code, count in figures.now.urgencies.items())
    return _cut(named, wanted.indicator.id)


_LINES: Mapping[str, Callable[[Figures, Wanted], Iterable[Line]]] = {
    "day": _days,
    "province": _provinces,
    "facility": _facilities(lambda cuts: cuts.askers),
    "answering-facility": _facilities(lambda cuts: cuts.hubs),
    "specialty": _specialties,
    "urgency": _urgencies,
    "residence": _residences,
}


def _table(code: str, lines: Iterable[Line]) -> r4.MeasureReportGroupStratifier:
    made = [_stratum(*line) for line in lines]
    return r4.MeasureReportGroupStratifier(code=[measures.stratifier(code)], stratum=made or None)


def _stratum(value: r4.CodeableConcept, facility: str, part: Part) -> r4.MeasureReportGroupStratifierStratum:
    named = r4.Reference(reference=f"Organization/{facility}", display=value.text) if facility else None
    return r4.MeasureReportGroupStratifierStratum(
        extension=[r4.Extension(url=FACILITY, valueReference=named)] if named else None,
        value=value,
        population=_counts(part),
        measureScore=_score(part),
    )


def _people(counts: Mapping[tuple[int, str], int | None]) -> r4.MeasureReportGroupStratifier:
    """Age and sex together: each line is of two components."""
    lines = sorted(counts.items())
    made = [_person(band, sex, Part(counts={"initial-population": count})) for (band, sex), count in lines]
    codes = [measures.stratifier("age"), measures.stratifier("sex")]
    return r4.MeasureReportGroupStratifier(code=codes, stratum=made or None)


def _person(band: int, sex: str, part: Part) -> r4.MeasureReportGroupStratifierStratum:
    values = {"age": _text(wording.band(band)), "sex": _coded(_SEX, sex)}
    components = [
        r4.MeasureReportGroupStratifierStratumComponent(code=measures.stratifier(code), value=value)
        for code, value in values.items()
    ]
    return r4.MeasureReportGroupStratifierStratum(component=components, population=_counts(part))


# --- numbers -------------------------------------------------------------------------------------------------------


def _counts(part: Part) -> list[r4.MeasureReportGroupStratifierStratumPopulation]:
    return [
        r4.MeasureReportGroupStratifierStratumPopulation(code=measures.population(code), **_count(part, code))
        for code in part.counts
    ]


def _count(part: Part, code: str) -> dict[str, Any]:
    """Count of a population with where it comes from; one that is hidden says so."""
    source, count = part.sources.get(code), part.counts[code]
    told = {"extension": [r4.Extension(url=SOURCE, valueString=source)]} if source else {}
    if count is None:
        return {"count_ext": r4.Element(extension=[r4.Extension(url=_ABSENT, valueCode="masked")]), **told}
    return {"count": count, **told}


def _score(part: Part) -> r4.Quantity | None:
    if part.score is None:
        return None
    value = Decimal(f"{part.score:.3f}".rstrip("0").rstrip("."))
    return r4.Quantity(value=value, unit=_UNITS[part.unit], system="http://unitsofmeasure.org", code=part.unit)


def _text(text: str) -> r4.CodeableConcept:
    return r4.CodeableConcept(text=text)


def _coded(system: str, code: str, text: str = "") -> r4.CodeableConcept:
    return r4.CodeableConcept(coding=[r4.Coding(system=system or None, code=code)], text=text or None)


def _province(code: str) -> r4.CodeableConcept:
    return _coded(UNIT_CODES, code, wording.province(code))
