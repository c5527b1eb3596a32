"""The station's whole network is cut for half a minute, signalling and media alike; the call comes back by itself."""

from __future__ import annotations

import re
import time
from uuid import UUID

from playwright.sync_api import Browser, expect
from tests.calls.far_away import FAR_END, SLOW, SPACE, ip, opened
from tests.calls.small_house import Worker, on
from tests.calls.test_browser import sees


def test_a_call_cut_off_for_half_a_minute_resumes_by_itself(
    both: tuple[Worker, Browser, Browser], call: UUID, calls_url: str
) -> None:
    worker, here, there = both
    doctor, station = opened(here, worker, call, "doctor"), opened(there, worker, call, "worker")
    doctor.click(".bell button", timeout=SLOW)
    sees(doctor)
    sees(station)
    ip("-n", SPACE, "link", "set", FAR_END, "down")
    expect(doctor.locator(".tile-note")).to_have_text(re.compile("Mất kết nối"), timeout=SLOW)
    expect(doctor.locator(".tile canvas.frozen")).to_be_visible()
    expect(station.locator("[data-no-line]")).to_be_visible(timeout=SLOW)
    time.sleep(30)
    ip("-n", SPACE, "link", "set", FAR_END, "up")
    expect(station.locator("[data-no-line]")).to_be_hidden(timeout=SLOW)
    expect(doctor.locator(".tile canvas.frozen")).to_be_hidden(timeout=SLOW)
    for page in (doctor, station):
        page.wait_for_function("() => document.querySelector('.tile-note').textContent === ''", timeout=SLOW)
        sees(page)
    rows = on(calls_url, "SELECT person, state FROM call_seat ORDER BY person")
    assert [tuple(row.values()) for row in rows] == [("doctor", "admitted"), ("worker", "admitted")]
