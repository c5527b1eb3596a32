"""The WebSocket of one page in a call: what it says is done, what changes in the call is shown to it.

The page is displaced when the same person opens the call elsewhere. When the database is away the line ends, and the
page comes back to its seat by itself. Close codes: RFC 6455, 7.4; 4000 and up are ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.params import FromPath

from yersin.calls import seats, signals
from yersin.calls.seats import Call, Outcome, Refusal, Seat
from yersin.calls.signals import BadMessageError
from yersin.db import DatabaseFailure
from yersin.telehealth.calling.door import Calling, calling_of, participant
from yersin.telehealth.calling.showing import line_shown, room_shown

AnySocket = WebSocket[Any, Any, Any]

BAD, STRANGER, DISPLACED, OVER, AGAIN = 4400, 4404, 4409, 4410, 1013
_PULSE = 8.0  # seconds between signs of life, well under the 25 after which a seat counts as away
_BURST = 600  # messages a page may send in ten seconds


class LineEndedError(Exception):
    """The line ends on purpose, with a close code."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class Line:
    """One connected page in its seat."""

    def __init__(self, socket: AnySocket, calling: Calling, call_id: UUID, seat: Seat) -> None:
        self.socket, self.calling, self.call_id, self.seat = socket, calling, call_id, seat
        self.rooms = calling.rooms
        self.last_line = 0
        self._sent: set[int] = set()
        self._gone = False
        self._room: dict[str, Any] = {}
        self._times: deque[float] = deque(maxlen=_BURST)

    async def send(self, kind: str, **values: Any) -> None:
        await self.socket.send_data(msgspec.json.encode({"kind": kind, **values}).decode())

    async def listen(self) -> None:
        """Do what the page says until it goes."""
        try:
            while True:
                said = await next_said(self.socket)
                self._times.append(now := time.monotonic())
                if len(self._times) == _BURST and now - self._times[0] < 10:
                    raise LineEndedError(BAD)
                await self._do(said)
        finally:
            # a library below may swallow the cancellation that follows; the other half then ends by this
            self._gone = True

    async def show(self) -> None:
        """Show the page what has changed, until the call is over for it."""
        touched = time.monotonic()
        with self.rooms.bus.hearing(self.call_id) as ear:
            while not self._gone:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_PULSE):
                        await ear.wait()
                ear.clear()
                if time.monotonic() - touched > _PULSE / 2:
                    await self.rooms.touch(self.seat.id, self.seat.page)
                    touched = time.monotonic()
                await self._look()

    async def _look(self) -> None:
        call = await self.rooms.find(self.call_id)
        seat = call.seat(self.seat.id) if call else None
        if call is None or seat is None:
            raise LineEndedError(OVER)
        if seat.page != self.seat.page:
            raise LineEndedError(DISPLACED)
        if call.ended or seat.state in {"left", "removed"}:
            await self.send("over", why="ended" if call.ended else seat.state)
            raise LineEndedError(OVER)
        await self._show_room(call, seat)
        if seats.may_chat(call, seat.id):
            await self._show_lines()
        if seat.state == "admitted":
            await self._show_letters()

    async def _show_room(self, call: Call, seat: Seat) -> None:
        room = room_shown(call, seat)
        if room != self._room:
            self._room = room
            await self.send("room", **room, elapsed=await self.rooms.elapsed(self.call_id))

    async def _show_lines(self) -> None:
        for line in await self.rooms.lines(self.call_id, self.seat.id, self.last_line):
            self.last_line = line.id
            await self.send("line", **line_shown(line, self.seat.id))

    async def _show_letters(self) -> None:
        for letter in await self.rooms.letters(self.seat):
            if letter.id in self._sent:
                continue
            self._sent.add(letter.id)
            body = msgspec.Raw(letter.body)
            await self.send("signal", id=letter.id, sender=letter.sender, page=letter.sender_page, body=body)

    async def _do(self, said: signals.Said) -> None:
        match said:
            case signals.Signal():
                await self.send("taken", n=said.n, posted=await self.rooms.post(self.call_id, self.seat, said))
            case signals.Took():
                await self.rooms.took(self.seat, said.ids)
                self._sent.difference_update(said.ids)
            case signals.Say():
                kept = await self.rooms.say(self.call_id, self.seat, said)
                await self.send("said", key=said.key, kept=kept)
            case signals.Quality():
                await self.rooms.quality(self.call_id, self.seat, said)
            case signals.Ping():
                await self.send("pong", n=said.n)
            case _:
                outcome = await self.rooms.act(self.call_id, lambda call: self._decided(call, said))
                if isinstance(outcome, Refusal):
                    await self.send("refused", why=outcome.why)

    def _decided(self, call: Call, said: signals.Said) -> Outcome:
        by = self.seat.id
        current = call.seat(by)
        if current is None or current.page != self.seat.page:
            return Refusal(why="stale")
        match said:
            case signals.Admit(seat=seat):
                return seats.admit(call, by, seat)
            case signals.SendBack(seat=seat):
                return seats.send_back(call, by, seat)
            case signals.Remove(seat=seat):
                return seats.remove(call, by, seat)
            case signals.HandOver(seat=seat):
                return seats.hand_over(call, by, seat)
            case signals.AnswerRecording(agrees=agrees):
                return seats.answer_recording(call, by, agrees=agrees)
        return self._of_my_own(call, said)

    def _of_my_own(self, call: Call, said: signals.Said) -> Outcome:
        by = self.seat.id
        match said:
            case signals.Leave():
                return seats.leave(call, by)
            case signals.End():
                return seats.end(call, by)
            case signals.AskRecording():
                return seats.ask_recording(call, by)
            case signals.StopRecording():
                return seats.stop_recording(call, by)
        raise LineEndedError(BAD)


