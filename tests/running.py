"""Running things for the tests: the API in this process, servers in processes of their own, signed-in browsers."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from yersin.api.app import Api, Asker
from yersin.app.demo.cast import CastMember, demo_people
from yersin.app.demonstration import PASSWORD
from yersin.app.ground import opened
from yersin.db import PostgresError, connect
from yersin.guard.access import Access
from yersin.guard.tokens import Tokens
from yersin.settings import Settings
from yersin.web import csrf

PATIENCE = 120.0


def on(url: str, *statements: str) -> None:
    """Run statements on a database."""

    async def work() -> None:
        database = await connect(url, max_size=1)
        try:
            for sql in statements:
                await database.execute(sql)
        finally:
            await database.close()

    # a thread of its own, as the driver of a browser keeps a running loop in this one
    with ThreadPoolExecutor(1) as alone:
        alone.submit(lambda: asyncio.run(work())).result()


def do_not_wait_for_the_disk(data: Path) -> None:
    """Let a server of tests leave flushing to the system: killed processes lose nothing by it, only a power cut would.

    Nor does it sweep by itself through the many databases that live for a minute.
    """
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.write("\nfsync = off\nfull_page_writes = off\nautovacuum = off\n")
    os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGHUP)


def drop(server_url: str, url: str) -> None:
    """Drop a database. Its owner may not end a vacuum worker of the server that is in it just now, so try again."""
    name = urlsplit(url).path.removeprefix("/")
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return on(server_url, f"DROP DATABASE {name} WITH (FORCE)")
        except PostgresError as error:
            if error.sqlstate != "42501" or time.monotonic() > until:
                raise
            time.sleep(0.2)


def free_port() -> int:
    """A port nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Client:
    """The FHIR API in this process, for plain test functions. Paths are relative to the base: `get("/Patient/x")`."""

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any], api: Callable[[Asker], Api], access: Access):
        self._run = run
        self._make = api
        self.access = access

        async def asker(*_facts: object) -> Access:
            return access

        self.base = access.ground.indexer.base
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=api(asker)), base_url=self.base)

    def bound(self, access: Access) -> Client:
        """The same API asked by someone else."""
        return Client(self._run, self._make, access)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send one request. `json` and `content` are sent as FHIR JSON unless a header says otherwise."""
        headers = {"content-type": "application/fhir+json", **more.pop("headers", {})}
        if "data" in more:
            headers["content-type"] = "application/x-www-form-urlencoded"
        address = path if path.startswith("http") else self.base + path
        answer: httpx.Response = self._run(self.http.request(method, address, headers=headers, **more))
        return answer

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return self.request("POST", path, **({"json": json} if json is not None else {}), **more)

    def put(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return self.request("PUT", path, **({"json": json} if json is not None else {}), **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self.request("DELETE", path, **more)

    def search(self, path: str) -> list[dict[str, Any]]:
        """All matches of a search, page after page."""
        found: list[dict[str, Any]] = []
        link: str | None = path
        while link:
            answer = self.get(link)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += [e["resource"] for e in page.get("entry", ()) if e["search"]["mode"] == "match"]
            link = next((x["url"] for x in page["link"] if x["relation"] == "next"), None)
        return found

    def token(self, scope: str = "system/*.cruds", seconds: int = 3600) -> str:
        """An access token of this database."""
        return Tokens(self.access.ground.keys).make(scope, seconds)

    def close(self) -> None:
        self._run(self.http.aclose())


class Served:
    """`yersin serve` in a process of its own, on a database that is already there."""

    def __init__(self, url: str, keys_dir: Path, port: int, folder: Path, environment: Mapping[str, str]) -> None:
        self.url = url
        self.port = port
        self.keys_dir = keys_dir
        self.base_url = f"http://127.0.0.1:{port}"
        self.output = folder / "output.log"
        self._environment = {
            **os.environ,
            "YERSIN_DATABASE_URL": url,
            "YERSIN_DATA_DIR": str(keys_dir),
            "YERSIN_PORT": str(port),
            "YERSIN_WORKERS": "1",
            **environment,
        }
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.output.open("ab") as log:
            program = [sys.executable, "-c", "from yersin.app.command import main; main()", "serve"]
            return subprocess.Popen(program, env=self._environment, stdout=log, stderr=log, start_new_session=True)

    def is_ready(self) -> bool:
        """Whether it answers and has its database."""
        try:
            return httpx.get(f"{self.base_url}/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        """Start it again and wait until it answers."""
        self.process = self._start()
        answering(self)

    def wait(self) -> None:
        """Wait until it answers."""
        answering(self)

    def close(self) -> None:
        """End it in an orderly way."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


