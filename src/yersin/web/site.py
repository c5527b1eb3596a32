"""Assembles the pages' side of the application: what `app` passes to Litestar, in one frozen object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment
from litestar import Request, Response, asgi, get, post
from litestar.datastructures import Cookie, State
from litestar.exceptions import HTTPException
from litestar.response import Redirect
from litestar.types import Receive, Scope, Send

from yersin.fhir.problem import Problem
from yersin.web import design, errors, frame, language, templating
from yersin.web.assets import PREFIX, Assets
from yersin.web.guarding import CsrfMiddleware
from yersin.web.menu import MenuItem, PaletteEntry
from yersin.web.shell import AnyRequest, local_path

WEB = Path(__file__).parent
_YEAR = 365 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything the shell needs to know about this installation. Make it with `assemble`."""

    templates: Environment
    assets: Assets
    menu: Sequence[MenuItem]
    palette: Sequence[PaletteEntry]
    secret: bytes
    #: answers the palette's POST `q` with `ui.palette_entry` lines (patients, found through the guard)
    search_url: str = ""
    #: lines of the profile menu: address, label marked with `N_`, icon
    account_links: Sequence[tuple[str, str, str]] = ()

    @property
    def state(self) -> State:
        """For `Litestar(state=...)`; a lead's own state can be merged into it."""
        return State({"site": self})

    @property
    def handlers(self) -> list[Any]:
        """Routes of the shell itself: bundle, design page, language and theme."""
        return [_assets_handler(self.assets), design_page, design_facilities, set_preferences]

    @property
    def middleware(self) -> list[Any]:
        """For `Litestar(middleware=[..., *site.middleware])`, after the one that sets `access` and `session_id`."""
        return [CsrfMiddleware]

    @property
    def exception_handlers(self) -> dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]]:
        return {
            HTTPException: errors.on_http_exception,
            Problem: errors.on_problem,
            Exception: errors.on_surprise,
        }


def assemble(
    *,
    rooms: Sequence[Path],
    menu: Sequence[MenuItem] = (),
    palette: Sequence[PaletteEntry] = (),
    secret: bytes,
    search_url: str = "",
    account_links: Sequence[tuple[str, str, str]] = (),
) -> Site:
    """Read catalogues, templates and bundle. `rooms` are the rooms' folders; `secret` is 32 bytes kept by guard's keys."""
    language.load([WEB, *rooms])
    return Site(
        templates=templating.build(rooms),
        assets=Assets(),
        menu=menu,
        palette=palette,
        secret=secret,
        search_url=search_url,
        account_links=account_links,
    )


def _assets_handler(assets: Assets) -> Any:
    @asgi(PREFIX, is_mount=True, copy_scope=True, opt={"public": True})
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await assets.serve(scope, receive, send)

    return serve


@get("/design", opt={"public": True}, sync_to_thread=False)
def design_page(request: AnyRequest) -> Response[bytes]:
    """Every component in every state, with invented content only."""
    return design.show(request)


@post("/design/facilities", opt={"public": True}, status_code=200)
async def design_facilities(request: AnyRequest) -> Response[bytes]:
    """Serve the combobox of the design page."""
    return design.facilities(request, str((await request.form()).get("q", "")))


@post("/preferences", opt={"public": True}, status_code=303)
async def set_preferences(request: AnyRequest) -> Redirect:
    """Keep the language and the theme in cookies and go back to where the person was."""
    form = await request.form()
    cookies = []
    if form.get("language") in language.LANGUAGES:
        cookies.append(_cookie(request, language.COOKIE, str(form["language"])))
    if form.get("theme") in frame.THEMES:
        cookies.append(_cookie(request, frame.THEME_COOKIE, str(form["theme"])))
    return Redirect(path=local_path(str(form.get("next", "/"))), status_code=303, cookies=cookies)


def _cookie(request: AnyRequest, name: str, value: str) -> Cookie:
    secure = bool(request.scope["state"].get("secure"))
    return Cookie(key=name, value=value, path="/", max_age=_YEAR, samesite="lax", httponly=True, secure=secure)
