"""The browser of the tests: Chromium without a window, with invented cameras, and with nothing that serves no test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

CHROMIUM = shutil.which("chromium")
_OFF = [
    # two pages of the address bar, which cost a second of work with every window
    "WebUIOmniboxPopup", "WebUIOmniboxAimPopup",
    # without another network the loopback addresses are the only candidates there are
    "WebRtcHideLocalIpsWithMdns",
    # the last list wins, so what Playwright turns off stands here again
    "AimEnabled", "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades", "LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding",
    "PreconnectToSearch", "ThirdPartyStoragePartitioning",
]  # fmt: skip
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream=fps=10,device-count=3",
    "--auto-select-desktop-capture-source=Entire screen",
    "--allow-loopback-in-peer-connection",
    f"--disable-features={','.join(_OFF)}",
]


def launched(playwright: Playwright, *more: str, program: Path | None = None) -> Browser:
    """Start Chromium; `program` starts it in another way. Skips where it is not installed."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: sudo apt-get install chromium")
    return playwright.chromium.launch(executable_path=program or CHROMIUM, args=[*FLAGS, *more])


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, and the driver that runs it: while it lives no other event loop runs in this thread."""
    with sync_playwright() as playwright:
        browser = launched(playwright)
        yield browser
        browser.close()
