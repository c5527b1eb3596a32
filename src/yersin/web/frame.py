"""What surrounds every answer: request id, language, theme, zone, and the headers that keep a page to itself.

`Frame` wraps the whole ASGI application, so error pages of the router carry the headers too.
Sources: OWASP Secure Headers Project; https://www.w3.org/TR/CSP3/
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookies import CookieError, SimpleCookie
from zoneinfo import ZoneInfo

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from yersin.web import csrf, language, wording

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "theme"

#: header by which a browser says that it asks for a page to show inside another (https://www.w3.org/TR/fetch-metadata/)
_DESTINATION = b"sec-fetch-dest"
_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "media-src 'self' blob:",
    "worker-src 'self'",
    "manifest-src 'self'",
    "frame-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)
CSP = "; ".join(_POLICY)
_HEADERS = {
    b"content-security-policy": CSP.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"permissions-policy": b"camera=(self), microphone=(self), display-capture=(self), geolocation=(self), payment=()",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
#: the same for a page that another page of this site shows beside its own content, as the call shows the chart
_FRAMED = {
    **_HEADERS,
    b"content-security-policy": CSP.replace("frame-ancestors 'none'", "frame-ancestors 'self'").encode(),
    b"x-frame-options": b"SAMEORIGIN",
}


class Frame:
    """ASGI wrapper: `app = Frame(Litestar(...))`. Paths in `bare` (the FHIR API) get only the request id."""

    def __init__(self, app: ASGIApp, *, bare: tuple[str, ...] = ("/fhir",), zone: str = "Asia/Ho_Chi_Minh") -> None:
        self.app = app
        self.bare = bare
        self.zone = ZoneInfo(zone)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["path"].startswith(self.bare):
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        with self._surroundings(scope, state):
            await self.app(scope, receive, _finishing(send, state, _FRAMED if is_framed(scope) else _HEADERS))

    @contextmanager
    def _surroundings(self, scope: Scope, state: dict[str, object]) -> Iterator[None]:
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        cookies = read_cookies(headers.get("cookie", ""))
        state["secure"] = scope["scheme"] == "https"
        state["request_id"] = secrets.token_hex(8)
        state["theme"] = cookies.get(THEME_COOKIE) if cookies.get(THEME_COOKIE) in THEMES else "auto"
        state["csrf_seed"] = cookies.get(csrf.COOKIE) or csrf.fresh_seed()
        state["csrf_seed_is_new"] = csrf.COOKIE not in cookies
        token = wording.zone.set(self.zone)
        try:
            with language.speaking(language.choose(cookies.get(language.COOKIE), headers.get("accept-language"))):
                yield
        finally:
            wording.zone.reset(token)


def is_framed(scope: Scope) -> bool:
    """Whether the answer is to be shown in a frame of another page."""
    return any(name == _DESTINATION and value == b"iframe" for name, value in scope["headers"])


def read_cookies(header: str) -> dict[str, str]:
    """Read a Cookie header; a malformed one counts as none."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header)
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def _finishing(send: Send, state: dict[str, object], kept: Mapping[bytes, bytes]) -> Send:
    async def finish(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            present = {name.lower() for name, _ in headers}
            headers += [(name, value) for name, value in kept.items() if name not in present]
            if b"cache-control" not in present:
                headers.append((b"cache-control", b"no-store"))
            headers.append((b"x-request-id", str(state["request_id"]).encode()))
            if state["csrf_seed_is_new"] and state.get("csrf_used"):
                headers.append((b"set-cookie", _seed_cookie(state)))
            message = {**message, "headers": headers}
        await send(message)

    return finish


def _seed_cookie(state: Mapping[str, object]) -> bytes:
    secure = "; Secure" if state["secure"] else ""
    return f"{csrf.COOKIE}={state['csrf_seed']}; Path=/; HttpOnly; SameSite=Lax{secure}".encode()
