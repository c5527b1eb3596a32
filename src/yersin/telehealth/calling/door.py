"""Who may come into a call, as the call's pages ask it: the room that owns the request answers, through the guard."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException
from markupsafe import Markup

from yersin.calls import invitations
from yersin.calls.ice import IceServers
from yersin.calls.recordings import Recordings
from yersin.calls.rooms import Rooms
from yersin.calls.seats import Participant

AnyConnection: TypeAlias = ASGIConnection[Any, Any, Any, Any]

#: the cookie of a guest's seat; its path is that of the one call
SEAT_COOKIE = "call_seat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What stands around the video for a signed-in person: banner, chart, questions or minutes, and where to go afterwards."""

    banner: Markup = field(default_factory=Markup)
    #: address of the patient's chart, shown in a frame with its own access and audit
    record: str = ""
    #: questions, or the minutes for who writes them, and what the tab is called
    panel: Markup = field(default_factory=Markup)
    panel_title: str = ""
    #: address after leaving: the request
    home: str = "/"
    #: bundle entries the panel needs
    modules: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()


class Door(Protocol):
    """Decides, and writes to the audit what it let through."""

    async def may_join(self, connection: AnyConnection, call_id: UUID) -> Participant | None:
        """The signed-in person as a participant of this call, or None for a stranger. `may_host` is decided here."""

    async def may_replay(self, connection: AnyConnection, call_id: UUID) -> bool:
        """Whether the signed-in person may see recordings of this call."""

    async def beside(self, connection: AnyConnection, call_id: UUID) -> Beside:
        """What stands around the video; asked only for those who may join by their own right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calling:
    """Everything the call's pages need; the application keeps it as `app.state.calling`."""

    rooms: Rooms
    recordings: Recordings
    door: Door
    ice: IceServers = field(default_factory=IceServers)


def calling_of(connection: AnyConnection) -> Calling:
    calling: Calling = connection.app.state.calling
    return calling


async def participant(connection: AnyConnection, call_id: UUID) -> Participant | None:
    """Who asks: by their own right, or by the seat an invitation gave to this browser."""
    calling = calling_of(connection)
    who = await calling.door.may_join(connection, call_id)
    token = connection.cookies.get(SEAT_COOKIE)
    if who is None and token:
        return await calling.rooms.guest(call_id, invitations.hashed(token))
    return who


async def expected(connection: AnyConnection, call_id: UUID) -> Participant:
    """Who asks, or the page of a call that does not exist: a stranger learns nothing."""
    who = await participant(connection, call_id)
    if who is None:
        raise NotFoundException
    return who
