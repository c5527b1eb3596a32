"""A Yersin of one's own for a benchmark: a server process on a free port with an empty data folder, and its CPU time."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from yersin.app.demonstration import PASSWORD
from yersin.web import csrf

COMMAND = [sys.executable, "-m", "yersin.app"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running server: where it listens, where its data are, its process."""

    base: str
    data: Path
    pid: int
    environment: dict[str, str]

    def token(self, scope: str = "system/*.cruds") -> str:
        """Print an access token with the command line, as a script would."""
        command = [*COMMAND, "token", "--scope", scope]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout.strip()

    def cpu(self) -> float:
        """CPU seconds spent so far by the server and its database, all their processes."""
        return sum(_seconds(pid) for pid in processes(self.pid))


@contextlib.contextmanager
def running(*arguments: str, data: Path | None = None, database: str = "") -> Iterator[Running]:
    """Start `yersin serve` (or what `arguments` say) and stop it afterwards; a folder of its own is removed.

    `database` is the address of an outside PostgreSQL, in place of one of its own.
    """
    folder = data or Path(tempfile.mkdtemp(prefix="yersin-bench-"))
    port = free_port()
    environment = {
        **os.environ,
        "YERSIN_DATA_DIR": str(folder),
        "YERSIN_PORT": str(port),
        "YERSIN_DATABASE_URL": database,
    }
    process = subprocess.Popen([*COMMAND, *(arguments or ("serve",))], env=environment, stdout=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    try:
        wait(base, process)
        yield Running(base=base, data=folder, pid=process.pid, environment=environment)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        if data is None:
            shutil.rmtree(folder, ignore_errors=True)


def wait(base: str, process: subprocess.Popen[bytes], seconds: float = 600) -> None:
    """Wait until the server answers; raises RuntimeError when it ends or takes too long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{base}/health/ready", timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise RuntimeError("the server did not get ready")


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def processes(pid: int) -> list[int]:
    """List a process and all that it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += processes(int(child))
    return found


def _seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def signed_in(server: Running, login: str) -> httpx.Client:
    """Sign in over HTTP, as a browser does."""
    browser = httpx.Client(base_url=server.base, timeout=60)
    page = browser.get("/sign-in").text
    mark = re.search(rf'name="{csrf.FIELD}" value="([^"]+)"', page)
    assert mark is not None
    form = {"account": login, "password": PASSWORD, "next": "/", csrf.FIELD: mark[1]}
    assert browser.post("/sign-in", data=form).status_code == 303
    mark = re.search(rf'name="{csrf.FIELD}" value="([^"]+)"', browser.get("/people").text)
    assert mark is not None
    browser.headers[csrf.HEADER] = mark[1]
    return browser
