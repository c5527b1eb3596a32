"""Signing the minutes: the specialist first, then the station, each once; the result cannot change afterwards.

The PDF carries both signatures one after the other (PAdES, incremental). The second makes a new DocumentReference that
`signs` the first, since what is signed is never updated. Sources: Law 20/2023/QH15 (electronic transactions) art. 22-24;
ETSI EN 319 142-1; https://hl7.org/fhir/R4/provenance.html
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID
from weakref import WeakValueDictionary

from yersin.db import DatabaseFailure
from yersin.fhir.problem import Problem, problem
from yersin.guard.access import Access
from yersin.guard.writing import Change, Create, Update
from yersin.store.identity import new_id

from . import answering, consultations, minutes, outcomes, rules, staff
from .answering import Answer, Answering
from .codes import JSON, ref
from .consultations import Consultation, output
from .minutes import SIGNED, Draft
from .reading import content, now, touch, typed
from .rules import Moved, Refusal

CONSULTED, REQUESTING = "consulted", "requesting"
#: system of the code that is printed on a document; every revision of one document carries the same
DOCUMENT_CODE: Final = "urn:yersin:document-code"
_PURPOSE: Final = "urn:iso-astm:E1762-95:2013"
AUTHOR, VERIFIER = (
    ("1.2.840.10065.1.12.1.1", "Author's Signature"),
    ("1.2.840.10065.1.12.1.5", "Verification Signature"),
)


#: requests that somebody is signing now in this process: two presses of a key take turns, and the second finds it signed
_TURNS: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatory:
    """Whose key signs."""

    person: str  # id of the Practitioner
    name: str
    title: str
    licence: str
    organization: str


class Pen(Protocol):
    """Signs a field of a PDF with the key of a person. The application holds the real one as `app.state.pen`."""

    async def sign(self, pdf: bytes, field: str, signatory: Signatory, reason: str = "") -> bytes:
        """Return the PDF with the field signed; what was signed before stays valid. Raises Problem."""
        ...


@dataclass(frozen=True, slots=True)
class Signing:
    """Signatures of one person."""

    answering: Answering
    pen: Pen

    @property
    def access(self) -> Access:
        return self.answering.access

    async def signatory(self) -> Signatory:
        """Who signs, as the workforce register has it."""
        who = self.access.who
        known = await staff.licensed(self.access, self.answering.post.ref)
        return Signatory(
            person=who.practitioner_id or "",
            name=known.name,
            title=known.title,
            licence=known.licence or who.practitioner_id or "",
            organization=who.organization_name,
        )

    async def conclude(self, task_id: str, draft: Draft) -> Answer:
        """Sign as the specialist: minutes final, answers on the request, the hub's access given its end."""
        return await self._once(task_id, "conclude", lambda: self._conclude(task_id, draft))

    async def _once(self, task_id: str, move: str, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Make a signature alone in this process. What fails since another process made it meanwhile counts as made."""
        async with _TURNS.setdefault(task_id, asyncio.Lock()):
            try:
                return await work()
            except (Problem, DatabaseFailure):
                answer = rules.decide(move, self.answering.look(await consultations.load(self.access, task_id)))
                if isinstance(answer, Refusal):
                    return answer
                raise

    async def _conclude(self, task_id: str, draft: Draft) -> Answer:
        it = await consultations.load(self.access, task_id)
        refused = rules.decide("conclude", self.answering.look(it))
        meeting = await answering.meeting_of(self.access, it)
        if isinstance(refused, Refusal) or meeting is None:
            return refused if isinstance(refused, Refusal) else Refusal(why="not-accepted")
        before = minutes.minutes_among(await minutes.found(self.access, meeting))
        at = await now(self.access)
        from . import papers  # noqa: PLC0415 - typesetting loads fonts and a compiler; a server that never signs needs neither

        data = await papers.gather(self.access, it, draft, at)
        pdf = await asyncio.to_thread(papers.typeset, data)
        signed = await self.pen.sign(pdf, CONSULTED, await self.signatory())
        made = _Made(
            minutes=before["id"] if before else minutes.id_for(meeting), document=new_id(), meeting=meeting, at=at,
            code=data.verification_code,
        )  # fmt: skip

        def edit(it: Consultation, _: Moved) -> Sequence[Change]:
            return self._concluded(it, draft, made, signed)

        return await consultations.change(self.access, task_id, "conclude", self.answering.look, edit)

    def _concluded(self, it: Consultation, draft: Draft, made: _Made, pdf: bytes) -> list[Change]:
        post, at = self.answering.post, made.at
        it.task["output"] = [*it.output("meeting"), *_outputs(it, draft), *made.outputs]
        it.task["restriction"]["period"]["end"] = rules.access_ends(at, it.days).isoformat()
        touch(it.task, at)
        it.request["status"] = "completed"
        document = minutes.composition(it, draft, post, made.meeting, at)
        final = {**document, "meta": SIGNED, "status": "final",
                 "attester": [{"mode": "professional", "time": at.isoformat(), "party": post.ref}]}  # fmt: skip
        period = document["event"][0]["period"]
        it.task["executionPeriod"] = {"start": period["start"], "end": at.isoformat()}
        paper = self.document(it, made.minutes, made.meeting, pdf, at)
        paper["identifier"] = [{"system": DOCUMENT_CODE, "value": made.code}]
        targets = [f"Composition/{made.minutes}", f"DocumentReference/{made.document}"]
        return [
            made.keep(final),
            Update(resource=typed({**made.meeting, "status": "finished", "period": period})),
            Create(resource=typed(paper), id=made.document),
            Create(resource=typed(self.provenance(it, targets, at, AUTHOR)), id=new_id()),
            outcomes.asked(it, at),
        ]

    async def countersign(self, task_id: str) -> Answer:
        """Sign as the asking side, in the document the specialist signed."""
        return await self._once(task_id, "countersign", lambda: self._countersign(task_id))

    async def _countersign(self, task_id: str) -> Answer:
        it = await consultations.load(self.access, task_id)
        refused = rules.decide("countersign", self.answering.look(it))
        if isinstance(refused, Refusal):
            return refused
        first = await document_of(self.access, it)
        meeting = await answering.meeting_of(self.access, it)
        at = await now(self.access)
        signed = await self.pen.sign(pdf_of(first), REQUESTING, await self.signatory())
        key = new_id()

        def edit(it: Consultation, _: Moved) -> Sequence[Change]:
            touch(it.task, at)
            it.task["output"].append(output("document", valueReference=ref("DocumentReference", str(key))))
            document = self.document(it, minutes.minutes_id(it), meeting or {}, signed, at)
            document["identifier"] = first.get("identifier")
            document["relatesTo"] = [{"code": "signs", "target": ref("DocumentReference", first["id"])}]
            targets = [f"Composition/{minutes.minutes_id(it)}", f"DocumentReference/{key}"]
            provenance = self.provenance(it, targets, at, VERIFIER)
            return [Create(resource=typed(document), id=key), Create(resource=typed(provenance), id=new_id())]

        return await consultations.change(self.access, task_id, "countersign", self.answering.look, edit)

    def document(self, it: Consultation, composition: str, meeting: JSON, pdf: bytes, at: datetime) -> JSON:
        """Build the DocumentReference of a signed PDF."""
        return {
            "resourceType": "DocumentReference", "meta": SIGNED, "status": "current", "docStatus": "final",
            "type": minutes.TYPE, "subject": it.task["for"], "date": at.isoformat(), "author": [self.answering.post.ref],
            "custodian": it.hub, "description": minutes.TYPE["text"],
            "content": [{"attachment": {
                "contentType": "application/pdf", "language": "vi", "data": base64.b64encode(pdf).decode(), "size": len(pdf),
                "title": minutes.TYPE["text"], "creation": at.isoformat(),
            }}],
            "context": {"encounter": [ref("Encounter", meeting["id"])] if meeting else None,
                        "related": [ref("Composition", composition), it.task["focus"]]},
        }  # fmt: skip

    def provenance(self, it: Consultation, targets: list[str], at: datetime, purpose: tuple[str, str]) -> JSON:
        """Build the Provenance of a signature: who signed what for whom."""
        post = self.answering.post
        code, display = purpose
        return {
            "resourceType": "Provenance", "meta": SIGNED, "target": [{"reference": t} for t in [*targets, it.task["for"]["reference"]]],
            "recorded": at.isoformat(), "agent": [{"who": post.ref, "onBehalfOf": post.place}],
            "signature": [{
                "type": [{"system": _PURPOSE, "code": code, "display": display}], "when": at.isoformat(), "who": post.ref,
                "targetFormat": "application/pdf", "sigFormat": "application/pdf",
            }],
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """Ids and moment that a signature writes under, fixed before the first try."""

    minutes: str
    document: UUID
    meeting: JSON
    at: datetime
    code: str

    @property
    def outputs(self) -> list[JSON]:
        minutes_ref, document_ref = ref("Composition", self.minutes), ref("DocumentReference", str(self.document))
        return [output("minutes", valueReference=minutes_ref), output("document", valueReference=document_ref)]

    def keep(self, document: JSON) -> Change:
        """Make the Composition final, whatever draft of it was saved meanwhile: the form that is signed says it all."""
        return Update(resource=typed({**document, "id": self.minutes}))


def _outputs(it: Consultation, draft: Draft) -> list[JSON]:
    """The answers on the Task, where a program finds them without reading a document."""
    pairs = zip(it.questions, draft.conclusions, strict=True)
    made = [output("conclusion", text=question, valueString=answer) for question, answer in pairs]
    if draft.diagnosis:
        made.append(output("diagnosis", valueCodeableConcept=draft.diagnosis.concept))
    named: dict[str, Any] = {
        "findings": draft.findings,
        "plan": draft.plan,
        "care": draft.care,
        "transfer": draft.transfer,
        "advice": draft.advice,
    }
    made += [output(kind, valueString=text) for kind, text in named.items() if text]
    if draft.follow_up:
        made.append(output("follow-up", valueDate=draft.follow_up.isoformat()))
    return made


async def document_of(access: Access, it: Consultation) -> JSON:
    """The newest signed document of a request."""
    names = [o["valueReference"]["reference"].rpartition("/")[2] for o in it.output("document")]
    if not names:
        raise problem("not-found", "Nothing is signed yet.", status=404)
    return content(await access.read("DocumentReference", names[-1]))


def pdf_of(document: JSON) -> bytes:
    """The PDF a DocumentReference holds."""
    return base64.b64decode(document["content"][0]["attachment"]["data"])
