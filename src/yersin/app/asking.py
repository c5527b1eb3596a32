"""Finds out who asks: by session cookie in the browser, by access token for programs."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from litestar.types import ASGIApp, Receive, Scope, Send

from yersin.fhir.problem import problem
from yersin.guard import sessions
from yersin.guard.access import Access, Ground
from yersin.guard.tokens import Tokens
from yersin.guard.who import nobody
from yersin.web import csrf

from .state import house_of


def session_token(headers: Mapping[bytes, bytes]) -> str:
    """Token of the session cookie, empty when there is none."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return ""
    return jar[sessions.COOKIE].value if sessions.COOKIE in jar else ""


async def of_session(ground: Ground, headers: Mapping[bytes, bytes], address: str) -> Access:
    """Access of the person signed in, or of nobody."""
    token = session_token(headers)
    if token:
        async with ground.database.acquire() as connection:
            who = await sessions.who(connection, token, address)
        if who is not None:
            return ground.access(who)
    return ground.access(nobody())


class ApiAsker:
    """Asker of the FHIR API. A session may read; what changes something needs a token or the page's own header."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._tokens = Tokens(ground.keys)

    async def __call__(self, headers: Mapping[bytes, bytes], address: str) -> Access:
        kind, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() == "bearer":
            return self._ground.access(self._tokens.who(token.strip()))
        access = await of_session(self._ground, headers, address)
        if access.who.role == "nobody" or csrf.is_foreign(headers.get(b"sec-fetch-site", b"").decode("latin-1")):
            raise problem("login", "Sign in, or send an access token as `Authorization: Bearer …`.", status=401)
        return access


class AccessMiddleware:
    """Gives every page request its access and session."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            headers = dict(scope["headers"])
            client = scope.get("client") or ("", 0)
            state = scope.setdefault("state", {})
            access = await of_session(house_of(scope["litestar_app"]).ground, headers, client[0])
            state["access"] = access if access.who.role != "nobody" else None
            state["session_id"] = session_token(headers)
        await self.app(scope, receive, send)
