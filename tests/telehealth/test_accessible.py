"""Every page of a consultation judged by axe-core (WCAG 2.2 A and AA), in both languages, wide and narrow."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page
from tests.journeys.test_accessible import _RUN, AXE
from tests.telehealth.browserless import signed_in as quietly
from tests.telehealth.conftest import asked, minutes_of
from tests.telehealth.meetings import Meeting, accepted_request, call_of, meet

_TALL = "document.body.classList.contains('in-call') ? 0 : document.documentElement.scrollHeight + 200"
SignedIn = Callable[..., Page]


class Judge:
    """Looks at pages wide and narrow, and gathers what keeps anybody out."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def look(self, name: str, page: Page) -> None:
        for width, height in ((1366, 768), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            # the whole page in sight, since what lies under a bar that sticks counts as too small; a call fills its window
            page.set_viewport_size({"width": width, "height": max(height, page.evaluate(_TALL))})
            page.wait_for_timeout(250)
            if not page.evaluate("'axe' in window"):
                page.add_script_tag(path=AXE)
            wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1")
            violations = [*page.evaluate(_RUN), *(["scrolls sideways"] if wider else [])]
            if violations:
                self.found[f"{name} at {width}"] = violations


@pytest.fixture
def enter(signed_in: SignedIn) -> Callable[[str, str], Page]:
    """A window for an account in a language; axe may be put into its pages."""

    def open_page(account: str, language: str) -> Page:
        page = signed_in(account, bypass_csp=True)
        page.context.add_cookies([{"name": "language", "value": language, "url": page.url}])
        return page

    return open_page


#: the words change with the language, the structure that axe judges hardly
both_languages = pytest.mark.parametrize("language", ["vi", "en"] if os.environ.get("YERSIN_LONG_TESTS") else ["vi"])


@both_languages
def test_asking_and_answering_keeps_nobody_out(
    enter: Callable[[str, str], Page], place: tuple[str, str], patient: str, language: str
) -> None:
    judge = Judge()
    station, hospital = enter("tram", language), enter("chuyengia", language)
    station.goto(f"/telehealth/ask/{patient}")
    judge.look("ask", station)
    station.locator("button[name=step][value=look]").click()
    judge.look("ask, with what is missing", station)
    path = asked(quietly(place[0], "tram"), patient)
    for page, name, address in (
        (station, "sent", "/telehealth/sent"), (hospital, "queue", "/telehealth/queue"),
        (hospital, "answer", path), (station, "request", path),
    ):  # fmt: skip
        page.goto(address)
        assert page.locator("html").get_attribute("lang") == language
        page.evaluate("for (const folded of document.querySelectorAll('main details')) folded.open = true")
        judge.look(name, page)
    assert not judge.found


@both_languages
def test_meeting_keeps_nobody_out(
    enter: Callable[[str, str], Page], place: tuple[str, str], patient: str, language: str
) -> None:
    judge = Judge()
    station, hospital = enter("tram", language), enter("chuyengia", language)
    path = accepted_request(place[0], patient)
    station.goto(call_of(hospital, path))
    station.wait_for_selector('[data-check="line"]:not([data-state="testing"])')
    judge.look("waiting room", station)
    meeting: Meeting = meet(station, hospital, path)
    for tab in ("record", "notes", "chat", "people"):
        meeting.hospital.set_viewport_size({"width": 1366, "height": 768})
        meeting.hospital.click(f'[data-side-tab="{tab}"]')
        judge.look(f"call, {tab}", meeting.hospital)
    meeting.station.click(".to-panel")
    judge.look("call, panel over the page", meeting.station)
    assert not judge.found


@both_languages
def test_concluding_keeps_nobody_out(
    enter: Callable[[str, str], Page], place: tuple[str, str], patient: str, language: str
) -> None:
    judge = Judge()
    station, hospital = enter("tram", language), enter("chuyengia", language)
    path = accepted_request(place[0], patient)
    hospital.goto(f"{path}/minutes")
    judge.look("minutes", hospital)
    hospital.locator("button[name=step][value=sign]").click()
    judge.look("minutes, with what is missing", hospital)
    specialist = quietly(place[0], "chuyengia")
    specialist.get(f"{path}/minutes")
    specialist.post(f"{path}/minutes", minutes_of("sign", "Có.", "Không."))
    for page, name in ((hospital, "concluded, hospital"), (station, "to be signed by the station")):
        page.goto(path)
        judge.look(name, page)
    station.locator("form[action$='/countersign'] button").click()
    station.wait_for_selector("form[action$='/done']")
    judge.look("signed by both", station)
    assert not judge.found
