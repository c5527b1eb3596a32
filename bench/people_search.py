"""Finds people as a health worker types, among a million invented ones: time at the server of 1,000 typed beginnings of names.

python bench/people_search.py [--people 1000000] [--typed 1000] [--data FOLDER]

Over HTTP, signed in at the commune's station, page fragment and audit included, one after the other. A folder that is
given is kept and loaded once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import islice
from pathlib import Path

import msgspec

from fhir_server import slowness
from running import Running, running, signed_in
from yersin.app import demonstration
from yersin.app.demo import facilities, people, places
from yersin.app.demo.patients import Registrar
from yersin.app.ground import opened, prepared
from yersin.db import embedded
from yersin.fhir import parse
from yersin.fhir.folding import fold
from yersin.guard.who import system
from yersin.guard.writing import Update
from yersin.settings import Settings
from yersin.store.identity import row_id
from yersin.views.feed import Feed

GOAL, SEED, TODAY, BATCH = 50.0, 2, date(2026, 1, 1), 1000


def invented(whole: int, part: int, parts: int) -> Iterator[bytes]:
    """Make one part of the people of a province, as JSON."""
    network = facilities.network("province")
    registrar = Registrar(network, TODAY)
    share = whole / places.PEOPLE["province"]
    for place in places.places("province")[part::parts]:
        room, number = round(place.people * share), part + 1
        while room > 0:
            home, _ = people.household(SEED, place, number, TODAY, room)
            for member in registrar.enrol(home, network[facilities.station_of(place)]):
                yield msgspec.json.encode(member[0])
            room -= len(home.members)
            number += parts


async def load(settings: Settings, url: str, whole: int, part: int, parts: int) -> None:
    """Load one part."""
    async with opened(settings, url, connections=3) as ground:
        access = ground.access(system("HSYSADMIN"))
        for raws in batched(invented(whole, part, parts)):
            people = [parse(raw) for raw in raws]
            last = row_id("Patient", people[-1].id or "").id
            if not await ground.database.fetchval("SELECT EXISTS (SELECT FROM id_map WHERE id = $1)", last):
                await access.write([Update(resource=one) for one in people])


def batched(raws: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Take people by the thousand; a batch that is there already is passed over when loading goes on."""
    while batch := list(islice(raws, BATCH)):
        yield batch


def _load(settings: Settings, url: str, whole: int, part: int, parts: int) -> None:
    asyncio.run(load(settings, url, whole, part, parts))


async def fill(settings: Settings, whole: int) -> None:
    """Load the demo, then people by the million; a filled database is left as it is."""
    async with embedded.run(settings) as url:
        await prepared(url)
        async with opened(settings, url) as ground:
            await demonstration.load(ground, "small")
            await demonstration.make_accounts(ground)
            there = await ground.database.fetchval('SELECT count(*) FROM fhir."patient"')
            await ground.database.execute('ALTER TABLE fhir."patient" SET (autovacuum_enabled = off)')
        if there < whole:
            begun = time.perf_counter()
            parts = [
                multiprocessing.get_context("spawn").Process(target=_load, args=(settings, url, whole, n, 2))
                for n in range(2)
            ]
            for one in parts:
                one.start()
            for one in parts:
                await asyncio.to_thread(one.join)
                assert one.exitcode == 0
            print(f"loaded {whole} people in {time.perf_counter() - begun:.0f} s")
        async with opened(settings, url) as ground:
            await ground.database.execute('ALTER TABLE fhir."patient" RESET (autovacuum_enabled)')
            await ground.database.execute('VACUUM ANALYZE fhir."patient"')
            await ground.database.execute("VACUUM ANALYZE care")
            await Feed(ground).catch_up()


def typed(whole: int, count: int) -> list[str]:
    """Beginnings of names as they are typed, by name frequency: the whole name or the given name, with marks or without."""
    rng = random.Random(SEED)
    every = places.places("province")
    found: list[str] = []
    while len(found) < count:
        place = rng.choice(every)
        home, _ = people.household(SEED, place, rng.randrange(1, max(2, whole // len(every) // 5)), TODAY, 9)
        name = rng.choice(home.members).name
        text = name.text if rng.random() < 0.6 else " ".join([name.given[-1], name.family, *name.given[:-1]])
        text = text if rng.random() < 0.5 else fold(text)
        found.append(text[: rng.randint(2, len(text))].strip())
    return [text for text in found if len(text) >= 2]


def measure(server: Running, texts: list[str]) -> list[tuple[float, str]]:
    """Ask as someone types; answers milliseconds and what was typed."""
    browser = signed_in(server, "tram")
    browser.headers["hx-request"] = "true"
    for text in texts[:20]:
        browser.post("/people/find", data={"q": text})
    times = []
    for text in texts:
        begun = time.perf_counter()
        answer = browser.post("/people/find", data={"q": text})
        times.append(((time.perf_counter() - begun) * 1000, text))
        assert answer.status_code == 200, answer.status_code
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--typed", type=int, default=1000)
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yersin-bench-") as own:
        folder = asked.data or Path(own)
        os.environ["YERSIN_DATABASE_URL"] = ""
        asyncio.run(fill(replace(Settings(), data_dir=folder), asked.people))
        factor = slowness()
        with running("serve", data=folder) as server:
            times = sorted(measure(server, typed(asked.people, asked.typed)))
    p95 = times[int(len(times) * 0.95)][0]
    print(f"{len(times)} typed among {asked.people}: median {statistics.median(t for t, _ in times):.1f} ms, ", end="")
    print(f"95 % within {p95:.1f} ms (goal {GOAL:.0f}), worst {times[-1][0]:.1f} ms")
    print(f"the machine is {factor:.2f} times slower than that of the goals (floor.py)")
    print("slowest:", ", ".join(f"{text!r} {ms:.0f}" for ms, text in times[-12:]))
    print(json.dumps({"people": asked.people, "p95_ms": round(p95, 1)}))


if __name__ == "__main__":
    main()
