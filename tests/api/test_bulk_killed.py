"""An export survives kill -9 of the server, again and again, and an operator's export goes on where it was cut off.

YERSIN_EXPORT_KILLS says how often (3 by default; an export of views a third of it).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import httpx
import pytest
from tests.running import free_port

from yersin.app.ground import opened
from yersin.db import connect
from yersin.fhir import r4
from yersin.guard.tokens import Tokens
from yersin.settings import Settings

KILLS = int(os.environ.get("YERSIN_EXPORT_KILLS", "3"))
PATIENTS, OBSERVED = 40, 9
#: files are small and made slowly, so that there are many moments to be killed in
PROGRAM = """
import time
from yersin.api.bulk import working
from yersin.app.command import main
write = working._write
def slowly(*given):
    time.sleep(0.05)
    write(*given)
working._write, working.RESOURCES = slowly, 30
from yersin.api.bulk import flattening
keep = flattening._keep
async def keep_slowly(*given):
    await flattening.asyncio.sleep(0.05)
    await keep(*given)
flattening._keep, flattening.kept.PART = keep_slowly, 20
main()
"""
PATIENCE = 120.0


class Program:
    """A program of ours in a process of its own, to be killed."""

    def __init__(self, url, keys_dir, folder, *words):
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}/fhir"
        place = {"YERSIN_DATABASE_URL": url, "YERSIN_DATA_DIR": str(keys_dir), "YERSIN_PORT": str(self.port)}
        self.environment = {**os.environ, **place, "YERSIN_WORKERS": "1"}
        self.words, self.log = words, folder / "output.log"
        self.process = self.start()

    def start(self):
        with self.log.open("ab") as log:
            command = [sys.executable, "-c", PROGRAM, *self.words]
            return subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()


def until(met):
    """Wait for something; its value."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(httpx.TransportError):
            if found := met():
                return found
        time.sleep(0.01)
    raise AssertionError("it did not come")


@pytest.fixture
def filled(run, fresh_url, keys_dir, tmp_path):
    """A server on a database with some charts; headers of a program, and what is there."""

    async def token():
        async with opened(Settings(data_dir=keys_dir), fresh_url, connections=2) as ground:
            return Tokens(ground.keys).make("system/*.cruds", 3600, name="bulk")

    headers = {"authorization": f"Bearer {run(token())}", "content-type": "application/fhir+json"}
    server = Program(fresh_url, keys_dir, tmp_path, "serve")
    until(lambda: httpx.get(f"{server.base}/metadata", timeout=30).status_code == 200)
    yield server, headers, fill(server.base, headers)
    server.kill()


