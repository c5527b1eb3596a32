"""Imports third-party patients by `yersin import`, as an operator would: resources per second, validation and indexing included.

python bench/synthea_import.py [FOLDER]     default: ../shared/data/synthea/r4-bundles beside the checkout
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from fhir_server import slowness
from running import COMMAND

GOAL = 3000


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


def main() -> None:
    """Measure and print."""
    shared = Path(os.environ.get("YERSIN_SHARED", Path(__file__).parent.parent.parent / "shared"))
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else shared / "data/synthea/r4-bundles"
    if not folder.exists():
        print(f"skipped: there is no {folder}")
        return
    runs, slower = [], []
    for _ in range(3):
        slower.append(slowness())
        runs.append(once(folder))
    rate, factor = statistics.median(rate for _, rate in runs), statistics.median(slower)
    print(
        f"{runs[0][0]} resources, {rate:.0f} resources/s (median of 3; goal {GOAL}); the machine is {factor:.2f} times slower "
    )
    print(f"than that of the goals (floor.py), so this is worth {rate * factor:.0f} resources/s there")
    print(json.dumps({"resources": runs[0][0], "per_s": round(rate), "runs": [round(r) for _, r in runs]}))


if __name__ == "__main__":
    main()
