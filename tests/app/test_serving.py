"""Serving: ports and folders that are taken, an orderly end with running requests finished, and starting again after the worst."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from tests.running import Client, Served, answering, free_port

PROGRAM = [sys.executable, "-c", "from yersin.app.command import main; main()"]
PATIENT = {"resourceType": "Patient", "active": True}


class Alone:
    """`yersin serve` with a data folder and a database of its own."""

    def __init__(self, folder: Path, log: Path, *words: str, **environment: str) -> None:
        self.folder, self.log, self.words, self.port = folder, log, words, free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("YERSIN_")}
        place = {"YERSIN_DATA_DIR": str(folder), "YERSIN_PORT": str(self.port), "YERSIN_WORKERS": "1"}
        self.environment = {**kept, **place, **environment}
        self.process = self._start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as sink:
            program = [*PROGRAM, *(self.words or ("serve",))]
            return subprocess.Popen(program, env=self.environment, stdout=sink, stderr=sink, start_new_session=True)

    def again(self) -> None:
        self.process = self._start()
        self.wait()

    def wait(self) -> None:
        end = time.monotonic() + 90
        while True:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.base}/health/ready", timeout=5).status_code == 200:
                    return
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < end, self.log.read_text()[-2000:]
            time.sleep(0.1)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Callable[..., Alone]]:
    """Start servers with folders of their own; all are ended."""
    started: list[Alone] = []

    def start(folder: Path, *words: str, **environment: str) -> Alone:
        started.append(Alone(folder, tmp_path / f"output {len(started)}.log", *words, **environment))
        return started[-1]

    yield start
    for one in reversed(started):
        one.close()


def token_of(server: Alone) -> dict[str, str]:
    """Headers of a program that may do everything, by `yersin token` beside the running server."""
    program = [*PROGRAM, "token", "--scope", "system/*.cruds"]
    done = subprocess.run(program, env=server.environment, capture_output=True, text=True, check=True)
    return {"authorization": f"Bearer {done.stdout.strip()}", "content-type": "application/fhir+json"}


def made(server: Alone, headers: dict[str, str]) -> str:
    answer = httpx.post(f"{server.base}/fhir/Patient", json=PATIENT, headers=headers, timeout=20)
    assert answer.status_code == 201, answer.text
    key: str = answer.json()["id"]
    return key


def said(server: Alone) -> str:
    return server.log.read_text()


def is_open(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("word", ["serve", "demo"])
def test_a_taken_port_is_told_with_the_cure(tmp_path: Path, alone: Callable[..., Alone], word: str) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = alone(tmp_path / "data", word, YERSIN_PORT=str(port))
        assert server.process.wait(30) == 1
    assert f"127.0.0.1:{port}" in said(server)
    assert f"YERSIN_PORT={port + 1}" in said(server)
    assert "Cổng" in said(server), "in Vietnamese, too"
    assert "Traceback" not in said(server)
    assert not (tmp_path / "data").exists(), "nothing was begun"


@pytest.mark.timeout(240)
def test_a_folder_is_served_once_survives_a_kill_and_ends_in_order(tmp_path: Path, alone: Callable[..., Alone]) -> None:
    """One story, since making a database takes its time: second server, beside commands, kill -9, SIGTERM."""
    first = alone(tmp_path / "data")
    first.wait()
    headers = token_of(first)
    keys = [made(first, headers)]

    second = alone(tmp_path / "data")
    assert second.process.wait(40) == 1
    assert f"already served by process {first.process.pid}" in said(second)
    assert "Traceback" not in said(second)
    keys.append(made(first, headers))

    for _ in range(2):
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        first.again()
        keys.append(made(first, headers))
        for key in keys:
            assert httpx.get(f"{first.base}/fhir/Patient/{key}", headers=headers).status_code == 200

    first.process.terminate()
    assert first.process.wait(40) in (0, -signal.SIGTERM)
    assert not is_open(first.port)
    assert "Traceback" not in said(first)
    end = time.monotonic() + 90
    while (tmp_path / "data" / "postgres" / "data" / "postmaster.pid").exists():
        assert time.monotonic() < end, "the database stays behind"
        time.sleep(0.1)
    journal = (tmp_path / "data" / "postgres" / "server.log").read_text()
    assert journal.rstrip().endswith("database system is shut down")


@contextmanager
def held(run: Any, url: str) -> Iterator[Callable[[], None]]:
    """Hold up every write of a Patient until let go."""
    connection = run(asyncpg.connect(url))
    run(connection.execute('BEGIN; LOCK TABLE fhir."patient" IN EXCLUSIVE MODE'))
    try:
        yield lambda: run(connection.execute("ROLLBACK"))
    finally:
        run(connection.close())


class Sent(threading.Thread):
    """A request under way."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.url, self.headers, self.id = url, headers, str(uuid4())
        self.answer: httpx.Response | None = None
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            # each a transaction of its own: single changes would wait for the first of them, and not at the database
            put = {"resource": {**PATIENT, "id": self.id}, "request": {"method": "PUT", "url": f"Patient/{self.id}"}}
            bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [put]}
            self.answer = httpx.post(f"{self.url}/fhir", json=bundle, headers=self.headers, timeout=60)
        except httpx.TransportError as error:
            self.failure = error


