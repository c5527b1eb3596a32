"""The page of apps of other origins that may call the API from a browser: administrators add and remove them."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post

from yersin.fhir.problem import Problem
from yersin.guard import audit, origins
from yersin.guard.access import Access
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, page, redirect

PERMISSION: Final = "origins.write"
PLACE: Final = "/administration/origins"
_LONGEST: Final = 200


@get(PLACE, opt={"permission": PERMISSION})
async def show(request: AnyRequest) -> Response[bytes]:
    """Every app that is registered, by origin."""
    await _access(request).record(audit.Entry(interaction="list", query="origins"))
    return await _page(request)


@post(PLACE, opt={"permission": PERMISSION}, status_code=200)
async def add(request: AnyRequest) -> Response[Any]:
    """Register an app; what is no origin is told beside the field."""
    access, form = _access(request), await request.form()
    written, name = str(form.get("origin", "")), str(form.get("name", ""))[:_LONGEST]
    try:
        await origins.register(access, written, name)
    except Problem:
        return await _page(request, status=422, written=written, name=name, is_wrong=True)
    return redirect(PLACE)


@post(PLACE + "/remove", opt={"permission": PERMISSION}, status_code=200)
async def remove(request: AnyRequest) -> Response[Any]:
    """Let an app call no longer; tells where somebody else has removed it."""
    access, form = _access(request), await request.form()
    origin = str(form.get("origin", ""))
    try:
        was_there = await origins.remove(access, origin)
    except Problem:
        was_there = False
    if not was_there:
        return await _page(request, status=409, gone=origin)
    return redirect(PLACE)


async def _page(request: AnyRequest, *, status: int = 200, **more: Any) -> Response[bytes]:
    apps = await origins.listed(_access(request).ground.database)
    shown: dict[str, Any] = {"written": "", "name": "", "is_wrong": False, "gone": "", **more}
    return page(request, "registry/origins.html", status=status, title=_("Apps in browsers"), apps=apps, **shown)


def _access(request: AnyRequest) -> Access:
    access: Access = request.state.access
    return access


HANDLERS = (show, add, remove)
