"""Links by which a third person comes to a call once: 256 random bits, kept as a hash, expiring, dead after use.

A link names nobody. Only a POST uses it up, since messengers open every link to draw a preview.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from yersin.calls import seats
from yersin.calls.rooms import Rooms
from yersin.calls.seats import Refusal
from yersin.db import Connection, load

_sql = load(__package__, "queries.sql")

#: seconds an unused link lives
LIFE: Final = 2 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A link that still serves."""

    call: UUID
    host_name: str
    host_place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seated:
    """What using a link gave: the call, and the token of the seat for this browser's cookie."""

    call: UUID
    token: str


def hashed(token: str) -> bytes:
    """The form in which tokens are kept. They are random in full, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()


async def invite(rooms: Rooms, call_id: UUID, by: UUID, *, seconds: int = LIFE) -> tuple[str, datetime] | Refusal:
    """Make a link's token, known only to the answer, and the moment it expires."""
    call = await rooms.find(call_id)
    if call is None or not seats.may_invite(call, by):
        return Refusal(why="not-admitted")
    token = secrets.token_urlsafe(32)
    expires = await rooms.database.fetchval(_sql.add_invitation, uuid4(), call_id, hashed(token), by, float(seconds))
    return token, expires


async def look(rooms: Rooms, token: str) -> Invitation | None:
    """Look at a link without using it."""
    row = await rooms.database.fetchrow(_sql.find_invitation, hashed(token))
    if row is None:
        return None
    return Invitation(call=row["call"], host_name=row["host_name"], host_place=row["host_place"])


async def use(rooms: Rooms, token: str, *, name: str, place: str = "") -> Seated | None:
    """Use a link up and seat its person in the waiting room; None when it does not serve any more."""
    seat_id, seat_token = uuid4(), secrets.token_urlsafe(32)

    async def work(connection: Connection) -> Seated | None:
        row = await connection.fetchrow(_sql.use_invitation, hashed(token))
        if row is None:
            return None
        values = (seat_id, row["call"], f"guest:{seat_id}", name, place, hashed(seat_token))
        await connection.execute(_sql.seat_guest, *values)
        await connection.execute(_sql.seat_invitation, row["id"], seat_id)
        await connection.execute(_sql.note_event, row["call"], seat_id, "invitation-used", {})
        return Seated(call=row["call"], token=seat_token)

    seated = await rooms.database.retrying(work)
    if seated is not None:
        await rooms.bus.tell(seated.call)
    return seated
