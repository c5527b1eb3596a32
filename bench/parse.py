"""How long reading and writing FHIR takes. Prints JSON and a table; checks the answers it times.

Usage: python bench/parse.py
"""

from __future__ import annotations

import json
import resource as process
import subprocess
import sys
import time
import timeit
from collections.abc import Callable
from typing import Any

import msgspec

from yersin import fhir
from yersin.fhir import r4

START = """
import json, resource, sys, time
began = time.perf_counter(); import yersin.fhir; imported = time.perf_counter()
yersin.fhir.parse(b'{"resourceType":"Patient"}'); ready = time.perf_counter()
print(json.dumps([imported - began, ready - imported, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def patient(number: int) -> r4.Patient:
    """An invented person of about 1.8 KB."""
    kind = r4.CodeableConcept(coding=[r4.Coding(system="http://terminology.hl7.org/CodeSystem/v2-0203", code="MR")])
    identifiers = [
        r4.Identifier(use="official", type=kind, system=f"http://example.vn/ids/{n}", value=f"999{number:06}{n}")
        for n in range(4)
    ]
    names = [
        r4.HumanName(use="official", text="Nguyễn Thị Minh An", family="Nguyễn", given=["Thị", "Minh", "An"]),
        r4.HumanName(use="nickname", text="Bé An"),
    ]
    address = r4.Address(use="home", line=["12 ngõ Hoa Sen", "Tổ 5"], city="Xã Bình An", state="Lào Cai", country="VN")
    contact = r4.PatientContact(
        relationship=[kind],
        name=r4.HumanName(text="Trần Văn Bình", family="Trần", given=["Văn", "Bình"]),
        telecom=[r4.ContactPoint(system="phone", value="+84 900 000 123", use="mobile")],
    )
    extension = r4.Extension(url="http://example.vn/StructureDefinition/ethnic-group", valueCodeableConcept=kind)
    div = '<div xmlns="http://www.w3.org/1999/xhtml"><p><b>Nguyễn Thị Minh An</b>, nữ, 1990</p></div>'
    return r4.Patient(
        id=f"p{number}",
        meta=r4.Meta(profile=["http://example.vn/StructureDefinition/vn-patient"]),
        text=r4.Narrative(status="generated", div=div),
        extension=[extension],
        identifier=identifiers,
        active=True,
        name=names,
        telecom=[r4.ContactPoint(system="phone", value="+84 900 000 456", use="mobile", rank=1)],
        gender="female",
        birthDate="1990-02-28",
        address=[address],
        contact=[contact],
        managingOrganization=r4.Reference(reference="Organization/tram-y-te-1"),
    )


def observation(number: int) -> r4.Observation:
    code = r4.CodeableConcept(coding=[r4.Coding(system="http://loinc.org", code="8867-4")], text="Nhịp tim")
    return r4.Observation(
        id=f"o{number}",
        status="final",
        code=code,
        subject=r4.Reference(reference=f"Patient/p{number}"),
        effectiveDateTime="2025-03-04T08:30:00+07:00",
        valueQuantity=r4.Quantity(
            value=r4.Decimal("72.50"), unit="/min", system="http://unitsofmeasure.org", code="/min"
        ),
    )


def bundle() -> r4.Bundle:
    """About 500 KB: patients and their observations."""
    made: list[r4.Resource] = [p for n in range(160) for p in (patient(n), observation(n), observation(n + 1000))]
    entries = [r4.BundleEntry(fullUrl=f"http://example.vn/{r.resourceType}/{r.id}", resource=r) for r in made]
    return r4.Bundle(type="collection", entry=entries)


def best(act: Callable[[], Any]) -> float:
    """Microseconds of the best of many runs."""
    timer = timeit.Timer(act)
    loops = max(1, timer.autorange()[0] // 4)
    return min(timer.repeat(repeat=9, number=loops)) / loops * 1e6


def measure(name: str, resource: r4.Resource) -> dict[str, Any]:
    raw = fhir.encode(resource)
    spaced = msgspec.json.format(raw, indent=1)
    if fhir.parse(raw) != resource or fhir.encode(fhir.parse(spaced)) != raw:
        sys.exit(f"{name}: what came back is not what went in")
    return {
        "name": name,
        "bytes": len(raw),
        "parse_us": round(best(lambda: fhir.parse(raw)), 1),
        "parse_indented_us": round(best(lambda: fhir.parse(spaced)), 1),
        "encode_us": round(best(lambda: fhir.encode(resource)), 1),
    }


def refusal() -> dict[str, Any]:
    raw = fhir.encode(patient(1)).replace(b"1990-02-28", b"1990-02-30")

    def refused() -> None:
        try:
            fhir.parse(raw)
        except fhir.Problem as found:
            if found.issues[0].expression != "Patient.birthDate":
                sys.exit("the refusal names another place")
        else:
            sys.exit("30 February was accepted")

    return {"name": "refused Patient", "bytes": len(raw), "parse_us": round(best(refused), 1)}


def start() -> dict[str, Any]:
    """Import, first parse, memory, in a fresh process; the best of three."""
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", START], check=True, capture_output=True).stdout)
        for _ in range(3)
    ]
    imported, first, memory = min(runs)
    return {"import_s": round(imported, 3), "first_parse_s": round(first, 3), "rss_mb": round(memory, 1)}


def main() -> None:
    began = time.perf_counter()
    rows = [
        measure("Patient", patient(1)),
        measure("Observation", observation(1)),
        measure("Bundle", bundle()),
        refusal(),
    ]
    report = {"rows": rows, "start": start(), "seconds": round(time.perf_counter() - began, 1)}
    report["peak_mb"] = round(process.getrusage(process.RUSAGE_SELF).ru_maxrss / 1024, 1)
    print(json.dumps(report, indent=1))
    print(f"\n{'':16}{'bytes':>10}{'parse us':>12}{'indented us':>13}{'encode us':>11}")
    for row in rows:
        cells = [row["bytes"], row["parse_us"], row.get("parse_indented_us", ""), row.get("encode_us", "")]
        print(f"{row['name']:16}{cells[0]:>10}{cells[1]:>12}{cells[2]:>13}{cells[3]:>11}")
    print(f"start: {report['start']}")


if __name__ == "__main__":
    main()
