"""Pages of the chart: summary, timeline, results with graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Response, get
from litestar.params import FromPath, FromQuery

from yersin.fhir.problem import problem
from yersin.search.page import Found, Query
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest
from yersin.web.wording import as_date

from . import graph, reading, timeline
from .chart import VITALS, Chart, load, of_category, summary
from .facing import access_of, chart_page, day, day_of, filled, now
from .measures import Measured, Series, series
from .strip import LABELS, readings, spark
from .vitals import BY_CODE, Limits, limits

_READ = {"permission": "chart.read"}
_RESULTS = 1000


@get("/records/{patient:str}", opt=_READ)
async def show_summary(request: AnyRequest, patient: FromPath[str]) -> Response[bytes]:
    """Show the summary of a chart."""
    chart = await load(access_of(request), patient, summary(now().date()), vitals=VITALS)
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
        may_correct=access_of(request).may("person.register"),
    )


def _draft_done(request: AnyRequest, patient: FromPath[str]) -> str:
    """Name the draft whose work this page follows, for the browser to forget."""
    if "recorded" in request.query_params:
        return f"vitals-{patient}"
    if "corrected" in request.query_params:
        return f"person-{patient}"
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
    request: AnyRequest, patient: FromPath[str], kind: FromQuery[str] = "", place: FromQuery[str] = "",
    before: FromQuery[str] = "",
) -> Response[bytes]:  # fmt: skip
    """Show everything by date, from a day back."""
    kind = kind if kind in timeline.KINDS else ""
    paged = await timeline.paged(access_of(request), patient, kind=kind, place=place, before=day_of(before))
    return await chart_page(
        request,
        "records/timeline.html",
        paged.chart,
        here="/timeline",
        paged=paged,
        kinds=timeline.KINDS,
        kind=kind,
        place=place,
        before=day_of(before),
    )


def _newest(query: Query, before: date | None) -> Query:
    pairs = [("date", f"lt{before.isoformat()}")] if before else []
    return replace(query, criteria=(*query.criteria, *Query.of(query.type, pairs).criteria))


def _going_on(found: Found, zone: ZoneInfo) -> date | None:
    """Give the day before which there are earlier values; the day that a page ends in comes whole on the next."""
    last = reading.when(found.versions[-1].resource(), zone) if found.after else None
    return last.astimezone(zone).date() + timedelta(days=1) if last else None


@get("/records/{patient:str}/results", opt=_READ)
async def show_results(request: AnyRequest, patient: FromPath[str], before: FromQuery[str] = "") -> Response[bytes]:
    """Show laboratory results by test, the latest value of each with its trend."""
    access = access_of(request)
    chart = await load(access, patient)
    found = await access.search(_newest(of_category(patient, "laboratory", _RESULTS), day_of(before)))
    rows = series([v.resource() for v in found.versions], chart.zone)
    return await chart_page(
        request,
        "records/results.html",
        chart,
        here="/results",
        rows=rows,
        spark=spark,
        before=day_of(before),
        earlier=_going_on(found, chart.zone),
    )


@get("/records/{patient:str}/results/{code:str}", opt=_READ)
async def show_result(
    request: AnyRequest, patient: FromPath[str], code: FromPath[str], before: FromQuery[str] = ""
) -> Response[bytes]:
    """Show the values of one code as a graph and a table."""
    access = access_of(request)
    chart = await load(access, patient)
    pairs = [("patient", f"Patient/{patient}"), ("code", code), ("_sort", "-date"), ("_count", str(_RESULTS))]
    found = await access.search(_newest(Query.of("Observation", pairs), day_of(before)))
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
        code=code,
        before=day_of(before),
        earlier=_going_on(found, chart.zone),
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
