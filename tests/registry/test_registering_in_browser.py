"""Registering in Chromium: a double click makes one person; likely duplicates stand side by side, with marks and without."""

from __future__ import annotations

import os
from collections.abc import Callable

import httpx
from playwright.sync_api import Page, expect


def _given() -> str:
    """A given name that nobody has: letters only."""
    return "T" + "".join("bcdghklm"[byte % 8] for byte in os.urandom(6))


def _fill(page: Page, family: str, given: str, phone: str = "") -> None:
    page.goto("/people/new")
    page.fill("#f-family", family)
    page.fill("#f-middle", "")
    page.fill("#f-given", given)
    page.fill("#f-born", "05/06/1991")
    page.locator("label:has([name=sex][value=female])").click()
    page.fill("#f-phone", phone)


def _register(page: Page) -> None:
    page.locator("main form button[type=submit]").last.click()


def test_a_double_click_makes_one_person(signed_in: Callable[..., Page], place: tuple[str, str]) -> None:
    page, given = signed_in("tram"), _given()
    _fill(page, "Đặng", given)
    page.locator("main form button[type=submit]").last.dblclick()
    page.wait_for_url("**/records/**")
    address, token = place
    headers = {"authorization": f"Bearer {token}"}
    found = httpx.get(f"{address}/fhir/Patient", params={"given": given}, headers=headers, timeout=30).json()
    assert [e["resource"]["name"][0]["text"] for e in found["entry"]] == [f"Đặng {given}"]


def test_likely_duplicates_stand_side_by_side_with_marks_and_without(signed_in: Callable[..., Page]) -> None:
    page, given = signed_in("tram"), _given()
    _fill(page, "Đặng", given, "0900000456")
    _register(page)
    page.wait_for_url("**/records/**")
    made = page.url.partition("?")[0]
    for family, verdict in (("Đặng", "trùng"), ("Dang", "gần trùng"), ("dang", "gần trùng")):
        _fill(page, family, given, "0900000456")
        _register(page)
        table = page.locator("table.look")
        expect(table).to_be_visible()
        row = table.locator("tbody tr", has=page.locator("th", has_text="Họ tên"))
        expect(row).to_contain_text(f"{family} {given}")
        expect(row).to_contain_text(f"Đặng {given}")
        expect(row.locator(f'[aria-label="{verdict}"]').first).to_be_attached()
        page.get_by_role("link", name="Đây là cùng một người").first.click()
        page.wait_for_url("**/records/**")
        assert page.url.partition("?")[0] == made
