"""Call set-up on loopback: from the press on Admit to the first decoded remote frame on both sides, in Chromium.

`python bench/call_setup.py [--times 10]` prints JSON and a table; the goal is a median of two seconds at most. It runs
from the checkout's root, on a server of its own, and checks that frames are really decoded.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.browsers import FLAGS
from tests.calls.small_house import Worker, on

from yersin.calls import DDL
from yersin.db import connect, embedded
from yersin.settings import Settings

_FIRST = "() => (document.querySelector('.tile video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0) > 0"


async def tables(url: str) -> None:
    database = await connect(url, max_size=1)
    await database.execute(DDL)
    await database.close()


def once(browser: Browser, worker: Worker) -> float:
    """Seconds from Admit to decoded frames on both sides, in a new call."""
    call = uuid4()
    on(worker.url, "INSERT INTO call (id) VALUES ($1)", call)
    pages = []
    for who in ("doctor", "worker"):
        page = browser.new_context().new_page()
        page.context.add_cookies([{"name": "who", "value": who, "url": worker.base}])
        page.goto(f"{worker.base}/telehealth/calls/{call}")
        page.wait_for_selector('[data-check="video"][data-state="ok"]')
        page.click("[data-enter]")
        pages.append(page)
    admit = pages[0].wait_for_selector(".bell button")
    assert admit is not None
    began = time.perf_counter()
    admit.click()
    for page in pages:
        page.wait_for_function(_FIRST, polling=10)
    took = time.perf_counter() - began
    for page in pages:
        page.context.close()
    return took


def measure(times: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        server = embedded.start(Settings(data_dir=Path(folder)))
        try:
            asyncio.run(tables(server.url))
            worker = Worker(server.url)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
                took = [once(browser, worker) for _ in range(times)]
                browser.close()
            worker.stop()
        finally:
            embedded.stop(server)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    took = measure(parser.parse_args().times)
    median = statistics.median(took)
    figures = {"median_s": round(median, 3), "worst_s": round(max(took), 3), "times": len(took), "goal_s": 2.0}
    print(json.dumps({"benchmark": "call_setup", **figures}))
    print(f"{'calls':>6} {'median':>8} {'worst':>8} {'goal':>6}")
    print(f"{len(took):>6} {median:>7.2f}s {max(took):>7.2f}s {'2.00s':>6}")


if __name__ == "__main__":
    main()
