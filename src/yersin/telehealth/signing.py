"""Signing the minutes: the specialist first, then the station, each once; the result cannot change afterwards.

The PDF carries both signatures one after the other (PAdES, incremental). The second makes a new DocumentReference that
`signs` the first, since what is signed is never updated. Sources: Law 20/2023/QH15 (electronic transactions) art. 22-24;
ETSI EN 319 142-1; https://hl7.org/fhir/R4/provenance.html
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from yersin.fhir.problem import problem
from yersin.guard.access import Access
from yersin.guard.writing import Change, Create, Update
from yersin.store.identity import new_id

from . import answering, consultations, minutes, outcomes, rules, staff
from .answering import Answer, Answering
from .codes import JSON, ref
from .consultations import Consultation, output
from .minutes import SIGNED, Draft
from .reading import content, now, typed
from .rules import Moved, Refusal

CONSULTED, REQUESTING = "consulted", "requesting"
_PURPOSE: Final = "urn:iso-astm:E1762-95:2013"
_AUTHOR, _VERIFIER = (
    ("1.2.840.10065.1.12.1.1", "Author's Signature"),
    ("1.2.840.10065.1.12.1.5", "Verification Signature"),
)


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

    async def sign(self, pdf: bytes, field: str, signatory: Signatory) -> bytes:
        """Return the PDF with the field signed; what was signed before stays valid. Raises Problem."""
        ...


@dataclass(frozen=True, slots=True)
class Signing:
    """Signatures of one person."""

    answering: Answering
    pen: Pen
    base: str

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
        it = await consultations.load(self.access, task_id)
        refused = rules.decide("conclude", self.answering.look(it))
        meeting = await answering.meeting_of(self.access, it)
        if isinstance(refused, Refusal) or meeting is None:
            return refused if isinstance(refused, Refusal) else Refusal(why="not-accepted")
        before = minutes.minutes_among(await minutes.found(self.access, meeting))
        at = await now(self.access)
        from . import papers  # noqa: PLC0415 - typesetting loads fonts and a compiler; a server that never signs needs neither

        data = await papers.gather(self.access, it, draft, at, self.base)
        pdf = await asyncio.to_thread(papers.typeset, data)
        signed = await self.pen.sign(pdf, CONSULTED, await self.signatory())
        made = _Made(
            minutes=UUID(before["id"]) if before else new_id(), document=new_id(), before=before, meeting=meeting, at=at
        )

        def edit(it: Consultation, _: Moved) -> Sequence[Change]:
            return self._concluded(it, draft, made, signed)

        return await consultations.change(self.access, task_id, "conclude", self.answering.look, edit)

    def _concluded(self, it: Consultation, draft: Draft, made: _Made, pdf: bytes) -> list[Change]:
        post, at = self.answering.post, made.at
        it.task["output"] = [*it.output("meeting"), *_outputs(it, draft), *made.outputs]
        it.task["restriction"]["period"]["end"] = rules.access_ends(at, it.days).isoformat()
        it.task["lastModified"] = at.isoformat()
        it.request["status"] = "completed"
        document = minutes.composition(it, draft, post, made.meeting, at)
        final = {**document, "meta": SIGNED, "status": "final",
                 "attester": [{"mode": "professional", "time": at.isoformat(), "party": post.ref}]}  # fmt: skip
        period = document["event"][0]["period"]
        it.task["executionPeriod"] = {"start": period["start"], "end": at.isoformat()}
        paper = self._document(it, str(made.minutes), made.meeting, pdf, at)
        targets = [f"Composition/{made.minutes}", f"DocumentReference/{made.document}"]
        return [
            made.keep(final),
            Update(resource=typed({**made.meeting, "status": "finished", "period": period})),
            Create(resource=typed(paper), id=made.document),
            Create(resource=typed(self._provenance(it, targets, at, _AUTHOR)), id=new_id()),
            outcomes.asked(it, at),
        ]

    async def countersign(self, task_id: str) -> Answer:
        """Sign as the asking side, in the document the specialist signed."""
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
            it.task["lastModified"] = at.isoformat()
            it.task["output"].append(output("document", valueReference=ref("DocumentReference", str(key))))
            document = self._document(it, minutes.minutes_id(it), meeting or {}, signed, at)
            document["relatesTo"] = [{"code": "signs", "target": ref("DocumentReference", first["id"])}]
            targets = [f"Composition/{minutes.minutes_id(it)}", f"DocumentReference/{key}"]
            provenance = self._provenance(it, targets, at, _VERIFIER)
            return [Create(resource=typed(document), id=key), Create(resource=typed(provenance), id=new_id())]

        return await consultations.change(self.access, task_id, "countersign", self.answering.look, edit)

    def _document(self, it: Consultation, composition: str, meeting: JSON, pdf: bytes, at: datetime) -> JSON:
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

    def _provenance(self, it: Consultation, targets: list[str], at: datetime, purpose: tuple[str, str]) -> JSON:
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

    async def add(self, task_id: str, text: str) -> JSON:
        """Add to signed minutes, as a document of its own. Raises Problem when there is nothing signed to add to."""
        it = await consultations.load(self.access, task_id)
        documents = await minutes.found(self.access, await answering.meeting_of(self.access, it))
        signed = minutes.minutes_among(documents)
        if signed is None or signed["status"] != "final":
            raise problem("business-rule", "There are no signed minutes to add to.", status=409)
        made, key, at = new_id(), new_id(), await now(self.access)
        addendum = minutes.addendum(signed, text, self.answering.post, at)
        provenance = self._provenance(it, [f"Composition/{made}"], at, _AUTHOR)
        provenance.pop("signature")
        await self.access.write([Create(resource=typed(addendum), id=made), Create(resource=typed(provenance), id=key)])
        return addendum


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """Ids and moment that a signature writes under, fixed before the first try."""

    minutes: UUID
    document: UUID
    before: JSON | None
    meeting: JSON
    at: datetime

    @property
    def outputs(self) -> list[JSON]:
        minutes_ref, document_ref = ref("Composition", str(self.minutes)), ref("DocumentReference", str(self.document))
        return [output("minutes", valueReference=minutes_ref), output("document", valueReference=document_ref)]

    def keep(self, document: JSON) -> Change:
        """Make the Composition final: the draft becomes it, or it comes into being."""
        if self.before is None:
            return Create(resource=typed(document), id=self.minutes)
        version = int(self.before["meta"]["versionId"])
        return Update(resource=typed({**document, "id": str(self.minutes)}), expected=version)


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
