"""Code systems and extensions of a request for consultation. Those with an international home keep it.

Sources: https://hl7.org/fhir/R4/servicerequest.html, task.html, composition.html; Circular 49/2017/TT-BYT article 1.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

JSON: TypeAlias = dict[str, Any]

SNOMED: Final = "http://snomed.info/sct"
LOINC: Final = "http://loinc.org"
ICD10: Final = "http://hl7.org/fhir/sid/icd-10"
TERMS: Final = "http://terminology.hl7.org/CodeSystem/"

ACTIVITY: Final = "urn:yersin:code-system:telehealth-activity"
REMOTE_MODE: Final = "urn:yersin:code-system:remote-mode"
BUSINESS: Final = "urn:yersin:code-system:consultation-state"
REASON: Final = "urn:yersin:code-system:consultation-reason"
PART: Final = "urn:yersin:code-system:consultation-part"
MESSAGE: Final = "urn:yersin:code-system:consultation-message"
OUTCOME: Final = "urn:yersin:code-system:consultation-outcome"
CONSENT: Final = "urn:yersin:code-system:consent-kind"
STATE: Final = "urn:yersin:code-system:state"
AFFILIATION: Final = "urn:yersin:code-system:affiliation"

EXT_MODE: Final = "urn:yersin:extension:remote-mode"
EXT_SHARED: Final = "urn:yersin:extension:shared-part"
#: what each part of a chart is in resources; allergies are open to whoever opens any of it
SHARED_TYPES: Final = {
    "problems": ("Condition", "Procedure", "FamilyMemberHistory"),
    "medications": ("MedicationRequest", "MedicationStatement", "MedicationAdministration", "MedicationDispense"),
    "results": ("Observation", "DiagnosticReport", "Specimen"),
    "files": ("DocumentReference", "Composition", "ImagingStudy", "Media", "DiagnosticReport", "Binary"),
    "immunizations": ("Immunization",),
    "encounters": ("Encounter", "EpisodeOfCare", "CarePlan"),
}
EXT_DAYS: Final = "urn:yersin:extension:access-days"
EXT_ASKED: Final = "urn:yersin:extension:asked-hub"
EXT_TOLD: Final = "urn:yersin:extension:patient-told"
EXT_DIAGNOSIS: Final = "urn:yersin:extension:diagnosis"
EXT_RANK: Final = "urn:yersin:extension:hub-rank"

REMOTE: Final[JSON] = {
    "coding": [{"system": SNOMED, "code": "448337001", "display": "Telemedicine consultation with patient"}],
    "text": "Khám, tư vấn từ xa",
}
VIRTUAL: Final[JSON] = {"system": TERMS + "v3-ActCode", "code": "VR", "display": "virtual"}


def concept(system: str, code: str, text: str = "") -> JSON:
    """Build a CodeableConcept of one coding."""
    made: JSON = {"coding": [{"system": system, "code": code}]}
    return {**made, "text": text} if text else made


def code_of(given: JSON | None, system: str) -> str:
    """Code of a concept in one system, empty when it has none."""
    codings = (given or {}).get("coding", ())
    return next((str(c["code"]) for c in codings if c.get("system") == system and "code" in c), "")


def ref(kind: str, key: str, display: str = "") -> JSON:
    """Build a Reference."""
    return {"reference": f"{kind}/{key}", "display": display} if display else {"reference": f"{kind}/{key}"}


def id_of(reference: JSON | None, kind: str) -> str:
    """Logical id that a reference to a type names, empty when it names none of that type."""
    type_name, _, logical_id = str((reference or {}).get("reference", "")).rpartition("/")
    return logical_id if type_name.rpartition("/")[2] == kind else ""


def extension(resource: JSON, url: str) -> list[JSON]:
    """Extensions of one address."""
    return [e for e in resource.get("extension", ()) if e["url"] == url]
