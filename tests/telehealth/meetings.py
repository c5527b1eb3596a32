"""Two people of the cast in their browsers: a request that was asked and accepted, and its call."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page, expect
from tests.telehealth.browserless import signed_in as quietly
from tests.telehealth.conftest import accepted, asked

#: milliseconds; the two cores of a test machine carry server, encoders and decoders
PATIENT = 30_000
FRAMES = "[...document.querySelectorAll('.tile video')].map((v) => v.getVideoPlaybackQuality().totalVideoFrames)"


@dataclass(frozen=True, slots=True)
class Meeting:
    """An accepted request as the station and the hospital have it open."""

    station: Page
    hospital: Page
    path: str


def accepted_request(base: str, patient: str) -> str:
    """Address of a request that was asked and accepted, without a browser."""
    path = asked(quietly(base, "tram"), patient)
    accepted(quietly(base, "chuyengia"), path)
    return path


def call_of(hospital: Page, path: str) -> str:
    """Begin the meeting; the address of its call."""
    hospital.goto(path)
    hospital.locator("form[action$='/begin'] button").first.click()
    hospital.wait_for_url("**/telehealth/calls/**")
    return hospital.url


def meet(station: Page, hospital: Page, path: str) -> Meeting:
    """Both in the call, seeing each other."""
    station.goto(call_of(hospital, path))
    hospital.click("[data-enter]")
    station.click("[data-enter]")
    hospital.click(".bell button", timeout=PATIENT)
    for page in (hospital, station):
        sees(page)
    return Meeting(station, hospital, path)


def sees(page: Page) -> None:
    """Wait until the other is seen moving."""
    expect(page.locator(".tile video")).to_have_count(1, timeout=PATIENT)
    before = page.evaluate(f"({FRAMES})[0]")
    page.wait_for_function(f"(before) => ({FRAMES})[0] > before + 4", arg=before, timeout=PATIENT)
