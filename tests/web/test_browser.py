"""The shell in a real browser: no accessibility violation, nothing wider than the screen, all of it by keyboard."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import expect
from tests import browsers

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def address(small_site):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(small_site, host="127.0.0.1", port=port, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser():
    with browsers.chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def axe():
    """Checking the types installs the development packages, axe-core among them."""
    subprocess.run([sys.executable, ROOT / "tools" / "bundle.py", "--check"], check=True, capture_output=True)
    return AXE.read_text()


@pytest.fixture
def open_page(browser, address):
    contexts = []

    def opened(path, *, width=1366, who="nurse", theme="light", language="vi"):
        context = browser.new_context(
            viewport={"width": width, "height": 768}, bypass_csp=False, reduced_motion="reduce"
        )
        choices = {"who": who, "theme": theme, "language": language}
        context.add_cookies([{"name": name, "value": value, "url": address} for name, value in choices.items()])
        contexts.append(context)
        page = context.new_page()
        page.goto(address + path)
        page.wait_for_function("window.htmx !== undefined")
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("theme", "width"), [("light", 1366), ("light", 360), ("dark", 1366)])
@pytest.mark.parametrize(
    ("path", "who"), [("/design", "nurse"), ("/sign-in", "nobody"), ("/nowhere", "nobody"), ("/form", "nurse")]
)
def test_pages_are_accessible_and_fit_the_screen(open_page, axe, path, who, theme, width):
    page = open_page(path, who=who, theme=theme, width=width)
    page.evaluate(axe)
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_palette_finds_without_marks_and_opens_by_keyboard(open_page):
    page = open_page("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("thanh phan")
    assert page.locator("#shell-palette [role=option]:visible").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_url("**/design")


def test_the_palette_gives_the_focus_back(open_page):
    page = open_page("/")
    search = page.locator(".shell-search")
    search.focus()
    page.keyboard.press("Enter")
    assert page.locator("#shell-palette").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#shell-palette").is_hidden()
    assert search.evaluate("element => element === document.activeElement")


def test_two_keys_lead_to_a_menu_line_and_letters_do_nothing_while_typing(open_page):
    page = open_page("/form")
    page.locator("#f-name").fill("")
    page.locator("#f-name").focus()
    page.keyboard.type("gd/?")
    assert page.locator("#f-name").input_value() == "gd/?"
    assert page.url.endswith("/form")
    fresh = open_page("/")
    fresh.keyboard.press("g")
    fresh.keyboard.press("d")
    fresh.wait_for_url("**/design")


def test_a_dialog_is_walked_by_keyboard(open_page):
    page = open_page("/design")
    opener = page.locator('[data-open="dialog-example"]')
    opener.focus()
    page.keyboard.press("Enter")
    assert page.locator("#dialog-example").is_visible()
    for _turn in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('#dialog-example')"
        )
    page.keyboard.press("Escape")
    assert opener.evaluate("element => element === document.activeElement")


def test_help_lists_the_keys_of_the_page(open_page):
    page = open_page("/")
    page.keyboard.press("?")
    assert "Thành phần giao diện" in page.locator("#shell-help").inner_text()


def test_the_combobox_asks_the_server_and_takes_the_choice(open_page):
    page = open_page("/design")
    box = page.locator("#f-facility")
    box.focus()
    page.keyboard.type("hon ng")
    page.wait_for_selector("#f-facility-list [role=option]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert box.input_value() == "Trung tâm Y tế Hòn Ngọc"
    assert page.locator('input[name="facility"]').input_value() == "b"


def test_a_draft_survives_a_reload_and_leaves_when_discarded(open_page):
    page = open_page("/form")
    page.locator("#f-name").focus()
    page.keyboard.type("Hoa")
    page.reload()
    page.wait_for_selector(".draft-notice")
    assert page.locator("#f-name").input_value() == "Hoa"
    page.locator(".draft-notice button").click()
    page.wait_for_function("!document.querySelector('.draft-notice')")
    assert page.locator("#f-name").input_value() == ""


def test_a_draft_never_keeps_a_password(open_page):
    page = open_page("/form")
    page.evaluate(
        """() => { const box = document.createElement("input"); box.type = "password"; box.name = "secret";
        document.querySelector("form[data-draft]").append(box); box.focus(); }"""
    )
    page.keyboard.type("hush-hush")
    page.locator("#f-name").focus()
    page.keyboard.type("Hoa")
    kept = page.evaluate("JSON.stringify({...localStorage})")
    assert "Hoa" in kept
    assert "hush" not in kept


def test_the_password_is_shown_on_demand(open_page):
    page = open_page("/sign-in", who="nobody")
    page.locator("#f-password").fill("abc")
    page.locator("[data-reveal]").click()
    assert page.locator("#f-password").get_attribute("type") == "text"


def test_on_a_phone_the_menu_slides_in_and_closes_on_escape(open_page):
    page = open_page("/", width=360)
    page.locator("[data-menu-open]").click()
    page.wait_for_selector(".shell-menu a:visible")
    page.keyboard.press("Escape")
    page.wait_for_selector(".shell-menu a", state="hidden")


def test_no_page_reports_an_error_or_asks_another_host(open_page, browser, address):
    context = browser.new_context()
    page = context.new_page()
    seen, troubles = [], []
    page.on("request", lambda request: seen.append(request.url))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.goto(address + "/sign-in")
    page.wait_for_load_state("networkidle")
    context.close()
    assert troubles == []
    assert all(url.startswith((address, "data:")) for url in seen)


def _losing(context, *, times):
    """Let the network drop the shell's script so many times, as a phone does that changes its network."""
    left = [times]

    def answer(route):
        left[0] -= 1
        route.abort("internetdisconnected") if left[0] >= 0 else route.continue_()

    context.route("**/web/main-*.js", answer)


@pytest.fixture
def losing_page(browser, address):
    with browser.new_context(viewport={"width": 390, "height": 768}) as context:
        context.add_cookies([{"name": "who", "value": "nurse", "url": address}])
        yield context, context.new_page()


def test_a_page_that_lost_its_script_on_the_way_fetches_it_again(losing_page, address):
    context, page = losing_page
    _losing(context, times=2)
    page.goto(f"{address}/design")
    page.wait_for_function("() => window.htmx !== undefined")
    expect(page.locator("#missing-part")).to_be_hidden()


def test_what_someone_typed_is_not_thrown_away_for_a_lost_script(losing_page, address):
    context, page = losing_page
    _losing(context, times=2)
    page.goto(f"{address}/form", wait_until="commit")
    expect(page.locator("#missing-part")).to_be_visible()
    field = page.locator("main input[type=text]").first
    field.fill("Nguyễn Thị Lan")
    fetched = "() => performance.getEntriesByType('resource').filter(r => r.initiatorType === 'fetch' && r.responseStatus).length > 0"
    page.wait_for_function(fetched)
    expect(field).to_have_value("Nguyễn Thị Lan")
    expect(page.locator("#missing-part").get_by_role("link")).to_be_visible()
