"""One call as a pure state machine: who sits where, who may be seen and heard, who decides.

A seat waits, is admitted by the host, may be sent back, leaves or is removed. A lost connection changes no state: the
seat is `away` until its person returns. Up to three meet peer to peer, each with each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias
from uuid import UUID

Role = Literal["host", "asker", "guest"]
State = Literal["waiting", "admitted", "left", "removed"]
Recording = Literal["off", "asked", "running"]

#: how many can meet each with each before a media server is needed
FULL: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Somebody the door lets come to the waiting room. `person` is opaque and the same each time they come."""

    person: str
    name: str
    place: str = ""
    role: Role = "asker"
    may_host: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A place in the call, kept for its person through lost connections, reloads and changes of device."""

    id: UUID
    person: str
    name: str
    place: str
    role: Role
    may_host: bool = False
    state: State = "waiting"
    #: the browser page that sits here now; another page of the same person takes over
    page: str = ""
    #: whether that page is connected
    present: bool = False
    #: agreement to being recorded; None is not asked or not answered
    consent: bool | None = None

    @property
    def standing(self) -> str:
        """The state as others see it: an admitted seat without a connection is away."""
        return "away" if self.state == "admitted" and not self.present else self.state


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """All seats of a call, in the order of arrival."""

    id: UUID
    seats: tuple[Seat, ...] = ()
    recording: Recording = "off"
    ended: bool = False

    def seat(self, seat_id: UUID) -> Seat | None:
        return next((seat for seat in self.seats if seat.id == seat_id), None)

    def of(self, person: str) -> Seat | None:
        return next((seat for seat in self.seats if seat.person == person), None)

    @property
    def admitted(self) -> tuple[Seat, ...]:
        return tuple(seat for seat in self.seats if seat.state == "admitted")

    @property
    def host(self) -> Seat | None:
        return next((seat for seat in self.seats if seat.role == "host" and seat.state == "admitted"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why something is not done; the page has words for each."""

    why: Literal["ended", "not-host", "not-here", "not-waiting", "full", "removed", "consent", "stale", "not-admitted"]


Outcome: TypeAlias = Call | Refusal


def arrive(call: Call, who: Participant, *, seat_id: UUID, page: str) -> Outcome:
    """Come to the call, or back to one's seat: who was admitted is admitted still."""
    if call.ended:
        return Refusal(why="ended")
    kept = call.of(who.person)
    if kept is not None and kept.state == "removed":
        return Refusal(why="removed")
    seat = _taken_again(kept, page) if kept else _new(who, seat_id, page)
    seated = _with(call, seat)
    if seat.may_host and call.host is None and len(seated.admitted) < FULL:
        return _with(seated, replace(seat, role="host", state="admitted"))
    return seated


def _new(who: Participant, seat_id: UUID, page: str) -> Seat:
    role: Role = "asker" if who.role == "host" else who.role
    return Seat(
        id=seat_id,
        person=who.person,
        name=who.name,
        place=who.place,
        role=role,
        may_host=who.may_host,
        page=page,
        present=True,
    )


def _taken_again(kept: Seat, page: str) -> Seat:
    state: State = "waiting" if kept.state == "left" else kept.state
    return replace(kept, state=state, page=page, present=True)


def lose(call: Call, seat_id: UUID, page: str) -> Outcome:
    """Note that a page's connection has gone. The seat stays as it is; an older page's end changes nothing."""
    seat = call.seat(seat_id)
    if seat is None or seat.page != page:
        return Refusal(why="stale")
    return _with(call, replace(seat, present=False))


def admit(call: Call, by: UUID, seat_id: UUID) -> Outcome:
    """Let somebody in from the waiting room. While a recording runs only those who agreed to it."""

    def let_in(seat: Seat) -> Outcome:
        if seat.state != "waiting":
            return Refusal(why="not-waiting")
        if len(call.admitted) >= FULL:
            return Refusal(why="full")
        if call.recording == "running" and seat.consent is not True:
            return Refusal(why="consent")
        return _with(call, replace(seat, state="admitted"))

    return _by_host(call, by, seat_id, let_in)


def send_back(call: Call, by: UUID, seat_id: UUID) -> Outcome:
    """Hand an admitted person back to the waiting room."""

    def back(seat: Seat) -> Outcome:
        if seat.state != "admitted" or seat.id == by:
            return Refusal(why="not-admitted")
        return _with(call, replace(seat, state="waiting"))

    return _by_host(call, by, seat_id, back)


