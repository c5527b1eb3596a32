"""The data of an addendum to signed minutes (bổ sung biên bản hội chẩn từ xa) and its PDF.

Signed minutes never change; what is added is a document of its own that names them. Source: Circular 13/2025/TT-BYT
(electronic records are corrected by additions that keep what was there); layout as the minutes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from yersin.documents.qr import qr_svg
from yersin.documents.typeset import typeset

from .minutes import PatientOfMinutes, Point, SignaturePlace, long_date, patient_data, signature_data

TEMPLATE = "telehealth/documents/addendum.typ"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsultationAddendum:
    """Everything an addendum says. `signatures` stand in the order of signing: who adds first, the other side last."""

    number: str
    minutes_number: str
    minutes_date: datetime
    issued_at: datetime
    place: str
    issuer: Point
    patient: PatientOfMinutes
    text: str
    signatures: tuple[SignaturePlace, ...]
    verification_address: str
    verification_code: str


def addendum_pdf(addendum: ConsultationAddendum) -> bytes:
    """Typeset an addendum, with an empty signature field for each place. Blocks: call it in a thread."""
    return typeset(TEMPLATE, addendum_data(addendum), at=addendum.issued_at)


def addendum_data(addendum: ConsultationAddendum) -> dict[str, Any]:
    """Return the data as the template reads it: every date a Vietnamese text."""
    return {
        "number": addendum.number,
        "minutes_number": addendum.minutes_number,
        "minutes_date": long_date(addendum.minutes_date),
        "issuer": asdict(addendum.issuer),
        "place_date": f"{addendum.place}, {long_date(addendum.issued_at)}",
        "patient": patient_data(addendum.patient),
        "author": asdict(addendum.signatures[0]),
        "text": addendum.text,
        "signatures": signature_data(addendum.signatures),
        "verification": {
            "address": addendum.verification_address,
            "code": addendum.verification_code,
            "qr": qr_svg(addendum.verification_address),
        },
    }
