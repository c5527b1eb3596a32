"""Adding to signed minutes: who adds signs at once, the other side may sign after; each addition is a document of its own.

An addition is a Composition and a DocumentReference that `appends` the signed minutes; the second signature makes a new
DocumentReference that `signs` the first. Sources: https://hl7.org/fhir/R4/documentreference.html (relatesTo), Law 20/2023/QH15.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

from yersin.fhir.problem import problem
from yersin.guard.access import Access
from yersin.guard.writing import Create, Update, Writing
from yersin.store.identity import new_id
from yersin.telehealth import answering, asking, consultations, minutes, signing
from yersin.telehealth.codes import JSON, id_of, ref
from yersin.telehealth.consultations import Consultation
from yersin.telehealth.reading import content, find, now, typed
from yersin.telehealth.signing import AUTHOR, CONSULTED, DOCUMENT_CODE, REQUESTING, VERIFIER, Signing

TITLE: Final = "Bổ sung biên bản hội chẩn từ xa"
_FIELDS: Final = {"hub": CONSULTED, "asker": REQUESTING}
_SECOND: Final = UUID("8d7c2f0e-6f3c-5a57-9d0b-0b8f4f6c1a52")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """An addition as pages show it; one from before there were papers has no `document`."""

    who: str
    when: str
    text: str
    document: str = ""
    by_both: bool = False
    may_sign: bool = False


@dataclass(frozen=True, slots=True)
class Addenda:
    """Additions of one person."""

    signing: Signing

    @property
    def access(self) -> Access:
        return self.signing.access

    def side(self, it: Consultation) -> str:
        """Whose side this person is on: `hub` or `asker`. Raises Problem for anybody else."""
        side = self.signing.answering.look(it).side
        if side not in _FIELDS:
            raise problem("forbidden", "Only the two sides of a consultation add to its minutes.", status=403)
        return side

    async def add(self, task_id: str, text: str, key: str) -> None:
        """Add to signed minutes and sign the addition; the same form sent twice adds once.

        Raises Problem when there is nothing signed to add to.
        """
        it = await consultations.load(self.access, task_id)
        side = self.side(it)
        meeting = await answering.meeting_of(self.access, it) or {}
        signed = minutes.minutes_among(await minutes.found(self.access, meeting or None))
        if signed is None or signed["status"] != "final":
            raise problem("business-rule", "There are no signed minutes to add to.", status=409)
        from yersin.telehealth import papers  # noqa: PLC0415 - typesetting loads fonts and a compiler; a server that never signs needs neither

        post, at, made, paper = self.signing.answering.post, await now(self.access), new_id(), new_id()
        data = await papers.gather_addendum(self.access, it, signed, text, at, by_hub=side == "hub")
        pdf = await asyncio.to_thread(papers.typeset, data)
        pdf = await self.signing.pen.sign(pdf, _FIELDS[side], await self.signing.signatory(), TITLE)
        document = self.signing.document(it, str(made), meeting, pdf, at)
        target = ref("DocumentReference", (await signing.document_of(self.access, it))["id"])
        _entitle(document, post.place, [{"code": "appends", "target": target}])
        document["identifier"] = [{"system": DOCUMENT_CODE, "value": data.verification_code}]
        targets = [f"Composition/{made}", f"DocumentReference/{paper}"]
        changes = [
            Create(resource=typed(minutes.addendum(signed, text, post, at)), id=made),
            Create(resource=typed(document), id=paper),
            Create(resource=typed(self.signing.provenance(it, targets, at, AUTHOR)), id=new_id()),
        ]

        async def work(writing: Writing) -> None:
            if await asking.once(writing, self.access, key, str(made)) == str(made):
                await writing.write(changes)

        await self.access.atomically(work)

    async def countersign(self, task_id: str, document_id: str) -> None:
        """Sign an addition of the other side, once. Raises Problem: not found, one's own side, signed already."""
        it = await consultations.load(self.access, task_id)
        side, first = self.side(it), await document_of(self.access, it, document_id)
        if author_side(it, first) == side:
            raise problem("business-rule", "The side that added has signed; the other side signs after it.", status=409)
        at, key = await now(self.access), uuid5(_SECOND, first["id"])
        signed = await self.signing.pen.sign(
            signing.pdf_of(first), _FIELDS[side], await self.signing.signatory(), f"Xác nhận: {TITLE.lower()}"
        )
        meeting, composition = await answering.meeting_of(self.access, it) or {}, composition_of(first)
        document = self.signing.document(it, composition, meeting, signed, at)
        relations = [{"code": "signs", "target": ref("DocumentReference", first["id"])}, *first["relatesTo"]]
        _entitle(document, first["custodian"], relations)
        document |= {"identifier": first.get("identifier"), "id": str(key)}
        targets = [f"Composition/{composition}", f"DocumentReference/{key}"]
        # written under an id that follows from the first's: of two who sign at once the second is refused
        await self.access.write([
            Update(resource=typed(document)),
            Create(resource=typed(self.signing.provenance(it, targets, at, VERIFIER)), id=new_id()),
        ])  # fmt: skip


def _entitle(document: JSON, custodian: JSON, relations: list[JSON]) -> None:
    document |= {"description": TITLE, "custodian": custodian, "relatesTo": relations}
    document["content"][0]["attachment"]["title"] = TITLE


def author_side(it: Consultation, document: JSON) -> str:
    """Which side an addition comes from: its document is kept by the facility that adds."""
    custodian, asker = id_of(document.get("custodian"), "Organization"), id_of(it.asker, "Organization")
    return "asker" if custodian == asker else "hub"


def composition_of(document: JSON) -> str:
    """Id of the Composition that a document prints."""
    related = document.get("context", {}).get("related", ())
    return next((key for one in related if (key := id_of(one, "Composition"))), "")


def is_second(document: JSON) -> bool:
    """Whether a document only adds a signature to another."""
    return any(one["code"] == "signs" for one in document.get("relatesTo", ()))


async def document_of(access: Access, it: Consultation, document_id: str) -> JSON:
    """A document that adds to a request's minutes. Raises Problem (not-found) for any other."""
    document = content(await access.read("DocumentReference", document_id))
    focus, appends = it.task["focus"]["reference"], {one["code"] for one in document.get("relatesTo", ())}
    related = {one.get("reference") for one in document.get("context", {}).get("related", ())}
    if focus not in related or "appends" not in appends:
        raise problem("not-found", "This request has no such addition.", status=404)
    return document


async def shown(access: Access, it: Consultation, compositions: Iterable[JSON], side: str = "") -> list[Addition]:
    """The additions among the Compositions of a request, oldest first, as someone on a side sees them."""
    added = [one for one in compositions if minutes.is_addendum(one)]
    if not added:
        return []
    names = ",".join(f"Composition/{one['id']}" for one in added)
    found = await find(access, "DocumentReference", ("related", names), ("_sort", "_lastUpdated"), ("_count", "200"))
    newest: dict[str, Any] = {composition_of(one): one for one in found}
    return [_shown(access, it, one, newest.get(one["id"]), side) for one in added]


def _shown(access: Access, it: Consultation, composition: JSON, document: JSON | None, side: str) -> Addition:
    who, when, text = minutes.words_of(composition)
    if document is None:
        return Addition(who=who, when=when, text=text)
    by_both, other = is_second(document), author_side(it, document) != side
    may_sign = not by_both and other and side in _FIELDS and access.may("telehealth.sign")
    return Addition(who=who, when=when, text=text, document=document["id"], by_both=by_both, may_sign=may_sign)
