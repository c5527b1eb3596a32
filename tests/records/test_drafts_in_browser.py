"""A computer that several people share: nobody sees or is offered what another has typed and not sent."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from yersin.app.demo.cast import demo_people
from yersin.app.demonstration import PASSWORD

SON = next(m.patient_id for m in demo_people() if m.patient_id)
FORM = "/people/new"
_KEPT = "Object.entries(localStorage).filter(([name]) => name.startsWith('draft:')).map(([name, text]) => name + text)"
_SEARCHED = "Object.keys(sessionStorage).filter((name) => name.startsWith('people-q'))"


def _enter(page: Page, account: str) -> None:
    page.goto("/sign-in")
    page.fill("input[name=account]", account)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/")


def _leave(page: Page) -> None:
    page.locator("summary[aria-label]").last.click()
    page.locator("form[data-sign-out] button").click()
    page.wait_for_url("**/sign-in**")


def _lose_the_session(page: Page) -> None:
    """As when it ends by itself: nothing in the browser is cleared."""
    page.context.clear_cookies(name="session")


def _typed(page: Page, text: str, *, offline: bool = False) -> None:
    page.goto(FORM)
    if offline:
        page.context.set_offline(True)
    page.locator("#f-family").fill(text)
    if not offline:
        expect(page.locator("[data-draft-state]")).to_contain_text("Đã lưu nháp", timeout=15_000)


def _is_not_offered(page: Page, text: str) -> None:
    page.goto(FORM)
    page.wait_for_load_state("networkidle")
    assert page.locator("#f-family").input_value() == ""
    expect(page.locator(".draft-notice")).to_have_count(0)
    assert text not in page.content()


def test_the_next_person_is_not_offered_the_draft_and_the_first_gets_it_back(signed_in: Callable[..., Page]) -> None:
    page = signed_in("tram")
    _typed(page, "Nháp của trạm")
    _lose_the_session(page)
    _enter(page, "bstinh")
    _is_not_offered(page, "Nháp của trạm")
    assert not any("Nháp của trạm" in kept for kept in page.evaluate(_KEPT)), "what the server holds leaves the device"
    _lose_the_session(page)
    _enter(page, "tram")
    page.goto(FORM)
    expect(page.locator(".draft-notice")).to_be_visible()
    assert page.locator("#f-family").input_value() == "Nháp của trạm"
    page.locator(".draft-notice button").click()
    page.wait_for_load_state("networkidle")


def test_a_draft_that_never_reached_the_server_waits_for_its_owner_alone(signed_in: Callable[..., Page]) -> None:
    page = signed_in("tram")
    _typed(page, "Nháp mất mạng", offline=True)
    page.context.set_offline(False)
    _lose_the_session(page)
    _enter(page, "bstinh")
    _is_not_offered(page, "Nháp mất mạng")
    _lose_the_session(page)
    _enter(page, "tram")
    page.goto(FORM)
    expect(page.locator(".draft-notice")).to_be_visible()
    assert page.locator("#f-family").input_value() == "Nháp mất mạng"
    page.locator(".draft-notice button").click()
    page.wait_for_load_state("networkidle")


def test_signing_out_clears_the_device(signed_in: Callable[..., Page]) -> None:
    page = signed_in("tram")
    page.goto("/people")
    page.locator("#q").fill("son 1968")
    expect(page.locator("#found")).to_have_attribute("data-q", "son 1968")
    _typed(page, "Nháp trước khi ra")
    _leave(page)
    assert page.evaluate(_KEPT) == []
    assert page.evaluate(_SEARCHED) == []
    _enter(page, "bstinh")
    _is_not_offered(page, "Nháp trước khi ra")
    page.goto("/people")
    assert page.locator("#q").input_value() == ""
