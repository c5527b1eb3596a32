"""Who may come into the call of a request: its two sides, while the request is accepted; and what stands beside the video."""

from __future__ import annotations

from uuid import UUID

from litestar import Request
from markupsafe import Markup

from yersin.calls.rooms import Rooms
from yersin.calls.seats import Participant
from yersin.fhir.problem import Problem
from yersin.guard.access import Access
from yersin.telehealth.calling.door import AnyConnection, Beside
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest

from . import consultations, people
from .answering import Answering
from .codes import id_of
from .consultations import Consultation
from .reading import content, find, now
from .staff import Post, post_of

_MEETING = frozenset({"accepted", "in-progress", "on-hold"})


class RequestDoor:
    """The `Door` of calls whose id is that of a request's meeting (Encounter)."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def may_join(self, connection: AnyConnection, call_id: UUID) -> Participant | None:
        """A side of the request; who accepted is the host, colleagues of the hub may take over."""
        found = await self._found(connection, call_id)
        if found is None or found[0].status not in _MEETING:
            return None
        it, post, side = found
        if side == "stranger":
            return None
        await self._rooms.open(call_id)
        hub = side == "hub"
        mine = id_of(it.accepted_by, "PractitionerRole") == post.role
        return Participant(
            person=f"PractitionerRole/{post.role}", name=post.name, place=post.organization_name,
            role="host" if hub and mine else "asker", may_host=hub,
        )  # fmt: skip

    async def may_replay(self, connection: AnyConnection, call_id: UUID) -> bool:
        """The two sides, for as long as the request is open to them."""
        found = await self._found(connection, call_id)
        return found is not None and found[2] != "stranger"

    async def beside(self, connection: AnyConnection, call_id: UUID) -> Beside:
        """The patient's banner, the questions, and the minutes for who writes them."""
        found = await self._found(connection, call_id)
        if found is None or not isinstance(connection, Request):
            return Beside()
        it, _post, side = found
        return await beside(connection, it, side)

    async def _found(self, connection: AnyConnection, call_id: UUID) -> tuple[Consultation, Post, str] | None:
        access: Access | None = connection.scope["state"].get("access")
        if access is None:
            return None
        try:
            meeting = content(await access.read("Encounter", str(call_id)))
            focus = next((r["reference"] for r in meeting.get("basedOn", ())), "")
            tasks = await find(access, "Task", ("focus", focus))
            if not tasks:
                return None
            it = await consultations.load(access, tasks[0]["id"])
            post = await post_of(access)
        except Problem:  # not here, or not open to this person: one answer for both
            return None
        return it, post, Answering(access, post).look(it).side


async def beside(request: AnyRequest, it: Consultation, side: str) -> Beside:
    """Draw what stands beside the video."""
    from .minutes_pages import beside_call  # noqa: PLC0415 - pages know doors' neighbours, not the other way round

    access: Access = request.scope["state"]["access"]
    person = await people.person(access, it.patient, (await now(access)).date())
    banner, panel, writes = await beside_call(request, it, person, side)
    return Beside(
        banner=Markup(banner),  # noqa: S704 - rendered by our own templates, which escape
        record=person.chart if side != "stranger" else "",
        panel=Markup(panel),  # noqa: S704 - as above
        panel_title=_("Minutes") if writes else _("Questions"),
        home=f"/telehealth/requests/{it.id}",
        styles=("telehealth/room",),
    )
