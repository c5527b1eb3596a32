"""Nothing that was acknowledged is lost, whatever is killed in the middle: server process or database.

YERSIN_KILLS says how often (12 by default; `make test-all` takes 1,000).
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.running import Served, free_port

from yersin.app.ground import opened, prepared
from yersin.db import connect, embedded
from yersin.fhir import r4
from yersin.guard.tokens import Tokens
from yersin.settings import Settings

KILLS = int(os.environ.get("YERSIN_KILLS") or (1000 if os.environ.get("YERSIN_LONG_TESTS") else 12))
WRITERS = 6


class Ledger:
    """What clients were told: every acknowledged version, every transaction begun."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.versions: dict[tuple[str, str], int] = {}
        self.marks: dict[str, int] = {}
        self.deleted: set[tuple[str, str]] = set()
        self.acknowledged = 0

    def note(self, type_name: str, id_: str, ver: int) -> None:
        with self.lock:
            self.acknowledged += 1
            self.versions[type_name, id_] = max(ver, self.versions.get((type_name, id_), 0))


class Writer(threading.Thread):
    """Writes until told to stop; keeps what was acknowledged, forgets what was not."""

    def __init__(self, base: str, token: str, ledger: Ledger, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.base, self.ledger, self.stop = base, ledger, stop
        self.headers = {"authorization": f"Bearer {token}", "content-type": "application/fhir+json"}
        self.random = random.Random(id(self))  # noqa: S311 - draws work, keeps no secret
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                with (
                    httpx.Client(base_url=self.base, headers=self.headers, timeout=20) as http,
                    suppress(httpx.TransportError),
                ):
                    while not self.stop.is_set():
                        self.random.choice([self.create, self.update, self.transaction, self.delete])(http)
                time.sleep(0.02)
        except BaseException as error:  # noqa: BLE001 - whatever a writer meets must fail the test
            self.failure = error

    def create(self, http: httpx.Client) -> None:
        self.kept(http.post("/fhir/Patient", json={"resourceType": "Patient", "active": True}), "Patient")

    def update(self, http: httpx.Client) -> None:
        known = list(self.ledger.versions)
        if known:
            type_name, id_ = self.random.choice(known)
            if type_name == "Patient" and (type_name, id_) not in self.ledger.deleted:
                body = {"resourceType": "Patient", "id": id_, "active": self.random.random() < 0.5}
                self.kept(http.put(f"/fhir/Patient/{id_}", json=body), "Patient")

    def delete(self, http: httpx.Client) -> None:
        made = http.post("/fhir/Basic", json={"resourceType": "Basic", "code": {"text": "x"}})
        self.kept(made, "Basic")
        if made.status_code == 201:
            id_ = made.json()["id"]
            gone = http.delete(f"/fhir/Basic/{id_}")
            if gone.status_code == 204:
                with self.ledger.lock:
                    self.ledger.deleted.add(("Basic", id_))
                self.ledger.note("Basic", id_, 2)
            self.expected(gone)

    def transaction(self, http: httpx.Client) -> None:
        mark, size = str(uuid4()), self.random.choice([3, 30])
        with self.ledger.lock:
            self.ledger.marks[mark] = size
        body = {"resourceType": "Basic", "code": {"text": "x"}, "identifier": [{"system": "urn:k", "value": mark}]}
        entries = [{"request": {"method": "POST", "url": "Basic"}, "resource": body}] * size
        answer = http.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
        self.expected(answer)
        if answer.status_code == 200:
            for entry in answer.json()["entry"]:
                self.ledger.note("Basic", entry["resource"]["id"], 1)

    def kept(self, answer: httpx.Response, type_name: str) -> None:
        self.expected(answer)
        if answer.status_code in (200, 201):
            body = answer.json()
            self.ledger.note(type_name, body["id"], int(body["meta"]["versionId"]))

    def expected(self, answer: httpx.Response) -> None:
        """While the database is away the answer is 503 with a cure, and nothing else."""
        assert answer.status_code in (200, 201, 204, 503), f"{answer.status_code}: {answer.text[:500]}"
        assert answer.status_code != 503 or int(answer.headers["retry-after"]) > 0


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[[], embedded.Server]]:
    """A database server of this test's own, to be killed; calling starts it again."""
    settings = Settings(data_dir=tmp_path / "own")
    running: list[embedded.Server] = []

    def start() -> embedded.Server:
        for old in running:
            embedded.stop(old)
        running[:] = [embedded.start(settings)]
        return running[0]

    yield start
    for server in running:
        embedded.stop(server)


