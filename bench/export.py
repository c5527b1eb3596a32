"""Exports some 100,000 resources: by `$export` over HTTP with a client that polls and fetches, and by `yersin export`.

python bench/export.py [--patients 3000]     about 33 resources a patient

The limit beside them is a bare program: the same rows read by the same driver in the same order, written to a file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from fhir_server import patient, slowness
from running import COMMAND, Running, running
from yersin.db import connect, embedded
from yersin.settings import Settings

GOALS = {"must": 20_000, "aim": 40_000, "memory_mb": 400}


def observation(number: int, patient_id: str, draw: random.Random) -> dict[str, Any]:
    """Return an Observation of about 900 bytes."""
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category",
                                  "code": "vital-signs", "display": "Vital Signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": f"{8000 + number % 50}-{number % 10}",
                             "display": "Đo tại trạm y tế xã"}], "text": f"Chỉ số {number % 50}"},
        "subject": {"reference": f"Patient/{patient_id}"},
        "effectiveDateTime": f"20{10 + number % 16}-{1 + number % 12:02d}-{1 + number % 28:02d}T08:{number % 60:02d}:00+07:00",
        "issued": f"20{10 + number % 16}-{1 + number % 12:02d}-{1 + number % 28:02d}T09:{number % 60:02d}:00.000+07:00",
        "valueQuantity": {"value": round(draw.uniform(1, 200), 1), "unit": "mmHg",
                          "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
        "note": [{"text": "Đo lúc nghỉ, tư thế ngồi, tay phải; người bệnh không hút thuốc trong ba mươi phút trước."}],
    }  # fmt: skip


def fill(server: Running, folder: Path, patients: int) -> int:
    """Import invented charts; returns how many resources there are."""
    draw, number = random.Random(1), 0
    path = folder / "charts.ndjson"
    with path.open("w") as file:
        for n in range(patients):
            file.write(json.dumps({**json.loads(patient(n)), "id": f"p{n}"}) + "\n")
    with (folder / "observations.ndjson").open("w") as file:
        for n in range(patients):
            for _ in range(33):
                file.write(json.dumps(observation(number, f"p{n}", draw)) + "\n")
                number += 1
    subprocess.run([*COMMAND, "import", str(folder)], env=server.environment, check=True, capture_output=True)
    return patients + number


def over_http(server: Running, token: str, packed: bool) -> tuple[float, float, int, int]:  # noqa: FBT001 - called twice below
    """Return seconds until the manifest, seconds until all is fetched, resources and bytes."""
    headers = {"authorization": f"Bearer {token}", "prefer": "respond-async"}
    headers["accept-encoding"] = "gzip" if packed else "identity"
    with httpx.Client(headers=headers, timeout=120) as client:
        begun = time.monotonic()
        address = client.get(f"{server.base}/fhir/$export?_type=Patient,Observation").headers["content-location"]
        while (answer := client.get(address)).status_code == 202:
            time.sleep(0.05)
        made = time.monotonic() - begun
        resources = size = 0
        for file in answer.json()["output"]:
            with client.stream("GET", file["url"]) as stream:
                lines = 0
                for piece in stream.iter_bytes():
                    lines += piece.count(b"\n")
                    size += len(piece)
                assert lines == file["count"], file
                resources += lines
        taken = time.monotonic() - begun
        assert client.delete(address).status_code == 202
    return made, taken, resources, size


def by_command(server: Running, folder: Path) -> tuple[float, int]:
    """Return seconds of the whole command and how many resources it wrote."""
    begun = time.monotonic()
    command = [*COMMAND, "export", str(folder), "--type", "Patient", "--type", "Observation"]
    subprocess.run(command, env=server.environment, check=True, capture_output=True)
    taken = time.monotonic() - begun
    return taken, sum(path.read_bytes().count(b"\n") for path in folder.glob("*.ndjson"))


async def bare(url: str, path: Path) -> tuple[float, int]:
    """Return seconds of the limit: the rows as they lie, read in order and written down."""
    database = await connect(url, max_size=1)
    begun, count = time.monotonic(), 0
    with path.open("wb") as file:
        async with database.transaction(isolation="repeatable_read", readonly=True) as connection:
            for name in ("patient", "observation"):
                cursor = await connection.cursor(f"SELECT pat, id, ver, upd, content FROM fhir.{name} ORDER BY pat, id")  # noqa: S608 - two names
                while rows := await cursor.fetch(1000):
                    file.write(b"\n".join(row["content"] for row in rows))
                    count += len(rows)
    taken = time.monotonic() - begun
    await database.close()
    return taken, count


def peak(pid: int) -> float:
    """Return the most memory the server has held, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=3000)
    chosen = parser.parse_args()
    factor = slowness()
    with tempfile.TemporaryDirectory(prefix="yersin-bench-") as name, running("serve") as server:
        folder = Path(name)
        (folder / "in").mkdir()
        expected = fill(server, folder / "in", chosen.patients)
        before, token = peak(server.pid), server.token("system/*.rs")
        rows = []
        for packed in (False, True):
            made, taken, resources, size = over_http(server, token, packed)
            assert resources == expected, (resources, expected)
            rows.append((f"$export{', gzip' if packed else ''}: files made", made, resources))
            rows.append((f"$export{', gzip' if packed else ''}: fetched, {size >> 20} MB", taken, resources))
        after = peak(server.pid)
        taken, resources = by_command(server, folder / "out")
        assert resources == expected
        rows.append(("yersin export, start-up included", taken, resources))
        url = embedded.address(Settings(data_dir=server.data))
        assert url is not None
        taken, resources = asyncio.run(bare(url, folder / "bare"))
        rows.append(("limit: bare program", taken, resources))
    print(f"{expected} resources; this machine is {factor:.2f} times slower than that of the goals (floor.py)")
    for what, seconds, count in rows:
        print(f"{what:45} {seconds:7.2f} s {count / seconds:10.0f}/s {count / seconds * factor:10.0f}/s there")
    print(f"memory of the server, at most: {before:.0f} MB before, {after:.0f} MB after (goal {GOALS['memory_mb']})")
    print(f"goals: {GOALS['must']}/s must, {GOALS['aim']}/s aim")
    rates = {what: round(count / seconds) for what, seconds, count in rows}
    print(json.dumps({"resources": expected, "slowness": round(factor, 2), "per_s": rates, "memory_mb": round(after)}))


if __name__ == "__main__":
    main()