def remove(call: Call, by: UUID, seat_id: UUID) -> Outcome:
    """Show somebody out for good: they cannot come back to this call."""

    def out(seat: Seat) -> Outcome:
        if seat.id == by:
            return Refusal(why="not-here")
        return _with(call, replace(seat, state="removed", present=False))

    return _by_host(call, by, seat_id, out)


def hand_over(call: Call, by: UUID, seat_id: UUID) -> Outcome:
    """Give the host's seat to another admitted person who may hold it."""

    def give(seat: Seat) -> Outcome:
        host = call.seat(by)
        if host is None or seat.state != "admitted" or not seat.may_host or seat.id == by:
            return Refusal(why="not-host")
        return _with(_with(call, replace(host, role="asker")), replace(seat, role="host"))

    return _by_host(call, by, seat_id, give)


def leave(call: Call, seat_id: UUID) -> Outcome:
    """Go. Whoever may may come again, through the waiting room; a host who goes leaves the host's seat free."""
    seat = call.seat(seat_id)
    if seat is None or seat.state not in {"waiting", "admitted"}:
        return Refusal(why="not-here")
    role: Role = "asker" if seat.role == "host" else seat.role
    gone = _with(call, replace(seat, state="left", role=role, present=False))
    return replace(gone, recording="off") if seat.role == "host" else gone


def end(call: Call, by: UUID) -> Outcome:
    """Close the call for everybody."""
    if not _is_host(call, by):
        return Refusal(why="not-host")
    return replace(call, ended=True, recording="off")


def ask_recording(call: Call, by: UUID) -> Outcome:
    """Ask everybody whether the call may be recorded; the one who asks agrees by asking."""
    host = call.seat(by)
    if host is None or not _is_host(call, by):
        return Refusal(why="not-host")
    asked = call if call.recording == "running" else replace(call, recording="asked")
    return _with(asked, replace(host, consent=True))


def answer_recording(call: Call, seat_id: UUID, *, agrees: bool) -> Outcome:
    """Agree or refuse; a refusal, also a later one, stops a running recording."""
    seat = call.seat(seat_id)
    if seat is None or seat.state not in {"waiting", "admitted"}:
        return Refusal(why="not-here")
    answered = _with(call, replace(seat, consent=agrees))
    stops = not agrees and seat.state == "admitted" and call.recording == "running"
    return replace(answered, recording="asked") if stops else answered


def start_recording(call: Call, by: UUID) -> Outcome:
    """Begin, if everybody in the call has agreed."""
    if not _is_host(call, by):
        return Refusal(why="not-host")
    return replace(call, recording="running") if may_record(call) else Refusal(why="consent")


def stop_recording(call: Call, by: UUID) -> Outcome:
    """End the recording, or the question for it."""
    return replace(call, recording="off") if _is_host(call, by) else Refusal(why="not-host")


def may_record(call: Call) -> bool:
    """Whether everybody in the call has agreed to being recorded."""
    return not call.ended and call.recording != "off" and all(seat.consent is True for seat in call.admitted)


def may_signal(call: Call, sender: UUID, target: UUID) -> bool:
    """Whether media may be arranged between two seats: both admitted, in a call that goes on."""
    one, other = call.seat(sender), call.seat(target)
    if one is None or other is None or one.id == other.id or call.ended:
        return False
    return one.state == other.state == "admitted"


def may_chat(call: Call, seat_id: UUID) -> bool:
    """Whether a seat may write and read the chat: the two sides always, guests while they are in the call."""
    seat = call.seat(seat_id)
    if seat is None or call.ended:
        return False
    return seat.state == "admitted" or (seat.state == "waiting" and seat.role != "guest")


def may_invite(call: Call, seat_id: UUID) -> bool:
    """Whether a seat may make an invitation: host and asker, once in the call."""
    seat = call.seat(seat_id)
    return seat is not None and not call.ended and seat.state == "admitted" and seat.role != "guest"


def _is_host(call: Call, seat_id: UUID) -> bool:
    return not call.ended and call.host is not None and call.host.id == seat_id


def _by_host(call: Call, by: UUID, seat_id: UUID, act: Callable[[Seat], Outcome]) -> Outcome:
    if not _is_host(call, by):
        return Refusal(why="ended" if call.ended else "not-host")
    seat = call.seat(seat_id)
    return act(seat) if seat is not None else Refusal(why="not-here")


def _with(call: Call, seat: Seat) -> Call:
    if call.seat(seat.id) is None:
        return replace(call, seats=(*call.seats, seat))
    return replace(call, seats=tuple(seat if other.id == seat.id else other for other in call.seats))