@websocket("/telehealth/calls/{call_id:uuid}/signals", opt={"public": True})
async def signals_line(socket: AnySocket, call_id: FromPath[UUID]) -> None:
    """Take a page's connection, seat it, and serve it until it goes."""
    await socket.accept()
    code: int | None = OVER
    try:
        await _serve(socket, call_id)
    except* LineEndedError as ended:
        code = next(_codes(ended))
    except* (BadMessageError, UnicodeDecodeError):
        code = BAD
    except* DatabaseFailure:
        code = AGAIN
    except* WebSocketDisconnect:
        code = None
    if code is None:
        return
    # a page that went at the same moment is not to be told anything
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await socket.close(code=code)


def _codes(group: BaseExceptionGroup[LineEndedError]) -> Any:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _codes(error)
        else:
            yield error.code


async def _serve(socket: AnySocket, call_id: UUID) -> None:
    calling = calling_of(socket)
    who = await participant(socket, call_id) if is_from_here(socket) else None
    if who is None:
        raise LineEndedError(STRANGER)
    hello = await next_said(socket)
    if not isinstance(hello, signals.Hello):
        raise LineEndedError(BAD)
    arrived = await calling.rooms.arrive(call_id, who, hello.page)
    seat = arrived.of(who.person) if isinstance(arrived, Call) else None
    line = Line(socket, calling, call_id, seat) if seat else None
    if line is None:
        why = arrived.why if isinstance(arrived, Refusal) else "ended"
        await socket.send_data(msgspec.json.encode({"kind": "over", "why": why}).decode())
        raise LineEndedError(OVER)
    line.last_line = hello.line
    try:
        await line.send("welcome", seat=line.seat.id, ice=calling.ice.for_seat(str(line.seat.id), datetime.now(UTC)))
        async with asyncio.TaskGroup() as both:
            both.create_task(line.listen())
            both.create_task(line.show())
    finally:
        with contextlib.suppress(DatabaseFailure):
            await calling.rooms.act(call_id, lambda call: seats.lose(call, line.seat.id, hello.page))


async def next_said(socket: AnySocket) -> signals.Said:
    """Wait for the next message of the page."""
    return signals.read(await socket.receive_data(mode="text"))


def is_from_here(socket: AnySocket) -> bool:
    """Whether a page of this site opened the connection: browsers send cookies along from any site."""
    return urlsplit(socket.headers.get("origin", "")).netloc == socket.headers.get("host", "-")
