"""How long judging takes: a Patient by R4 and by a profile in the manner of VN Core, an Observation by R4's vital signs.

Usage: python bench/validate.py
"""

from __future__ import annotations

import json
import timeit
from decimal import Decimal
from typing import Any

import msgspec

from parse import observation, patient
from yersin import fhir
from yersin.fhir.profiles import Judge, Library

BASE = "http://hl7.org/fhir/StructureDefinition/"
CITIZEN = "http://example.vn/StructureDefinition/citizen"
PROFILE = {
    "resourceType": "StructureDefinition", "url": CITIZEN, "type": "Patient", "baseDefinition": f"{BASE}Patient",
    "derivation": "constraint",
    "differential": {"element": [
        {"id": "Patient.identifier", "path": "Patient.identifier",
         "slicing": {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}},
        *[part for name in ("national_id", "passport_number", "insurance_number", "citizen_id") for part in (
            {"id": f"Patient.identifier:{name}", "path": "Patient.identifier", "sliceName": name, "max": "1"},
            {"id": f"Patient.identifier:{name}.system", "path": "Patient.identifier.system", "min": 1,
             "fixedUri": f"http://fhir.ehealth.gov.vn/core/sid/{name}"},
            {"id": f"Patient.identifier:{name}.value", "path": "Patient.identifier.value", "min": 1},
        )],
        {"id": "Patient.name", "path": "Patient.name", "min": 1},
        {"id": "Patient.birthDate", "path": "Patient.birthDate", "min": 1},
    ]},
}  # fmt: skip


def milliseconds(library: Library, resource: Any, profiles: list[str]) -> float:
    def work() -> None:
        Judge(library).judge(resource, profiles)

    work()
    return round(min(timeit.repeat(work, number=100, repeat=5)) * 10, 3)


def main() -> None:
    library = Library([PROFILE])
    plain = msgspec.json.Decoder(float_hook=Decimal).decode
    person, sign = plain(fhir.encode(patient(1))), plain(fhir.encode(observation(1)))
    found = [each for each in Judge(library).judge(person, [CITIZEN]) if each.severity == "error"]
    assert not found, found
    rows = {
        "Patient by R4": milliseconds(library, person, []),
        "Patient by a profile with four slices": milliseconds(library, person, [CITIZEN]),
        "Observation by R4": milliseconds(library, sign, []),
        "Observation by R4's vital signs": milliseconds(library, sign, [f"{BASE}vitalsigns"]),
    }
    print("judged (without terminology)              ms")
    for name, figure in rows.items():
        print(f"{name:40} {figure:6.3f}")
    print(json.dumps({"milliseconds": rows}))


if __name__ == "__main__":
    main()
