"""Bad days: the disk is full, the database restarts in the middle of a save, clocks jump, somebody sends too much or the wrong thing.

Whoever sits before it learns in plain words what was stored and what to do; nothing is half done, and work goes on by itself.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from tests.running import Client, House, Served, free_port

from yersin.app.demonstration import PASSWORD
from yersin.app.ground import opened, prepared
from yersin.db import embedded
from yersin.fhir import parse
from yersin.guard import accounts
from yersin.guard.roles import ROLE_SYSTEM
from yersin.guard.who import system
from yersin.guard.writing import Update
from yersin.registry import systems
from yersin.settings import Settings

PATIENT = {"resourceType": "Patient", "active": True}
LOGIN = "nguoitruc"
STAFF: list[dict[str, Any]] = [
    {"resourceType": "Organization", "id": "tram", "name": "Trạm Y tế Thử", "active": True},
    {"resourceType": "Practitioner", "id": "truc", "name": [{"text": "Người Trực"}], "active": True},
    {
        "resourceType": "PractitionerRole", "id": "vai", "active": True, "practitioner": {"reference": "Practitioner/truc"},
        "organization": {"reference": "Organization/tram"}, "code": [{"coding": [{"system": ROLE_SYSTEM, "code": "health-worker"}]}],
    },
]  # fmt: skip


@dataclass
class Station:
    """A station with one account, on a database server that the test may break."""

    run: Any
    settings: Settings
    database: embedded.Server
    server: Served
    house: House

    def machine(self) -> httpx.Client:
        return self.house.machine()

    def restart_database(self, between: Callable[[], None] = lambda: None) -> None:
        """Stop PostgreSQL as its operator does, and start it again."""
        embedded.stop(self.database)
        between()
        self.database = embedded.start(self.settings)

    def until_ready(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not self.server.is_ready():
            assert self.server.process.poll() is None, self.server.output.read_text()[-2000:]
            assert time.monotonic() < end, "it did not come back by itself"
            time.sleep(0.1)


@contextmanager
def station_in(run: Any, folder: Path, log: Path, **environment: str) -> Iterator[Station]:
    settings = Settings(data_dir=folder)
    database = embedded.start(settings)
    made = None
    try:
        run(prepared(database.url))
        run(_staffed(database.url, log))
        server = Served(database.url, log, free_port(), log, environment)
        with closing(House(run, server, database.url, log)) as house:
            made = Station(run=run, settings=settings, database=database, server=server, house=house)
            server.wait()
            yield made
    finally:
        embedded.stop(made.database if made else database)


async def _staffed(url: str, keys: Path) -> None:
    async with opened(Settings(data_dir=keys), url) as ground:
        access = ground.access(system("HSYSADMIN"))
        await access.write([Update(resource=parse(json.dumps(one).encode())) for one in STAFF])
        async with access.own_tables() as connection:
            await accounts.create(connection, LOGIN, PASSWORD, "Người Trực", {"practitioner_id": "truc"})


@pytest.fixture(scope="module")
def own_station(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    folder = tmp_path_factory.mktemp("station")
    with station_in(run, folder / "own", folder) as made:
        yield made


@pytest.fixture
def station(own_station: Station) -> Station:
    """The station, in order again after whatever the test before did to it."""
    own_station.until_ready()
    return own_station


def registration(browser: httpx.Client) -> dict[str, str]:
    """A filled-in form of somebody new who resembles nobody, as the page gave it."""
    page = browser.get("/people/new").text
    key = page.partition('name="idempotency_key" value="')[2].partition('"')[0]
    family, given = ("".join(secrets.choice("abcdeghiklmnoprstuvxy") for _ in range(8)).title() for _ in range(2))
    born = f"{1 + secrets.randbelow(28):02d}/{1 + secrets.randbelow(12):02d}/{1930 + secrets.randbelow(70)}"
    return {
        "family": family, "given": given, "born": born, "sex": "female", "personal": f"999{secrets.randbelow(10**9):09d}",
        "ethnicity": "01", "idempotency_key": key,
    }  # fmt: skip


def registered(machine: httpx.Client, form: dict[str, str]) -> int:
    """How many records there are of somebody."""
    answer = machine.get(
        "/fhir/Patient", params={"identifier": f"{systems.NATIONAL_ID}|{form['personal']}", "_summary": "count"}
    )
    assert answer.status_code == 200, answer.text
    count: int = answer.json()["total"]
    return count


class Sending(threading.Thread):
    """A form on its way."""

    def __init__(self, browser: httpx.Client, form: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.browser, self.form = browser, form
        self.answer: httpx.Response | None = None

    def run(self) -> None:
        self.answer = self.browser.post("/people", data=self.form, timeout=90)


# --- the database restarts in the middle of a save ------------------------------------------------------------------------


@pytest.mark.timeout(280)
def test_a_form_sent_while_the_database_restarts_is_saved_once_or_can_be_sent_again(station: Station) -> None:
    browser, machine = station.house.signed_in(LOGIN), station.machine()
    answers = set()
    for number in range(8):
        form = registration(browser)
        sending = Sending(browser, form)
        sending.start()
        time.sleep(0.006 * number)
        station.restart_database()
        sending.join(90)
        assert sending.answer is not None
        answers.add(sending.answer.status_code)
        station.until_ready()
        again = _sent_until_saved(browser, form, sending.answer)
        assert again.headers["location"].startswith("/records/")
        assert registered(machine, form) == 1
    assert answers <= {303, 503}, answers


def _sent_until_saved(browser: httpx.Client, form: dict[str, str], answer: httpx.Response) -> httpx.Response:
    """What a person does: where the page says that it was not saved, go back and press the button again."""
    end = time.monotonic() + 120
    while answer.status_code != 303:
        assert answer.status_code in (503, 507), answer.status_code
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
        assert time.monotonic() < end
        time.sleep(0.3)
        answer = browser.post("/people", data=form, timeout=60)
    return answer


@pytest.mark.timeout(120)
def test_a_save_held_up_when_the_database_goes_is_not_half_done(run: Any, station: Station) -> None:
    """The write has begun and waits for a lock when the server goes: nothing of it is there, and the same form saves it."""
    browser, machine = station.house.signed_in(LOGIN), station.machine()
    form = registration(browser)
    holding = run(asyncpg.connect(station.database.url))
    run(holding.execute('BEGIN; LOCK TABLE fhir."patient" IN EXCLUSIVE MODE'))
    sending = Sending(browser, form)
    sending.start()
    _until(lambda: run(_waiting(station.database.url)) > 0)
    holding.terminate()
    station.restart_database()
    sending.join(60)
    station.until_ready()
    assert sending.answer is not None
    assert _sent_until_saved(browser, form, sending.answer).status_code == 303
    assert registered(machine, form) == 1


async def _waiting(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        waiting: int = await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return waiting
    finally:
        await connection.close()


def _until(there: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_while_the_database_is_away_every_door_says_so_in_plain_words(station: Station) -> None:
    browser, machine = station.house.signed_in(LOGIN), station.machine()

    def ask() -> None:
        for page in (browser.get("/people"), browser.get("/"), browser.post("/people/find", data={"q": "Thử"})):
            assert page.status_code == 503, page.status_code
            assert "Cơ sở dữ liệu tạm thời không sẵn sàng" in page.text
            assert int(page.headers["retry-after"]) > 0
        browser.cookies.set("language", "en")
        assert "The database is not available for a moment" in browser.get("/people").text
        browser.cookies.delete("language")
        for answer in (machine.get("/fhir/Patient?_count=1"), machine.post("/fhir/Patient", json=PATIENT)):
            assert answer.status_code == 503
            outcome = parse(answer.content, expect="OperationOutcome")
            assert outcome is not None
        assert httpx.get(f"{station.server.base_url}/health/live").status_code == 200
        assert httpx.get(f"{station.server.base_url}/health/ready").status_code == 503

    station.restart_database(ask)
    station.until_ready()
    assert browser.get("/people").status_code == 200
    assert machine.get("/fhir/Patient?_count=1").status_code == 200


# --- the disk is full -----------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with little on it."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=450m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small disk must be mounted for this, which needs root and a machine that lets it")
    yield place
    # the database, told to stop by the end of its supervisor, still writes its last checkpoint
    _until(lambda: subprocess.run(["umount", str(place)], check=False, capture_output=True).returncode == 0, 60)


def fill(place: Path) -> Path:
    """Use up all that is left of a disk."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(b"\1" * size)
            except OSError:
                continue
    assert shutil.disk_usage(place).free < 1 << 16
    return ballast


