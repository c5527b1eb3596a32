"""Answering: a hub opens a request, accepts it, asks back, proposes a time, declines it or hands it to a colleague.

Every move is decided by `rules` on what is there at that moment and written on condition that it is still so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from yersin.guard.access import Access
from yersin.guard.writing import Change, Create, Update
from yersin.store.identity import new_id

from . import consultations, routing, rules
from .codes import EXT_ASKED, JSON, MESSAGE, REASON, VIRTUAL, concept, id_of, ref
from .consultations import Consultation, asked_hub, output, standing
from .reading import find, now, touch, typed
from .routing import Pool
from .rules import Moved, Refusal, Standing
from .staff import Post

Answer = Consultation | Refusal


@dataclass(frozen=True, slots=True)
class Answering:
    """Moves of one person."""

    access: Access
    post: Post

    def look(self, it: Consultation) -> Standing:
        """How a request looks to this person."""
        return standing(it, organization=self.post.organization, role=self.post.role)

    async def _move(self, task_id: str, move: str, edit: consultations.Edit) -> Answer:
        return await consultations.change(self.access, task_id, move, self.look, edit)

    async def receive(self, it: Consultation) -> Consultation:
        """Note that the hub has seen the request: the asker is shown it. Nothing happens when it was seen before."""
        if it.status != "requested" or self.look(it).side != "hub":
            return it
        at = await now(self.access)
        moved = await self._move(it.id, "receive", lambda it, _: _touch(it, at))
        return it if isinstance(moved, Refusal) else await consultations.load(self.access, it.id)

    async def accept(self, task_id: str) -> Answer:
        """Accept; with it the meeting gets its place (an Encounter), so both can come to the waiting room."""
        at = await now(self.access)
        meeting = new_id()

        def edit(it: Consultation, _: Moved) -> Sequence[Change]:
            _perform(it, self.post.ref)
            made = it.output("meeting")
            if not made:
                it.task.setdefault("output", []).append(
                    output("meeting", valueReference=ref("Encounter", str(meeting)))
                )
            _touch(it, at)
            return [] if made else [Create(resource=typed(_meeting(it, self.post)), id=meeting)]

        return await self._move(task_id, "accept", edit)

    async def hand_over(self, task_id: str, to: JSON, note: str) -> Answer:
        """Hand an accepted request to a colleague of the pool, with a note of the shift."""
        at = await now(self.access)

        def edit(it: Consultation, _: Moved) -> Sequence[Change]:
            _perform(it, to)
            _touch(it, at)
            return [self._message(it, note, "hand-over", at)] if note else []

        return await self._move(task_id, "hand-over", edit)

    async def ask_back(self, task_id: str, text: str) -> Answer:
        """Ask the station something; the clock stands still until it answers."""
        return await self._write(task_id, "ask-back", text, "question")

    async def reply(self, task_id: str, text: str) -> Answer:
        """Answer what the hub asked; the clock runs again from now."""
        return await self._write(task_id, "reply", text, "answer")

    async def _write(self, task_id: str, move: str, text: str, kind: str) -> Answer:
        at = await now(self.access)

        def edit(it: Consultation, _: Moved) -> Sequence[Change]:
            _touch(it, at)
            if move == "reply":
                it.task["restriction"]["period"]["start"] = at.isoformat()
            return [self._message(it, text, kind, at)]

        return await self._move(task_id, move, edit)

    def _message(self, it: Consultation, text: str, kind: str, at: datetime) -> Create:
        to = it.asker if self.look(it).side == "hub" else it.hub
        return Create(resource=typed({
            "resourceType": "Communication", "basedOn": [it.task["focus"]], "status": "completed",
            "category": [concept(MESSAGE, kind)], "subject": it.task["for"], "about": [ref("Task", it.id)], "sent": at.isoformat(),
            "sender": self.post.ref, "recipient": [to], "payload": [{"contentString": text}],
        }), id=new_id())  # fmt: skip

    async def propose(self, task_id: str, start: datetime, minutes: int) -> Answer:
        """Propose a time; a proposal made before gives way to it."""
        at = await now(self.access)
        old = await proposals(self.access, task_id)

        def edit(it: Consultation, _: Moved) -> Sequence[Change]:
            _touch(it, at)
            gone = [
                Update(resource=typed({**one, "status": "cancelled"}))
                for one in old
                if one["status"] in {"proposed", "booked"}
            ]
            return [*gone, Create(resource=typed(self._appointment(it, start, minutes, at)), id=new_id())]

        return await self._move(task_id, "propose", edit)

    def _appointment(self, it: Consultation, start: datetime, minutes: int, at: datetime) -> JSON:
        mine, theirs = self.post.ref, it.accepted_by if self.look(it).side == "asker" else it.asking_person
        return {
            "resourceType": "Appointment", "status": "proposed", "basedOn": [it.task["focus"]], "created": at.isoformat(),
            "serviceType": [it.specialty], "start": start.isoformat(), "end": (start + timedelta(minutes=minutes)).isoformat(),
            "minutesDuration": minutes, "participant": [
                {"actor": it.task["for"], "status": "accepted"}, {"actor": mine, "status": "accepted"},
                {"actor": theirs, "status": "needs-action"},
            ],
        }  # fmt: skip

    async def agree(self, task_id: str, appointment: JSON) -> Answer:
        """Agree to a proposed time."""
        at = await now(self.access)
        parts = [{**p, "status": "accepted"} for p in appointment["participant"]]
        agreed = Update(resource=typed({**appointment, "status": "booked", "participant": parts}))

        def edit(it: Consultation, _: Moved) -> Sequence[Change]:
            _touch(it, at)
            return [agreed]

        return await self._move(task_id, "agree", edit)

    async def decline(self, task_id: str, reason: str) -> Answer:
        """Decline with a reason: the request goes to the next hub, or back to the asker when none is left."""
        it = await consultations.load(self.access, task_id)
        following = await next_pool(self.access, it)
        at = await now(self.access)

        def look(it: Consultation) -> Standing:
            return standing(
                it, organization=self.post.organization, role=self.post.role, hubs_left=following is not None
            )

        def edit(it: Consultation, _: Moved) -> Sequence[Change]:
            return pass_on(it, following, at, "declined", reason)

        return await consultations.change(self.access, task_id, "decline", look, edit)

    async def cancel(self, task_id: str, reason: str) -> Answer:
        """Withdraw the request; the hub's access ends with it."""
        at = await now(self.access)

        def edit(it: Consultation, _: Moved) -> Sequence[Change]:
            it.task["statusReason"] = concept(REASON, "withdrawn", reason)
            it.request["status"] = "revoked"
            return _touch(it, at)

        return await self._move(task_id, "cancel", edit)

    async def again(self, task_id: str) -> Answer:
        """Ask once more from the first hub on, after nobody took the request."""
        it = await consultations.load(self.access, task_id)
        listed = await routing.pools(self.access, id_of(it.asker, "Organization"))
        first = next((pool for pool in listed if pool.specialty == it.specialty_code), None)
        at = await now(self.access)

        def edit(it: Consultation, _: Moved) -> Sequence[Change]:
            it.task.pop("statusReason", None)
            return send_to(it, first, at, it.round + 1) if first else []

        return Refusal(why="state") if first is None else await self._move(task_id, "again", edit)

    async def begin(self, task_id: str) -> Answer:
        """Begin the meeting."""
        at = await now(self.access)
        meeting = await meeting_of(self.access, await consultations.load(self.access, task_id))

        def edit(it: Consultation, _: Moved) -> Sequence[Change]:
            _touch(it, at)
            if meeting is None or meeting["status"] == "in-progress":
                return []
            return [Update(resource=typed({**meeting, "status": "in-progress", "period": {"start": at.isoformat()}}))]

        return await self._move(task_id, "begin", edit)


