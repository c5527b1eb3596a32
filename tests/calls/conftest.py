"""Calls for the tests: a database with the calls' tables, workers on it, and a browser with an invented camera."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from tests import browsers
from tests.calls.far_away import SPACE, here, ip, lay
from tests.calls.small_house import Worker, on
from tests.running import on as execute

from yersin.calls import DDL


@pytest.fixture
def calls_url(empty_url: str) -> str:
    """Address of a database with the calls' tables and nothing in them."""
    execute(empty_url, DDL)
    return empty_url


@pytest.fixture
def call(calls_url: str) -> UUID:
    """A call that is open."""
    made = uuid4()
    on(calls_url, "INSERT INTO call (id) VALUES ($1)", made)
    return made


@pytest.fixture
def start(calls_url: str) -> Iterator[Callable[..., Worker]]:
    """Start workers; those still running at the end are stopped."""
    workers: list[Worker] = []

    def make(**options: Any) -> Worker:
        workers.append(Worker(calls_url, **options))
        return workers[-1]

    yield make
    for worker in workers:
        worker.stop()


@pytest.fixture
def worker(start: Callable[..., Worker]) -> Worker:
    return start()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsers.chromium() as browser:
        yield browser


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page as somebody, in a browser context of their own; it fails when the page throws."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(base: str, path: str, who: str = "", **options: Any) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1366, "height": 768}, "locale": "vi-VN", **options})
        contexts.append(context)
        cookies = [{"name": "who", "value": who, "url": base}] if who else []
        context.add_cookies(cookies)  # type: ignore[arg-type]  # plain dictionaries are what it takes
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(f"{who}: {error}"))
        page.goto(base + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def cable(calls_url: str) -> Iterator[None]:
    """A namespace and a cable to it."""
    del calls_url
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("network namespaces need root and iproute2")
    # a run that was killed leaves its namespace
    subprocess.run(["ip", "netns", "del", SPACE], check=False, capture_output=True)
    try:
        ip("netns", "add", SPACE)
    except subprocess.CalledProcessError:
        pytest.skip("this machine gives no network namespaces")
    try:
        lay()
        yield
    finally:
        ip("netns", "del", SPACE)


@pytest.fixture
def both(cable: None, tmp_path: Path, start: Callable[..., Worker]) -> Iterator[tuple[Worker, Browser, Browser]]:
    """A worker, a browser here and one at the far end of the cable."""
    del cable
    worker = start(host=here())
    far = tmp_path / "far-chromium"
    far.write_text(f'#!/bin/sh\nexec ip netns exec {SPACE} {browsers.CHROMIUM} "$@"\n')
    far.chmod(0o755)
    trusted = f"--unsafely-treat-insecure-origin-as-secure={worker.base}"
    with sync_playwright() as playwright:
        near = browsers.launched(playwright, trusted)
        there = browsers.launched(playwright, trusted, program=far)
        yield worker, near, there
        near.close()
        there.close()
