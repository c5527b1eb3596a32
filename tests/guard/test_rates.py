"""Limits of requests hold over several processes, are said in headers, and cost next to nothing.

Source: https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10
"""

from __future__ import annotations

import re
import subprocess
import sys
import time

import httpx
import pytest

from yersin.guard.rates import Counters, Rates, Spent
from yersin.guard.tokens import Tokens
from yersin.guard.who import Who, nobody

LIMITS = {"program": 5, "account": 3, "address": 2}
COUNTING = """
import sys; from pathlib import Path; from yersin.guard.rates import Counters
counters = Counters(Path(sys.argv[1])); print("ready", flush=True); sys.stdin.readline()
for _ in range(500): last = counters.count("program|a", 7)
print(last, flush=True); sys.stdin.readline()
"""


def program(name):
    return Who(role="system", purpose="TREAT", display=name, scopes=())


class Clock:
    now = 6_000_030.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def rates(tmp_path, clock):
    return Rates(tmp_path, LIMITS, clock)


def test_a_minute_has_so_many_requests_and_the_next_as_many_again(rates, clock):
    left = [rates.spend(program("a")).left for _ in range(6)]
    assert left == [4, 3, 2, 1, 0, -1]
    last = rates.spend(program("a"))
    assert last.is_over
    assert (last.name, last.quota, last.seconds) == ("program", 5, 30)
    clock.now += 30
    assert rates.spend(program("a")) == Spent("program", 5, 4, 60)


def test_each_has_their_own(rates):
    for _ in range(6):
        rates.spend(program("a"))
    assert rates.spend(program("b")).left == 4
    assert rates.spend(nobody("10.0.0.1")).left == 1
    assert rates.spend_at("10.0.0.1").left == 0
    assert rates.spend_at("10.0.0.2").left == 1


def test_no_limit_counts_nothing(tmp_path):
    assert Rates(tmp_path, {"program": 0, "address": 5}).spend(program("a")) is None
    Rates(tmp_path / "none", {"program": 0})
    assert not (tmp_path / "none").exists()


def test_processes_count_together_and_lose_nothing(tmp_path):
    def started():
        given = [sys.executable, "-c", COUNTING, tmp_path]
        process = subprocess.Popen(given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        return process, process.stdin, process.stdout

    several = [started() for _ in range(3)]
    for _, told, _ in several:
        told.write("\n")
        told.flush()
    assert max(int(said.readline()) for _, _, said in several) <= 1500
    assert Counters(tmp_path).count("program|a", 7) == 1501
    for process, *_ in several:
        process.communicate("\n")


def test_a_column_is_free_again_when_its_process_has_ended(tmp_path):
    for _ in range(2):
        given = [sys.executable, "-c", COUNTING, tmp_path]
        subprocess.run(given, input="\n\n", capture_output=True, text=True, check=True)
    cells = memoryview((tmp_path / "rates-1.bin").read_bytes()).cast("Q")
    assert sorted(cell for cell in cells if cell) == [(7 << 32) + 1000] * 2


def test_two_workers_hold_one_limit_and_say_so(ground, serve, database_url):
    token = Tokens(ground.keys).make("system/*.rs", 600, name="a program of this test")
    server = serve(database_url, YERSIN_WORKERS="2", YERSIN_RATE_PROGRAM="40", YERSIN_RATE_ADDRESS="30")
    headers = {"authorization": f"Bearer {token}", "connection": "close"}
    if (left := 60 - time.time() % 60) < 20:  # all of it within one minute
        time.sleep(left + 0.1)
    answers = [httpx.get(f"{server.base_url}/fhir/Patient/none", headers=headers) for _ in range(44)]
    assert [answer.status_code for answer in answers] == [404] * 40 + [429] * 4
    first, last = answers[0], answers[-1]
    assert first.headers["ratelimit-policy"] == '"program";q=40;w=60'
    assert re.fullmatch(r'"program";r=39;t=([1-9]|[1-5]\d|60)', first.headers["ratelimit"])
    assert last.headers["ratelimit"].startswith('"program";r=0;')
    assert 0 < int(last.headers["retry-after"]) <= 60
    assert last.json()["issue"][0]["code"] == "throttled"
    strangers = [httpx.get(f"{server.base_url}/fhir/Patient", headers={"connection": "close"}) for _ in range(32)]
    # others on this folder may have asked from the same address in the same minute
    allowed = int(strangers[0].headers["ratelimit"].partition("r=")[2].partition(";")[0]) + 1
    assert 20 < allowed <= 30
    assert [answer.status_code for answer in strangers] == [401] * allowed + [429] * (32 - allowed)
    server.close()


def test_programs_have_no_limit_unless_one_is_set(house):
    answer = house.machine("system/*.rs").get("/fhir/Patient?_count=1")
    assert answer.status_code == 200
    assert "ratelimit" not in answer.headers
    assert house.signed_in("tram").get("/fhir/Patient?_count=1").headers["ratelimit-policy"] == '"account";q=6000;w=60'
