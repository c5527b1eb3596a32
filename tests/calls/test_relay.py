"""Calls through the real coturn, with the credentials the server makes, and what the waiting room says when they do not fit.

The browsers may use nothing but the relay, as behind a firewall that lets nothing else through.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from tests.calls.small_house import Worker, free_port
from tests.calls.test_browser import PATIENT, Visit, enter, sees

from yersin.calls.ice import IceServers

SECRET = "north-of-the-river"
_RELAY_ONLY = """{
  const Real = RTCPeerConnection;
  window.lines = [];
  window.RTCPeerConnection = class extends Real {
    constructor(wish) { super({ ...wish, iceTransportPolicy: 'relay' }); window.lines.push(this); }
  };
}"""
_PAIRS = """async () => {
  const found = [];
  for (const line of window.lines.filter((each) => each.connectionState === 'connected')) {
    const reports = await line.getStats();
    for (const report of reports.values()) {
      if (report.type !== 'transport' || !report.selectedCandidatePairId) continue;
      const pair = reports.get(report.selectedCandidatePairId);
      found.push([reports.get(pair.localCandidateId).candidateType, reports.get(pair.remoteCandidateId).candidateType]);
    }
  }
  return found;
}"""


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[str]:
    """Address of a coturn on loopback, which asks for credentials made with the secret."""
    program = shutil.which("turnserver")
    if program is None:
        pytest.skip("coturn is not installed: sudo apt-get install coturn")
    port = free_port()
    flags = [
        "--no-cli", "--no-tls", "--no-dtls", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--allow-loopback-peers",
        "--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=yersin.test", f"--listening-port={port}",
        f"--userdb={tmp_path}/turndb", f"--pidfile={tmp_path}/turn.pid", "--log-file=stdout",
    ]  # fmt: skip
    with (tmp_path / "coturn.log").open("wb") as log:
        process = subprocess.Popen([program, "-n", *flags], stdout=log, stderr=log, cwd=tmp_path)
        try:
            _listening(port)
            yield f"turn:127.0.0.1:{port}?transport=udp"
        finally:
            process.terminate()
            process.wait(10)


def _listening(port: int) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("coturn did not start")


def _enters(visit: Visit, worker: Worker, call: UUID, who: str) -> Page:
    page = visit("about:blank", "", who="")
    page.context.add_init_script(_RELAY_ONLY)
    page.context.add_cookies([{"name": "who", "value": who, "url": worker.base}])
    page.goto(f"{worker.base}/telehealth/calls/{call}")
    return enter(page)


def test_a_call_that_may_use_nothing_but_the_relay_is_seen_on_both_sides(
    relay: str, start: Callable[..., Worker], visit: Visit, call: UUID
) -> None:
    worker = start(ice=IceServers(turn=(relay,), secret=SECRET))
    doctor, station = (_enters(visit, worker, call, who) for who in ("doctor", "worker"))
    doctor.click(".bell button", timeout=PATIENT)
    for page in (doctor, station):
        sees(page)
        assert page.evaluate(_PAIRS) == [["relay", "relay"]]


def _line(visit: Visit, worker: Worker, call: UUID) -> Page:
    return visit(worker.base, f"/telehealth/calls/{call}", "worker")


def test_the_waiting_room_is_content_with_a_relay_that_answers(
    relay: str, start: Callable[..., Worker], visit: Visit, call: UUID
) -> None:
    page = _line(visit, start(ice=IceServers(turn=(relay,), secret=SECRET)), call)
    expect(page.locator("[data-check=line]")).to_have_attribute("data-state", "ok", timeout=PATIENT)


def test_a_wrong_secret_is_told_in_the_waiting_room(
    relay: str, start: Callable[..., Worker], visit: Visit, call: UUID
) -> None:
    page = _line(visit, start(ice=IceServers(turn=(relay,), secret="south")), call)
    check = page.locator("[data-check=line]")
    expect(check).to_contain_text("Máy chủ chuyển tiếp từ chối", timeout=PATIENT)
    expect(check).to_contain_text("YERSIN_TURN_SECRET")
    expect(check).to_have_attribute("data-state", "warn")


def test_a_relay_that_cannot_be_reached_is_told_in_the_waiting_room(
    start: Callable[..., Worker], visit: Visit, call: UUID
) -> None:
    nobody = IceServers(turn=(f"turn:127.0.0.1:{free_port()}?transport=udp",), secret=SECRET)
    page = _line(visit, start(ice=nobody), call)
    expect(page.locator("[data-check=line]")).to_contain_text("Không tới được máy chủ chuyển tiếp", timeout=PATIENT)
