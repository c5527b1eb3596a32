"""What indexing one resource costs: invented Patients of 1.8 KB and Observations as Synthea writes them.

Checks that the rows answer what they should before it times them. Run: .venv/bin/python bench/index.py [count]
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from yersin.fhir import r4
from yersin.search.rows import Indexer

FAMILIES = [
    "Nguyễn",
    "Trần",
    "Lê",
    "Phạm",
    "Hoàng",
    "Huỳnh",
    "Phan",
    "Vũ",
    "Võ",
    "Đặng",
    "Bùi",
    "Đỗ",
    "Hồ",
    "Ngô",
    "Dương",
    "Lý",
]
MIDDLES = ["Văn", "Thị", "Hữu", "Đức", "Minh", "Ngọc", "Thanh", "Quang", "Kim", "Xuân"]
GIVENS = [
    "An",
    "Bình",
    "Châu",
    "Dũng",
    "Đạt",
    "Giang",
    "Hà",
    "Hải",
    "Hạnh",
    "Hoa",
    "Hùng",
    "Hương",
    "Khánh",
    "Lan",
    "Linh",
    "Long",
    "Mai",
    "Nam",
    "Nga",
    "Oanh",
    "Phúc",
    "Quỳnh",
]
CODES = [("8302-2", "Chiều cao", "cm"), ("29463-7", "Cân nặng", "kg"), ("2339-0", "Glucose", "mg/dL")]


def patient(draw: random.Random, number: int) -> dict[str, Any]:
    family, middle, given = draw.choice(FAMILIES), draw.choice(MIDDLES), draw.choice(GIVENS)
    system = "http://terminology.hl7.org/CodeSystem/v2-0203"
    return {
        "resourceType": "Patient",
        "id": f"p{number}",
        "meta": {"profile": ["http://example.org/fhir/StructureDefinition/patient"]},
        "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{family} {given}</div>' * 1},
        "identifier": [
            {
                "system": f"http://example.org/id/{kind}",
                "value": f"999{number:09}",
                "type": {"coding": [{"system": system, "code": kind}]},
            }
            for kind in ("NI", "MR", "SB")
        ],
        "active": True,
        "name": [{"use": "official", "text": f"{family} {middle} {given}", "family": family, "given": [middle, given]}],
        "telecom": [
            {"system": "phone", "value": f"+84 900 {number // 1000 % 1000:03} {number % 1000:03}", "use": "mobile"}
        ],
        "gender": draw.choice(["male", "female"]),
        "birthDate": f"{draw.randint(1930, 2020)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
        "deceasedBoolean": False,
        "address": [
            {
                "line": [f"{draw.randint(1, 400)} đường {draw.choice(FAMILIES)} {draw.choice(GIVENS)}"],
                "city": draw.choice(["Hà Nội", "Đà Nẵng", "Cần Thơ", "Huế"]),
                "district": f"Quận {draw.randint(1, 12)}",
                "state": "Việt Nam",
                "postalCode": f"{draw.randint(100, 999)}000",
                "country": "VN",
            }
        ],
        "maritalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M"}]
        },
        "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "vi"}]}}],
        "generalPractitioner": [{"reference": f"Practitioner/d{number % 50}"}],
        "managingOrganization": {"reference": f"Organization/o{number % 20}"},
    }


def observation(draw: random.Random, number: int) -> dict[str, Any]:
    code, display, unit = draw.choice(CODES)
    return {
        "resourceType": "Observation",
        "id": f"x{number}",
        "status": "final",
        "category": [
            {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
                ]
            }
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": display}], "text": display},
        "subject": {"reference": f"Patient/p{number // 20}"},
        "encounter": {"reference": f"Encounter/e{number // 5}"},
        "effectiveDateTime": f"2024-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}T08:30:00+07:00",
        "issued": "2024-05-01T08:30:00.123+07:00",
        "valueQuantity": {
            "value": draw.randint(400, 2000) / 10,
            "unit": unit,
            "system": "http://unitsofmeasure.org",
            "code": unit,
        },
    }


def resources(make: Any, kind: Any, count: int) -> tuple[list[Any], float]:
    draw = random.Random(1891)
    raw = [msgspec.json.encode(make(draw, n)) for n in range(count)]
    return [msgspec.json.decode(r, type=kind) for r in raw], sum(map(len, raw)) / count


def measure(indexer: Indexer, items: list[Any]) -> tuple[float, float]:
    """Microseconds each, the best of five slices, and the mean number of tokens."""
    size = len(items) // 5
    best, tokens = float("inf"), 0
    for start in range(0, size * 5, size):
        began = time.perf_counter()
        rows = [indexer.index(r) for r in items[start : start + size]]
        best = min(best, (time.perf_counter() - began) / size)
        tokens += sum(len(r.tok) for r in rows)
    return best * 1e6, tokens / (size * 5)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    indexer = Indexer(bytes(range(16)), ZoneInfo("Asia/Ho_Chi_Minh"))
    report: dict[str, Any] = {}
    for name, make, kind in (("Patient", patient, r4.Patient), ("Observation", observation, r4.Observation)):
        items, size = resources(make, kind, count)
        wanted = indexer.hashes(["in>Patient/p0"])[0]
        if wanted not in indexer.index(items[0]).tok:
            sys.exit(f"{name}: the row does not lie in its patient's compartment")
        cost, tokens = measure(indexer, items)
        report[name] = {"bytes": round(size), "microseconds": round(cost, 1), "tokens": round(tokens, 1)}
        print(f"{name:12} {size:8.0f} bytes {cost:8.1f} us {tokens:6.1f} tokens")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
