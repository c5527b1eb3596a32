"""`Measure/$evaluate-measure`: the figures of the page as a MeasureReport, for those who may see the page.

Source: https://hl7.org/fhir/R4/measure-operation-evaluate-measure.html
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from yersin.api.messages import Response
from yersin.api.operations import Asked, Input, Operation, answer, returning
from yersin.fhir.dates import day_span
from yersin.fhir.problem import Problem, problem
from yersin.guard import audit
from yersin.guard.access import Access
from yersin.guard.who import Grant
from yersin.store.identity import row_id
from yersin.views.indicators import Indicator
from yersin.views.pseudonyms import Pseudonyms

from . import figures, measures, reports, rules, wording
from .figures import Filters
from .indicators import INDICATORS
from .reports import Wanted
from .rules import Period

#: `population` is the operation's word and `summary` the report's
_REPORTS = ("population", "summary")
_OF_PEOPLE = ("subject", "subject-list", "individual")


async def evaluate(asked: Asked) -> Response:
    """GET or POST [base]/Measure/[id]/$evaluate-measure?periodStart=…&periodEnd=…, or [base]/Measure/$evaluate-measure"""
    access, indicator = asked.request.access, _indicator(asked)
    _require_numbers(asked.given.text("reportType"))
    today = datetime.now(access.ground.zone).date()
    period = _period(asked, indicator, today)
    subject = asked.given.text("subject").removeprefix(f"{asked.request.base}/")
    filters = await _filters(access, indicator, subject, _counted(indicator, period, today))
    await access.record(_entry(indicator))
    found = await figures.gather(access, filters, compares=False)
    wanted = Wanted(
        indicator=indicator,
        asked=period,
        subject=subject,
        organizations=await figures.organizations(access, [*found.now.askers, *found.now.hubs]),
    )
    return answer(reports.report(found, wanted))


def _entry(indicator: Indicator) -> audit.Entry:
    return audit.Entry(interaction="figures", type="Measure", entity=row_id("Measure", indicator.id).id)


def _indicator(asked: Asked) -> Indicator:
    """Return what is to be computed: a resource of the address, or the parameter `measure` where the type was asked."""
    named = asked.given.text("measure")
    if asked.id and named:
        text = f"The address names Measure/{asked.id} already; leave measure out."
        raise problem("invalid", text, expression="measure")
    if not asked.id and not named:
        text = f"Name what to compute: measure={measures.URL}asked, or ask Measure/asked/$evaluate-measure."
        raise problem("required", text, expression="measure")
    address, _, version = named.removeprefix(f"{asked.request.base}/").partition("|")
    code = asked.id or address.removeprefix(measures.URL).removeprefix("Measure/")
    if code not in INDICATORS or version not in ("", measures.VERSION):
        text = f"{asked.id or named} is not computed here. Computed are: {', '.join(INDICATORS)}."
        raise problem("not-found", text, expression="" if asked.id else "measure", status=404)
    return INDICATORS[code]


def _require_numbers(report_type: str) -> None:
    if report_type in _OF_PEOPLE:
        text = (
            f"reportType={report_type}: figures tell numbers, not who is behind them. Ask for summary, or leave it out."
        )
        raise problem("not-supported", text, expression="reportType")
    if report_type and report_type not in _REPORTS:
        raise problem("value", f"reportType={report_type}: write {' or '.join(_REPORTS)}.", expression="reportType")


# --- period --------------------------------------------------------------------------------------------------------


def _period(asked: Asked, indicator: Indicator, today: date) -> Period:
    """Return the period asked for: from the first day that its start means to the last day that its end means."""
    start = day_span(asked.given.text("periodStart")).lo.date()
    end = (day_span(asked.given.text("periodEnd")).hi - timedelta(microseconds=1)).date()
    if end < start:
        raise problem("invalid", f"The period ends ({end}) before it starts ({start}).", expression="periodEnd")
    if start < indicator.valid_from:
        text = f"Measure/{indicator.id} is in force from {indicator.valid_from}; start then or later."
        raise problem("value", text, expression="periodStart")
    if start > today:
        raise problem("value", f"{start} is not yet: start at {today} or before.", expression="periodStart")
    if end.year > today.year:
        raise problem("value", f"{end} lies beyond this year: end at {today} at the latest.", expression="periodEnd")
    return Period(since=start, until=end)


def _counted(indicator: Indicator, asked: Period, today: date) -> Period:
    """Return the days to count: none after today. Refuse periods in which hidden or standing numbers would be told."""
    counted = Period(since=asked.since, until=min(asked.until, today))
    if indicator.id == "records" and asked.until < today:
        text = f"Records are counted as they stand now: choose a period that reaches {today}."
        raise problem("value", text, expression="periodEnd")
    if indicator.id == "people" and not rules.is_shown(counted, today):
        text = (
            "Counts of people are told for whole months and years and for the periods of the page (7, 30 or 90 days up to "
            "today), so that no two reports differ by a few people. Choose one of these."
        )
        raise problem("business-rule", text, expression="periodStart")
    return counted


# --- whom it is narrowed to ------------------------------------------------------------------------------------------


async def _filters(access: Access, indicator: Indicator, subject: str, period: Period) -> Filters:
    compare = rules.compared(period, "before")
    if not subject:
        return Filters(period=period, compare=compare)
    kind, _, logical_id = subject.partition("/")
    if kind not in measures.SHAPES[indicator.id].narrowed_to:
        raise _no_subject(indicator, subject)
    if kind == "Location":
        code = next((unit.code for unit in wording.provinces().values() if unit.id == logical_id), "")
        if not code:
            raise _no_subject(indicator, subject)
        return Filters(period=period, compare=compare, province=code)
    key = Pseudonyms(access.ground.keys).of("Organization", logical_id)
    if await figures.facility(access, key) is None:
        raise problem("not-found", f"{subject} is no facility here.", expression="subject", status=404)
    return Filters(period=period, compare=compare, facility=key)


def _no_subject(indicator: Indicator, subject: str) -> Problem:
    ways = {"Location": "Location/vn-2025-01 (a province)", "Organization": "Organization/[id] (an asking facility)"}
    can = " or ".join(ways[kind] for kind in measures.SHAPES[indicator.id].narrowed_to)
    text = f"subject={subject[:80]}: Measure/{indicator.id} can be narrowed to {can}."
    return problem("not-supported", text, expression="subject")


EVALUATE = Operation(
    name="evaluate-measure",
    definition="http://hl7.org/fhir/OperationDefinition/Measure-evaluate-measure",
    narrower=True,
    title="The figures of a period",
    outputs=returning("MeasureReport"),
    work=evaluate,
    levels=frozenset({"type", "instance"}),
    types=("Measure",),
    inputs=(
        Input(name="periodStart", type="date", required=True),
        Input(name="periodEnd", type="date", required=True),
        Input(name="measure"),
        Input(name="reportType", type="code"),
        Input(name="subject"),
    ),
    permission="figures.read",
    grant=Grant("MeasureReport", "r"),
)
