"""A browser at the far end of a virtual cable, in a network namespace of its own: the cable can be pulled out or made thin.

That needs root and iproute2; where they are missing the tests are skipped, and test_browser.py still covers the line to the
server, test_ladder.py the ladder's decisions.
"""

from __future__ import annotations

import json
import subprocess
from uuid import UUID

from playwright.sync_api import Browser, Page
from tests.calls.small_house import Worker
from tests.calls.test_browser import enter

SPACE, SPARE, THERE = "yersin-cut", "10.231.77.1", "10.231.77.2"
NEAR_END, FAR_END = "yersin-a", "yersin-b"
#: milliseconds that are given where the cable is cut or thin
SLOW = 90_000


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def here() -> str:
    """Address of this machine that the far end speaks to: one it has anyway, where it has one.

    Browsers here would take a new one for another network, and break off what they are loading.
    """
    listed = subprocess.run(["ip", "-4", "-json", "addr"], check=True, capture_output=True).stdout
    found = [a["local"] for link in json.loads(listed) for a in link["addr_info"] if a["scope"] == "global"]
    return next(iter(found), SPARE)


def lay() -> None:
    """Lay the cable. Neither end gives itself an address, which would come seconds later and be another network too."""
    near = here()
    ip("link", "add", NEAR_END, "type", "veth", "peer", "name", FAR_END, "netns", SPACE)
    ip("link", "set", NEAR_END, "addrgenmode", "none")
    ip("-n", SPACE, "link", "set", FAR_END, "addrgenmode", "none")
    if near == SPARE:
        ip("addr", "add", f"{SPARE}/24", "dev", NEAR_END)
    ip("link", "set", NEAR_END, "up")
    ip("-n", SPACE, "addr", "add", THERE, "dev", FAR_END)
    ip("-n", SPACE, "link", "set", "lo", "up")
    plug()
    ip("route", "replace", THERE, "dev", NEAR_END, "src", near)


def plug() -> None:
    """Put the cable in at the far end, which knows one way and one place only."""
    ip("-n", SPACE, "link", "set", FAR_END, "up")
    ip("-n", SPACE, "route", "replace", here(), "dev", FAR_END)
    ip("-n", SPACE, "route", "replace", "default", "dev", FAR_END)


def thin(rate: str) -> bool:
    """Let so much through and drop the rest, in the direction from the far end; whether this machine can do that."""
    words = ["ip", "netns", "exec", SPACE, "tc", "qdisc", "replace", "dev", FAR_END, "root", "tbf"]
    shape = ["rate", rate, "burst", "4kb", "latency", "120ms"]
    return subprocess.run([*words, *shape], check=False, capture_output=True).returncode == 0


def whole() -> None:
    """Take the limit away."""
    words = ["ip", "netns", "exec", SPACE, "tc", "qdisc", "del", "dev", FAR_END, "root"]
    subprocess.run(words, check=True, capture_output=True)


def opened(browser: Browser, worker: Worker, call: UUID, who: str) -> Page:
    page = browser.new_context(locale="vi-VN").new_page()
    page.context.add_cookies([{"name": "who", "value": who, "url": worker.base}])
    page.goto(f"{worker.base}/telehealth/calls/{call}")
    return enter(page)
