"""The most memory that a worker holds while it serves what is large: pages of searches, an export, bundles; and an import.

python bench/memory.py [--patients 1500]     about 33 resources a patient; Linux only
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from export import fill, observation, peak
from running import Running, running

GOALS = {"must": 400, "aim": 250}


def during(server: Running, work: Callable[[], str]) -> tuple[float, str]:
    """Return the most memory in MB while some work is done, and what the work says of itself."""
    # 5: forget the highest mark (https://docs.kernel.org/filesystems/proc.html)
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")
    said = work()
    return peak(server.pid), said


def pages(client: httpx.Client) -> str:
    """Go through Observations by the thousand, their patients included."""
    address, found, read = "/fhir/Observation?_count=1000&_include=Observation:subject&_sort=-date", 0, 0
    while address and read < 30:
        page = client.get(address).json()
        found += len(page["entry"])
        address = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
        read += 1
    return f"{read} pages, {found} entries"


def export(client: httpx.Client) -> str:
    """Export everything and fetch it."""
    address = client.get("/fhir/$export", headers={"prefer": "respond-async"}).headers["content-location"]
    while (answer := client.get(address)).status_code == 202:
        time.sleep(0.05)
    size = 0
    for file in answer.json()["output"]:
        with client.stream("GET", file["url"]) as stream:
            size += sum(len(piece) for piece in stream.iter_bytes())
    client.delete(address)
    return f"{size >> 20} MB"


def bundle(client: httpx.Client, megabytes: int, kind: str, count: int = 9_900) -> str:
    """Send a bundle of some size, its entries lengthened by their notes."""
    draw = random.Random(2)
    note = "Đo lúc nghỉ. " * (megabytes * 2**20 // count // 18 - 45)
    entries = []
    for number in range(count):
        one = {**observation(number, "p1", draw), "note": [{"text": note}]}
        del one["id"]
        entries.append({"resource": one, "request": {"method": "POST", "url": "Observation"}})
    body = json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}, ensure_ascii=False).encode()
    headers = {"content-type": "application/fhir+json", "prefer": "return=minimal"}
    answer = client.post("/fhir", content=body, headers=headers)
    words = "" if answer.status_code == 200 else answer.json()["issue"][0]["diagnostics"]
    return f"{count} entries, {len(body) >> 20} MB: {answer.status_code} {words}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=1500)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yersin-bench-") as name, running("serve") as server:
        count = fill(server, Path(name), chosen.patients)
        imported = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        rows = [("yersin import, its largest process", imported, f"{count} resources")]
        headers = {"authorization": f"Bearer {server.token('system/*.cruds')}"}
        with httpx.Client(base_url=server.base, headers=headers, timeout=900) as client:
            for what, work in (
                ("pages of a search", lambda: pages(client)),
                ("$export", lambda: export(client)),
                ("transaction of 10 MB", lambda: bundle(client, 10, "transaction")),
                ("batch of 10 MB", lambda: bundle(client, 10, "batch")),
                ("transaction as large as is taken", lambda: bundle(client, 23, "transaction")),
            ):
                rows.append((what, *during(server, work)))
    for what, most, said in rows:
        print(f"{what:40} {most:6.0f} MB   {said}")
    print(f"goals: {GOALS['must']} MB must, {GOALS['aim']} MB aim")
    print(json.dumps({what: round(most) for what, most, _ in rows}))


if __name__ == "__main__":
    main()
