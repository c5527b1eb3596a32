"""Code systems and small FHIR pieces every module of the demo country uses.

Identifier systems are VN Core's; codes without an international home have a `urn:yersin:` system. Every resource carries
HL7's HTEST tag, so that invented records can never be taken for real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

JSON = dict[str, Any]

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
CVX = "http://hl7.org/fhir/sid/cvx"
ATC = "http://www.whocc.no/atc"
SNOMED = "http://snomed.info/sct"
TERMS = "http://terminology.hl7.org/CodeSystem/"

NATIONAL_ID = "http://fhir.ehealth.gov.vn/core/sid/national_id"
INSURANCE_NUMBER = "http://fhir.ehealth.gov.vn/core/sid/insurance_number"
PATIENT_NUMBER = "http://fhir.ehealth.gov.vn/core/sid/patient-internal-id"
LICENCE_NUMBER = "http://fhir.ehealth.gov.vn/core/sid/provider-medical-license-number"
FACILITY_CODE = "http://fhir.ehealth.gov.vn/core/sid/provider-license-number"
HOUSEHOLD_NUMBER = "urn:yersin:sid:household"
ETHNICITY = "http://fhir.ehealth.gov.vn/core/StructureDefinition/extension-race"
ETHNIC_GROUPS = "http://fhir.ehealth.gov.vn/core/CodeSystem/vn-core-race"
FACILITY_KIND = "urn:yersin:code-system:facility-kind"
TECHNICAL_LEVEL = "urn:yersin:code-system:technical-level"
HUB_RANK = "urn:yersin:extension:hub-rank"
STAFF_ROLE = "urn:yersin:code-system:staff-role"
ACTIVITY = "urn:yersin:code-system:telehealth-activity"
REMOTE_MODE = "urn:yersin:code-system:remote-mode"

META: JSON = {"tag": [{"system": TERMS + "v3-ActReason", "code": "HTEST", "display": "test health data"}]}


def coding(system: str, code: str, display: str = "") -> JSON:
    """Build a Coding."""
    return {"system": system, "code": code, "display": display} if display else {"system": system, "code": code}


def concept(system: str, code: str, display: str, text: str = "") -> JSON:
    """Build a CodeableConcept of one coding, with the Vietnamese words as its text."""
    return {"coding": [coding(system, code, display)], "text": text or display}


def ref(kind: str, key: str, display: str = "") -> JSON:
    """Build a Reference."""
    return {"reference": f"{kind}/{key}", "display": display} if display else {"reference": f"{kind}/{key}"}


def resource(kind: str, key: str, **elements: Any) -> JSON:
    """Build a resource; elements without a value are left out, a trailing underscore keeps off Python's own words."""
    made: JSON = {"resourceType": kind, "id": key, "meta": META}
    for name, value in elements.items():
        if value or value is False:
            made[name.rstrip("_")] = value
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Specialty:
    """A clinical specialty with its SNOMED CT practice-setting code."""

    key: str
    code: str
    en: str
    vi: str

    @property
    def concept(self) -> JSON:
        """As a CodeableConcept."""
        return concept(SNOMED, self.code, self.en, self.vi)


SPECIALTIES: dict[str, Specialty] = {
    key: Specialty(key=key, code=code, en=en, vi=vi)
    for key, code, en, vi in (
        ("general", "408443003", "General medical practice", "Đa khoa"),
        ("internal", "419192003", "Internal medicine", "Nội tổng hợp"),
        ("cardiology", "394579002", "Cardiology", "Tim mạch"),
        ("endocrinology", "394583002", "Endocrinology", "Nội tiết"),
        ("respiratory", "418112009", "Pulmonary medicine", "Hô hấp"),
        ("neurology", "394591006", "Neurology", "Thần kinh"),
        ("infectious", "394807007", "Infectious diseases (specialty)", "Truyền nhiễm"),
        ("paediatrics", "394537008", "Pediatric specialty", "Nhi"),
        ("obstetrics", "394585009", "Obstetrics and gynecology", "Sản phụ khoa"),
        ("surgery", "394609007", "General surgery", "Ngoại tổng hợp"),
        ("dermatology", "394582007", "Dermatology", "Da liễu"),
        ("radiology", "394914008", "Radiology", "Chẩn đoán hình ảnh"),
    )
}
