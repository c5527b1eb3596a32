"""`yersin load`: official lists in the layout they are published in (small and invented), then asked for over the API."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from tests.running import Client

SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)
STRINGS = '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{}</sst>'
LOINC = (
    "LOINC_NUM,COMPONENT,PROPERTY,TIME_ASPCT,SYSTEM,SCALE_TYP,METHOD_TYP,CLASS,STATUS,LONG_COMMON_NAME,SHORTNAME,VersionLastChanged\n"
    '"99990-1","Invented","MCnc","Pt","Ser/Plas","Qn","","CHEM","ACTIVE","Invented substance in Serum","Inv SerPl","2.73"\n'
)
UCUM = """<?xml version="1.0" encoding="UTF-8"?>
<root xmlns="http://unitsofmeasure.org/ucum-essence" version="2.2" revision-date="2024-06-17">
 <base-unit Code="m" CODE="M" dim="L"><name>meter</name><printSymbol>m</printSymbol><property>length</property></base-unit>
</root>"""
GUIDE = """<StructureDefinition xmlns="http://hl7.org/fhir"><id value="vn-core-invented"/>
<url value="http://fhir.hl7.org.vn/core/StructureDefinition/vn-core-invented"/><name value="Invented"/><status value="draft"/>
<fhirVersion value="4.0.1"/><kind value="resource"/><abstract value="false"/><type value="Patient"/>
<baseDefinition value="http://hl7.org/fhir/StructureDefinition/Patient"/><derivation value="constraint"/>
<differential><element id="Patient.birthDate"><path value="Patient.birthDate"/><min value="1"/></element></differential>
</StructureDefinition>"""
Load = Callable[[str, Path], subprocess.CompletedProcess[str]]


@pytest.fixture
def load(database_url: str, keys_dir: Path) -> Load:
    """Run `yersin load` on the database of this module."""

    def go(kind: str, path: Path) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "YERSIN_DATABASE_URL": database_url, "YERSIN_DATA_DIR": str(keys_dir)}
        program = [sys.executable, "-m", "yersin.app", "load", kind, str(path)]
        return subprocess.run(program, env=environment, capture_output=True, text=True, check=False)

    return go


def workbook(path: Path, *rows: tuple[str, ...]) -> Path:
    """Write rows as the first sheet of a workbook, each text shared."""
    texts = [text for row in rows for text in row]
    cells = [
        "".join(f'<c r="{chr(65 + at)}{n}" t="s"><v>{texts.index(text)}</v></c>' for at, text in enumerate(row))
        for n, row in enumerate(rows, 1)
    ]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", SHEET.format("".join(f"<row>{each}</row>" for each in cells)))
        archive.writestr("xl/sharedStrings.xml", STRINGS.format("".join(f"<si><t>{escape(t)}</t></si>" for t in texts)))
    return path


def display(client: Client, system: str, code: str) -> str:
    """Name of a code, looked up over the API."""
    answer = client.get("/CodeSystem/$lookup", params={"system": system, "code": code})
    assert answer.status_code == 200, answer.text
    named = {each["name"]: each.get("valueString") for each in answer.json()["parameter"]}
    return str(named["display"])


def test_procedures_of_the_ministrys_annex(load: Load, client: Client, tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "icd9cm.xlsx",
        ("PHỤ LỤC 3",),
        ("STT", "Mã ICD-9", "Tên ICD-9", "Chương ICD-9"),
        ("1", "01.0", "Thủ thuật bịa & thử", "(01-05) Phẫu thuật thử"),
        ("2", "01.01", "Thủ thuật bịa nhỏ", "(01-05) Phẫu thuật thử"),
    )
    done = load("icd9cm", path)
    assert (done.returncode, done.stdout) == (0, "3 ICD-9-CM procedures, version 4440/QĐ-BYT\n"), done.stderr
    assert display(client, "http://hl7.org/fhir/sid/icd-9-cm", "01.0") == "Thủ thuật bịa & thử"


def test_a_release_of_loinc(load: Load, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "Loinc_2.78.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("LoincTable/Loinc.csv", LOINC)
    done = load("loinc", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 LOINC codes, version 2.78")
    assert display(client, "http://loinc.org", "99990-1") == "Invented substance in Serum"


def test_units_of_ucum(load: Load, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "ucum-essence.xml"
    path.write_text(UCUM)
    done = load("ucum", path)
    assert (done.returncode, done.stdout) == (0, "1 UCUM units, version 2.2\n"), done.stderr
    assert display(client, "http://unitsofmeasure.org", "m") == "meter"


def test_a_guide_whose_profile_then_holds(load: Load, client: Client, tmp_path: Path) -> None:
    (tmp_path / "StructureDefinition-vn-core-invented.xml").write_text(GUIDE)
    (tmp_path / "broken.xml").write_text("<StructureDefinition")
    done = load("vn-core", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 definitions from 2 files; 1 findings\n"
    assert "broken.xml" in done.stderr
    url = "http://fhir.ehealth.gov.vn/core/StructureDefinition/vn-core-invented"
    body = {"resourceType": "Patient", "meta": {"profile": [url]}, "gender": "female"}
    assert client.post("/Patient", body).status_code == 422
    assert client.post("/Patient", {**body, "birthDate": "1980-01-02"}).status_code == 201


@pytest.mark.parametrize("kind", ["icd9cm", "loinc", "ucum"])
def test_another_file_is_refused_by_its_name(load: Load, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "other.xml"
    path.write_text("<a/>")
    done = load(kind, path)
    assert done.returncode == 1
    assert "other.xml" in done.stderr
    assert "Traceback" not in done.stderr
