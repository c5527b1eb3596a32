"""The one virtual cable: cut for half a minute, signalling and media alike, and made thin; the call comes back by itself.

All that pull the cable are in this file, for files run side by side. The kernel's token bucket makes it thin: it delays what
is too much and drops the rest.
"""

from __future__ import annotations

import re
import time
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.calls.far_away import FAR_END, SLOW, SPACE, ip, opened, plug, thin, whole
from tests.calls.small_house import Worker, on
from tests.calls.test_browser import PATIENT, sees


def test_a_call_cut_off_for_half_a_minute_resumes_by_itself(
    both: tuple[Worker, Browser, Browser], call: UUID, calls_url: str
) -> None:
    worker, here, there = both
    doctor, station = opened(here, worker, call, "doctor"), opened(there, worker, call, "worker")
    doctor.click(".bell button", timeout=SLOW)
    sees(doctor)
    sees(station)
    cut = time.monotonic()
    ip("-n", SPACE, "link", "set", FAR_END, "down")
    expect(doctor.locator(".tile-note")).to_have_text(re.compile("Mất kết nối"), timeout=SLOW)
    expect(doctor.locator(".tile canvas.frozen")).to_be_visible()
    expect(station.locator("[data-no-line]")).to_be_visible(timeout=PATIENT)
    time.sleep(max(0, cut + 30 - time.monotonic()))
    plug()
    expect(station.locator("[data-no-line]")).to_be_hidden(timeout=SLOW)
    expect(doctor.locator(".tile canvas.frozen")).to_be_hidden(timeout=SLOW)
    for page in (doctor, station):
        page.wait_for_function("() => document.querySelector('.tile-note').textContent === ''", timeout=SLOW)
        sees(page)
    rows = on(calls_url, "SELECT person, state FROM call_seat ORDER BY person")
    assert [tuple(row.values()) for row in rows] == [("doctor", "admitted"), ("worker", "admitted")]


def _rungs(url: str) -> list[str]:
    rows = on(url, "SELECT detail->>'rung' AS rung FROM call_event WHERE kind = 'rung' ORDER BY id")
    return [row["rung"] for row in rows]


def _says(page: Page, words: str, patience: float = SLOW) -> None:
    expect(page.locator("[data-quality-words]")).to_have_text(re.compile(words), timeout=patience)


@pytest.mark.timeout(600)
def test_on_a_line_that_is_made_thin_the_call_gives_up_pictures_before_sound_and_takes_them_back(
    both: tuple[Worker, Browser, Browser], call: UUID, calls_url: str
) -> None:
    worker, here, there = both
    doctor, station = opened(here, worker, call, "doctor"), opened(there, worker, call, "worker")
    doctor.click(".bell button", timeout=SLOW)
    sees(doctor)
    sees(station)
    if not thin("130kbit"):
        pytest.skip("this kernel limits no line")
    _says(station, "Hình nhỏ|Chỉ tiếng|Từng ảnh")
    thin("40kbit")
    _says(station, "Chỉ tiếng|Từng ảnh")
    expect(doctor.locator(".tile-note")).to_have_text(re.compile("Chỉ tiếng|một ảnh"), timeout=SLOW)
    whole()
    _says(station, "Hình nhỏ|Đường truyền")
    sees(doctor)
    assert {"low", "audio"} <= set(_rungs(calls_url))
