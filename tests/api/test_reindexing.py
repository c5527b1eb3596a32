"""Index rows are made anew: of one resource by an administrator, of all by the operator, who may be interrupted."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.running import Client

from yersin.api import reindexing
from yersin.fhir import r4
from yersin.guard import reindexing as guard
from yersin.guard.who import Who

JSON = dict[str, Any]


def spoilt(run: Any, client: Client, count: int) -> tuple[str, list[str]]:
    """Observations whose index rows were lost, as if an older release had written them."""
    mark = str(uuid4())
    made = []
    for n in range(count):
        body = {"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "urn:x", "code": mark}]},
                "valueQuantity": {"value": n}}  # fmt: skip
        made.append(client.post("/Observation", body).json()["id"])
    database = client.access.ground.database
    run(database.execute("UPDATE fhir.observation SET tok = '{}', ixv = 0 WHERE id = ANY($1::uuid[])", made))
    run(database.execute("DELETE FROM fhir.observation_range WHERE id = ANY($1::uuid[])", made))
    assert client.search(f"/Observation?code={mark}") == []
    return mark, made


def test_one_resource_is_found_again(run: Any, client: Client) -> None:
    mark, (first, second) = spoilt(run, client, 2)
    before = client.get(f"/Observation/{first}")
    assert client.post(f"/Observation/{first}/$reindex").status_code == 200
    assert [r["id"] for r in client.search(f"/Observation?code={mark}&value-quantity=0")] == [first]
    assert client.get(f"/Observation/{first}").content == before.content
    doctor = client.bound(client.access.ground.access(Who(role="doctor", purpose="TREAT")))
    assert doctor.post(f"/Observation/{second}/$reindex").status_code == 403
    assert client.get(f"/Observation/{first}/$reindex").status_code == 405
    assert client.post(f"/Observation/{uuid4()}/$reindex").status_code == 404
    client.delete(f"/Observation/{second}")
    assert client.post(f"/Observation/{second}/$reindex").status_code == 410


def test_what_was_interrupted_goes_on_and_nothing_is_done_twice(run: Any, client: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr(guard, "BATCH", 3)
    mark, _ = spoilt(run, client, 7)
    ground = client.access.ground
    made, after = run(guard.batch(ground, "Observation", guard.BEGINNING, every=False))
    assert (made, after is None, len(client.search(f"/Observation?code={mark}"))) == (3, False, 3)
    told: list[tuple[str, int]] = []
    rest = run(reindexing.everything(ground, [], lambda kind, done: told.append((kind, done)), every=False))
    assert rest == 4
    assert told == [("Observation", 3), ("Observation", 4)]
    assert len(client.search(f"/Observation?code={mark}&value-quantity=ge0")) == 7
    assert run(reindexing.everything(ground, ["Observation"], lambda *_: None, every=False)) == 0
    assert run(reindexing.everything(ground, ["Observation"], lambda *_: None, every=True)) >= 7
    assert len(client.search(f"/Observation?code={mark}&value-quantity=ge0")) == 7


PROGRAM = """
import sys, time
from yersin.api import reindexing
from yersin.fhir import r4
from yersin.app.command import main
from yersin.guard import reindexing as guard
pause, guard.BATCH, batch = float(sys.argv.pop(1)), 2, guard.batch
async def slowly(*given, **more):
    found = await batch(*given, **more)
    if found[0]:
        time.sleep(pause)
    return found
reindexing.batch = slowly
main()
"""


def command(url: str, keys: Path, pause: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "YERSIN_DATABASE_URL": url, "YERSIN_DATA_DIR": str(keys)}
    program = [sys.executable, "-c", PROGRAM, pause, "reindex", "--type", "Observation"]
    return subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def test_a_command_that_was_killed_goes_on_when_it_is_run_again(
    run: Any, client: Client, database_url: str, keys_dir: Path
) -> None:
    mark, made = spoilt(run, client, 20)
    killed = command(database_url, keys_dir, "0.2")
    until = time.monotonic() + 120
    while not client.search(f"/Observation?code={mark}"):
        assert killed.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    assert killed.stdout is not None
    killed.stdout.close()
    done = len(client.search(f"/Observation?code={mark}&value-quantity=ge0"))
    assert 0 < done < len(made)
    assert len(client.search(f"/Observation?code={mark}")) == done  # never a row without its ranges
    again = command(database_url, keys_dir, "0")
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0
    assert f"{len(made) - done} resources" in said.decode()
    assert len(client.search(f"/Observation?code={mark}&value-quantity=ge0")) == len(made)


def test_a_type_is_made_anew_in_the_background(run: Any, client: Client) -> None:
    mark, made = spoilt(run, client, 3)
    ground = client.access.ground
    begun = client.post("/Observation/$reindex")
    told = {p["name"]: p for p in begun.json()["parameter"]}
    assert (begun.status_code, told["status"]["valueCode"], told["about"]["valueString"]) == (
        202,
        "in-progress",
        "Observation",
    )
    doctor = client.bound(ground.access(Who(role="doctor", purpose="TREAT")))
    address = begun.headers["content-location"]
    assert (doctor.post("/Observation/$reindex").status_code, doctor.get(address).status_code) == (403, 403)
    assert (client.get(address).status_code, client.search(f"/Observation?code={mark}")) == (202, [])
    while run(guard.work(ground)):
        pass
    done = client.get(address)
    (progress,) = (p["part"] for p in done.json()["parameter"] if p["name"] == "progress")
    numbers = {part["name"]: next(v for k, v in part.items() if k != "name") for part in progress}
    assert done.status_code == 200
    assert numbers == {"type": "Observation", "done": numbers["total"], "total": numbers["total"], "complete": True}
    assert {r["id"] for r in client.search(f"/Observation?code={mark}")} == set(made)


def test_the_whole_server_is_asked_and_a_run_given_up(run: Any, client: Client) -> None:
    ground = client.access.ground
    begun = client.post("/$reindex?type=Basic&type=Flag")
    job = begun.json()["parameter"][0]["valueId"]
    assert [p["part"][0]["valueCode"] for p in begun.json()["parameter"] if p["name"] == "progress"] == [
        "Basic",
        "Flag",
    ]
    given_up = client.post(f"/$reindex-cancel?job={job}")
    assert (given_up.status_code, given_up.json()["parameter"][2]["valueCode"]) == (200, "cancelled")
    assert run(guard.work(ground)) is False
    assert client.post("/$reindex?type=Nothing").status_code == 400
    for unknown in (str(uuid4()), "x"):
        assert client.get(f"/$reindex-status?job={unknown}").status_code == 404
    every = client.post("/$reindex").json()["parameter"]
    assert len([p for p in every if p["name"] == "progress"]) == len(r4.TYPE_NUMBER)
    client.post(f"/$reindex-cancel?job={every[0]['valueId']}")


def test_the_types_of_a_search_parameter_are_made_anew(client: Client) -> None:
    body = {"resourceType": "SearchParameter", "url": "urn:x", "name": "X", "status": "draft", "description": "x", "code": "x",
            "base": ["Basic", "Flag"], "type": "token", "expression": "Basic.code"}  # fmt: skip
    made = client.post("/SearchParameter", body).json()["id"]
    begun = client.post(f"/SearchParameter/{made}/$reindex").json()["parameter"]
    assert [p["part"][0]["valueCode"] for p in begun if p["name"] == "progress"] == ["Basic", "Flag"]
    assert client.post(f"/SearchParameter/{uuid4()}/$reindex").status_code == 404
    client.post(f"/$reindex-cancel?job={begun[0]['valueId']}")
