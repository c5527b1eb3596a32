"""Pages of the chart: summary, timeline, results with graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Response, get

from yersin.fhir.problem import problem
from yersin.search.page import Query
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest
from yersin.web.wording import as_date

from . import graph, reading, timeline
from .chart import BANNER, SUMMARY, TIMELINE, VITALS, Chart, load, of_category
from .facing import access_of, chart_page, day, filled
from .measures import Measured, Series, series
from .strip import LABELS, readings, spark
from .vitals import BY_CODE, Limits, limits

_READ = {"permission": "chart.read"}
_RESULTS = 1000


@get("/records/{patient:str}", opt=_READ)
async def show_summary(request: AnyRequest, patient: str) -> Response[bytes]:
    """Show the summary of a chart."""
    chart = await load(access_of(request), patient, SUMMARY, vitals=VITALS)
    return await chart_page(
        request,
        "records/summary.html",
        chart,
        readings=readings(chart),
        panels=await filled(request, "chart.panels", chart),
        visit=chart.visit,
        may_write=access_of(request).may("chart.write"),
        done=_draft_done(request, patient),
        day=day,
        person=_person(chart),
    )


def _draft_done(request: AnyRequest, patient: str) -> str:
    """Name the draft whose work this page follows, for the browser to forget."""
    if "recorded" in request.query_params:
        return f"vitals-{patient}"
    return "registry-new" if "registered" in request.query_params else ""


def _person(chart: Chart) -> list[tuple[str, str]]:
    patient = chart.patient
    return [
        (_("Telephone"), next((t.value or "" for t in patient.telecom or () if t.system == "phone"), "")),
        (
            _("Address"),
            next((a.text or ", ".join(p for p in (a.district, a.state) if p) for a in patient.address or ()), ""),
        ),
        *((words_of(c), c.name.text or "") for c in patient.contact or () if c.name is not None),
        (_("Kept by"), (patient.managingOrganization and patient.managingOrganization.display) or ""),
    ]


def words_of(contact: Any) -> str:
    """Name the relation of a contact to the patient."""
    relation = next((reading.words(c) for c in contact.relationship or ()), "")
    return {"MTH": _("Mother"), "FTH": _("Father"), "GRPRN": _("Grandparent"), "GUARD": _("Guardian")}.get(
        relation, relation
    )


@get("/records/{patient:str}/timeline", opt=_READ)
async def show_timeline(
    request: AnyRequest, patient: str, kind: str = "", place: str = "", number: int = 1
) -> Response[bytes]:
    """Show everything by date."""
    chart = await load(access_of(request), patient, TIMELINE)
    paged = timeline.paged(chart, kind=kind if kind in timeline.KINDS else "", place=place, number=max(1, number))
    return await chart_page(
        request,
        "records/timeline.html",
        chart,
        here="/timeline",
        paged=paged,
        kinds=timeline.KINDS,
        kind=kind,
        place=place,
    )


@get("/records/{patient:str}/results", opt=_READ)
async def show_results(request: AnyRequest, patient: str) -> Response[bytes]:
    """Show laboratory results by test, the latest value of each with its trend."""
    access = access_of(request)
    chart = await load(access, patient, BANNER)
    found = await access.search(of_category(patient, "laboratory", _RESULTS))
    rows = series([v.resource() for v in found.versions], chart.zone)
    return await chart_page(request, "records/results.html", chart, here="/results", rows=rows, spark=spark)


@get("/records/{patient:str}/results/{code:str}", opt=_READ)
async def show_result(request: AnyRequest, patient: str, code: str) -> Response[bytes]:
    """Show all values of one code as a graph and a table."""
    access = access_of(request)
    chart = await load(access, patient, (*BANNER, "Encounter"))
    pairs = [("patient", f"Patient/{patient}"), ("code", code), ("_sort", "-date"), ("_count", str(_RESULTS))]
    found = await access.search(Query.of("Observation", pairs))
    kept = series([v.resource() for v in found.versions], chart.zone)
    if not kept:
        raise problem("not-found", "There are no values of this code in the record.", status=404)
    band = _band(chart, kept[0])
    return await chart_page(
        request,
        "records/result.html",
        chart,
        here="/results",
        kept=kept,
        name=_name(code, kept),
        band=band,
        drawn=_drawn(chart, kept, band),
        level_of=lambda one, s: _level(chart, one, s),
    )


def _name(code: str, kept: Sequence[Series]) -> str:
    if code == "85354-9":
        return _("Blood pressure")
    return _(LABELS[BY_CODE[code].field]) if code in BY_CODE else kept[0].name


def _band(chart: Chart, first: Series) -> Limits | Measured | None:
    """Usual range: of the age for a vital sign, else as the laboratory gave it last."""
    if first.code in BY_CODE:
        return limits(BY_CODE[first.code].field, chart.age, chart.today)
    return next((m for m in first.values if m.low is not None or m.high is not None), None)


def _level(chart: Chart, one: Measured, of: Series) -> str:
    found = one.level_of(BY_CODE[of.code].field, chart.age) if of.code in BY_CODE else one.level
    return found.value


def _drawn(chart: Chart, kept: Sequence[Series], band: Limits | Measured | None) -> Any:
    lines = [
        graph.Line(name=s.name, points=[(m.when, m.value, _level(chart, m, s)) for m in reversed(s.values)])
        for s in kept
        if s.values
    ]
    low, high = (band.low, band.high) if band and len(lines) == 1 else (None, None)
    if not any(line.points for line in lines):
        return ""
    dates = [when for line in lines for when, *_rest in line.points]
    first, last = as_date(min(dates)), as_date(max(dates))
    label = _(
        "%(name)s from %(first)s to %(last)s; the table below holds every value",
        name=kept[0].name,
        first=first,
        last=last,
    )
    return graph.graph(lines, low, high, label)


PAGES = (show_summary, show_timeline, show_results, show_result)