@pytest.mark.parametrize(("word", "workers"), [(signal.SIGTERM, "2"), (signal.SIGINT, "1")])
def test_requests_that_run_are_finished_before_the_end(
    run: Any, client: Client, serve: Callable[..., Served], database_url: str, workers: str, word: signal.Signals
) -> None:
    headers = {"authorization": f"Bearer {client.token()}", "content-type": "application/fhir+json"}
    with closing(serve(database_url, YERSIN_WORKERS=workers)) as server:
        with held(run, database_url) as let_go:
            sent = [Sent(server.base_url, headers) for _ in range(4)]
            for one in sent:
                one.start()
            _until(lambda: run(_waiting(database_url)) >= len(sent))
            server.process.send_signal(word)
            if workers == "1":  # of several workers the supervisor keeps the port until they are done
                _until(lambda: not is_open(server.port))
            time.sleep(0.5)
            assert all(one.is_alive() for one in sent), "they are not cut off"
            let_go()
        for one in sent:
            one.join(30)
        assert [one.answer.status_code if one.answer else one.failure for one in sent] == [200] * 4
        assert server.process.wait(30) in (0, -word)
        assert "Traceback" not in server.output.read_text()
    for one in sent:
        assert client.get(f"/Patient/{one.id}").status_code == 200


async def _waiting(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        waiting: int = await connection.fetchval(sql)
        return waiting
    finally:
        await connection.close()


def _until(there: Callable[[], bool], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_worker_that_dies_is_replaced(client: Client, serve: Callable[..., Served], database_url: str) -> None:
    headers = {"authorization": f"Bearer {client.token()}"}
    with closing(serve(database_url, YERSIN_WORKERS="2")) as server:
        before = _children(server.process.pid)
        assert len(before) >= 2
        os.kill(max(before), signal.SIGKILL)
        _until(
            lambda: (
                len(_children(server.process.pid)) >= len(before) and max(before) not in _children(server.process.pid)
            ),
            40,
        )
        for _ in range(10):
            with suppress(httpx.TransportError):
                assert (
                    httpx.get(f"{server.base_url}/fhir/Patient?_count=1", headers=headers, timeout=30).status_code
                    == 200
                )
        answering(server)


def _children(pid: int) -> set[int]:
    """Living children of a process."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if not listed.exists():
        pytest.skip("this system does not tell a process's children")
    return {int(n) for n in listed.read_text().split()}


def test_web_processes_end_with_the_one_that_was_killed_above_them(
    serve: Callable[..., Served], database_url: str
) -> None:
    with closing(serve(database_url, YERSIN_WORKERS="2")) as server:
        below = _children(server.process.pid)
        os.kill(server.process.pid, signal.SIGKILL)
        _until(lambda: not is_open(server.port), 20)
        _until(lambda: not any(_runs(pid) for pid in below), 20)
        assert len(below) >= 2, "there were some to end"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_cannot_begin_says_why_and_ends(
    ground: Any, tmp_path: Path, database_url: str, workers: str
) -> None:
    """Another master key than the one the database was made with."""
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "keys" / "master.key").write_bytes(bytes(range(32)))
    (tmp_path / "keys" / "master.key").chmod(0o600)
    given = {"YERSIN_DATA_DIR": str(tmp_path), "YERSIN_DATABASE_URL": database_url, "YERSIN_WORKERS": workers}
    done = subprocess.run(
        [sys.executable, "-m", "yersin.app", "serve", "--port", str(free_port())],
        env={**os.environ, **given}, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr[-2000:]
    assert "Put back the master.key" in done.stderr
    assert "Traceback" not in done.stderr


def _runs(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
