"""Systems of the identifiers a person in Vietnam carries, and how each is written.

Sources: VN Core 1.0.0 (identifier systems); Law 26/2023/QH15 (personal number, 12 digits); Decision 1351/QĐ-BHXH 2015
(insurance card: group, benefit level, province, ten digits of the social-insurance number).
"""

from __future__ import annotations

import re

NATIONAL_ID = "http://fhir.ehealth.gov.vn/core/sid/national_id"
INSURANCE_NUMBER = "http://fhir.ehealth.gov.vn/core/sid/insurance_number"
PATIENT_NUMBER = "http://fhir.ehealth.gov.vn/core/sid/patient-internal-id"
ETHNICITY = "http://fhir.ehealth.gov.vn/core/StructureDefinition/extension-race"
ETHNIC_GROUPS = "http://fhir.ehealth.gov.vn/core/CodeSystem/vn-core-race"
TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
RELATIONS = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"

PERSONAL_FORM = re.compile(r"\d{12}")
INSURANCE_FORM = re.compile(r"[A-Z]{2}[1-5][0-9A-Z]{2}\d{10}")
PHONE_FORM = re.compile(r"0\d{9,10}")

#: names of identifier systems as people say them, in English; pages translate them
SHORT_NAMES = {NATIONAL_ID: "Personal no.", INSURANCE_NUMBER: "Insurance card", PATIENT_NUMBER: "Record no."}


def plain(text: str) -> str:
    """Take away the blanks, dots and dashes that people write into numbers."""
    return re.sub(r"[\s.\-]+", "", text).upper()


def spaced(system: str, value: str) -> str:
    """Write a number in groups that can be read aloud."""
    if system == NATIONAL_ID and len(value) == 12:
        return f"{value[:3]} {value[3:6]} {value[6:9]} {value[9:]}"
    if system == INSURANCE_NUMBER and len(value) == 15:
        return f"{value[:3]} {value[3:5]} {value[5:10]} {value[10:]}"
    return value
