"""A request for consultation as it stands: its Task and its ServiceRequest, read together and changed together.

Task.owner is the hub that is asked now; the guard opens the chart to it for as long as the Task says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from yersin.fhir.problem import Problem
from yersin.guard.access import Access
from yersin.guard.writing import Change, Update
from yersin.store.versions import Version

from . import law, rules
from .codes import (
    ACTIVITY,
    BUSINESS,
    EXT_ASKED,
    EXT_DAYS,
    EXT_MODE,
    EXT_SHARED,
    JSON,
    SNOMED,
    code_of,
    concept,
    extension,
    id_of,
)
from .reading import content, moment, typed
from .rules import Moved, Refusal, Standing

_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Consultation:
    """One request. The documents may be changed by an edit; `task_version` and `request_version` are what was read."""

    task: JSON
    request: JSON
    task_version: int
    request_version: int

    @property
    def id(self) -> str:
        """Opaque id of the request in addresses: that of the Task."""
        return str(self.task["id"])

    @property
    def status(self) -> str:
        return str(self.task["status"])

    @property
    def business(self) -> str:
        return code_of(self.task.get("businessStatus"), BUSINESS)

    @property
    def patient(self) -> str:
        return id_of(self.task.get("for"), "Patient")

    @property
    def asker(self) -> JSON:
        """The facility that asks."""
        found: JSON = self.task["requester"]
        return found

    @property
    def asking_person(self) -> JSON:
        found: JSON = self.request["requester"]
        return found

    @property
    def hub(self) -> JSON:
        """The facility asked now."""
        found: JSON = self.task.get("owner", {})
        return found

    @property
    def pool(self) -> str:
        return next((key for p in self.request.get("performer", ()) if (key := id_of(p, "HealthcareService"))), "")

    @property
    def accepted_by(self) -> JSON:
        """Who accepted: a PractitionerRole, or nothing."""
        return next((p for p in self.request.get("performer", ()) if id_of(p, "PractitionerRole")), {})

    @property
    def urgency(self) -> law.Urgency:
        found = law.named(law.URGENCIES, self.task.get("priority", "routine"))
        return found or law.URGENCIES[-1]

    @property
    def activity(self) -> law.Activity | None:
        return law.named(law.ACTIVITIES, code_of(self.task.get("code"), ACTIVITY))

    @property
    def mode(self) -> law.Mode | None:
        return next((law.named(law.MODES, e["valueCode"]) for e in extension(self.request, EXT_MODE)), None)

    @property
    def specialty(self) -> JSON:
        found: JSON = self.request.get("performerType", {})
        return found

    @property
    def specialty_code(self) -> str:
        return code_of(self.specialty, SNOMED)

    @property
    def questions(self) -> list[str]:
        return [str(i["valueString"]) for i in self.task.get("input", ()) if "valueString" in i]

    @property
    def history(self) -> str:
        return "\n".join(n["text"] for n in self.request.get("note", ()))

    @property
    def shared(self) -> list[str]:
        """Parts of the chart that the asker shares; empty means the whole chart."""
        return [e["valueCode"] for e in extension(self.request, EXT_SHARED)]

    @property
    def days(self) -> int:
        """Days of access agreed after the minutes are signed."""
        return next((e["valuePositiveInt"] for e in extension(self.task, EXT_DAYS)), law.ACCESS_DAYS)

    @property
    def written(self) -> datetime | None:
        return moment(self.task.get("authoredOn"))

    @property
    def asked(self) -> datetime | None:
        """Since when the hub asked now has been waiting for: what the clock counts from."""
        return moment(self.task.get("restriction", {}).get("period", {}).get("start")) or self.written

    @property
    def due(self) -> datetime | None:
        return self.asked + self.urgency.within if self.asked else None

    @property
    def ends(self) -> datetime | None:
        """When the hub's access ends, once that is known."""
        return moment(self.task.get("restriction", {}).get("period", {}).get("end"))

    @property
    def round(self) -> int:
        return max((a["round"] for a in self.hubs_asked), default=1)

    @property
    def hubs_asked(self) -> list[dict[str, Any]]:
        """The hubs in the order asked: hub, asked, round, and why it ended."""
        return [_plain(e) for e in extension(self.task, EXT_ASKED)]

    def output(self, kind: str) -> list[JSON]:
        """Outputs of a kind: conclusion, diagnosis, plan, minutes, document, meeting."""
        return [o for o in self.task.get("output", ()) if code_of(o["type"], EXT_OUTPUT) == kind]