@pytest.mark.timeout(170 + 4 * KILLS)
def test_killing_server_and_database_loses_no_acknowledged_write(
    own_server: Callable[[], embedded.Server], tmp_path: Path, run: Any
) -> None:
    database = own_server()
    keys = tmp_path / "keys"
    run(prepared(database.url))
    token = run(_token(database.url, keys))
    server = Served(database.url, keys, free_port(), tmp_path, {})
    ledger, stop = Ledger(), threading.Event()
    writers = [Writer(server.base_url, token, ledger, stop) for _ in range(WRITERS)]
    try:
        server.wait()
        for writer in writers:
            writer.start()
        for number in range(KILLS):
            time.sleep(random.uniform(0.05, 0.5))  # noqa: S311 - draws a moment, keeps no secret
            if number % 5 == 4:  # the server takes longest to come back
                server.kill()
                server.restart()
            else:
                os.kill(database.pid, signal.SIGKILL)
                database = own_server()
            assert not [w.failure for w in writers if w.failure]
        time.sleep(1)
    finally:
        stop.set()
        for writer in writers:
            writer.join(30)
        server.close()
    assert not [w.failure for w in writers if w.failure]
    assert ledger.acknowledged > 20 * KILLS
    run(_compare(database.url, ledger))


async def _token(url: str, keys: Path) -> str:
    async with opened(Settings(data_dir=keys), url) as ground:
        return Tokens(ground.keys).make("system/*.cruds", 86400)


async def _compare(url: str, ledger: Ledger) -> None:
    """Compare the ledger with the database: rows, id map, history, change log and audit."""
    database = await connect(url, max_size=2)
    try:
        there = {(r["type"], str(r["id"])): r for r in await database.fetch("SELECT * FROM id_map")}
        for (type_name, id_), ver in ledger.versions.items():
            row = there[r4.TYPE_NUMBER[type_name], id_]
            assert row["ver"] >= ver, "an acknowledged version is lost"
            assert row["deleted"] is True or (type_name, id_) not in ledger.deleted, "a deleted resource came back"
        for name in ("Patient", "Basic"):
            await _whole(database, name)
        await _transactions(database, ledger)
        unheard = await database.fetchval(
            "SELECT count(*) FROM change_log c WHERE NOT EXISTS (SELECT FROM audit a WHERE a.tx = c.tx)"
        )
        assert unheard == 0, "a change without its audit row"
    finally:
        await database.close()


async def _whole(database: Any, name: str) -> None:
    """Every version from 1 to the current one is there once, in row or history, and in the change log."""
    number, table = r4.TYPE_NUMBER[name], f'fhir."{name.lower()}"'
    broken = await database.fetchval(
        f"""WITH v AS (SELECT id, ver FROM {table} UNION ALL SELECT id, ver FROM history WHERE type = $1),
        n AS (SELECT id, count(*) AS many, count(DISTINCT ver) AS different, max(ver) AS last FROM v GROUP BY id),
        c AS (SELECT id, count(*) AS many, max(ver) AS last FROM change_log WHERE type = $1 GROUP BY id)
        SELECT count(*) FROM id_map m LEFT JOIN n ON n.id = m.id LEFT JOIN c ON c.id = m.id
        WHERE m.type = $1 AND (n.many, n.different, n.last, c.many, c.last) IS DISTINCT FROM
          (m.ver::bigint, m.ver::bigint, m.ver, m.ver::bigint, m.ver)""",
        number,
    )
    assert broken == 0, f"{name}: rows, history, id map and change log differ"


async def _transactions(database: Any, ledger: Ledger) -> None:
    """Bundles are whole, each in a transaction of its own; single creates may share one, each with its own audit row."""
    rows = await database.fetch(
        """SELECT count(*) AS made, (SELECT count(*) FROM audit a WHERE a.tx = c.tx AND interaction = 'transaction') AS bundles,
          (SELECT count(*) FROM audit a WHERE a.tx = c.tx AND interaction = 'create' AND a.type = $1) AS singles
        FROM change_log c WHERE op = 'C' AND type = $1 GROUP BY tx""",
        r4.TYPE_NUMBER["Basic"],
    )
    bundles = [row for row in rows if row["bundles"]]
    assert {(row["made"], row["bundles"], row["singles"]) for row in bundles} <= {(3, 1, 0), (30, 1, 0)}, (
        "half a bundle"
    )
    assert all(row["made"] == row["singles"] for row in rows if not row["bundles"])
    assert len(bundles) <= len(ledger.marks)
