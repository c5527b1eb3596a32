"""How long after its commit a change is in the views, while others write as fast as they are let; and the export as Parquet.

python bench/views.py [--seconds 20] [--clients 8]

The limit beside it: five seconds. Rows are looked for as an analyst would, in the table of the view.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import httpx

from fhir_server import patient
from running import COMMAND, Running, running
from yersin.db import Database, connect, embedded
from yersin.settings import Settings

MUST = 5.0
SEEN = "SELECT count(*) FROM views.person"


async def write(client: httpx.AsyncClient, until: float, clients: int) -> int:
    """Create patients, several at a time, until a moment; returns how many."""
    draw, made = random.Random(7), 0

    async def one() -> None:
        nonlocal made
        while time.monotonic() < until:
            answer = await client.post("/fhir/Patient", content=patient(draw.randrange(10**9)))
            assert answer.status_code == 201, answer.text
            made += 1

    await asyncio.gather(*(one() for _ in range(clients)))
    return made


async def probe(client: httpx.AsyncClient, database: Database, until: float) -> list[float]:
    """Seconds from the answer to a create of our own until a row of that year is in the view."""
    lags = []
    for year in range(1000, 1900):
        if time.monotonic() > until:
            break
        body = {"resourceType": "Patient", "gender": "male", "birthDate": f"{year}-01-01"}
        answer = await client.post("/fhir/Patient", content=json.dumps(body))
        assert answer.status_code == 201, answer.text
        begun = time.monotonic()
        while not await database.fetchval("SELECT count(*) FROM views.person WHERE birth_year = $1", year):  # noqa: ASYNC110 - as an analyst would look
            await asyncio.sleep(0.02)
        lags.append(time.monotonic() - begun)
    return lags


async def measure(server: Running, seconds: float, clients: int) -> dict[str, float]:
    """Write and look for what was written, at the same time."""
    url = embedded.address(Settings(data_dir=server.data))
    assert url is not None
    database = await connect(url, max_size=2)
    headers = {"authorization": f"Bearer {server.token()}", "content-type": "application/fhir+json"}
    try:
        async with httpx.AsyncClient(base_url=server.base, headers=headers, timeout=60) as client:
            until = time.monotonic() + seconds
            made, lags = await asyncio.gather(write(client, until, clients), probe(client, database, until))
            begun = time.monotonic()
            total = made + len(lags)
            while await database.fetchval(SEEN) < total:  # noqa: ASYNC110 - as an analyst would look
                await asyncio.sleep(0.05)
            behind = time.monotonic() - begun
        lags.sort()
        return {"creates_a_second": round(made / seconds), "changes_seen": len(lags), "median_s": statistics.median(lags),
                "p95_s": lags[int(len(lags) * 0.95)], "worst_s": lags[-1], "all_in_after_s": behind}  # fmt: skip
    finally:
        await database.close()


def export(server: Running, folder: Path) -> dict[str, float]:
    """Export the views by the command and count what is in the files."""
    begun = time.monotonic()
    command = [*COMMAND, "views", "export", str(folder)]
    subprocess.run(command, env=server.environment, check=True, capture_output=True)
    seconds = time.monotonic() - begun
    manifest = json.loads((folder / "latest/manifest.json").read_bytes())
    rows = sum(view["rows"] for view in manifest["views"])
    return {"rows": rows, "seconds": seconds, "rows_a_second": round(rows / seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    with running() as server, tempfile.TemporaryDirectory() as folder:
        lag = asyncio.run(measure(server, options.seconds, options.clients))
        parquet = export(server, Path(folder) / "views")
    print(f"commit to view: median {lag['median_s']:.2f} s, 95 % {lag['p95_s']:.2f} s, worst {lag['worst_s']:.2f} s of {MUST} s "
          f"beside {lag['creates_a_second']} creates/s; all in {lag['all_in_after_s']:.2f} s after the last")  # fmt: skip
    print(f"Parquet: {parquet['rows']} rows in {parquet['seconds']:.2f} s, start-up included")
    print(json.dumps({"lag": lag, "parquet": parquet, "must_s": MUST}))
    assert lag["worst_s"] < MUST, "later than five seconds"
    assert parquet["rows"] >= lag["changes_seen"]


if __name__ == "__main__":
    main()
