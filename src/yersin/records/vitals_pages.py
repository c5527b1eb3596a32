"""Pages that record vital signs, and end the visit they were taken in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.guard.writing import Update
from yersin.web import forms
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, redirect
from yersin.web.wording import as_number

from . import capture, reading
from .capture import VitalSigns
from .chart import GOING, VITALS, Chart, load
from .facing import access_of, chart_page, now
from .strip import LABELS, unit
from .vitals import SIGNS, Before, Fault, Level, Remark, limits

_WRITE = {"permission": "chart.write"}


@get("/records/{patient:str}/vitals/new", opt=_WRITE)
async def show_vitals_form(request: AnyRequest, patient: FromPath[str]) -> Response[bytes]:
    """Show the form for vital signs, empty."""
    chart = await load(access_of(request), patient, (GOING,), vitals=VITALS)
    return await _vitals_form(request, chart, forms.blank(VitalSigns))


@post("/records/{patient:str}/vitals", opt=_WRITE, status_code=200)
async def record_vitals(request: AnyRequest, patient: FromPath[str]) -> Response[bytes] | Redirect:
    """Record vital signs: the impossible is refused, the unusual asked about, the rest written once."""
    access = access_of(request)
    chart = await load(access, patient, (GOING,), vitals=VITALS)
    bound = await forms.read(request, VitalSigns)
    if bound.value is None:
        return await _vitals_form(request, chart, bound)
    form, moment = bound.value, now()
    if not form.values:
        return await _vitals_form(request, chart, bound.with_error("systolic", _("Measure at least one thing")))
    judged = capture.asked(form, chart.age, _before(chart), moment)
    for remark in judged.refused:
        bound = bound.with_error(remark.field, refusal(remark))
    if judged.refused or judged.open:
        return await _vitals_form(request, chart, bound, form=form, remarks=judged.open if not judged.refused else ())
    context = capture.Context(
        patient=patient,
        age=chart.age,
        now=moment,
        performer=_performer(request),
        encounter=_own_visit(request, chart),
    )
    await capture.record(access, patient, bound.key, form, context)
    return redirect(f"/records/{patient}?recorded=1")


async def _vitals_form(
    request: AnyRequest,
    chart: Chart,
    bound: forms.Bound[VitalSigns],
    *,
    form: VitalSigns | None = None,
    remarks: Sequence[Remark] = (),
) -> Response[bytes]:
    return await chart_page(
        request,
        "records/vitals.html",
        chart,
        status=422 if bound.errors or remarks else 200,
        modules=["records/vitals"],
        bound=bound,
        signs=SIGNS,
        unit=unit,
        before=_before(chart),
        limits={name: limits(name, chart.age, chart.today) for name in SIGNS},
        remarks=[(r, capture.token(r, form), doubt(r)) for r in remarks] if form else [],
        kept=form.confirmed if form else (),
    )


def _before(chart: Chart) -> Mapping[str, Before]:
    measured = chart.measured()
    return {name: Before(value=m[0].value, day=m[0].when.date()) for name, m in measured.items()}


def _performer(request: AnyRequest) -> r4.Reference | None:
    who = access_of(request).who
    return (
        r4.Reference(reference=f"Practitioner/{who.practitioner_id}", display=who.display)
        if who.practitioner_id
        else None
    )


def _own_visit(request: AnyRequest, chart: Chart) -> str:
    """Give the visit that goes on at the asker's own facility."""
    own = access_of(request).who.organization_id
    going = (e for e in chart.all("Encounter") if e.status == "in-progress" and reading.id_of(e.serviceProvider) == own)
    return next((e.id or "" for e in going), "")


def refusal(remark: Remark) -> str:
    """Say why a value cannot be."""
    sign = SIGNS[remark.field]
    if remark.fault is Fault.REVERSED:
        return _("The lower value must be less than the upper. Were they exchanged?")
    if remark.fault is Fault.ALONE:
        return _("Blood pressure needs both values")
    least, most = as_number(sign.least), as_number(sign.most)
    return _(
        "%(value)s %(unit)s cannot be: it must lie between %(least)s and %(most)s. Measure again or correct it.",
        value=as_number(remark.value), unit=unit(remark.field), least=least, most=most,
    )  # fmt: skip


def doubt(remark: Remark) -> str:
    """Say what is unusual about a value."""
    name, value = _(LABELS[remark.field]), f"{as_number(remark.value)} {unit(remark.field)}"
    if remark.fault is Fault.UNLIKE_BEFORE:
        return _(
            "%(name)s %(value)s: last time it was %(before)s", name=name, value=value, before=as_number(remark.before)
        )
    if remark.fault is Fault.UNLIKELY_BUILD:
        return _("Weight and height give a body mass index of %(value)s", value=as_number(remark.value))
    text = (
        _("%(name)s %(value)s is critically high")
        if remark.level is Level.CRITICAL_HIGH
        else _("%(name)s %(value)s is critically low")
    )
    return text % {"name": name, "value": value}


@post("/records/{patient:str}/visits/{visit:str}/finish", opt=_WRITE, status_code=200)
async def finish_visit(request: AnyRequest, patient: FromPath[str], visit: FromPath[str]) -> Redirect:
    """End a visit of one's own facility; the record stays open to it for a week."""
    access = access_of(request)
    version = await access.read("Encounter", visit)
    encounter = version.resource()
    assert isinstance(encounter, r4.Encounter)  # noqa: S101 - that was the type read
    own = reading.id_of(encounter.serviceProvider) == access.who.organization_id
    if not own or reading.id_of(encounter.subject) != patient:
        raise problem("forbidden", "Only the facility whose visit it is can end it.", status=403)
    if encounter.status == "in-progress":
        encounter.status = "finished"
        start = encounter.period.start if encounter.period else None
        end = max(now(), reading.moment(start, access.ground.zone) or now())
        encounter.period = r4.Period(start=start, end=end.isoformat(timespec="seconds"))
        await access.write([Update(resource=encounter, expected=version.ver)])
    return redirect(f"/records/{patient}")


PAGES = (show_vitals_form, record_vitals, finish_visit)
