"""Pages of the centre: the nation, one number with its definition, and the table for download.

Filters stand in the address: they are codes of places and periods, never of patients, so a view can be kept and sent on.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath

from yersin.fhir.problem import problem
from yersin.guard import audit
from yersin.guard.access import Access
from yersin.views.feed import resolved
from yersin.views.pseudonyms import Pseudonyms
from yersin.web import language
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, fragment, page

from . import charts, exports, figures, rules, wording
from .figures import Figures, Filters
from .indicators import INDICATORS

_ENTITLED = {"permission": "figures.read"}
_STYLES = ["centre/nation"]
_NAMES = ("period", "province", "activity", "facility", "compare")


def access_of(request: AnyRequest) -> Access:
    """Access of the person signed in."""
    access: Access = request.scope["state"]["access"]
    return access


def chosen(request: AnyRequest) -> dict[str, str]:
    """Filters as the address gives them; what is not known is left out."""
    given = {name: request.query_params.get(name, "") for name in _NAMES}
    return {
        "period": given["period"] if given["period"] in rules.PERIODS else "30",
        "province": given["province"] if given["province"] in wording.provinces() else "",
        "activity": given["activity"][:40],
        "facility": given["facility"] if _key(given["facility"]) else "",
        "compare": given["compare"] if given["compare"] in rules.COMPARISONS else "before",
    }


def _key(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def filters_of(request: AnyRequest, given: dict[str, str]) -> Filters:
    """Filters with the period they mean today, in the country's time zone."""
    today = datetime.now(access_of(request).ground.zone).date()
    period = rules.period(given["period"], today)
    return Filters(
        period=period,
        compare=rules.compared(period, given["compare"]),
        province=given["province"],
        activity=given["activity"],
        facility=_key(given["facility"]),
    )


class Links:
    """Addresses that keep the filters and change some."""

    def __init__(self, given: dict[str, str]) -> None:
        self._given = given

    def query(self, **changed: object) -> str:
        """Query string without what is empty or usual."""
        values = {**self._given, **{name: str(value) for name, value in changed.items()}}
        kept = {k: v for k, v in values.items() if v and (k, v) not in (("period", "30"), ("compare", "before"))}
        return f"?{urlencode(kept)}" if kept else ""

    def nation(self, **changed: object) -> str:
        """The national page."""
        return f"/centre{self.query(**changed)}"

    def number(self, indicator: str, **changed: object) -> str:
        """The page of one number."""
        return f"/centre/numbers/{indicator}{self.query(**changed)}"


async def _context(request: AnyRequest) -> dict[str, Any]:
    given = chosen(request)
    found = await figures.gather(access_of(request), filters_of(request, given))
    return {
        "given": given, "links": Links(given), "f": found, "now": found.now, "then": found.then, "words": wording,
        "rules": rules, "indicators": INDICATORS, "lang": language.current(), "urgencies": figures.URGENCIES,
    }  # fmt: skip


def _drawn(found: Figures) -> dict[str, Any]:
    filters = found.filters
    return {
        "columns": charts.by_day(filters.period, found.now.days, found.then.days, filters.compare),
        "squares": charts.squares(found.now.provinces),
        "map_size": charts.map_size(),
        "tile": (charts.TILE_WIDTH, charts.TILE_HEIGHT),
        "provinces": wording.provinces(),
    }


@get("/centre", opt=_ENTITLED)
async def nation(request: AnyRequest) -> Response[bytes]:
    """The nation at a glance."""
    access = access_of(request)
    await access.record(audit.Entry(interaction="figures"))
    context = await _context(request)
    key = _key(context["given"]["facility"])
    return page(
        request,
        "centre/nation.html",
        title=_("The nation"),
        styles=_STYLES,
        modules=["centre/nation"],
        narrowed=await figures.facility(access, key) if key else None,
        activities=await figures.activities(access),
        **context,
        **_drawn(context["f"]),
    )


@get("/centre/figures", opt=_ENTITLED)
async def fresh(request: AnyRequest) -> Response[bytes]:
    """The figures again, for the page that watches."""
    context = await _context(request)
    return fragment(request, "centre/nation.html", "figures", **context, **_drawn(context["f"]))


@get("/centre/as-of", opt=_ENTITLED)
async def as_of(request: AnyRequest) -> Response[bytes]:
    """The moment up to which figures are whole; says to the page when they have changed since it looked."""
    standing = await figures.freshness(access_of(request))
    answer = fragment(request, "centre/nation.html", "as_of", standing=standing, given=chosen(request), words=wording)
    if request.query_params.get("seen") != str(standing.changed.timestamp()):
        answer.headers["HX-Trigger"] = "figures-changed"
    return answer


@get("/centre/numbers/{indicator:str}", opt=_ENTITLED)
async def number(request: AnyRequest, indicator: FromPath[str]) -> Response[bytes]:
    """One number: its definition, its moment, its value and, for those allowed, its list."""
    if indicator not in INDICATORS:
        raise problem("not-found", _("There is no such figure."), status=404)
    access = access_of(request)
    await access.record(audit.Entry(interaction="figures"))
    context = await _context(request)
    listed = await _list(access, context["f"].filters) if access.may("figures.list") else None
    key = _key(context["given"]["facility"])
    return page(
        request, "centre/number.html", title=INDICATORS[indicator].name.spoken(language.current()), styles=_STYLES,
        indicator=INDICATORS[indicator], listed=listed, narrowed=await figures.facility(access, key) if key else None,
        **context,
    )  # fmt: skip


async def _list(access: Access, filters: Filters) -> list[dict[str, Any]] | None:
    """Requests of the asker's own facility; those whose chart the guard opens to the asker say so."""
    if access.who.organization is None:
        return None
    key = Pseudonyms(access.ground.keys).of_row(access.who.organization)
    rows = await figures.own(access, filters, key)
    seen = await resolved(access.ground, access.scope, "ServiceRequest", [row["row_key"] for row in rows])
    await access.record(audit.Entry(interaction="list", type="ServiceRequest", patients=sorted({v.pat for v in seen})))
    return [dict(row) for row in rows]


@get("/centre/export.csv", opt=_ENTITLED)
async def export(request: AnyRequest) -> Response[bytes]:
    """One table of the page as CSV."""
    access = access_of(request)
    await access.record(audit.Entry(interaction="figures"))
    context = await _context(request)
    name = request.query_params.get("table", "days")
    if name not in exports.TABLES:
        raise problem("not-found", _("There is no such table."), status=404)
    period = context["f"].filters.period
    return Response(
        content=exports.csv(exports.TABLES[name](context["f"]), context["f"]),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="yersin-{name}-{period.since}-{period.until}.csv"'},
    )
