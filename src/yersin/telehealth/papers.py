"""The minutes on paper: gathers what the chart and the workforce say and has it typeset in Vietnamese."""

from __future__ import annotations

import secrets
from datetime import date, datetime

from yersin.guard.access import Access
from yersin.telehealth.documents.addendum import ConsultationAddendum, addendum_pdf
from yersin.telehealth.documents.minutes import (
    Conclusion,
    ConsultationMinutes,
    Participant,
    PatientOfMinutes,
    Point,
    SignaturePlace,
    minutes_pdf,
)
from yersin.telehealth.documents.minutes import Diagnosis as PrintedDiagnosis
from yersin.web.language import gettext as _
from yersin.web.language import speaking
from yersin.web.wording import as_date

from . import people
from .codes import CONSENT, ICD10, JSON, code_of, id_of
from .consultations import Consultation
from .minutes import Draft
from .reading import content, find
from .staff import Licensed, licensed

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NATIONAL_ID = "http://fhir.ehealth.gov.vn/core/sid/national_id"
_INSURANCE = "http://fhir.ehealth.gov.vn/core/sid/insurance_number"


async def gather(access: Access, it: Consultation, draft: Draft, at: datetime) -> ConsultationMinutes:
    """Everything the paper says, in Vietnamese."""
    patient = content(await access.read("Patient", it.patient))
    allergies = (await people.person(access, it.patient, at.date())).flags
    expert, asker = await licensed(access, it.accepted_by), await licensed(access, it.asking_person)
    place = await _place(access, id_of(it.hub, "Organization"))
    consent = await _consent(access, it)
    local, code = at.astimezone(access.ground.zone), new_code()
    with speaking("vi"):
        return ConsultationMinutes(
            number=number(it, local), session_number=it.id[-8:].upper(), activity=_(it.activity.label) if it.activity else "",
            remote_mode=_(it.mode.label) if it.mode else "", started_at=draft.started or at, ended_at=draft.ended or at,
            issued_at=at, place=place, issuer=Point(name=expert.facility), requesting=Point(name=asker.facility),
            consulted=(Point(name=expert.facility),), patient=_patient(patient, at.date(), ", ".join(f.text for f in allergies)),
            reason=_("%(specialty)s: opinion asked for by %(facility)s", specialty=it.specialty.get("text", ""), facility=asker.facility),
            conclusions=tuple(Conclusion(question=q, answer=a) for q, a in zip(it.questions, draft.conclusions, strict=True)),
            participants=_participants(expert, asker, draft), chair=expert.name, secretary=asker.name, history=it.history,
            findings=draft.findings, working_diagnoses=tuple(_printed(c) for c in it.request.get("reasonCode", ())),
            concluded_diagnoses=(PrintedDiagnosis(text=draft.diagnosis.text, icd10=draft.diagnosis.icd10),) if draft.diagnosis else (),
            treatment_plan=draft.plan, care=draft.care, transfer=draft.transfer, advice=draft.advice,
            follow_up=as_date(draft.follow_up) if draft.follow_up else "", consent=consent,
            signatures=(
                _place_of("consulted", "Bên tư vấn", expert), _place_of("requesting", "Bên đề nghị", asker),
            ),
            verification_address=address_of(access, code), verification_code=code,
        )  # fmt: skip


async def gather_addendum(
    access: Access, it: Consultation, signed: JSON, text: str, at: datetime, *, by_hub: bool
) -> ConsultationAddendum:
    """Everything an addendum says; `signed` is the Composition it appends, `by_hub` whether the hub adds."""
    expert, asker = await licensed(access, it.accepted_by), await licensed(access, it.asking_person)
    patient = content(await access.read("Patient", it.patient))
    zone, code = access.ground.zone, new_code()
    signed_at = datetime.fromisoformat(signed["date"]).astimezone(zone)
    places = (_place_of("consulted", "Bên tư vấn", expert), _place_of("requesting", "Bên đề nghị", asker))
    with speaking("vi"):
        return ConsultationAddendum(
            number=addendum_number(it, at.astimezone(zone)), minutes_number=number(it, signed_at), minutes_date=signed_at,
            issued_at=at, place=await _place(access, id_of(it.hub if by_hub else it.asker, "Organization")),
            issuer=Point(name=expert.facility if by_hub else asker.facility),
            patient=_patient(patient, at.date(), ""), text=text, signatures=places if by_hub else places[::-1],
            verification_address=address_of(access, code), verification_code=code,
        )  # fmt: skip


