"""Makes the pictures of the README from a running demonstration: `make demo` in one window, this in another.

python tools/screenshots.py [http://127.0.0.1:8000]
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from yersin.app.demo.cast import demo_people
from yersin.app.demonstration import PASSWORD

FOLDER = Path(__file__).parent.parent / "docs/screenshots"
SON = next(m.patient_id for m in demo_people() if m.patient_id)
PICTURES = {
    "station": ("tram", "/"),
    "chart": ("tram", f"/records/{SON}"),
    "timeline": ("tram", f"/records/{SON}/timeline"),
    "attach": ("tram", f"/records/{SON}/images"),
    "ask": ("tram", f"/telehealth/ask/{SON}"),
    "queue": ("chuyengia", "/telehealth/queue"),
    "my-record": ("benhnhan", "/my-record"),
    "centre": ("boyte", "/centre"),
    "number": ("quantribv", "/centre/numbers/asked?period=90"),
}


def take(browser: Browser, base: str, name: str) -> None:
    """Take one picture."""
    account, path = PICTURES[name]
    page = browser.new_context(base_url=base, locale="vi-VN", viewport={"width": 1366, "height": 768}).new_page()
    page.goto("/sign-in")
    page.fill("input[name=account]", account)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/")
    page.goto(path)
    page.screenshot(path=FOLDER / f"{name}.png")
    page.context.close()


def main() -> None:
    """Take all pictures."""
    base = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--headless"])
        for name in PICTURES:
            take(browser, base, name)
        browser.close()


if __name__ == "__main__":
    main()
