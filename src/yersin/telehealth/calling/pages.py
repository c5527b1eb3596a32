"""Pages of the call: the call itself with its waiting room, the link of an invitation, and the test of the line."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import ClientException, PermissionDeniedException
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from msgspec import Meta

from yersin.calls import invitations
from yersin.calls.ice import IceServer
from yersin.calls.seats import Refusal
from yersin.telehealth.calling.door import SEAT_COOKIE, Beside, calling_of, expected
from yersin.web import forms
from yersin.web.language import N_
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, page

#: bytes of one probe of the line; enough to tell a slow line from a good one within a second
PROBE: Final = 256 * 1024
_NOISE: Final = os.urandom(PROBE)


@get("/telehealth/calls/{call_id:uuid}", opt={"public": True})
async def call_page(request: AnyRequest, call_id: FromPath[UUID]) -> Response[bytes]:
    """The waiting room and the call, for those who may join; the chart only for those who come by their own right."""
    who = await expected(request, call_id)
    beside = Beside(home="/") if who.role == "guest" else await calling_of(request).door.beside(request, call_id)
    made = page(
        request,
        "telehealth/call.html",
        modules=["telehealth/call", *beside.modules],
        styles=["telehealth/call", *beside.styles],
        title=_("Video consultation"),
        call_id=str(call_id),
        who=who,
        beside=beside,
    )
    # leaving a call by Back and coming again must meet a living page
    made.headers["cache-control"] = "no-store"
    return made


@get("/telehealth/calls/{call_id:uuid}/probe", opt={"public": True})
async def probe_down(request: AnyRequest, call_id: FromPath[UUID], size: FromQuery[int] = 0) -> Response[bytes]:
    """Bytes to measure the line with, at most a quarter of a megabyte."""
    await expected(request, call_id)
    return Response(content=_NOISE[: max(0, min(size, PROBE))], media_type="application/octet-stream")


@get("/telehealth/calls/{call_id:uuid}/ice", opt={"public": True})
async def ice(request: AnyRequest, call_id: FromPath[UUID]) -> list[IceServer]:
    """Servers the waiting room tries, with a credential of their own: a wrong secret shows before the call, not in it."""
    await expected(request, call_id)
    return calling_of(request).ice.for_seat(f"try-{secrets.token_hex(8)}", datetime.now(UTC))


@post("/telehealth/calls/{call_id:uuid}/probe", opt={"public": True}, status_code=204)
async def probe_up(request: AnyRequest, call_id: FromPath[UUID]) -> None:
    """Take bytes that measure the line, and forget them."""
    await expected(request, call_id)
    taken = 0
    async for part in request.stream():
        taken += len(part)
        if taken > PROBE:
            raise ClientException(status_code=413)


@post("/telehealth/calls/{call_id:uuid}/invitations", status_code=201)
async def invite(request: AnyRequest, call_id: FromPath[UUID]) -> Response[Any]:
    """Make a link for a third person; it is shown once and never again."""
    who = await expected(request, call_id)
    rooms = calling_of(request).rooms
    call = await rooms.find(call_id)
    seat = call.of(who.person) if call else None
    made = await invitations.invite(rooms, call_id, seat.id) if seat else Refusal(why="not-here")
    if isinstance(made, Refusal):
        raise PermissionDeniedException
    token, expires = made
    return Response(content={"path": f"/join/{token}", "expires": expires.isoformat()}, status_code=201)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """What an invited person says of themselves."""

    name: Annotated[str, Meta(title=N_("Your full name"), min_length=2, max_length=80)]
    place: Annotated[str, Meta(title=N_("Your facility or who you are to the patient"), max_length=120)] = ""


@get("/join/{token:str}", opt={"public": True})
async def join_page(request: AnyRequest, token: FromPath[str]) -> Response[bytes]:
    """The invitation. Looking at it does not use it up: messengers look at every link."""
    return await _join_page(request, token, forms.blank(Guest), status=200)


@post("/join/{token:str}", opt={"public": True}, status_code=303)
async def join(request: AnyRequest, token: FromPath[str]) -> Response[Any]:
    """Use the invitation up and go to the waiting room with a seat of one's own."""
    bound = await forms.read(request, Guest)
    if bound.value is None:
        return await _join_page(request, token, bound, status=422)
    rooms = calling_of(request).rooms
    seated = await invitations.use(rooms, token, name=bound.value.name, place=bound.value.place)
    if seated is None:
        return await _join_page(request, token, bound, status=410)
    path = f"/telehealth/calls/{seated.call}"
    secure = request.url.scheme == "https"
    cookie = Cookie(
        key=SEAT_COOKIE, value=seated.token, path=path, httponly=True, samesite="lax", secure=secure, max_age=12 * 3600
    )
    return Redirect(path=path, status_code=303, cookies=[cookie])


async def _join_page(request: AnyRequest, token: str, bound: Any, *, status: int) -> Response[bytes]:
    invitation = await invitations.look(calling_of(request).rooms, token)
    serves = invitation is not None
    return page(
        request,
        "telehealth/call_join.html",
        status=status if serves else 410,
        styles=["telehealth/call"],
        title=_("Invitation to a video consultation"),
        invitation=invitation,
        bound=bound,
        path=f"/join/{token}",
    )
