"""What the patient reads of a consultation: who was asked, what they answered, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from yersin.guard.access import Access
from yersin.search.page import Query
from yersin.web.shell import AnyRequest

from . import answering, consultations, minutes
from .codes import ACTIVITY
from .consultations import Consultation
from .documents import addenda
from .documents.addenda import Addition
from .reading import access_of, content, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One concluded consultation."""

    it: Consultation
    when: datetime | None
    answers: list[tuple[str, str]]
    additions: list[Addition]

    def words(self, kind: str) -> str:
        """Words of an output."""
        return "\n".join(o.get("valueString", "") for o in self.it.output(kind))

    @property
    def diagnosis(self) -> str:
        return "; ".join(o["valueCodeableConcept"].get("text", "") for o in self.it.output("diagnosis"))

    @property
    def follow_up(self) -> str:
        return next((o["valueDate"] for o in self.it.output("follow-up")), "")


async def conclusions(request: AnyRequest, chart: Any) -> list[Told]:
    """Concluded consultations of the person whose record this is, newest first."""
    access = access_of(request)
    query = Query.of("Task", [
        ("patient", f"Patient/{chart.id}"), ("code", f"{ACTIVITY}|"), ("status", "completed"), ("_include", "Task:focus"),
        ("_sort", "-modified"), ("_count", "20"),
    ])  # fmt: skip
    found = await access.search(query)
    requests = {f"ServiceRequest/{v.id}": v for v in found.included}
    listed = [(v, requests.get(content(v).get("focus", {}).get("reference", ""))) for v in found.versions]
    every = [await _told(access, consultations.joined(task, about)) for task, about in listed if about]
    return [told for told in every if told.answers]


async def _told(access: Access, it: Consultation) -> Told:
    answers = [(o["type"].get("text", ""), o["valueString"]) for o in it.output("conclusion")]
    added = await addenda.shown(access, it, await minutes.found(access, await answering.meeting_of(access, it)))
    return Told(it=it, when=moment(it.task.get("lastModified")), answers=answers, additions=added)
