"""Typing a filter over 100,000 concepts and more: how long `ValueSet/$expand` takes at the server, with and without accents.

Usage: python bench/terms.py [--concepts 110000] [--typed 400] [--icd10 FILE]
LOINC-like concepts are made up; --icd10 loads the ministry's list beside them. Goal: less than 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from fhir_server import slowness
from running import Running, running
from yersin.app.ground import prepared
from yersin.db import connect, embedded
from yersin.settings import Settings
from yersin.terminology import icd10, intake
from yersin.terminology.words import fold

GOAL = 50.0
SEED = 20261123
SYSTEM = "urn:example:tests"
ANALYTES = (
    "Glucose", "Cholesterol", "Triglyceride", "Creatinine", "Urea", "Albumin", "Bilirubin", "Calcium", "Sodium",
    "Potassium", "Chloride", "Magnesium", "Phosphate", "Ferritin", "Haptoglobin", "Hemoglobin", "Leukocytes",
    "Platelets", "Erythrocytes", "Lymphocytes", "Neutrophils", "Fibrinogen", "Insulin", "Cortisol", "Thyrotropin",
    "Testosterone", "Estradiol", "Progesterone", "Lactate", "Amylase", "Lipase", "Troponin", "Myoglobin",
    "Procalcitonin", "Ammonia", "Lead",
)  # fmt: skip
TIMES = (
    "1 hour",
    "2 hours",
    "30 minutes",
    "overnight",
    "fasting",
    "post meal",
    "baseline",
    "peak",
    "evening",
    "random",
)
PLACES = (
    "Serum or Plasma",
    "Blood",
    "Urine",
    "Cerebral spinal fluid",
    "Body fluid",
    "Stool",
    "Saliva",
    "Arterial blood",
)
KINDS = ("Mass/volume", "Moles/volume", "Presence", "Ratio", "Number/volume", "Enzymatic activity/volume")
VIETNAMESE = {
    "Glucose": "Đường huyết", "Urea": "Urê máu", "Sodium": "Natri máu", "Hemoglobin": "Huyết sắc tố", "Lactate": "Axit lactic",
    "Leukocytes": "Bạch cầu", "Platelets": "Tiểu cầu", "Erythrocytes": "Hồng cầu", "Insulin": "Nội tiết tố insulin",
}  # fmt: skip


def made(count: int) -> dict[str, Any]:
    """A code system of so many tests, a third of them with Vietnamese names."""
    rng = random.Random(SEED)
    concepts = []
    for n in range(count):
        analyte, place = rng.choice(ANALYTES), rng.choice(PLACES)
        name = f"{analyte} [{rng.choice(KINDS)}] in {place} --{rng.choice(TIMES)} dose {rng.randrange(1, 400)}"
        vietnamese = f"{VIETNAMESE.get(analyte, analyte)} lần {rng.randrange(1, 400)}"
        concepts.append({
            "code": f"{n}-{n % 10}", "display": name, "designation": [{"language": "vi", "value": vietnamese}],
            "property": [{"code": "CLASS", "valueString": "CHEM"}],
        })  # fmt: skip
    named = {"resourceType": "CodeSystem", "url": SYSTEM, "version": "1", "name": "Tests", "content": "complete"}
    return {**named, "language": "en", "concept": concepts}


async def fill(settings: Settings, count: int, icd: Path | None) -> float:
    """Fill a database of its own; answers the seconds that R4's own definitions took."""
    async with embedded.run(settings) as url:
        await prepared(url)
        database = await connect(url)
        begun = time.perf_counter()
        await database.execute("UPDATE terms.loaded SET digest = ''")
        await intake.ensure(database)
        seconds = time.perf_counter() - begun
        async with database.acquire() as connection:
            await intake.load(connection, f"file:{SYSTEM}:1", made(count), None)
            if icd:
                await icd10.load(connection, icd)
        await database.execute("VACUUM ANALYZE terms.concept")
        await database.close()
    return seconds


def typed(names: list[str], count: int) -> list[str]:
    """What people type on the way to a name: beginnings of its words, in any order, with accents or without."""
    rng = random.Random(SEED)
    found = []
    for _ in range(count):
        words = [w for w in rng.choice(names).replace("[", " ").replace("]", " ").split() if w[0].isalnum()]
        chosen = rng.sample(words, min(len(words), rng.randint(1, 3)))
        text = " ".join([*chosen[:-1], chosen[-1][: rng.randint(1, len(chosen[-1]))]])
        found.append(text if rng.random() < 0.5 else fold(text))
    return found


def measure(server: Running, system: str, texts: list[str]) -> list[tuple[float, str]]:
    """Ask as someone types, twenty at a time; answers milliseconds and what was typed."""
    headers = {"authorization": f"Bearer {server.token()}"}
    times = []
    with httpx.Client(base_url=server.base, headers=headers, timeout=60) as client:
        made_set = {
            "resourceType": "ValueSet",
            "status": "active",
            "url": f"{system}:all",
            "compose": {"include": [{"system": system}]},
        }
        assert client.post("/fhir/ValueSet", json=made_set).status_code == 201
        for n, text in enumerate([*texts[:20], *texts]):
            begun = time.perf_counter()
            answer = client.get(
                f"/fhir/ValueSet/$expand?url={system}:all&count=20&displayLanguage=vi&filter={quote(text)}"
            )
            if n >= 20:
                times.append(((time.perf_counter() - begun) * 1000, text))
            assert answer.status_code == 200, answer.text
            assert answer.json()["expansion"].get("contains"), f"{text!r} found nothing"
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--concepts", type=int, default=110_000)
    parser.add_argument("--typed", type=int, default=400)
    parser.add_argument("--icd10", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yersin-bench-") as own:
        os.environ["YERSIN_DATABASE_URL"] = ""
        seconds = asyncio.run(fill(replace(Settings(), data_dir=Path(own)), asked.concepts, asked.icd10))
        factor = slowness()
        system = made(asked.concepts)
        names = [c["display"] for c in system["concept"]] + [c["designation"][0]["value"] for c in system["concept"]]
        with running("serve", data=Path(own)) as server:
            times = sorted(measure(server, SYSTEM, typed(names, asked.typed)))
            if asked.icd10:
                listed = [e.title_vi for e in icd10.read_official(asked.icd10)]
                diseases = sorted(measure(server, icd10.SYSTEM, typed(listed, asked.typed)))
                print(f"ICD-10, {len(listed)} codes: {said(diseases)}")
    print(f"{asked.concepts} concepts, over HTTP with audit: {said(times)} (goal {GOAL:.0f} ms)")
    print("slowest:", ", ".join(f"{text!r} {ms:.0f}" for ms, text in times[-12:]))
    print(
        f"R4's own definitions taken in: {seconds:.1f} s; the machine is {factor:.2f} times slower than that of the goals (floor.py)"
    )
    print(
        json.dumps(
            {
                "concepts": asked.concepts,
                "p95_ms": round(times[int(len(times) * 0.95)][0], 1),
                "builtin_s": round(seconds, 1),
            }
        )
    )


def said(times: list[tuple[float, str]]) -> str:
    """Median and tail of sorted times."""
    p95 = times[int(len(times) * 0.95)][0]
    median = statistics.median(t for t, _ in times)
    return f"{len(times)} typed, median {median:.1f} ms, 95 % within {p95:.1f} ms, worst {times[-1][0]:.1f} ms"


if __name__ == "__main__":
    main()
