"""smart-fetch (https://github.com/smart-on-fhir/smart-fetch), the SMART team's bulk client, takes a whole export.

It runs from an environment of its own (`make .venv/.clients`), since what it brings along is ten times what Yersin needs.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.running import House

PROGRAM = Path(os.environ.get("YERSIN_BULK_CLIENT") or Path(__file__).parents[2] / ".venv/clients/bin/smart-fetch")


@pytest.fixture(scope="module")
def country(run, serve, database_url, keys_dir):
    """A server with a small country of its own: three patients with an observation each, two of them in a group."""
    with closing(House(run, serve(database_url), database_url, keys_dir)) as house:
        machine = house.machine()
        patients = [made(machine, "Patient", name=[{"family": f"Lê {n}"}], gender="female") for n in range(3)]
        for patient in patients:
            vital = {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
                ]
            }
            made(
                machine,
                "Observation",
                status="final",
                code={"text": "pulse"},
                category=[vital],
                subject=reference(patient),
            )
        made(machine, "Organization", name="Trạm Y tế Thử")
        members = [{"entity": reference(patient)} for patient in patients[:2]]
        group = made(machine, "Group", type="person", actual=True, member=members)
        yield Country(house, machine, patients, group)


class Country:
    def __init__(
        self, house: House, machine: httpx.Client, patients: list[dict[str, Any]], group: dict[str, Any]
    ) -> None:
        self.house, self.machine, self.patients, self.group = house, machine, patients, group

    def fetched(self, folder: Path, *options: str) -> dict[str, set[str]]:
        """Ids by type of what the client brought home."""
        folder.mkdir(parents=True)
        secret = folder.parent / f"{uuid4().hex}.token"
        secret.write_text(self.house.token())
        base = f"{self.house.base_url}/fhir"
        command = [str(PROGRAM), "bulk", "--fhir-url", base, "--bearer-token", str(secret), *options, str(folder)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
        assert "Failed" not in ran.stdout + ran.stderr
        self.log = [json.loads(line) for line in (folder / "log.ndjson").read_text().splitlines()]
        lines = [line for file in folder.glob("*.ndjson.gz") for line in lines_of(file)]
        return {kind: {each["id"] for each in lines if each["resourceType"] == kind} for kind in kinds(lines)}


def lines_of(file):
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def kinds(lines):
    return sorted({each["resourceType"] for each in lines})


def reference(resource):
    return {"reference": f"{resource['resourceType']}/{resource['id']}"}


def made(machine, kind, **more):
    answer = machine.post(f"/fhir/{kind}", json={"resourceType": kind, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def ids(resources):
    return {each["id"] for each in resources}


def test_the_bulk_client_is_installed():
    assert PROGRAM.is_file(), f"{PROGRAM} is missing: make .venv/.clients"


def test_the_whole_server_is_brought_home(country, tmp_path):
    found = country.fetched(tmp_path / "all", "--no-default-filters")
    assert found["Patient"] == ids(country.patients)
    assert len(found["Observation"]) == 3
    events = [each["eventId"] for each in country.log]
    assert events[0] == "kickoff"
    assert events[-1] == "export_complete"
    assert not {"status_error", "download_error"} & set(events)
    sent = country.log[0]["eventDetail"]
    assert (sent["softwareName"], sent["fhirVersion"]) == ("Yersin", "4.0.1")


def test_types_are_chosen_and_filters_kept(country, tmp_path):
    assert country.fetched(tmp_path / "types", "--type", "Patient") == {"Patient": ids(country.patients)}
    filtered = ("--type", "Patient", "--type-filter", f"Patient?_id={country.patients[2]['id']}")
    assert country.fetched(tmp_path / "filters", *filtered) == {"Patient": {country.patients[2]["id"]}}
    vital = country.fetched(tmp_path / "usual", "--type", "Observation")
    assert len(vital["Observation"]) == 3


def test_a_group_is_its_members(country, tmp_path):
    found = country.fetched(tmp_path / "group", "--group", country.group["id"], "--type", "Patient,Observation")
    assert found["Patient"] == ids(country.patients[:2])
    assert len(found["Observation"]) == 2


def test_what_changed_since_and_what_was_deleted(country, tmp_path):
    country.fetched(tmp_path / "first", "--type", "Patient")
    moment = next(each for each in country.log if each["eventId"] == "status_complete")["eventDetail"][
        "transactionTime"
    ]
    assert datetime.fromisoformat(moment).utcoffset() == timedelta(0)
    gone = made(country.machine, "Patient", gender="male")
    late = made(country.machine, "Patient", gender="male")
    country.machine.delete(f"/fhir/Patient/{gone['id']}")
    country.patients.append(late)
    found = country.fetched(tmp_path / "since", "--type", "Patient", "--since", moment, "--since-mode", "updated")
    assert found == {"Patient": {late["id"]}}
    (bundle,) = [line for file in (tmp_path / "since/deleted").iterdir() for line in lines_of(file)]
    assert f"Patient/{gone['id']}" in {each["request"]["url"] for each in bundle["entry"]}
