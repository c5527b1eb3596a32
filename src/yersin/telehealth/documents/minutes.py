"""The data of the minutes of a remote consultation (biên bản hội chẩn từ xa) and their PDF.

Source: Circular 49/2017/TT-BYT art. 7 and annex I, Decree 96/2023/ND-CP art. 87-88; a superset of the fields in use.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from yersin.documents.qr import qr_svg
from yersin.documents.typeset import typeset

TEMPLATE = "telehealth/documents/minutes.typ"
LEGAL_BASIS = "Luật Khám bệnh, chữa bệnh số 15/2023/QH15; Nghị định 96/2023/NĐ-CP, điều 87 và 88"
_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A facility and the point (room, device) it joined from; `parent` is the body above it."""

    name: str
    point: str = ""
    parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Someone who took part; `licence` is the practising licence (CCHN)."""

    name: str
    title: str
    facility: str
    role: str
    licence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientOfMinutes:
    """The patient as printed; `age` in the words of the chart (`54 tuổi`, `7 tháng`)."""

    name: str
    gender: str
    record_number: str
    born: date | int | None = None
    age: str = ""
    personal_number: str = ""
    insurance_number: str = ""
    ward: str = ""
    admitted_at: datetime | None = None
    address: str = ""
    allergies: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """A result that was shared: value with its unit, reference range, when."""

    name: str
    value: str
    reference: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one participant said in the discussion."""

    name: str
    words: str
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """A numbered question and its answer, in the order asked."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A diagnosis in words with its ICD-10 code."""

    text: str
    icd10: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignaturePlace:
    """Who signs where; `field` names the PDF field (`consulted`, `requesting`)."""

    field: str
    heading: str
    name: str
    title: str = ""
    facility: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsultationMinutes:
    """Everything the minutes say. `signatures` stand in the order of signing; the last one locks the document."""

    number: str
    session_number: str
    activity: str
    remote_mode: str
    started_at: datetime
    ended_at: datetime
    issued_at: datetime
    place: str
    issuer: Point
    requesting: Point
    consulted: tuple[Point, ...]
    patient: PatientOfMinutes
    reason: str
    conclusions: tuple[Conclusion, ...]
    participants: tuple[Participant, ...]
    signatures: tuple[SignaturePlace, ...]
    verification_address: str
    verification_code: str
    consent: str
    chair: str = ""
    secretary: str = ""
    history: str = ""
    findings: str = ""
    tests: tuple[TestResult, ...] = ()
    attachments: tuple[str, ...] = ()
    working_diagnoses: tuple[Diagnosis, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    concluded_diagnoses: tuple[Diagnosis, ...] = ()
    treatment_plan: str = ""
    care: str = ""
    transfer: str = ""
    follow_up: str = ""
    advice: str = ""
    recording: str = ""
    technical_quality: str = ""
    legal_basis: str = LEGAL_BASIS


def minutes_pdf(minutes: ConsultationMinutes) -> bytes:
    """Typeset the minutes, with an empty signature field for each place. Blocks: call it in a thread."""
    return typeset(TEMPLATE, minutes_data(minutes), at=minutes.issued_at)


def minutes_data(minutes: ConsultationMinutes) -> dict[str, Any]:
    """Return the data as the template reads it: every date a Vietnamese text."""
    plain = asdict(minutes)
    for name in ("started_at", "ended_at", "issued_at", "place", "verification_address", "verification_code"):
        del plain[name]
    return plain | {
        "time": _span(minutes.started_at, minutes.ended_at),
        "place_date": f"{minutes.place}, {long_date(minutes.issued_at)}",
        "patient": patient_data(minutes.patient),
        "tests": [
            {"name": t.name, "value": t.value, "reference": t.reference, "time": _moment(t.at)} for t in minutes.tests
        ],
        "working_diagnoses": [_diagnosis(d) for d in minutes.working_diagnoses],
        "concluded_diagnoses": [_diagnosis(d) for d in minutes.concluded_diagnoses],
        "signatures": signature_data(minutes.signatures),
        "verification": {
            "address": minutes.verification_address,
            "code": minutes.verification_code,
            "qr": qr_svg(minutes.verification_address),
        },
    }


def patient_data(patient: PatientOfMinutes) -> dict[str, str]:
    """Return the patient as templates read it."""
    plain = asdict(patient)
    for name in ("born", "age", "admitted_at"):
        del plain[name]
    return plain | {"birth": _birth(patient), "admitted": _moment(patient.admitted_at)}


def _birth(patient: PatientOfMinutes) -> str:
    born = f"{patient.born:%d/%m/%Y}" if isinstance(patient.born, date) else str(patient.born or "")
    return f"{born} ({patient.age})" if born and patient.age else born or patient.age


def signature_data(places: tuple[SignaturePlace, ...]) -> list[dict[str, Any]]:
    """Return the places as templates read them; the last one locks."""
    return [asdict(place) | {"last": place is places[-1]} for place in places]


def _diagnosis(diagnosis: Diagnosis) -> str:
    return f"{diagnosis.text} ({diagnosis.icd10})" if diagnosis.icd10 else diagnosis.text


def _moment(at: datetime | None) -> str:
    return f"{at.astimezone(_ZONE):%H:%M %d/%m/%Y}" if at else ""


def _span(start: datetime, end: datetime) -> str:
    first, last = start.astimezone(_ZONE), end.astimezone(_ZONE)
    if first.date() == last.date():
        return f"{first:%H:%M} – {last:%H:%M} ngày {last:%d/%m/%Y}"
    return f"{_moment(first)} – {_moment(last)}"


def long_date(at: datetime) -> str:
    """Write a day as official papers do."""
    return f"{at.astimezone(_ZONE):ngày %d tháng %m năm %Y}"
