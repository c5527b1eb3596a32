"""What every page of a chart shows: the banner that never scrolls away, the sections, and what other rooms put there."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from litestar import Response

from yersin.fhir import dates
from yersin.guard.access import Access
from yersin.room import Slot, slots_of
from yersin.web.language import gettext as _
from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name
from yersin.web.shell import AnyRequest, page
from yersin.web.wording import as_age, as_date, zone

from . import reading
from .chart import Chart
from .measures import span

NUMBERS = (
    ("http://fhir.ehealth.gov.vn/core/sid/national_id", N_("Personal no.")),
    ("http://fhir.ehealth.gov.vn/core/sid/insurance_number", N_("Insurance card")),
)
_SECTIONS = (
    ("", N_("Summary")),
    ("/timeline", N_("Timeline")),
    ("/results", N_("Results")),
    ("/documents", N_("Documents")),
    ("/images", N_("Images")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A slot with what its room gathered for it."""

    template: str
    slot: Any


def access_of(request: AnyRequest) -> Access:
    """Access of the person signed in."""
    access: Access = request.scope["state"]["access"]
    return access


def now() -> datetime:
    """The moment of this request, in the facility's zone."""
    return datetime.now(UTC).astimezone(zone.get())


async def filled(request: AnyRequest, place: str, subject: Any) -> list[Filled]:
    """Gather what other rooms offer for a place on this page."""
    access = access_of(request)
    slots = [s for s in slots_of(request.app.state.rooms, place) if not s.permission or access.may(s.permission)]
    return [Filled(template=s.template, slot=await _gathered(s, request, subject)) for s in slots]


async def _gathered(slot: Slot, request: AnyRequest, subject: Any) -> Any:
    found = slot.gather(request, subject) if slot.gather else subject
    return await found if inspect.isawaitable(found) else found


async def chart_page(
    request: AnyRequest, template: str, chart: Chart, *, here: str = "", status: int = 200, **context: Any
) -> Response[bytes]:
    """Show a page of a chart. `closed("Condition")` says that none of these types is shared with who looks."""
    shared = await access_of(request).shared(chart.id)
    return page(
        request,
        template,
        status=status,
        title=_("Record"),
        styles=["records/chart", *context.pop("styles", ())],
        modules=context.pop("modules", ()),
        chart=chart,
        banner=banner(chart),
        sections=sections(chart, here),
        actions=await filled(request, "chart.actions", chart),
        limited=shared is not None,
        closed=lambda *types: shared is not None and not shared.intersection(types),
        words=reading.words,
        span=span,
        **context,
    )


def sections(chart: Chart, here: str) -> Sequence[Mapping[str, Any]]:
    """List the sections of a chart."""
    return [
        {"label": _(label), "href": f"/records/{chart.id}{path}", "here": path == here} for path, label in _SECTIONS
    ]


def banner(chart: Chart) -> Mapping[str, Any]:
    """What the banner shows."""
    patient = chart.patient
    numbers = {i.system: i.value for i in patient.identifier or ()}
    return {
        "name": chart.name,
        "sex": {"male": _("Male"), "female": _("Female")}.get(patient.gender or "", _("Other")),
        "age": _("deceased") if patient.deceasedDateTime or patient.deceasedBoolean else _age(chart),
        "birth_date": "/".join(reversed(chart.born.split("-"))),
        "identifiers": [(_(label), spaced(numbers[system] or "")) for system, label in NUMBERS if system in numbers],
        "flags": [*_allergies(chart), *({"kind": "warn", "text": reading.words(f.code)} for f in chart.flags)],
        "href": f"/records/{chart.id}",
    }


def _age(chart: Chart) -> str:
    if len(chart.born) == 10:
        return as_age(date.fromisoformat(chart.born), chart.today)
    return _("about %(num)s years old", num=int(chart.age)) if chart.born else ""


def _allergies(chart: Chart) -> list[Mapping[str, str]]:
    return [
        {
            "kind": "danger" if a.criticality == "high" else "warn",
            "text": _("Allergy: %(what)s", what=reading.words(a.code)),
        }
        for a in chart.allergies
    ]


def spaced(number: str) -> str:
    """Write a long number in groups of three or so, to be read aloud."""
    if len(number) == 12 and number.isdecimal():
        return f"{number[:3]} {number[3:6]} {number[6:9]} {number[9:]}"
    return f"{number[:3]} {number[3:5]} {number[5:10]} {number[10:]}" if len(number) == 15 else number


def day(text: str | None) -> str:
    """Write a FHIR date as it is known: day, month or year."""
    if not text:
        return ""
    return "/".join(reversed(text[:10].split("-"))) if len(text) <= 10 else as_date(dates.span(text, UTC).lo)


def day_of(text: str) -> date | None:
    """Read a day from an address; None for anything else."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
