"""`yersin import` by several processes: as if by one, whatever happens to one of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from yersin.app.ground import opened
from yersin.db import connect
from yersin.guard.who import system
from yersin.settings import Settings

PROGRAM = [sys.executable, "-c", "from yersin.app.command import main; main()", "import", "--jobs", "2"]


@pytest.fixture
def environment(fresh_url: str, keys_dir: Path) -> dict[str, str]:
    return {**os.environ, "YERSIN_DATABASE_URL": fresh_url, "YERSIN_DATA_DIR": str(keys_dir)}


def entry(resource: dict[str, Any], address: str = "") -> dict[str, Any]:
    return {
        "fullUrl": address or f"urn:uuid:{resource['id']}",
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"]},
    }


def put(path: Path, *resources: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": list(map(entry, resources))}))
    return path


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": str(uuid4()), **more}


async def asked(url: str, sql: str) -> Any:
    database = await connect(url, max_size=1)
    try:
        return await database.fetchval(sql)
    finally:
        await database.close()


async def read(url: str, keys: Path, ids: list[str]) -> list[str]:
    async with opened(Settings(data_dir=keys), url) as ground:
        access = ground.access(system("HSYSADMIN"))
        return [(await access.read("Patient", each)).json().decode() for each in ids]


def test_files_refer_to_each_other_whoever_imports_them(
    run: Any, fresh_url: str, keys_dir: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    hospital = {"resourceType": "Organization", "id": str(uuid4()), "name": "Trạm y tế", "identifier": [{"value": "1"}]}
    put(tmp_path / "hospitalInformation1.json", hospital)
    people = [patient(managingOrganization={"reference": f"urn:uuid:{hospital['id']}"}) for _ in range(12)]
    for number, each in enumerate(people):
        friend = people[number - 1]["id"]
        each["link"] = [{"other": {"reference": f"urn:uuid:{friend}"}, "type": "seealso"}]
        put(tmp_path / f"{number}.json", each)
    (tmp_path / "broken.json").write_text('{"resourceType":"Patient","gender":"neither"}')
    done = subprocess.run([*PROGRAM, str(tmp_path)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "13 resources from 14 files" in done.stdout
    assert "1 findings" in done.stdout
    assert done.stderr.count("broken.json, entry 1, Patient.gender") == 1
    texts = run(read(fresh_url, keys_dir, [each["id"] for each in people]))
    assert all(f"Organization/{hospital['id']}" in text for text in texts)
    assert all(f"Patient/{people[number - 1]['id']}" in text for number, text in enumerate(texts))


def children(parent: int) -> Iterator[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
    yield from map(int, listed.split())


def test_an_import_of_which_a_process_is_killed_says_so_and_goes_on_when_run_again(
    run: Any, fresh_url: str, environment: dict[str, str], tmp_path: Path
) -> None:
    for number in range(4):
        lines = (json.dumps(patient(name=[{"family": "Nguyễn", "given": ["Lan"]}])) for _ in range(1100))
        (tmp_path / f"{number}.ndjson").write_text("\n".join(lines))
    words = [*PROGRAM, str(tmp_path)]
    first = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 90
    while run(asked(fresh_url, "SELECT count(*) FROM import_progress")) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    one, _other = children(first.pid)
    os.kill(one, signal.SIGKILL)
    _out, said = first.communicate(timeout=60)
    assert first.returncode == 1, said
    assert "Run it again" in said
    assert "Traceback" not in said
    there = run(asked(fresh_url, "SELECT sum(resources) FROM import_progress"))
    assert there == run(asked(fresh_url, "SELECT count(*) FROM id_map"))
    assert 0 < there < 4400
    again = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert f"{4400 - there} resources from 4 files" in again.stdout
    assert f"{there} were here already" in again.stdout
    assert run(asked(fresh_url, "SELECT count(*) FROM fhir.patient WHERE ver = 1")) == 4400
