"""Discharge summaries (DocumentReference with its text inside) and chest films (ImagingStudy with its report)."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from functools import cache
from uuid import UUID

from yersin.app.demo.chance import uid
from yersin.app.demo.chart import Chart, Diagnosis, Visit
from yersin.app.demo.codes import LOINC, concept

SUMMARY = concept(LOINC, "18842-5", "Discharge summary", "Tóm tắt hồ sơ bệnh án ra viện")
FILM = concept(LOINC, "36643-5", "XR Chest 2 Views", "X-quang ngực thẳng nghiêng")
TEXT = {"contentType": "text/plain; charset=utf-8", "language": "vi", "title": "Tóm tắt ra viện"}
MODALITY = {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "DX", "display": "Digital Radiography"}
CHEST_FILM = "1.2.840.10008.5.1.4.1.1.1.1"


def discharge_summary(chart: Chart, visit: Visit, diagnosis: Diagnosis, stay: int, tested: bool) -> None:  # noqa: FBT001 - one fact
    """Append the summary of a stay."""
    left = visit.day + timedelta(days=stay)
    lines = [
        "TÓM TẮT HỒ SƠ BỆNH ÁN (dữ liệu mẫu)", f"Họ và tên: {chart.person.name.text}",
        f"Vào viện: {visit.day:%d/%m/%Y}. Ra viện: {left:%d/%m/%Y}.", f"Chẩn đoán: {diagnosis.vi} ({diagnosis.icd})",
        "Xét nghiệm: xem kết quả trong hồ sơ." if tested else "Xét nghiệm: không có bất thường đáng kể.",
        "Tình trạng ra viện: đỡ. Hướng điều trị tiếp: tái khám tại trạm y tế sau 7 ngày.",
    ]  # fmt: skip
    text = b64encode("\n".join(lines).encode()).decode()
    chart.add(
        "DocumentReference",
        {
            "status": "current", "type": SUMMARY, "subject": chart.subject, "date": f"{left.isoformat()}T10:30:00+07:00",
            "author": [visit.worker.ref], "custodian": {"reference": f"Organization/{visit.site.id}"},
            "description": f"Ra viện: {diagnosis.vi}",
            "content": [{"attachment": {**TEXT, "data": text}}],
            "context": {"encounter": [visit.ref], "period": {"start": visit.day.isoformat(), "end": left.isoformat()}},
        },
    )  # fmt: skip


def chest_film(chart: Chart, visit: Visit, conclusion: str) -> None:
    """Append the study and its report; only what is written about the images is invented, there are no images."""
    key = f"{chart.person.key}/film/{visit.when}"
    study = chart.add(
        "ImagingStudy",
        {
            "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{_oid(key)}"}], "status": "available",
            "modality": [MODALITY], "subject": chart.subject, "encounter": visit.ref, "started": visit.when,
            "numberOfSeries": 1, "numberOfInstances": 1, "description": "X-quang ngực thẳng nghiêng",
            "series": [
                {
                    "uid": _oid(key + "/1"), "number": 1, "modality": MODALITY, "numberOfInstances": 1,
                    "description": "Ngực thẳng",
                    "instance": [{"uid": _oid(key + "/1/1"), "sopClass": _sop_class(), "number": 1}],
                }
            ],
        },
    )  # fmt: skip
    chart.report(visit, FILM, ("RAD", "Radiology"), [], conclusion)
    chart.made[-1]["imagingStudy"] = [study]


@cache
def _sop_class() -> dict[str, str]:
    return {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{CHEST_FILM}"}


def _oid(key: str) -> str:
    return f"2.25.{UUID(uid(key)).int}"