def answering(server: Served) -> Served:
    """Wait until a server answers."""
    end = time.monotonic() + PATIENCE
    while not server.is_ready():
        if server.process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"the server did not start:\n{server.output.read_text()[-3000:]}")
        time.sleep(0.05)
    return server


class House:
    """A running house with the invented country in it."""

    def __init__(
        self, run: Callable[[Coroutine[Any, Any, Any]], Any], server: Served, url: str, keys_dir: Path
    ) -> None:
        self._run = run
        self.server = server
        self.database_url = url
        self.base_url = server.base_url
        self.password = PASSWORD
        self.cast: Mapping[str, CastMember] = {member.login: member for member in demo_people()}
        self._keys_dir = keys_dir
        self._browsers: list[httpx.Client] = []

    def token(self, scope: str = "system/*.cruds", seconds: int = 3600) -> str:
        """An access token, as `yersin token` prints it."""

        async def make() -> str:
            async with opened(Settings(data_dir=self._keys_dir), self.database_url, connections=2) as ground:
                return Tokens(ground.keys).make(scope, seconds)

        token: str = self._run(make())
        return token

    def machine(self, scope: str = "system/*.cruds") -> httpx.Client:
        """A program that holds an access token."""
        headers = {"authorization": f"Bearer {self.token(scope)}", "content-type": "application/fhir+json"}
        return self._kept(httpx.Client(base_url=self.base_url, headers=headers, timeout=30))

    def visitor(self) -> httpx.Client:
        """A browser in which nobody has signed in."""
        return self._kept(httpx.Client(base_url=self.base_url, timeout=30))

    def signed_in(self, login: str) -> httpx.Client:
        """A browser in which someone of the cast has signed in; it sends the CSRF token with every request."""
        browser = self.visitor()
        token = form_token(browser, "/sign-in")
        form = {"account": login, "password": self.password, "next": "/", csrf.FIELD: token}
        answer = browser.post("/sign-in", data=form)
        assert answer.status_code == 303, f"{login} cannot sign in: {answer.status_code}"
        secret = self._secret()
        browser.headers[csrf.HEADER] = csrf.token(secret, browser.cookies[csrf.COOKIE], browser.cookies["session"])
        return browser

    def _secret(self) -> bytes:
        async def read() -> bytes:
            async with opened(Settings(data_dir=self._keys_dir), self.database_url, connections=2) as ground:
                return ground.keys.get("cookies")

        secret: bytes = self._run(read())
        return secret

    def _kept(self, browser: httpx.Client) -> httpx.Client:
        self._browsers.append(browser)
        return browser

    def close(self) -> None:
        """Close the browsers and the server."""
        for browser in self._browsers:
            browser.close()
        self.server.close()


def form_token(browser: httpx.Client, path: str) -> str:
    """CSRF token of a page's form."""
    text = browser.get(path).text
    mark = f'name="{csrf.FIELD}" value="'
    assert mark in text, f"{path} holds no form"
    return text.partition(mark)[2].partition('"')[0]


async def others_have_ended(connection: Any) -> None:
    """Wait for transactions of other databases of the server that began before now: they hold every horizon back."""
    horizon = await connection.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    older = "SELECT true FROM pg_stat_activity WHERE datname <> current_database() AND backend_xid::text::bigint < $1 LIMIT 1"
    async with asyncio.timeout(150):
        while await connection.fetchval(older, horizon):
            await asyncio.sleep(0.02)
