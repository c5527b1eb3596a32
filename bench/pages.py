"""Time of every page of the demonstration at the server, for each of its logins: 95 % of all within the goal.

python bench/pages.py [--repeat 20] [--data FOLDER]     a folder that is given is kept

Over HTTP on loopback, one request at a time, from the first byte sent to the last received.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from running import running, signed_in

GOAL = 150.0
LOGINS = ("tram", "bstinh", "chuyengia", "benhnhan", "boyte", "quantri", "quantribv")
_LINK = re.compile(r'href="(/[^"#?]*)"')
_OTHER = re.compile(r"^/(assets|fhir|sign-out|language|health|join)|\.(css|js|pdf|csv|png|svg|ico)$")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=/)\d+(?=/|$)")


def pages(browser: httpx.Client, most: int = 60) -> list[str]:
    """Walk from the first page and the patient's chart along the links; of pages of one shape only the first is taken."""
    waiting, shapes, found = ["/", "/people", "/me"], set[str](), list[str]()
    while waiting and len(found) < most:
        path = waiting.pop(0)
        shape = _ID.sub("*", path)
        if shape in shapes:
            continue
        shapes.add(shape)
        answer = browser.get(path, follow_redirects=True)
        if answer.status_code == 200 and "text/html" in answer.headers["content-type"]:
            found.append(answer.url.path)
            waiting += [link for link in links(answer.text) if not _OTHER.search(link)]
    return list(dict.fromkeys(found))


def links(text: str) -> Iterator[str]:
    """Give the addresses a page leads to."""
    return (match[1] for match in _LINK.finditer(text))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    took: dict[tuple[str, str], list[float]] = {}
    with running("demo", data=asked.data) as server:
        for login in LOGINS:
            browser = signed_in(server, login)
            for path in pages(browser):
                for _ in range(asked.repeat):
                    begun = time.perf_counter()
                    browser.get(path)
                    took.setdefault((login, _ID.sub("*", path)), []).append((time.perf_counter() - begun) * 1000)
    every = sorted(ms for times in took.values() for ms in times)
    p95 = every[int(len(every) * 0.95)]
    for (login, path), times in sorted(took.items(), key=lambda item: -statistics.median(item[1]))[:15]:
        print(f"{statistics.median(times):7.1f} ms  {login:<10} {path}")
    print(f"{len(took)} pages, median {statistics.median(every):.1f} ms, 95 % within {p95:.1f} ms (goal {GOAL:.0f})")
    print(json.dumps({"pages": len(took), "p95_ms": round(p95, 1)}))


if __name__ == "__main__":
    main()
