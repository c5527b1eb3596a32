"""The page of kept views: what each holds, files of them for those who may, and the files that are being made or ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from litestar import Response, get, post

from yersin.api.bulk import flat, jobs, serving
from yersin.api.bulk.jobs import File, Job, Wish
from yersin.fhir.problem import Problem
from yersin.guard import audit
from yersin.guard.access import Access
from yersin.views import kept, parquet
from yersin.views.exporting import PERMISSION
from yersin.views.kept import Source
from yersin.web.forms import Field
from yersin.web.language import N_
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, fragment, page, redirect

PLACE: Final = "/centre/views"
_ENTITLED = {"permission": PERMISSION}
_TEMPLATE = "centre/views.html"
#: what one row of each view is
ROWS: Mapping[str, str] = {
    "answering": N_("A task on a request: who has it, how far it is, when it was done"),
    "consultation": N_("A request of a facility to another: when, how urgent, of what kind, from whom to whom"),
    "facility": N_("A health facility, with kind, level and place"),
    "household": N_("A household: how many people it counts, and its first member"),
    "measurement": N_("An observation: whose, what and when; never its value"),
    "person": N_("A person: year of birth, sex, place, keeper of the record; no name, no day of birth"),
    "post": N_("A post, and the facility it belongs to"),
    "service": N_("A service of a facility, and its specialty"),
    "visit": N_("An encounter: whose, where, when, of what class"),
}
#: kinds of files, and who reads them
KINDS: Mapping[str, tuple[str, str]] = {
    "parquet": ("Parquet", N_("DuckDB, Spark, Python, R: small, with types")),
    "csv": ("CSV", N_("spreadsheets, statistics programs")),
    "ndjson": ("NDJSON", N_("one JSON object a line")),
}


@get(PLACE, opt=_ENTITLED)
async def show(request: AnyRequest) -> Response[bytes]:
    """Every view, and the asker's files."""
    await _access(request).record(audit.Entry(interaction="list", query="views"))
    return await _page(request)


@get(f"{PLACE}/files", opt=_ENTITLED)
async def fresh(request: AnyRequest) -> Response[bytes]:
    """The asker's files again, while some are being made."""
    return fragment(request, _TEMPLATE, "files", **await _files(_access(request)))


@post(PLACE, opt=_ENTITLED, status_code=200)
async def export(request: AnyRequest) -> Response[Any]:
    """Begin an export of the views that were chosen."""
    form = await request.form()
    chosen = [str(view) for view in form.getall("view", [])]
    kind = str(form.get("kind", ""))
    if not chosen:
        return await _page(request, status=422, kind=kind, error=_("Choose at least one view."))
    try:
        await flat.begin(_access(request), [Wish(name=view, view=view) for view in dict.fromkeys(chosen)], kind)
    except Problem as refusal:
        if refusal.status not in (409, 429):
            raise
        said = {
            409: _("A view is still being filled. Try again in a few minutes."),
            429: _("Four exports are under way. Wait for one to end, or give one up."),
        }
        return await _page(request, status=refusal.status, kind=kind, chosen=chosen, error=said[refusal.status])
    return redirect(PLACE)


@post(f"{PLACE}/remove", opt=_ENTITLED, status_code=200)
async def remove(request: AnyRequest) -> Response[Any]:
    """Give up an export, or the files of one; one that is gone already is gone."""
    access, form = _access(request), await request.form()
    named = str(form.get("job", ""))
    for job in await jobs.of_views(access.ground.database, jobs.owner_of(access.who)):
        if str(job.id) == named:
            await serving.give_up(access, job)
    return redirect(PLACE)


async def _page(
    request: AnyRequest, *, status: int = 200, kind: str = "", chosen: list[str] | None = None, error: str = ""
) -> Response[bytes]:
    access = _access(request)
    async with access.ground.database.acquire() as connection:
        found = await kept.standing(connection)
    has_parquet = parquet.is_there()
    kinds = [(code, name, _(words)) for code, (name, words) in KINDS.items() if has_parquet or code != "parquet"]
    whole = [each.view for each in found if each.filled]
    return page(
        request, _TEMPLATE, status=status, title=_("Views for counting"),
        views=Field(name="view", label=_("Views"), texts=tuple(whole if chosen is None else chosen), error=error),
        options=options(found),
        kind=Field(name="kind", label=_("Kind of files"), texts=(kind or kinds[0][0],)),
        kinds=kinds, has_parquet=has_parquet, filling=[each.view for each in found if not each.filled],
        **await _files(access),
    )  # fmt: skip


def options(found: Sequence[Source]) -> list[tuple[str, str, str, str]]:
    """What may be chosen: each view, what its rows are, and why it has to wait."""
    filling = _("Being filled")
    return [
        (each.view, each.view, _(ROWS[each.view]) if each.view in ROWS else "", "" if each.filled else filling)
        for each in found
    ]


async def _files(access: Access) -> dict[str, Any]:
    database = access.ground.database
    found = await jobs.of_views(database, jobs.owner_of(access.who))
    made = [(job, [_shown(job, file) for file in await jobs.files(database, job.id)]) for job in found]
    return {"exports": made, "is_working": any(job.is_open for job, _ in made)}


def _shown(job: Job, file: File) -> tuple[str, str, File]:
    return f"{file.type}.{file.n}.{job.plan.kind}", serving.address("/fhir", job, file), file


def _access(request: AnyRequest) -> Access:
    access: Access = request.state.access
    return access


PAGES = (show, fresh, export, remove)
