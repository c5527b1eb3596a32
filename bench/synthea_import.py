"""Imports third-party patients by `yersin import`, as an operator would: resources per second, validation and indexing included.

python bench/synthea_import.py [FOLDER] [--copies 5]     default: ../shared/data/synthea/r4-bundles beside the checkout

Copies are the same people under other ids, for the folder alone is read in four seconds, one of them start-up.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import statistics
import subprocess
import tempfile
from pathlib import Path
from uuid import UUID, uuid5

from fhir_server import slowness
from running import COMMAND

GOALS = {"must": 6000, "aim": 10000}
_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def once(folder: Path) -> tuple[int, float]:
    """Import into an empty database; returns resources and resources per second."""
    with tempfile.TemporaryDirectory(prefix="yersin-bench-") as data:
        environment = {**os.environ, "YERSIN_DATA_DIR": data, "YERSIN_DATABASE_URL": ""}
        subprocess.run([*COMMAND, "migrate"], env=environment, check=True, capture_output=True)
        answer = subprocess.run(
            [*COMMAND, "import", str(folder)], env=environment, capture_output=True, text=True, check=True
        )
    match = re.search(r"(\d+) resources from \d+ files in ([\d.]+) s", answer.stdout)
    assert match is not None, answer.stdout
    return int(match[1]), int(match[1]) / float(match[2])


def multiply(folder: Path, copies: int, target: Path) -> None:
    """Write each file of a folder, and so many copies of each person's under other ids."""
    for path in folder.glob("*.json.gz"):
        raw = gzip.decompress(path.read_bytes())
        is_directory = "Information" in path.name
        for number in range(1 if is_directory else copies):
            (target / f"{number}-{path.name.removesuffix('.gz')}").write_bytes(renamed(raw, number) if number else raw)


def renamed(raw: bytes, number: int) -> bytes:
    """Give everything another id."""
    return _UUID.sub(lambda found: str(uuid5(UUID(found[0].decode()), str(number))).encode(), raw)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = Path(os.environ.get("YERSIN_SHARED", Path(__file__).parent.parent.parent / "shared"))
    parser.add_argument("folder", type=Path, nargs="?", default=shared / "data/synthea/r4-bundles")
    parser.add_argument("--copies", type=int, default=1)
    asked = parser.parse_args()
    if not asked.folder.exists():
        print(f"skipped: there is no {asked.folder}")
        return
    runs, slower = [], []
    with tempfile.TemporaryDirectory(prefix="yersin-import-") as copied:
        if asked.copies > 1:
            multiply(asked.folder, asked.copies, Path(copied))
        for _ in range(3):
            slower.append(slowness())
            runs.append(once(Path(copied) if asked.copies > 1 else asked.folder))
    rate, factor = statistics.median(rate for _, rate in runs), statistics.median(slower)
    print(
        f"{runs[0][0]} resources, {rate:.0f} resources/s (median of 3; {GOALS}); the machine is {factor:.2f} times slower"
    )
    print(f"than that of the goals (floor.py), so this is worth {rate * factor:.0f} resources/s there")
    print(json.dumps({"resources": runs[0][0], "per_s": round(rate), "runs": [round(r) for _, r in runs]}))


if __name__ == "__main__":
    main()
