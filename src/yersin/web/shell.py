"""The page around a room's template: `page(request, "room/name.html", ...)` and its smaller relatives."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from litestar import Request, Response
from litestar.response import Redirect

from yersin.web import csrf, language
from yersin.web.assets import Assets
from yersin.web.frame import is_framed
from yersin.web.menu import MenuItem, PaletteEntry, Visitor, active, allowed, grouped

if TYPE_CHECKING:
    from yersin.web.site import Site

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What every template may ask about the page it stands in, as `shell`."""

    assets: Assets
    visitor: Visitor | None
    items: Sequence[MenuItem]
    entries: Sequence[PaletteEntry]
    path: str
    here: str
    theme: str
    language: str
    csrf_token: str
    request_id: str
    #: shown inside another page of this site: content and banner alone, without menu and bar
    framed: bool = False
    #: opaque mark of the account: browsers keep drafts by it
    account: str = ""
    modules: Sequence[str] = ()
    styles: Sequence[str] = ()
    search_url: str = ""
    account_links: Sequence[tuple[str, str, str]] = ()
    languages: dict[str, str] = field(default_factory=lambda: dict(language.LANGUAGES))

    @property
    def groups(self) -> list[tuple[str, list[MenuItem]]]:
        return grouped(self.items)

    @property
    def active(self) -> str:
        return active(self.items, self.path)


#: the shell of the page being made; component macros read it
shown: ContextVar[Shell] = ContextVar("shell")


def site_of(request: AnyRequest) -> Site:
    """Return the Site the application was assembled with."""
    site: Site = request.app.state.site
    return site


def csrf_token(request: AnyRequest) -> str:
    """Return the token forms of this page must send; the cookie it rests on goes out with the answer."""
    request.scope["state"]["csrf_used"] = True
    state = request.scope["state"]
    return csrf.token(site_of(request).secret, state["csrf_seed"], state.get("session_id", ""))


def shell_for(request: AnyRequest, modules: Sequence[str] = (), styles: Sequence[str] = ()) -> Shell:
    """Gather the shell: `request.state.access` (set by guard) decides what the menu shows."""
    site = site_of(request)
    state = request.scope["state"]
    visitor: Visitor | None = state.get("access")
    return Shell(
        assets=site.assets,
        visitor=visitor,
        items=allowed(site.menu, visitor) if visitor else (),
        entries=allowed(site.palette, visitor),
        path=request.url.path,
        here=_here(request),
        theme=state.get("theme", "auto"),
        language=language.current(),
        csrf_token=csrf_token(request),
        request_id=state.get("request_id", ""),
        account=state.get("account", ""),
        framed=is_framed(request.scope),
        modules=modules,
        styles=styles,
        search_url=site.search_url if visitor else "",
        account_links=site.account_links,
    )


def _here(request: AnyRequest) -> str:
    """Where the language switch comes back to: this page if it can be asked for again, else the first."""
    return request.url.path if request.method == "GET" else "/"


def page(
    request: AnyRequest,
    template: str,
    /,
    *,
    status: int = 200,
    modules: Sequence[str] = (),
    styles: Sequence[str] = (),
    **context: object,
) -> Response[bytes]:
    """Render a room's template in the shell. `modules` and `styles` name bundle entries such as `telehealth/call`."""
    shell = shell_for(request, modules, styles)
    html = _render(request, shell, template, context)
    return Response(content=html, status_code=status, media_type="text/html")


def fragment(
    request: AnyRequest, template: str, block: str, /, *, status: int = 200, **context: object
) -> Response[bytes]:
    """Render one block of a template, for htmx to swap in."""
    shell = shell_for(request)
    made = site_of(request).templates.get_template(template)
    token = shown.set(shell)
    try:
        inside = made.new_context({"shell": shell, "request": request, **context})
        html = "".join(made.blocks[block](inside)).encode()
    finally:
        shown.reset(token)
    return Response(content=html, status_code=status, media_type="text/html")


def _render(request: AnyRequest, shell: Shell, template: str, context: dict[str, object]) -> bytes:
    token = shown.set(shell)
    try:
        made = site_of(request).templates.get_template(template)
        return made.render(shell=shell, request=request, **context).encode()
    finally:
        shown.reset(token)


def redirect(path: str) -> Redirect:
    """See other: after a form has done its work. Only paths of this site."""
    return Redirect(path=local_path(path), status_code=303)


def local_path(path: str) -> str:
    """Return the path if it stays on this site, else `/`: no open redirect."""
    stays = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if stays else "/"


def new_key() -> str:
    """Return an idempotency key for a form: sending it twice does the work once."""
    return str(uuid4())