def _large() -> dict[str, Any]:
    return {**PATIENT, "extension": [{"url": "urn:large", "valueString": secrets.token_urlsafe(150_000)}]}


@pytest.mark.timeout(280)
def test_on_a_full_disk_saving_is_refused_in_plain_words_and_goes_on_when_there_is_room(
    run: Any, small_disk: Path, tmp_path: Path
) -> None:
    """The database lies on the small disk and is started by the server itself, as at a station."""
    folder = small_disk / "data"
    with closing(Served("", folder, free_port(), tmp_path, {})) as server:
        server.wait()
        url = embedded.address(Settings(data_dir=folder))
        assert url is not None
        run(_staffed(url, folder))
        with closing(House(run, server, url, folder)) as house:
            browser, machine = house.signed_in(LOGIN), house.machine()
            form = registration(browser)
            kept = [machine.post("/fhir/Patient", json=_large()).json()["id"] for _ in range(3)]
            ballast = fill(small_disk)
            _refuses_on_a_full_disk(server, browser, machine, form, kept)
            ballast.unlink()
            _ready_within(server, 90)
            assert _sent_until_saved(browser, form, browser.post("/people", data=form)).status_code == 303
            assert registered(machine, form) == 1
            for key in kept:
                assert machine.get(f"/fhir/Patient/{key}").status_code == 200, "nothing acknowledged was lost"


