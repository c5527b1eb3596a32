"""Finds out who asks: by session cookie in the browser, by access token for programs."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from yersin.fhir.problem import Problem, problem
from yersin.guard import audit, sessions
from yersin.guard.access import Access, Ground
from yersin.guard.tokens import Tokens
from yersin.guard.who import nobody
from yersin.web import csrf

from .state import house_of

_REFUSALS = (401, 403)


def session_token(headers: Mapping[bytes, bytes]) -> str:
    """Token of the session cookie, empty when there is none."""
    return _cookie(headers, sessions.COOKIE)


def _cookie(headers: Mapping[bytes, bytes], name: str) -> str:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return ""
    return jar[name].value if name in jar else ""


async def of_session(ground: Ground, headers: Mapping[bytes, bytes], address: str) -> Access:
    """Access of the person signed in, or of nobody."""
    token = session_token(headers)
    if token:
        async with ground.database.acquire() as connection:
            who = await sessions.who(connection, token, address)
        if who is not None:
            return ground.access(who)
    return ground.access(nobody(address))


def account_mark(access: Access) -> str:
    """Opaque mark of the account, by which a browser keeps apart what several people leave in it; empty for nobody."""
    if access.who.account is None:
        return ""
    return hmac.digest(access.ground.keys.get("cookies"), b"mark|" + access.who.account.bytes, "sha256").hex()[:20]


class ApiAsker:
    """Asker of the FHIR API. A session may read; its unsafe requests need the CSRF token of a page, too."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._tokens = Tokens(ground.keys)

    async def __call__(self, method: str, headers: Mapping[bytes, bytes], address: str) -> Access:
        access = None
        try:
            kind, _, token = _text(headers, b"authorization").partition(" ")
            if kind.lower() == "bearer":
                return self._ground.access(self._tokens.who(token.strip(), address))
            access = await of_session(self._ground, headers, address)
            self._require_ours(access, method, headers)
        except Problem:
            refused = access or self._ground.access(nobody(address))
            await refused.record(audit.Entry(interaction="rest", outcome=audit.REFUSED))
            raise
        return access

    def _require_ours(self, access: Access, method: str, headers: Mapping[bytes, bytes]) -> None:
        """Raise Problem unless someone is signed in and the request comes from our own pages."""
        if access.who.role == "nobody" or csrf.is_foreign(_text(headers, b"sec-fetch-site")):
            raise problem("login", "Sign in, or send an access token as `Authorization: Bearer …`.", status=401)
        seed, secret = _cookie(headers, csrf.COOKIE), self._ground.keys.get("cookies")
        sent = _text(headers, csrf.HEADER.encode())
        if method not in csrf.SAFE and not csrf.is_valid(secret, seed, session_token(headers), sent):
            text = f"With a session cookie, this needs the page's token in the header {csrf.HEADER}; or send an access token."
            raise problem("forbidden", text, status=403)


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")


class AccessMiddleware:
    """Gives every page request its access and session, and records refusals before they are answered."""

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
            state["account"] = account_mark(access)
            if not scope["route_handler"].opt.get("public"):  # public pages record what matters themselves
                await self._recorded(access, scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _recorded(self, access: Access, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; a refusal is recorded, whether it is answered further in or raised to be answered further out."""

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _REFUSALS:
                await access.record(audit.Entry(interaction="page", outcome=audit.REFUSED))
            await send(message)

        try:
            await self.app(scope, receive, telling)
        except (HTTPException, Problem) as refusal:
            if (refusal.status if isinstance(refusal, Problem) else refusal.status_code) in _REFUSALS:
                await access.record(audit.Entry(interaction="page", outcome=audit.REFUSED))
            raise
