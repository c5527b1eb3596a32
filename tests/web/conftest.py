"""A small application on the shell: a signed-in nurse, a signed-out visitor, a form, and pages that fail."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from litestar import Litestar, Response, get, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from litestar.types import ASGIApp, Receive, Scope, Send
from markupsafe import Markup
from msgspec import Meta

from yersin.web import forms, shell, signing, wording
from yersin.web.frame import Frame
from yersin.web.menu import MenuItem, PaletteEntry
from yersin.web.site import assemble

SECRET = b"a secret of thirty-two bytes, 32"
MENU = [
    MenuItem(label="Today", href="/", icon="house", go="h"),
    MenuItem(label="Components", href="/design", icon="shapes", go="d"),
    MenuItem(label="Accounts", href="/accounts", icon="users", permission="accounts.change", group="Administration"),
    MenuItem(label="Sign in", href="/sign-in", icon="log-in", group="Administration"),
]
PALETTE = [PaletteEntry(label="Record vitals", href="/form", icon="activity", words="huyet ap mach", key="v")]


@dataclass(frozen=True, slots=True)
class Nurse:
    display_name: str = "Trần Thu Hà"
    role_title: str = "Điều dưỡng"
    facility_name: str = "Trạm Y tế Suối Dầu"
    permissions: frozenset[str] = field(default=frozenset({"patients.see"}))

    def may(self, permission: str) -> bool:
        return permission in self.permissions


class SignedInByCookie:
    """Stands for guard's middleware: the cookie `who=nurse` signs the nurse in."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cookies = dict(scope.get("headers", ())).get(b"cookie", b"")
        if b"who=nurse" in cookies:
            scope.setdefault("state", {}).update(access=Nurse(), session_id="session-1")
        await self.app(scope, receive, send)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    name: Annotated[str, Meta(title="Full name", max_length=20)]
    born: Annotated[date, Meta(title="Date of birth")]


@get("/", sync_to_thread=False)
def home(request: shell.AnyRequest) -> Response[bytes]:
    ui = shell.site_of(request).templates.globals["ui"]
    return shell.page(
        request,
        "web/home.html",
        greeting="Chào Hà",
        today=wording.as_date(datetime.now(UTC)),
        notices=[],
        cards=_cards(request, ui),
    )


def _cards(request: shell.AnyRequest, ui: Any) -> list[Markup]:
    if request.query_params.get("cards") != "yes":
        return []
    now = datetime.now(UTC)
    token = shell.shown.set(shell.shell_for(request))
    rows = [("Lê Thị Bưởi", "stat", 14), ("Phạm Văn Quế", "urgent", 47), ("Trần Thị Đào", "routine", 130)]
    lines = Markup("").join(
        Markup('<div class="row apart"><span>{}<br>{}</span>{}</div>').format(
            n, ui.urgency(u), ui.wait_clock(now - timedelta(minutes=m))
        )
        for n, u, m in rows
    )
    made = [
        ui.panel("Chờ hội chẩn", icon_name="video", caller=lambda: lines),
        ui.panel("Việc hôm nay", icon_name="list-checks", caller=lambda: lines),
    ]
    shell.shown.reset(token)
    return made


@get("/sign-in", sync_to_thread=False)
def sign_in(request: shell.AnyRequest) -> Response[bytes]:
    return signing.sign_in_page(request)


@get("/form", sync_to_thread=False)
def ask(request: shell.AnyRequest) -> Response[bytes]:
    return shell.page(request, "small/form.html", bound=forms.blank(Visit))


@post("/form", status_code=200)
async def answer(request: shell.AnyRequest) -> Response[Any]:
    bound = await forms.read(request, Visit)
    if bound.value is None:
        return shell.page(request, "small/form.html", status=422, bound=bound)
    return Response({"name": bound.value.name, "born": bound.value.born.isoformat(), "key": bound.key})


@get("/fail/{status:int}", sync_to_thread=False)
def fail(status: FromPath[int]) -> None:
    if status == 500:
        raise RuntimeError("the patient Nguyễn Thị Bí Mật is in this message")
    raise HTTPException("the patient Nguyễn Thị Bí Mật is in this message", status_code=status)


def make() -> Any:
    site = assemble(
        rooms=[Path(__file__).parent],
        menu=MENU,
        palette=PALETTE,
        secret=SECRET,
        account_links=[("/account", "My account", "user-round")],
    )
    app = Litestar(
        route_handlers=[*site.handlers, home, sign_in, ask, answer, fail],
        middleware=site.middleware,
        exception_handlers=site.exception_handlers,
        state=site.state,
        openapi_config=None,
    )
    return Frame(SignedInByCookie(app))


ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def small_site() -> Any:
    """The application; the front end is bundled first (at once if nothing changed)."""
    subprocess.run([sys.executable, ROOT / "tools" / "bundle.py"], check=True, capture_output=True)
    return make()


class Browser:
    """A person's browser as far as HTTP goes: keeps cookies, follows no redirect, sees failures as answers."""

    def __init__(self, app: Any, cookies: dict[str, str] | None = None) -> None:
        self.app = app
        self.cookies = httpx.Cookies(cookies or {})

    def get(self, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(self._ask("GET", path, more))

    def post(self, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, more))

    async def _ask(self, method: str, path: str, more: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://yersin.test", cookies=self.cookies
        ) as client:
            answer = await client.request(method, path, **more)
            self.cookies = client.cookies
        return answer


@pytest.fixture
def visitor(small_site: Any) -> Browser:
    return Browser(small_site)


@pytest.fixture
def nurse(small_site: Any) -> Browser:
    return Browser(small_site, {"who": "nurse"})
