"""Chromium on the house of the tests, or on the running demo that YERSIN_TEST_SERVER names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from tests import browsers

from yersin.app.demonstration import PASSWORD

PATIENCE = 30_000


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Address and system token of a house with the small country in it."""
    running = os.environ.get("YERSIN_TEST_SERVER")
    if running:
        return running, os.environ["YERSIN_TEST_TOKEN"]
    house = request.getfixturevalue("house")
    return house.base_url, house.token()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsers.chromium() as browser:
        yield browser


@pytest.fixture
def signed_in(chromium: Browser, place: tuple[str, str]) -> Iterator[Callable[..., Page]]:
    """Open a window for an account of the cast: `signed_in("tram")`."""
    contexts: list[BrowserContext] = []

    def enter(account: str, **options: Any) -> Page:
        context = chromium.new_context(
            base_url=place[0],
            locale="vi-VN",
            permissions=["camera", "microphone"],
            viewport={"width": 1366, "height": 768},
            **options,
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.goto("/sign-in")
        page.fill("input[name=account]", account)
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")
        page.wait_for_url("**/")
        return page

    yield enter
    for context in contexts:
        context.close()
