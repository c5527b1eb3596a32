"""A search parameter posted at run time is indexed whole, though the server is killed (-9) meanwhile and others write.

Two servers run on one database, one of which does the background work and is killed: what one is told, the other learns.
YERSIN_PARAMETER_KILLS says how often (2 by default).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar

import httpx
import pytest
from tests.running import free_port

from yersin.app.ground import opened
from yersin.db import connect
from yersin.guard.tokens import Tokens
from yersin.settings import Settings

KILLS = int(os.environ.get("YERSIN_PARAMETER_KILLS", "2"))
OLD = 240
#: batches are small and slow, so that there are many moments to be killed in
PROGRAM = """
import asyncio, sys
from yersin.app.command import main
from yersin.guard import reindexing
from yersin.jobs.periodic import Runner
if sys.argv.pop(1) == "idle":
    async def idle(self):
        await asyncio.Event().wait()
    Runner.run = idle
remake, reindexing.BATCH = reindexing._remake, 6
async def slowly(*given):
    await remake(*given)
    await asyncio.sleep(0.03)
reindexing._remake = slowly
main()
"""
CODE = "x-colour"
PARAMETER = {
    "resourceType": "SearchParameter", "id": "colour", "url": "urn:test:colour", "name": "Colour", "status": "active",
    "description": "Colour", "code": CODE, "base": ["Basic"], "type": "token",
    "expression": "Basic.extension('urn:test:colour').value",
}  # fmt: skip
T = TypeVar("T")


def until(met: Callable[[], T], seconds: float = 150.0) -> T:
    """Wait for something; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(httpx.TransportError):
            if found := met():
                return found
        time.sleep(0.02)
    raise AssertionError("it did not come")


class Server:
    """A server of ours in a process of its own, to be killed."""

    def __init__(self, url: str, keys_dir: Path, folder: Path, token: str, part: str) -> None:
        port = free_port()
        place = {
            "YERSIN_DATABASE_URL": url,
            "YERSIN_DATA_DIR": str(keys_dir),
            "YERSIN_PORT": str(port),
            "YERSIN_WORKERS": "1",
        }
        self.environment, self.log = {**os.environ, **place}, folder / f"{port}.log"
        headers = {"authorization": f"Bearer {token}", "content-type": "application/fhir+json"}
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}/fhir", headers=headers, timeout=30)
        self.part = part
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-c", PROGRAM, self.part, "serve"]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def ready(self) -> Server:
        until(lambda: self.http.get("/metadata").status_code == 200)
        return self

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def count(self, query: str) -> int | None:
        answer = self.http.get(f"/Basic?{query}&_summary=count")
        return answer.json()["total"] if answer.status_code == 200 else None


@pytest.fixture
def servers(run: Any, fresh_url: str, keys_dir: Path, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    async def token() -> str:
        async with opened(Settings(data_dir=keys_dir), fresh_url, connections=2) as ground:
            return Tokens(ground.keys).make("system/*.cruds", 3600)

    made = [Server(fresh_url, keys_dir, tmp_path, run(token()), part) for part in ("work", "idle")]
    yield made[0].ready(), made[1].ready()
    for server in made:
        server.kill()
        server.http.close()


def basic(n: int) -> dict[str, Any]:
    colour = {"url": "urn:test:colour", "valueCode": "red" if n % 3 else "blue"}
    return {"resourceType": "Basic", "code": {"text": str(n)}, "extension": [colour]}


def writing(server: Server, ledger: list[int], end: Event) -> None:
    """Write on, and note what was acknowledged."""
    n = OLD
    while not end.is_set():
        n += 1
        with suppress(httpx.TransportError):
            if server.http.post("/Basic", json=basic(n)).status_code == 201:
                ledger.append(n)
        time.sleep(0.01)


def test_nothing_is_missed_though_servers_are_killed(run: Any, fresh_url: str, servers: tuple[Server, Server]) -> None:
    first, second = servers
    entries = [{"resource": basic(n), "request": {"method": "POST", "url": "Basic"}} for n in range(OLD)]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert first.http.post("", json=bundle).status_code == 200
    ledger: list[int] = []
    end = Event()
    writer = Thread(target=writing, args=(second, ledger, end), daemon=True)
    writer.start()
    assert first.http.put("/SearchParameter/colour", json=PARAMETER).status_code == 201
    done = [0]
    for _ in range(KILLS):
        until(lambda: _done(run, fresh_url) > done[-1])
        first.kill()
        done.append(_done(run, fresh_url))
        assert second.count(f"{CODE}=red") is None
        first.start()
    early = second.http.get(f"/Basic?{CODE}=red")
    assert (early.status_code, "still being indexed" in early.text) == (400, True)
    first.ready()
    until(lambda: second.count(f"{CODE}=red") is not None)
    end.set()
    writer.join()
    written = [*range(OLD), *ledger]
    lost = second.count("_id:missing=false") or 0  # what was written when nobody heard the answer is there as well
    assert done == sorted(set(done))
    assert len(ledger) > 20
    until(lambda: first.count(f"{CODE}=red") is not None)
    for server in servers:
        red, blue = server.count(f"{CODE}=red") or 0, server.count(f"{CODE}=blue") or 0
        assert red >= sum(1 for n in written if n % 3)
        assert blue >= sum(1 for n in written if not n % 3)
        assert red + blue == server.count(f"{CODE}:missing=false") == lost
    assert first.http.put("/SearchParameter/colour", json={**PARAMETER, "status": "retired"}).status_code == 200
    for server in servers:
        until(lambda server=server: server.count(f"{CODE}=red") is None)  # type: ignore[misc]


def _done(run: Any, url: str) -> int:
    async def ask() -> int:
        database = await connect(url, max_size=1)
        try:
            return int(await database.fetchval("SELECT coalesce(sum(done), 0) FROM reindexing_walk"))
        finally:
            await database.close()

    found: int = run(ask())
    return found
