"""A consultation answered with the keyboard alone: from the list to the call, its keys and tabs, and out again."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect
from tests.telehealth.browserless import signed_in as quietly
from tests.telehealth.conftest import asked
from tests.telehealth.meetings import PATIENT, sees

SignedIn = Callable[..., Page]


def _tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press Tab until something has the focus, as a person would, and see that it is in sight."""
    for _ in range(60):
        page.keyboard.press(key)
        if wanted.evaluate("(element) => element === document.activeElement"):
            expect(wanted).to_be_in_viewport()
            return
    raise AssertionError(f"Tab does not come to {wanted}")


def test_a_specialist_answers_and_meets_without_a_mouse(
    signed_in: SignedIn, place: tuple[str, str], patient: str
) -> None:
    path = asked(quietly(place[0], "tram"), patient, urgency="stat")
    page = signed_in("chuyengia")
    _tab_to(page, page.locator("nav a[href='/telehealth/queue']").first)
    page.keyboard.press("Enter")
    page.wait_for_url("**/telehealth/queue")
    _tab_to(page, page.locator(f"a[href='{path}']"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{path}")
    page.keyboard.press("a")
    expect(page.locator("form[action$='/begin'] button").first).to_be_visible()
    page.wait_for_load_state("load")  # its scripts listen to keys from then on
    page.keyboard.press("m")
    page.wait_for_url("**/telehealth/calls/**")
    station = signed_in("tram")
    station.goto(page.url)
    page.bring_to_front()
    _tab_to(page, page.locator("[data-enter]"))
    page.keyboard.press("Enter")
    station.click("[data-enter]")
    admit = page.locator(".bell button")
    expect(admit).to_be_visible(timeout=PATIENT)
    _tab_to(page, admit)
    page.keyboard.press("Enter")
    sees(page)
    _keys_of_the_call(page)
    _tabs(page)
    _leaves(page)


def _keys_of_the_call(page: Page) -> None:
    mute = page.locator('.call-bar [data-act-on="audio"]')
    _tab_to(page, mute)
    page.keyboard.press("Enter")
    expect(mute).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("m")
    expect(mute).to_have_attribute("aria-pressed", "false")


def _tabs(page: Page) -> None:
    border = page.locator("[data-split]")
    _tab_to(page, border)
    wide = border.get_attribute("aria-valuenow")
    page.keyboard.press("ArrowLeft")
    expect(border).not_to_have_attribute("aria-valuenow", wide or "")
    _tab_to(page, page.locator('[data-side-tab="record"]'))
    page.keyboard.press("ArrowRight")
    expect(page.locator('[data-side="notes"]')).to_be_visible()
    _tab_to(page, page.locator("[data-side='notes'] textarea").first)
    page.keyboard.type("Tim đều.")
    _tab_to(page, page.locator('[data-side-tab="notes"]'), "Shift+Tab")
    page.keyboard.press("c")
    expect(page.locator('[data-side-tab="chat"]')).to_be_focused()
    _tab_to(page, page.locator("[data-chat-input]"))
    page.keyboard.type("Chào chị")
    page.keyboard.press("Enter")
    expect(page.locator(".chat-lines li")).to_have_text([re.compile("Chào chị")])


def _leaves(page: Page) -> None:
    _tab_to(page, page.locator('.call-bar [data-act-on="leave"]'), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator('dialog[open] [data-act-on="go"]')).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[data-over]")).to_be_visible(timeout=PATIENT)
    expect(page.locator("[data-over] h1")).to_be_focused()