def _place_of(field: str, heading: str, who: Licensed) -> SignaturePlace:
    return SignaturePlace(field=field, heading=heading, name=who.name, title=who.title, facility=who.facility)


def typeset(data: ConsultationMinutes | ConsultationAddendum) -> bytes:
    """Make the PDF. Blocks: call it in a thread."""
    return minutes_pdf(data) if isinstance(data, ConsultationMinutes) else addendum_pdf(data)


def new_code() -> str:
    """Draw the code printed on a document: 80 random bits in four groups (Crockford's letters), which nobody guesses."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(16))
    return "-".join(letters[n : n + 4] for n in range(0, 16, 4))


def address_of(access: Access, code: str) -> str:
    """Address where anybody checks a document, under the server's public address."""
    return f"{access.ground.indexer.base.removesuffix('/fhir')}/verify/{code}"


def addendum_number(it: Consultation, at: datetime) -> str:
    """Number of an addendum: that of its moment, since an addendum may follow an addendum on the same day."""
    return f"BS-{at:%Y%m%d-%H%M%S}-{it.id[-6:].upper()}"


def number(it: Consultation, at: datetime) -> str:
    """Number of the minutes: the day and the end of the request's id, unique without a counter that facilities share."""
    return f"HC-{at:%Y%m%d}-{it.id[-6:].upper()}"


def _printed(concept: JSON) -> PrintedDiagnosis:
    return PrintedDiagnosis(text=concept.get("text", ""), icd10=code_of(concept, ICD10))


def _participants(expert: Licensed, asker: Licensed, draft: Draft) -> tuple[Participant, ...]:
    known = [(expert, "Chủ tọa, tư vấn"), (asker, "Thư ký, đề nghị")]
    listed = [
        Participant(name=p.name, title=p.title, facility=p.facility, role=role, licence=p.licence) for p, role in known
    ]
    others = [line.strip() for line in draft.participants.splitlines() if line.strip()]
    return (*listed, *(Participant(name=line, title="", facility="", role="Tham dự") for line in others))


def _patient(patient: JSON, on: date, allergies: str) -> PatientOfMinutes:
    numbers = {i.get("system"): i.get("value", "") for i in patient.get("identifier", ())}
    born = patient.get("birthDate", "")
    address = next((a.get("text") or ", ".join(a.get("line", ())) for a in patient.get("address", ())), "")
    record = patient["id"][:8].upper()
    return PatientOfMinutes(
        name=people.name_of(patient), gender=people.sex_of(patient), age=people.age_of(patient, on), record_number=record,
        born=date.fromisoformat(born) if len(born) == 10 else int(born[:4]) if born else None,
        personal_number=numbers.get(_NATIONAL_ID, ""), insurance_number=numbers.get(_INSURANCE, ""), address=address, allergies=allergies,
    )  # fmt: skip


async def _place(access: Access, organization: str) -> str:
    """Province of the hub, where the minutes are issued."""
    document = content(await access.read("Organization", organization))
    state = next((str(a["state"]) for a in document.get("address", ()) if "state" in a), "")
    return state.removeprefix("Thành phố ").removeprefix("Tỉnh ")


async def _consent(access: Access, it: Consultation) -> str:
    pairs = (
        ("patient", f"Patient/{it.patient}"),
        ("category", f"{CONSENT}|consultation"),
        ("status", "active"),
        ("_sort", "-date"),
    )
    given = next(iter(await find(access, "Consent", *pairs)), None)
    with speaking("vi"):
        if given is None:
            return _("Not recorded")
        return _("Told and agreed on %(day)s", day=as_date(datetime.fromisoformat(given["dateTime"])))
