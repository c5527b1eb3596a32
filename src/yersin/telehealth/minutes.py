"""The minutes of a consultation as a Composition: a draft while talking, final and immutable once the specialist signs.

Each question gets its own conclusion (Circular 49/2017/TT-BYT art. 7); the result is written and kept (Law 15/2023/QH15
art. 64). Source: https://hl7.org/fhir/R4/composition.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from yersin.guard.access import Access

from .asking import Diagnosis
from .codes import EXT_DIAGNOSIS, ICD10, JSON, LOINC, PART, STATE, code_of, concept, extension, id_of, ref
from .consultations import Consultation
from .narrative import narrative, plain
from .reading import find
from .staff import Post

SIGNED: Final[JSON] = {"tag": [{"system": STATE, "code": "signed"}]}
TYPE: Final[JSON] = {
    "coding": [{"system": LOINC, "code": "11488-4", "display": "Consult note"}],
    "text": "Biên bản hội chẩn từ xa",
}
#: sections of plain words: code, title as printed
SECTIONS: Final = {
    "findings": "Diễn biến, kết quả khám và trao đổi",
    "plan": "Hướng điều trị",
    "care": "Chăm sóc, theo dõi",
    "transfer": "Chuyển tuyến",
    "advice": "Lời dặn người bệnh",
    "participants": "Thành phần tham dự",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the specialist writes. `conclusions` stand in the order of the questions."""

    findings: str = ""
    conclusions: tuple[str, ...] = ()
    diagnosis: Diagnosis | None = None
    plan: str = ""
    care: str = ""
    transfer: str = ""
    advice: str = ""
    participants: str = ""
    follow_up: date | None = None
    started: datetime | None = None
    ended: datetime | None = None


def composition(it: Consultation, draft: Draft, post: Post, meeting: JSON, at: datetime) -> JSON:
    """The Composition of a draft."""
    period = {"start": draft.started and draft.started.isoformat(), "end": draft.ended and draft.ended.isoformat()}
    return {
        "resourceType": "Composition",
        "status": "preliminary",
        "type": TYPE,
        "subject": it.task["for"],
        "encounter": ref("Encounter", meeting["id"]),
        "date": at.isoformat(),
        "author": [post.ref],
        "title": TYPE["text"],
        "custodian": it.hub,
        "event": [
            {"code": [it.task["code"]], "period": {k: v for k, v in period.items() if v}, "detail": [it.task["focus"]]}
        ],
        "section": _sections(it, draft),
    }


def _sections(it: Consultation, draft: Draft) -> list[JSON]:
    words = {name: getattr(draft, name) for name in SECTIONS}
    made = [_section(name, title, words[name]) for name, title in SECTIONS.items() if words[name]]
    pairs = zip(it.questions, draft.conclusions, strict=False)
    answers = [_section("conclusion", question, answer) for question, answer in pairs if answer]
    if answers:
        made.insert(
            1 if draft.findings else 0, {"title": "Kết luận", "code": concept(PART, "conclusions"), "section": answers}
        )
    if draft.diagnosis:
        found = _section("diagnosis", "Chẩn đoán kết luận", draft.diagnosis.text)
        made.append({**found, "extension": [{"url": EXT_DIAGNOSIS, "valueCodeableConcept": draft.diagnosis.concept}]})
    if draft.follow_up:
        made.append(_section("follow-up", "Hẹn tái hội chẩn", draft.follow_up.isoformat()))
    return made


def _section(code: str, title: str, text: str) -> JSON:
    return {"title": title[:200], "code": concept(PART, code), "text": narrative(text)}


def draft_of(document: JSON, questions: list[str]) -> Draft:
    """Read the draft back from its Composition."""
    sections = {code_of(s.get("code"), PART): s for s in document.get("section", ())}
    words: dict[str, Any] = {name: plain(sections.get(name, {}).get("text")) for name in SECTIONS}
    answers = {s["title"]: plain(s.get("text")) for s in sections.get("conclusions", {}).get("section", ())}
    follow_up = plain(sections.get("follow-up", {}).get("text"))
    period = document.get("event", [{}])[0].get("period", {})
    return Draft(
        **words,
        conclusions=tuple(answers.get(q[:200], "") for q in questions),
        diagnosis=diagnosis_of(sections.get("diagnosis", {})),
        follow_up=date.fromisoformat(follow_up) if follow_up else None,
        started=datetime.fromisoformat(period["start"]) if "start" in period else None,
        ended=datetime.fromisoformat(period["end"]) if "end" in period else None,
    )


def diagnosis_of(section: JSON) -> Diagnosis | None:
    """Diagnosis that a section carries."""
    given = next((e["valueCodeableConcept"] for e in extension(section, EXT_DIAGNOSIS)), None)
    return Diagnosis(text=given.get("text", ""), icd10=code_of(given, ICD10)) if given else None


async def found(access: Access, meeting: JSON | None) -> list[JSON]:
    """Compositions of a meeting, oldest first: the minutes, then addenda."""
    if meeting is None:
        return []
    return await find(access, "Composition", ("encounter", f"Encounter/{meeting['id']}"), ("_sort", "date"))


def is_addendum(document: JSON) -> bool:
    """Whether a Composition only adds to another."""
    return any(r.get("code") == "appends" for r in document.get("relatesTo", ()))


def minutes_among(documents: list[JSON]) -> JSON | None:
    """The minutes themselves."""
    return next((d for d in documents if not is_addendum(d)), None)


def id_for(meeting: JSON) -> str:
    """Id of the minutes of a meeting that have none yet: always the same, so that two who begin them make one."""
    return str(uuid5(NAMESPACE_URL, f"urn:yersin:minutes:{meeting['id']}"))


def minutes_id(it: Consultation) -> str:
    """Id of the Composition of a concluded request."""
    return next((id_of(o["valueReference"], "Composition") for o in it.output("minutes")), "")


def words_of(document: JSON) -> tuple[str, str, str]:
    """Who added what, and when."""
    words = "\n".join(plain(s.get("text")) for s in document.get("section", ()))
    return document["author"][0].get("display", ""), document["date"], words


def addendum(document: JSON, text: str, post: Post, at: datetime) -> JSON:
    """A later addition: its own Composition, final from the start; what it adds to stays as signed."""
    return {
        "resourceType": "Composition",
        "meta": SIGNED,
        "status": "final",
        "type": TYPE,
        "subject": document["subject"],
        "encounter": document["encounter"],
        "date": at.isoformat(),
        "author": [post.ref],
        "title": "Bổ sung biên bản hội chẩn",
        "attester": [{"mode": "professional", "time": at.isoformat(), "party": post.ref}],
        "relatesTo": [{"code": "appends", "targetReference": ref("Composition", document["id"])}],
        "section": [_section("addendum", "Nội dung bổ sung", text)],
    }
