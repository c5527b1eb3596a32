"""The generated package is what the generator writes today, and keeps its promises to others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from yersin.fhir import r4

GENERATOR = Path(__file__).resolve().parents[2] / "tools" / "generate_r4.py"


def test_generating_again_changes_no_byte(definitions: Path) -> None:
    run = subprocess.run(
        [sys.executable, GENERATOR, definitions, "--check"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_folder_without_definitions_is_refused_with_words(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, GENERATOR, tmp_path, "--check"], capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "name the folder of definitions" in run.stderr


def test_types_have_stable_numbers_in_alphabetical_order() -> None:
    assert len(r4.TYPE_NUMBER) == 146  # the 148 of R4 without the abstract Resource and DomainResource
    assert list(r4.TYPE_NUMBER) == sorted(r4.TYPE_NUMBER)
    assert (r4.TYPE_NUMBER["Account"], r4.TYPE_NUMBER["VisionPrescription"]) == (1, 146)
    assert r4.TYPE_NAME[r4.TYPE_NUMBER["Patient"]] == "Patient"


def test_every_type_has_a_struct_that_knows_its_name() -> None:
    for name in r4.TYPE_NUMBER:
        assert getattr(r4, name).resourceType == name


def test_compartments_name_the_parameters_that_place_a_resource() -> None:
    assert set(r4.COMPARTMENTS) == {"Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"}
    assert r4.COMPARTMENTS["Patient"]["Observation"] == ("subject", "performer")
    assert "Organization" not in r4.COMPARTMENTS["Patient"]
