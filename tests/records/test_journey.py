"""In the browser, by keyboard alone: find a patient, open the chart, record an unusual value, confirm it, see it in the graph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests import browsers
from tests.running import House

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"wide": (1366, 768), "narrow": (390, 844)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsers.chromium() as chromium:
        yield chromium


def _opened(browser: Browser, house: House, login: str, size: str = "wide") -> Page:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, base_url=house.base_url, reduced_motion="reduce", locale="vi-VN"
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto("/sign-in")
    page.fill("#f-account", login)
    page.fill("#f-password", house.password)
    page.press("#f-password", "Enter")
    page.wait_for_url("**/")
    return page


def test_a_health_worker_finds_measures_confirms_and_sees_the_graph_by_keyboard_alone(
    browser: Browser, house: House
) -> None:
    page = _opened(browser, house, "tram")
    keys = page.keyboard
    page.locator("body").press("Escape")
    page.evaluate("document.activeElement.blur()")
    keys.press("g")
    keys.press("f")
    page.wait_for_url("**/people")
    keys.type("hoang son 1968", delay=20)
    expect(page.locator("#found .row-link").first).to_have_text("Hoàng Văn Sơn")
    keys.press("Enter")
    page.wait_for_url("**/records/*")
    expect(page.locator(".patient-name")).to_have_text("HOÀNG VĂN SƠN")
    keys.press("v")
    page.wait_for_url("**/vitals/new")
    page.wait_for_load_state("networkidle")  # a draft of an earlier attempt may come back
    for value in ("193", "104"):
        keys.press("Control+a")
        keys.type(value)
        keys.press("Tab")
    expect(page.locator(".vital-state").first).to_contain_text("cao nguy kịch")
    keys.press("Shift+Enter")
    expect(page.locator(".doubts")).to_be_focused()
    for _ in range(2):
        keys.press("Tab")
        keys.press("Space")
        if page.locator(".doubts input:checked").count() == page.locator(".doubts input").count():
            break
    keys.press("Shift+Enter")
    page.wait_for_url("**/records/*?recorded=1")
    strip = page.locator(".strip-item a").first
    expect(strip).to_contain_text("193/104")
    strip.focus()
    keys.press("Enter")
    page.wait_for_url("**/results/85354-9")
    expect(page.locator(".graph circle.critical-high title", has_text="193").last).to_be_attached()
    page.context.close()


PARTS = ("", "/timeline", "/results", "/results/85354-9", "/documents", "/images", "/vitals/new")
PAGES = ["/", "/people", "/people/new", *(f"/records/*{part}" for part in PARTS)]


@pytest.mark.parametrize("size", list(SIZES))
def test_pages_of_staff_are_accessible_and_fit(browser: Browser, house: House, size: str) -> None:
    page = _opened(browser, house, "tram", size)
    for path in PAGES:
        page.goto(path.replace("*", str(house.cast["benhnhan"].patient_id)))
        _check(page, path)
    page.goto("/people")
    page.fill("#q", "nguyen")
    expect(page.locator("#found table").first).to_be_visible()
    _check(page, "people found")
    page.context.close()


@pytest.mark.parametrize("size", list(SIZES))
def test_pages_of_a_citizen_are_accessible_and_fit(browser: Browser, house: House, size: str) -> None:
    page = _opened(browser, house, "benhnhan", size)
    for path in ("/", "/my-record", "/my-record/who-looked"):
        page.goto(path)
        _check(page, path)
    page.context.close()


def _check(page: Page, path: str) -> None:
    page.evaluate(AXE.read_text())
    found: list[Any] = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)["violations"]
    faults = [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
    assert faults == [], f"{path}: {faults}"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than the screen"
