"""A search parameter added at run time: how fast old Observations are indexed, and what writers feel meanwhile.

Usage: python bench/added_parameters.py [--stored 20000] [--writers 8]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from typing import Any

import httpx

from running import Running, running

#: resources of one transaction that fills the server
BUNDLE = 200
#: seconds for which writes are measured while nothing is indexed
ALONE = 8.0


def observation(n: int) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": f"{n % 300}-1"}]},
        "subject": {"reference": f"Patient/p{n % 500}"},
        "effectiveDateTime": f"2026-{n % 12 + 1:02}-{n % 28 + 1:02}T08:00:00+07:00",
        "issued": f"2026-{n % 12 + 1:02}-{n % 28 + 1:02}T09:00:00+07:00",
        "valueQuantity": {"value": n % 200, "system": "http://unitsofmeasure.org", "code": "mg/dL"},
    }


async def fill(http: httpx.AsyncClient, stored: int) -> None:
    for start in range(0, stored, BUNDLE):
        entry = [
            {"resource": observation(n), "request": {"method": "POST", "url": "Observation"}}
            for n in range(start, min(start + BUNDLE, stored))
        ]
        answer = await http.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entry})
        answer.raise_for_status()


async def writing(http: httpx.AsyncClient, end: asyncio.Event, taken: list[float], number: int) -> None:
    while not end.is_set():
        began = time.perf_counter()
        (await http.post("/Observation", json=observation(number + len(taken)))).raise_for_status()
        taken.append(time.perf_counter() - began)


async def indexed(http: httpx.AsyncClient, code: str, kind: str, expression: str) -> float:
    """Seconds from the posting of a parameter until it is searched."""
    began = time.perf_counter()
    body = {"resourceType": "SearchParameter", "url": f"urn:bench:{code}", "name": "Bench", "status": "active",
            "description": "Bench", "code": code, "base": ["Observation"], "type": kind, "expression": expression}  # fmt: skip
    (await http.post("/SearchParameter", json=body)).raise_for_status()
    while (await http.get(f"/Observation?{code}:missing=true&_summary=count")).status_code != 200:  # noqa: ASYNC110 - a client can but ask again
        await asyncio.sleep(0.2)
    return time.perf_counter() - began


def told(taken: list[float], seconds: float) -> dict[str, float]:
    ordered = sorted(taken)
    return {
        "creates a second": round(len(taken) / seconds),
        "median ms": round(statistics.median(ordered) * 1000, 1),
        "99 % ms": round(ordered[len(ordered) * 99 // 100] * 1000, 1),
    }


async def measured(server: Running, stored: int, writers: int) -> dict[str, Any]:
    headers = {
        "authorization": f"Bearer {server.token()}",
        "content-type": "application/fhir+json",
        "prefer": "return=minimal",
    }
    async with httpx.AsyncClient(base_url=f"{server.base}/fhir", headers=headers, timeout=120) as http:
        await fill(http, stored)
        quiet = await indexed(http, "x-issued", "date", "Observation.issued")
        rates = {}
        for name in ("writes alone", "writes while indexing"):
            taken: list[float] = []
            end = asyncio.Event()
            tasks = [asyncio.create_task(writing(http, end, taken, stored)) for _ in range(writers)]
            began = time.perf_counter()
            if name == "writes alone":
                await asyncio.sleep(ALONE)
            else:
                busy = await indexed(http, "x-unit", "token", "Observation.subject.type | Observation.status")
            seconds = time.perf_counter() - began
            end.set()
            await asyncio.gather(*tasks)
            rates[name] = told(taken, seconds)
        here = (await http.get("/Observation?_summary=count")).json()["total"]
        for asked in ("x-issued:missing=false", "x-unit=final"):
            found = (await http.get(f"/Observation?{asked}&_summary=count")).json()["total"]
            if found != here:
                raise SystemExit(f"{asked} finds {found} of {here}")
    return {
        "indexed a second, nobody writing": round(stored / quiet),
        "indexed a second beside writers": round(stored / busy),
        **rates,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--stored", type=int, default=20_000)
    arguments.add_argument("--writers", type=int, default=8)
    chosen = arguments.parse_args()
    with running() as server:
        result = asyncio.run(measured(server, chosen.stored, chosen.writers))
    for name, value in result.items():
        print(f"{name:36} {value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
