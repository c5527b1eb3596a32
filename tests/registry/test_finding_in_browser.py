"""The person finder in Chromium: as one types, by keys alone, said aloud, the newest answer wins."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, Route, expect

from yersin.app.demo.cast import demo_people

SON = next(m.patient_id for m in demo_people() if m.patient_id)


@pytest.fixture
def people(signed_in: Callable[..., Page]) -> Page:
    page = signed_in("tram")
    page.goto("/people")
    return page


def test_results_come_as_one_types_and_keys_alone_open_the_chart(people: Page) -> None:
    people.keyboard.type("son hoang 1968", delay=15)
    expect(people.locator("#found")).to_have_attribute("data-q", "son hoang 1968")
    expect(people.locator("[data-find-said]")).to_contain_text("do cơ sở quản lý")
    people.keyboard.press("ArrowDown")
    expect(people.locator("#found [data-result]").first).to_be_focused()
    people.keyboard.press("ArrowUp")
    expect(people.locator("#q")).to_be_focused()
    people.keyboard.press("ArrowDown")
    people.keyboard.press("End")
    expect(people.locator("#found [data-result]").last).to_be_focused()
    people.keyboard.press("Home")
    expect(people.locator("#found [data-result]").first).to_be_focused()
    people.keyboard.press("Escape")
    expect(people.locator("#q")).to_be_focused()
    people.keyboard.press("Enter")
    people.wait_for_url(f"**/records/{SON}")


def test_marks_rank_and_ones_own_area_comes_first(people: Page) -> None:
    people.locator("#q").fill("hoàng")
    expect(people.locator("#found")).to_have_attribute("data-q", "hoàng")
    titles = people.locator("#found h2").all_inner_texts()
    assert "quản lý" in titles[0]
    names = people.locator("#found section").first.locator("tbody tr td:first-child").all_inner_texts()
    exact = ["hoàng" in name.lower() for name in names]
    assert exact == sorted(exact, reverse=True)
    assert exact[0]


def test_an_old_answer_that_comes_late_does_not_replace_the_newer(people: Page) -> None:
    waiting: list[Route] = []

    def held(route: Route) -> None:
        if parse_qs(route.request.post_data or "").get("q") == ["nguyen"]:
            waiting.append(route)  # answered at the very end
        else:
            route.continue_()

    people.route("**/people/find", held)
    people.locator("#q").fill("nguyen")
    people.wait_for_timeout(500)
    assert waiting
    people.locator("#q").fill("son hoang 1968")
    expect(people.locator("#found")).to_have_attribute("data-q", "son hoang 1968")
    waiting[0].fulfill(status=200, content_type="text/html", body='<div id="found" data-q="nguyen">old</div>')
    people.wait_for_timeout(500)
    expect(people.locator("#found")).to_have_attribute("data-q", "son hoang 1968")


def test_too_many_are_said_to_be_too_many(people: Page) -> None:
    people.locator("#q").fill("ng")
    expect(people.locator(".find-cut")).to_contain_text("20")
    people.locator("#q").fill("son hoang 1968")
    expect(people.locator(".find-cut")).to_have_count(0)


def test_nobody_found_is_said_with_what_to_try(people: Page) -> None:
    people.locator("#q").fill("zzzz yyyy")
    expect(people.locator("#found")).to_contain_text("Không tìm thấy ai")
    expect(people.locator("[data-find-said]")).to_contain_text("Không tìm thấy ai")
