"""Bytes a resource after a real import: third-party records under many ids, by `yersin import`, indexes as inserts leave them.

python bench/storage.py [--copies 100] [--folder FOLDER]       10,130 resources a copy; 100 take about ten minutes and 3 GB
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
from pathlib import Path

from growth import BYTES, database, shared, sizes_of
from running import COMMAND
from synthea_import import multiply


async def _vacuumed(folder: Path) -> None:
    async with database(folder) as connection:
        await connection.execute("VACUUM ANALYZE")


def imported(folder: Path, records: Path, copies: int) -> dict[str, float]:
    """Import so many copies into a database of its own; returns bytes a resource, by what takes them."""
    environment = {**os.environ, "YERSIN_DATA_DIR": str(folder), "YERSIN_DATABASE_URL": ""}
    with tempfile.TemporaryDirectory(prefix="yersin-copies-") as target:
        multiply(records, copies, Path(target))
        for command in (["migrate"], ["import", target]):
            subprocess.run([*COMMAND, *command], env=environment, check=True, capture_output=True)
    asyncio.run(_vacuumed(folder))
    return asyncio.run(sizes_of(folder))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="kept afterwards; without it nothing is")
    asked = parser.parse_args()
    records = shared() / "data/synthea/r4-bundles"
    if not records.exists():
        print(f"skipped: there is no {records}")
        return
    with tempfile.TemporaryDirectory(prefix="yersin-storage-") as temporary:
        found = imported(asked.folder or Path(temporary), records, asked.copies)
    print("\n".join(f"{name:>26} {value:>12,.1f}" for name, value in found.items()))
    print(f"{'goal':>26} {BYTES:>12,.1f}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