def _refuses_on_a_full_disk(
    server: Served, browser: httpx.Client, machine: httpx.Client, form: dict[str, str], kept: list[str]
) -> None:
    told = _saved_until_refused(machine, kept)
    parse(told.content, expect="OperationOutcome")
    assert "Nothing was stored" in told.text or "is not known" in told.text or "nothing was shown" in told.text
    # what can no longer be recorded is no longer shown (docs/adr/0007-audit.md): an answer, or a refusal that says so
    for key in kept[:5]:
        read = machine.get(f"/fhir/Patient/{key}", timeout=60)
        assert read.status_code in (200, 503, 507), read.text
        parse(read.content)
    page = browser.post("/people", data=form, timeout=60)
    assert page.status_code in (503, 507), page.status_code
    assert "<h1" in page.text
    assert httpx.get(f"{server.base_url}/health/live").status_code == 200
    assert server.process.poll() is None, "the server stays up"


def _ready_within(server: Served, seconds: float) -> None:
    _until(server.is_ready, seconds)


def _saved_until_refused(machine: httpx.Client, kept: list[str]) -> httpx.Response:
    for _ in range(400):
        answer = machine.post("/fhir/Patient", json=_large(), timeout=60)
        if answer.status_code != 201:
            assert answer.status_code in (503, 507), answer.text
            return answer
        kept.append(answer.json()["id"])
    raise AssertionError("the disk is not full")


# --- the clock of the server jumps ------------------------------------------------------------------------------------

_CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
/* The clock of this process is away from the machine's by the seconds that a file holds. */
static long away(void) {
  FILE *file = fopen(getenv("CLOCK_AWAY"), "r");
  long seconds = 0;
  if (file) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
  return seconds;
}
int clock_gettime(clockid_t id, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int answer = real(id, now);
  if (id == CLOCK_REALTIME) now->tv_sec += away();
  return answer;
}
time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that sets the clock of one process wrong."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("a C compiler is needed to set the clock of one process wrong: sudo apt-get install gcc")
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(_CLOCK)
    made = folder / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, folder / "clock.c", "-ldl"], check=True)
    return made


@dataclass
class Clock:
    """A clock that can be set wrong."""

    shim: Path
    away: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.shim), "CLOCK_AWAY": str(self.away)}

    def jump(self, days: int) -> None:
        self.away.write_text(str(days * 86400))


@pytest.fixture
def clock(shim: Path, tmp_path: Path) -> Clock:
    made = Clock(shim=shim, away=tmp_path / "away")
    made.jump(0)
    return made


@pytest.mark.parametrize("days", [-3, 3])
def test_a_server_whose_clock_jumps_goes_on_by_the_databases_time(
    run: Any, client: Client, serve: Callable[..., Served], database_url: str, clock: Clock, days: int
) -> None:
    run(_staffed_once(client))
    token = client.token(seconds=7 * 86400)
    with closing(serve(database_url, **clock.environment)) as server:
        house = House(run, server, database_url, server.keys_dir)
        browser = house.signed_in(LOGIN)
        machine = httpx.Client(base_url=server.base_url, headers={"authorization": f"Bearer {token}"}, timeout=30)
        with machine:
            before = machine.post("/fhir/Patient", json=PATIENT).json()
            clock.jump(days)
            assert browser.get("/people").status_code == 200, "who has signed in stays signed in"
            after = machine.post("/fhir/Patient", json=PATIENT).json()
            assert before["meta"]["lastUpdated"] < after["meta"]["lastUpdated"]
            written = datetime.fromisoformat(after["meta"]["lastUpdated"])
            since = run(client.access.ground.database.fetchval("SELECT now() - $1::timestamptz", written))
            assert abs(since.total_seconds()) < 60, "what is written bears the database's time"
            found = machine.get(
                f"/fhir/Patient?_lastUpdated=ge{written:%Y-%m-%dT%H:%M:%S}Z&_id={before['id']},{after['id']}"
            )
            assert after["id"] in {e["resource"]["id"] for e in found.json()["entry"]}
            changed = machine.put(f"/fhir/Patient/{before['id']}", json={**before, "active": False})
            assert changed.json()["meta"]["lastUpdated"] > after["meta"]["lastUpdated"]
        form = registration(browser)
        assert browser.post("/people", data=form).status_code == 303
        house.close()
    assert "Traceback" not in server.output.read_text()


async def _staffed_once(client: Client) -> None:
    access = client.access
    await access.write([Update(resource=parse(json.dumps(one).encode())) for one in STAFF])
    async with access.own_tables() as connection:
        if not await connection.fetchval("SELECT count(*) FROM account WHERE name = $1", LOGIN):
            await accounts.create(connection, LOGIN, PASSWORD, "Người Trực", {"practitioner_id": "truc"})
