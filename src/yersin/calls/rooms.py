"""Calls in the database: each change locks the call, asks the state machine, keeps what came of it and tells the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec

from yersin.calls import seats
from yersin.calls.room_bus import RoomBus
from yersin.calls.seats import Call, Outcome, Participant, Refusal, Seat
from yersin.calls.signals import Quality, Say, Signal
from yersin.db import Connection, Database, Record, load

_sql = load(__package__, "queries.sql")
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of chat."""

    id: int
    key: str
    seat: UUID
    name: str
    text: str
    said: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A signal in a mailbox; `body` is JSON as the sender wrote it."""

    id: int
    sender: UUID
    sender_page: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """All calls. One a process."""

    database: Database
    bus: RoomBus

    async def open(self, call_id: UUID) -> None:
        """Make a call if there is none of this id."""
        await self.database.execute(_sql.open_call, call_id)

    async def find(self, call_id: UUID) -> Call | None:
        """The call as it is now."""
        async with self.database.acquire() as connection:
            row = await connection.fetchrow(_sql.find_call, call_id)
            return await _call(connection, row) if row else None

    async def elapsed(self, call_id: UUID) -> float | None:
        """Seconds since two were in the call, by the database's clock."""
        row = await self.database.fetchrow(_sql.find_call, call_id)
        return row["elapsed"] if row else None

    async def act(self, call_id: UUID, decide: Callable[[Call], Outcome]) -> Outcome:
        """Change a call by a function of the state machine. A call that does not exist counts as ended."""

        async def work(connection: Connection) -> Outcome:
            row = await connection.fetchrow(_sql.lock_call, call_id)
            if row is None:
                return Refusal(why="ended")
            before = await _call(connection, row)
            after = decide(before)
            if isinstance(after, Call):
                await _save(connection, before, after)
            return after

        outcome = await self.database.retrying(work)
        if isinstance(outcome, Call):
            await self.bus.tell(call_id)
        return outcome

    async def arrive(self, call_id: UUID, who: Participant, page: str) -> Outcome:
        """Seat a participant, in the same seat as before if there was one."""
        seat_id = uuid4()
        return await self.act(call_id, lambda call: seats.arrive(call, who, seat_id=seat_id, page=page))

    async def guest(self, call_id: UUID, token: bytes) -> Participant | None:
        """The guest to whom a cookie belongs, by the token's hash."""
        row = await self.database.fetchrow(_sql.find_token, call_id, token)
        if row is None:
            return None
        return Participant(person=row["person"], name=row["name"], place=row["place"], role="guest")

    async def touch(self, seat_id: UUID, page: str) -> None:
        """Say that a page is still connected."""
        await self.database.execute(_sql.touch_seat, seat_id, page)

    async def post(self, call_id: UUID, sender: Seat, signal: Signal) -> bool:
        """Put a signal into the other page's mailbox; False when the two may not arrange media, or the page has changed."""

        async def work(connection: Connection) -> bool:
            row = await connection.fetchrow(_sql.share_call, call_id)
            call = await _call(connection, row) if row else None
            target = call.seat(signal.to) if call else None
            now = call.seat(sender.id) if call else None
            if call is None or target is None or now is None or not seats.may_signal(call, sender.id, signal.to):
                return False
            if target.page != signal.page or now.page != sender.page:
                return False
            body = _encode({"description": signal.description, "candidate": signal.candidate})
            values = (call_id, target.id, target.page, sender.id, sender.page, signal.n, body)
            await connection.execute(_sql.post_signal, *values)
            return True

        posted = await self.database.retrying(work)
        if posted:
            await self.bus.tell(call_id)
        return posted

    async def letters(self, seat: Seat) -> list[Letter]:
        """What lies in the mailbox of the page in a seat."""
        rows = await self.database.fetch(_sql.find_signals, seat.id, seat.page)
        return [Letter(**dict(row)) for row in rows]

    async def took(self, seat: Seat, ids: Sequence[int]) -> None:
        """Forget signals that have arrived."""
        await self.database.execute(_sql.took_signals, seat.id, seat.page, list(ids))

    async def say(self, call_id: UUID, seat: Seat, said: Say) -> bool:
        """Keep a line of chat with the record, if the seat may chat."""
        call = await self.find(call_id)
        if call is None or not seats.may_chat(call, seat.id):
            return False
        await self.database.execute(_sql.say_line, call_id, seat.id, said.key, said.text)
        await self.bus.tell(call_id)
        return True

    async def lines(self, call_id: UUID, reader: UUID, after: int = 0) -> list[Line]:
        """Lines of chat a seat may read."""
        return [Line(**dict(row)) for row in await self.database.fetch(_sql.find_lines, call_id, reader, after)]

    async def quality(self, call_id: UUID, seat: Seat, said: Quality) -> None:
        """Write down a step on the ladder."""
        detail = {"rung": said.rung, "why": said.why, "rtt": said.rtt, "loss": said.loss, "kbps": said.kbps}
        await self.database.execute(_sql.note_event, call_id, seat.id, "rung", detail)

    async def events(self, call_id: UUID) -> list[Record]:
        """The log of a call: seat, at, kind, detail."""
        return await self.database.fetch(_sql.find_events, call_id)


async def _call(connection: Connection, row: Any) -> Call:
    found = await connection.fetch(_sql.find_seats, row["id"])
    there = tuple(Seat(**dict(each)) for each in found)
    return Call(id=row["id"], seats=there, recording=row["recording"], ended=row["ended"])


async def _save(connection: Connection, before: Call, after: Call) -> None:
    started = sum(1 for seat in after.admitted if seat.present) > 1
    await connection.execute(_sql.save_call, after.id, after.recording, after.ended, started)
    for seat in after.seats:
        was = before.seat(seat.id)
        if was == seat:
            continue
        values = (seat.id, after.id, seat.person, seat.name, seat.place, seat.role, seat.may_host, seat.state)
        await connection.execute(_sql.save_seat, *values, seat.page, seat.consent, seat.present)
        if was is not None and (seat.state != "admitted" or seat.page != was.page):
            await connection.execute(_sql.drop_signals, after.id, seat.id)
        for kind in _kinds(was, seat):
            await connection.execute(_sql.note_event, after.id, seat.id, kind, {})
    if before.recording != after.recording:
        await connection.execute(_sql.note_event, after.id, None, f"recording-{after.recording}", {})
    if after.ended and not before.ended:
        await connection.execute(_sql.note_event, after.id, None, "ended", {})
    await connection.execute(_sql.drop_old_signals, after.id)


def _kinds(was: Seat | None, now: Seat) -> list[str]:
    """Name what has happened to a seat, for the log."""
    if was is None:
        return ["arrived", *(["admitted"] if now.state == "admitted" else [])]
    kinds = []
    if was.state != now.state:
        kinds.append({"waiting": "sent-back" if was.state == "admitted" else "returned"}.get(now.state, now.state))
    if was.role != now.role:
        kinds.append(f"role-{now.role}")
    if was.consent != now.consent:
        kinds.append("consent-yes" if now.consent else "consent-no")
    if was.state == now.state and was.present != now.present:
        kinds.append("back" if now.present else "away")
    return kinds
