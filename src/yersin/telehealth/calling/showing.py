"""What a page is shown of a call. Somebody who waits sees the host and nobody else."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from yersin.calls.rooms import Line
from yersin.calls.seats import Call, Seat, may_record


def room_shown(call: Call, reader: Seat) -> dict[str, Any]:
    """The room as one seat may see it."""
    inside = reader.state == "admitted"
    shown = [seat for seat in call.seats if _shows(seat, reader)]
    return {
        "me": seat_shown(reader),
        "seats": [seat_shown(seat) for seat in shown],
        "recording": call.recording,
        "may_record": may_record(call),
        "inside": inside,
    }


def _shows(seat: Seat, reader: Seat) -> bool:
    if seat.id == reader.id or seat.state in {"left", "removed"}:
        return False
    if reader.state == "admitted":
        # only the host decides over the waiting room, and sees who is there
        return seat.state == "admitted" or reader.role == "host"
    return seat.role == "host" and seat.state == "admitted"


def seat_shown(seat: Seat) -> dict[str, Any]:
    """A seat without what only the server needs."""
    return {
        "id": seat.id,
        "name": seat.name,
        "place": seat.place,
        "role": seat.role,
        "may_host": seat.may_host,
        "state": seat.standing,
        "present": seat.present,
        "page": seat.page,
        "consent": seat.consent,
    }


def line_shown(line: Line, reader: UUID) -> dict[str, Any]:
    """A line of chat."""
    return {
        "id": line.id,
        "key": line.key,
        "seat": line.seat,
        "name": line.name,
        "text": line.text,
        "said": line.said.isoformat(),
        "mine": line.seat == reader,
    }
