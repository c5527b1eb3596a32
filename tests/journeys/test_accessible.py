"""Every page people work on, judged by axe-core (WCAG 2.2 A and AA): wide and narrow, Vietnamese and English."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from yersin.app.demo.cast import demo_people

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
SON = next(m.patient_id for m in demo_people() if m.patient_id)
PAGES = {
    "tram": ["/", "/people", "/people/new", f"/records/{SON}", f"/records/{SON}/timeline", f"/records/{SON}/results",
             f"/records/{SON}/results/85354-9", f"/records/{SON}/documents", f"/records/{SON}/images", f"/records/{SON}/vitals/new",
             f"/people/{SON}/edit", f"/telehealth/ask/{SON}", "/telehealth/sent", "/verify"],
    "bstinh": ["/", "/telehealth/queue"],
    "chuyengia": ["/", "/telehealth/queue"],
    "benhnhan": ["/", "/my-record", "/my-record/who-looked", "/verify"],
    "boyte": ["/", "/centre", "/centre/numbers/asked", "/centre/numbers/records"],
    "quantri": ["/", "/telehealth/signers"],
    "quantribv": ["/", "/centre/numbers/asked"],
}  # fmt: skip
_RUN = """async () => (await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}))
  .violations.map((v) => v.id + ': ' + v.nodes.slice(0, 3).map((n) => n.target.join(' ')).join(' | '))"""


@pytest.mark.parametrize("account", PAGES)
@pytest.mark.parametrize(("width", "language"), [(1366, "vi"), (390, "en")])
def test_no_page_keeps_anybody_out(signed_in: Callable[..., Page], account: str, width: int, language: str) -> None:
    page = signed_in(account, bypass_csp=True)
    page.set_viewport_size({"width": width, "height": 800})
    if language == "en":
        page.context.add_cookies([{"name": "language", "value": "en", "url": page.url}])
    found: dict[str, Any] = {}
    for path in PAGES[account]:
        page.goto(path)
        assert page.locator("html").get_attribute("lang") == language
        page.add_script_tag(path=AXE)
        violations = page.evaluate(_RUN)
        wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1")
        if violations or wider:
            found[path] = [*violations, *(["scrolls sideways"] if wider else [])]
    assert not found
