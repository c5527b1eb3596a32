"""The station's whole network is cut for half a minute, signalling and media alike; the call comes back by itself.

The station's browser runs in a network namespace of its own, joined by a virtual cable that is pulled out. That needs
root and iproute2; elsewhere the test is skipped, and test_browser.py still covers the line to the server.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.calls.small_house import FLAGS, Worker, on
from tests.calls.test_browser import enter, sees

SPACE, HERE, THERE = "yersin-cut", "10.231.77.1", "10.231.77.2"
_SLOW = 90_000


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def cable(calls_url: str) -> Iterator[None]:
    """A namespace and a cable to it."""
    del calls_url
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("network namespaces need root and iproute2")
    try:
        ip("netns", "add", SPACE)
    except subprocess.CalledProcessError:
        pytest.skip("this machine gives no network namespaces")
    try:
        ip("link", "add", "yersin-a", "type", "veth", "peer", "name", "yersin-b", "netns", SPACE)
        ip("addr", "add", f"{HERE}/24", "dev", "yersin-a")
        ip("link", "set", "yersin-a", "up")
        ip("-n", SPACE, "addr", "add", f"{THERE}/24", "dev", "yersin-b")
        ip("-n", SPACE, "link", "set", "lo", "up")
        ip("-n", SPACE, "link", "set", "yersin-b", "up")
        yield
    finally:
        ip("netns", "del", SPACE)


@pytest.fixture
def both(cable: None, tmp_path: Path, start: Callable[..., Worker]) -> Iterator[tuple[Worker, Browser, Browser]]:
    """A worker, a browser here and one at the far end of the cable."""
    del cable
    worker = start(host=HERE)
    far = tmp_path / "far-chromium"
    far.write_text(f'#!/bin/sh\nexec ip netns exec {SPACE} /usr/bin/chromium "$@"\n')
    far.chmod(0o755)
    flags = [*FLAGS, f"--unsafely-treat-insecure-origin-as-secure={worker.base}"]
    with sync_playwright() as playwright:
        here = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        there = playwright.chromium.launch(executable_path=far, args=flags)
        yield worker, here, there
        here.close()
        there.close()


def opened(browser: Browser, worker: Worker, call: UUID, who: str) -> Page:
    page = browser.new_context(locale="vi-VN").new_page()
    page.context.add_cookies([{"name": "who", "value": who, "url": worker.base}])
    page.goto(f"{worker.base}/telehealth/calls/{call}")
    return enter(page)


def test_a_call_cut_off_for_half_a_minute_resumes_by_itself(
    both: tuple[Worker, Browser, Browser], call: UUID, calls_url: str
) -> None:
    worker, here, there = both
    doctor, station = opened(here, worker, call, "doctor"), opened(there, worker, call, "worker")
    doctor.click(".bell button", timeout=_SLOW)
    sees(doctor)
    sees(station)
    ip("-n", SPACE, "link", "set", "yersin-b", "down")
    expect(doctor.locator(".tile-note")).to_have_text(re.compile("Mất kết nối"), timeout=_SLOW)
    expect(doctor.locator(".tile canvas.frozen")).to_be_visible()
    expect(station.locator("[data-no-line]")).to_be_visible(timeout=_SLOW)
    time.sleep(30)
    ip("-n", SPACE, "link", "set", "yersin-b", "up")
    expect(station.locator("[data-no-line]")).to_be_hidden(timeout=_SLOW)
    expect(doctor.locator(".tile canvas.frozen")).to_be_hidden(timeout=_SLOW)
    for page in (doctor, station):
        page.wait_for_function("() => document.querySelector('.tile-note').textContent === ''", timeout=_SLOW)
        sees(page)
    rows = on(calls_url, "SELECT person, state FROM call_seat ORDER BY person")
    assert [tuple(row.values()) for row in rows] == [("doctor", "admitted"), ("worker", "admitted")]