def fill(base, headers):
    ids = set()
    for n in range(PATIENTS):
        subject = {"reference": f"Patient/p{n}"}
        resources = [{"resourceType": "Patient", "id": f"p{n}", "active": True}]
        resources += [
            {
                "resourceType": "Observation",
                "id": f"o{n}-{k}",
                "status": "final",
                "code": {"text": "x"},
                "subject": subject,
            }
            for k in range(OBSERVED)
        ]
        entries: list[dict[str, Any]] = [
            {"resource": each, "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"}}
            for each in resources
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        answer = httpx.post(base, json=bundle, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        ids |= {each["request"]["url"] for each in entries}
    return ids


def names(lines):
    return [f"{each['resourceType']}/{each['id']}" for each in map(json.loads, lines)]


def test_an_export_survives_kills_of_the_server(run, filled, fresh_url):
    server, headers, ids = filled
    asking = {**headers, "prefer": "respond-async"}
    answer = httpx.get(f"{server.base}/$export?_type=Patient,Observation", headers=asking, timeout=30)
    assert answer.status_code == 202
    address = answer.headers["content-location"]

    def look():
        return httpx.get(address, headers=headers, timeout=30)

    def more_than(count):
        progress = look().headers.get("x-progress", "0 ")
        return int(progress.partition(" ")[0]) > count

    reached = 0
    for _ in range(KILLS):
        until(lambda: more_than(reached))  # noqa: B023 - called before the next round
        reached += 60
        server.kill()
        server.process = server.start()
    until(lambda: look().status_code == 200)
    manifest = look().json()
    found = []
    for file in manifest["output"]:
        lines = httpx.get(file["url"], headers=headers, timeout=30).text.splitlines()
        assert len(lines) == file["count"]
        found += names(lines)
    assert len(manifest["output"]) > KILLS
    assert (len(found), set(found)) == (len(ids), ids)
    assert run(disclosed(fresh_url)) == PATIENTS


def test_an_export_of_views_survives_kills_and_stands_at_one_moment(filled):
    server, headers, _ = filled

    def look(place):
        return httpx.get(place, headers=headers, timeout=30)

    views = [
        {"name": "view", "part": [{"name": "viewReference", "valueReference": {"reference": f"ViewDefinition/{name}"}}]}
        for name in ("measurement", "person")
    ]
    asked = json.dumps({"resourceType": "Parameters", "parameter": views})

    def begun():
        asking = {**headers, "prefer": "respond-async"}
        answer = httpx.post(f"{server.base}/$viewdefinition-export", content=asked, headers=asking, timeout=30)
        return answer.headers["content-location"] if answer.status_code == 202 else None

    def rows_are_there():
        """Export until the feed has brought all rows into the views."""
        place = until(begun)
        until(lambda: more_than(place, 0))
        found = exported(place)
        return (len(found["measurement"]), len(found["person"])) == (PATIENTS * OBSERVED, PATIENTS)

    def more_than(place, count):
        answer = look(place)
        return answer.status_code != 202 or int(answer.headers.get("x-progress", "0 ").partition(" ")[0]) > count

    def exported(place):
        until(lambda: look(place).status_code == 303)
        outputs = [p["part"] for p in look(f"{place}/result").json()["parameter"] if p["name"] == "output"]
        return {
            parts[0]["valueString"]: [line for part in parts[1:] for line in look(part["valueUri"]).text.splitlines()]
            for parts in outputs
        }

    until(rows_are_there)
    place = until(begun)
    for number in range(-(-KILLS // 3)):
        until(lambda: more_than(place, number * 60))  # noqa: B023 - called before the next round
        server.kill()
        server.process = server.start()
        later = {"resourceType": "Patient", "active": True}
        until(lambda: httpx.post(f"{server.base}/Patient", json=later, headers=headers, timeout=30).status_code == 201)  # noqa: B023
    found = exported(place)
    assert {view: (len(rows), len(set(rows))) for view, rows in found.items()} == {
        "measurement": (PATIENTS * OBSERVED, PATIENTS * OBSERVED),
        "person": (PATIENTS, PATIENTS),
    }


async def disclosed(url):
    """How many patients the audit names for the files of Patient: each once, however often a file was begun."""
    database = await connect(url, max_size=1)
    try:
        sql = "SELECT sum(cardinality(patients)) FROM audit WHERE interaction = 'export' AND type = $1"
        return await database.fetchval(sql, r4.TYPE_NUMBER["Patient"])
    finally:
        await database.close()


def test_an_operators_export_goes_on_where_it_was_cut_off(filled, fresh_url, keys_dir, tmp_path):
    _, _, ids = filled
    out, log = tmp_path / "out", tmp_path / "log"
    log.mkdir()
    command = Program(fresh_url, keys_dir, log, "export", str(out), "--type", "Patient", "--type", "Observation")
    for many in (2, 5, 8):
        until(lambda: len(list(out.glob("*.ndjson"))) >= many)  # noqa: B023 - called before the next round
        command.kill()
        first = {path: path.stat().st_mtime_ns for path in out.glob("*.ndjson")}
        command.process = command.start()
    assert command.process.wait(PATIENCE) == 0, command.log.read_text()
    found = [name for path in out.glob("*.ndjson") for name in names(path.read_text().splitlines())]
    assert (len(found), set(found)) == (len(ids), ids)
    assert [path for path, changed in first.items() if path.stat().st_mtime_ns == changed]
    manifest = json.loads((out / "manifest.json").read_text())
    assert {each["url"] for each in manifest["output"]} == {path.name for path in out.glob("*.ndjson")}
    assert sum(each["count"] for each in manifest["output"]) == len(ids)
    assert not list(out.glob(".*"))
    assert oct(out.stat().st_mode)[-3:] == "700"
