"""Signing in and out, and choosing where one works today."""

from __future__ import annotations

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromQuery
from litestar.response import Redirect

from yersin.fhir.problem import Problem
from yersin.guard import accounts, audit, sessions
from yersin.guard.access import Access
from yersin.guard.sessions import Post
from yersin.guard.who import Who
from yersin.web import forms
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, local_path, redirect
from yersin.web.signing import SignIn, sign_in_page

from .state import house_of

_SHIFT = 14 * 3600


@get("/sign-in", opt={"public": True})
async def show_sign_in(request: AnyRequest, next_path: FromQuery[str] = "/") -> Response[bytes]:
    """Show the sign-in page."""
    return sign_in_page(request, next_path=next_path)


@post("/sign-in", opt={"public": True}, status_code=303)
async def sign_in(request: AnyRequest) -> Response[bytes] | Redirect:
    """Check name and password and open a session at the first post of the account."""
    bound = await forms.read(request, SignIn)
    next_path = local_path(str((await request.form()).get("next", "/")))
    if bound.value is None:
        return sign_in_page(request, form=bound, next_path=next_path)
    ground = house_of(request.app).ground
    address = request.client.host if request.client else ""
    attempt = ground.access(Who(role="nobody", purpose="", display=bound.value.account[:60], address=address))
    try:
        account = await accounts.check(ground.database, bound.value.account, bound.value.password, address)
        places = await sessions.posts(ground, account)
    except Problem as refusal:
        await attempt.record(audit.Entry(interaction="login", outcome=audit.REFUSED))
        return sign_in_page(request, form=bound, failure=_failure(refusal), next_path=next_path)
    if not places:
        await attempt.record(audit.Entry(interaction="login", outcome=audit.REFUSED))
        words = _("You have no post at any facility today. Ask your administrator.")
        return sign_in_page(request, form=bound, failure=words, next_path=next_path)
    return await _enter(request, account, places[0], next_path)


def _failure(refusal: Problem) -> str:
    if refusal.status == 429:
        return _("Too many wrong passwords. Wait 15 minutes, or ask your administrator.")
    return _("The account name or the password is not right.")


async def _enter(request: AnyRequest, account: accounts.Account, place: Post, next_path: str) -> Redirect:
    ground = house_of(request.app).ground
    address = request.client.host if request.client else ""
    async with ground.database.acquire() as connection:
        token = await sessions.begin(connection, account, place, address, request.headers.get("user-agent", ""))
        who = await sessions.who(connection, token, address)
    if who is not None:
        await ground.access(who).record(audit.Entry(interaction="login"))
    return _with_cookie(next_path, token, _SHIFT, secure=request.url.scheme == "https")


@post("/sign-out", status_code=303)
async def sign_out(request: AnyRequest) -> Redirect:
    """End the session."""
    state = request.scope["state"]
    access: Access | None = state.get("access")
    if access is not None:
        async with access.own_tables() as connection:
            await sessions.end(connection, str(state["session_id"]))
        await access.record(audit.Entry(interaction="logout"))
    return _with_cookie("/sign-in", "", 0, secure=request.url.scheme == "https")


def _with_cookie(path: str, token: str, seconds: int, *, secure: bool) -> Redirect:
    answer = redirect(path)
    answer.cookies.append(
        Cookie(
            key=sessions.COOKIE, value=token, path="/", max_age=seconds, httponly=True, secure=secure, samesite="lax"
        )
    )
    return answer