def _touch(it: Consultation, at: datetime) -> list[Change]:
    touch(it.task, at)
    return []


def _perform(it: Consultation, role: JSON) -> None:
    pools = [p for p in it.request.get("performer", ()) if id_of(p, "HealthcareService")]
    it.request["performer"] = [*pools, role]


def _meeting(it: Consultation, post: Post) -> JSON:
    """The meeting. Its provider is the asking facility, where the patient is: a hub's access rests on the Task alone."""
    return {
        "resourceType": "Encounter", "status": "planned", "class": VIRTUAL, "serviceType": it.specialty, "subject": it.task["for"],
        "basedOn": [it.task["focus"]], "participant": [{"individual": it.asking_person}, {"individual": post.ref}],
        "serviceProvider": it.asker,
    }  # fmt: skip


async def meeting_of(access: Access, it: Consultation) -> JSON | None:
    """The Encounter of a request, once it was accepted."""
    found = await find(access, "Encounter", ("based-on", f"ServiceRequest/{it.request['id']}"))
    return found[0] if found else None


async def proposals(access: Access, task_id: str) -> list[JSON]:
    """Times proposed for a request, newest first."""
    it = await consultations.load(access, task_id)
    return await find(
        access, "Appointment", ("based-on", f"ServiceRequest/{it.request['id']}"), ("_sort", "-_lastUpdated")
    )


async def next_pool(access: Access, it: Consultation) -> Pool | None:
    """The pool that is asked after the one asked now, in this round."""
    listed = await routing.pools(access, id_of(it.asker, "Organization"))
    ranked = {pool.hub: pool for pool in reversed(listed) if pool.specialty == it.specialty_code}
    order = sorted(ranked, key=lambda hub: ranked[hub].rank)
    asked = [id_of(a["hub"], "Organization") for a in it.hubs_asked if a["round"] == it.round]
    following = rules.next_hub(order, asked)
    return ranked[following] if following else None


def pass_on(it: Consultation, following: Pool | None, at: datetime, why: str, reason: str = "") -> list[Change]:
    """Close the round at this hub, and open it at the next; without a next one the request returns to the asker."""
    _close(it, why, reason)
    it.task["statusReason"] = concept(REASON, why, reason)
    if following:
        return send_to(it, following, at, it.round)
    it.request["performer"] = [p for p in it.request.get("performer", ()) if id_of(p, "HealthcareService")]
    return _touch(it, at)


def _close(it: Consultation, why: str, reason: str) -> None:
    last: Any = [e for e in it.task["extension"] if e["url"] == EXT_ASKED][-1:]
    for one in last:
        one["extension"].append({"url": "why", "valueCode": why})
        if reason:
            one["extension"].append({"url": "reason", "valueString": reason})


def send_to(it: Consultation, pool: Pool, at: datetime, round_: int) -> list[Change]:
    """Ask a hub: from now on it is the one whose access the Task opens."""
    hub = ref("Organization", pool.hub, pool.hub_name)
    it.task["owner"] = hub
    it.task["restriction"] = {"period": {"start": at.isoformat()}}
    it.task["extension"].append(asked_hub(hub, at, round_))
    it.request["performer"] = [ref("HealthcareService", pool.service)]
    return _touch(it, at)
