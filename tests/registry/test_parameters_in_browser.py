"""The page of search parameters in Chromium: indexed while one looks, turned off by keys alone, nobody kept out.

YERSIN_SHOTS names a folder for pictures of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import httpx
from playwright.sync_api import Page, expect
from tests.journeys.test_accessible import _RUN, AXE

PAGE = "/administration/search-parameters"


def test_a_parameter_is_seen_and_turned_off_by_keys(signed_in: Callable[..., Page], place: tuple[str, str]) -> None:
    code = f"x-keys-{uuid4().hex[:8]}"
    body = {"resourceType": "SearchParameter", "url": f"urn:{code}", "name": "Keys", "status": "active", "description": "x",
            "code": code, "base": ["Library", "Measure"], "type": "token",
            "expression": "Library.useContext.code | Measure.useContext.code"}  # fmt: skip
    headers = {"authorization": f"Bearer {place[1]}", "content-type": "application/fhir+json"}
    assert httpx.post(f"{place[0]}/fhir/SearchParameter", json=body, headers=headers, timeout=30).status_code == 201
    page = signed_in("quantri", bypass_csp=True)
    page.goto(PAGE)
    row = page.locator("tr", has_text=code)
    for _ in range(60):
        if row.get_by_text("tìm được").count():
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(row.get_by_text("tìm được")).to_be_visible()
    expect(row.get_by_text("Library, Measure")).to_be_visible()
    for width in (1366, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.add_script_tag(path=AXE)
        assert page.evaluate(_RUN) == []
        assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1")
        if folder := os.environ.get("YERSIN_SHOTS"):
            page.screenshot(path=Path(folder) / f"parameters-{width}.png", full_page=True)
    row.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(row.get_by_role("button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main").get_by_text(code)).to_have_count(0)