EXT_OUTPUT = "urn:yersin:code-system:consultation-output"


def _plain(asked: JSON) -> dict[str, Any]:
    parts = {e["url"]: next(v for k, v in e.items() if k.startswith("value")) for e in asked["extension"]}
    return {"hub": parts["hub"], "asked": moment(parts["asked"]), "round": parts.get("round", 1), "why": parts.get("why", ""),
            "reason": parts.get("reason", "")}  # fmt: skip


def asked_hub(hub: JSON, at: datetime, round_: int) -> JSON:
    """Note on the Task that a hub is asked."""
    return {"url": EXT_ASKED, "extension": [
        {"url": "hub", "valueReference": hub}, {"url": "asked", "valueDateTime": at.isoformat()},
        {"url": "round", "valuePositiveInt": round_},
    ]}  # fmt: skip


def output(kind: str, **value: Any) -> JSON:
    """Build one output of the Task."""
    text = value.pop("text", "")
    return {"type": concept(EXT_OUTPUT, kind, text), **value}


async def load(access: Access, task_id: str) -> Consultation:
    """Read a request. Raises Problem (not-found) for what is not open to the asker."""
    task = await access.read("Task", task_id)
    focus = id_of(content(task).get("focus"), "ServiceRequest")
    return joined(task, await access.read("ServiceRequest", focus))


def joined(task: Version, request: Version) -> Consultation:
    """Put a Task and its ServiceRequest together."""
    return Consultation(
        task=content(task), request=content(request), task_version=task.ver, request_version=request.ver
    )


def standing(it: Consultation, *, organization: str, role: str, hubs_left: bool = False) -> Standing:
    """How a request looks to somebody at a facility. A facility that asks itself counts as the asker."""
    if id_of(it.asker, "Organization") == organization:
        side: rules.Side = "asker"
    else:
        side = "hub" if id_of(it.hub, "Organization") == organization else "stranger"
    return Standing(
        status=it.status,
        side=side,
        accepted_by=id_of(it.accepted_by, "PractitionerRole"),
        me=role,
        hubs_left=hubs_left,
        countersigned=it.business == "signed-by-both",
    )


Edit = Callable[[Consultation, Moved], Sequence[Change]]
Look = Callable[[Consultation], Standing]


async def change(access: Access, task_id: str, move: str, look: Look, edit: Edit) -> Consultation | Refusal:
    """Make a move: read, decide, write on condition that nothing changed meanwhile; else look again."""
    for _ in range(_TRIES):
        it = await load(access, task_id)
        answer = rules.decide(move, look(it))
        if isinstance(answer, Refusal):
            return answer
        before = deepcopy((it.task, it.request))
        it.task["status"] = answer.status
        it.task["businessStatus"] = concept(BUSINESS, answer.business)
        more = edit(it, answer)
        try:
            await access.write([*more, *_updates(it, before)])
        except Problem as refusal:
            if refusal.status != 412:
                raise
            continue
        return it
    return Refusal(why="state")


def _updates(it: Consultation, before: tuple[JSON, JSON]) -> list[Change]:
    pairs = ((it.task, before[0], it.task_version), (it.request, before[1], it.request_version))
    return [Update(resource=typed(now), expected=version) for now, old, version in pairs if now != old]
