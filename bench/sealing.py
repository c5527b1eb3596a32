"""How long it takes to seal the audit and to prove it, and that a changed row among so many is named.

python bench/sealing.py [--rows 10000000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

from yersin.app.ground import opened, prepared
from yersin.db import embedded
from yersin.guard import proving, sealing
from yersin.guard.access import Ground
from yersin.settings import Settings

GOALS = {"seconds to prove 10,000,000 rows": 300}
#: reads as they are recorded: one patient each, now and then some
_FILL = """INSERT INTO audit (interaction, outcome, account, practitioner, organization, role, display, purpose, address,
  request, type, entity, ver, patients)
SELECT 'read', 0, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'doctor', 'Nguyễn Thị ' || n, 'TREAT', '10.0.0.1',
  gen_random_uuid(), 1, gen_random_uuid(), 1, CASE n % 10 WHEN 0 THEN ARRAY[gen_random_uuid(), gen_random_uuid()]
  ELSE ARRAY[gen_random_uuid()] END FROM generate_series(1, $1::int) n"""
_AT_ONCE = 100_000


async def measure(ground: Ground, rows: int) -> dict[str, float]:
    """Fill the audit, seal it and prove it; seconds of each."""
    for _ in range(rows // _AT_ONCE):
        await ground.database.execute(_FILL, _AT_ONCE)
    await ground.database.execute("VACUUM ANALYZE audit")
    begun, cpu = time.monotonic(), time.process_time()
    while await _sealed(ground):
        pass
    sealed, sealing_cpu = time.monotonic(), time.process_time() - cpu
    proof = await _proved(ground)
    proved = time.monotonic()
    if proof.first_break is not None or proof.rows < rows:
        raise SystemExit(f"not proved: {proof}")
    seq = await ground.database.fetchval("SELECT max(seq) - 7 FROM audit")
    await ground.database.execute("UPDATE audit SET display = 'Somebody else' WHERE seq = $1", seq)
    broken = (await _proved(ground)).first_break
    if broken is None or (broken.kind, broken.seq) != ("changed", seq):
        raise SystemExit(f"the changed row {seq} was not named: {broken}")
    size = await ground.database.fetchval("SELECT pg_total_relation_size('audit_seal')")
    return {
        "rows": proof.rows, "sealed in s": round(sealed - begun, 1), "us of CPU a row sealed": round(sealing_cpu / proof.rows * 1e6, 1),
        "proved in s": round(proved - sealed, 1), "rows proved/s": round(proof.rows / (proved - sealed)),
        "bytes a row": round(size / proof.rows, 1),
    }  # fmt: skip


async def _sealed(ground: Ground) -> int:
    async with ground.database.transaction() as connection:
        return await sealing.seal(connection, ground.keys)


async def _proved(ground: Ground) -> proving.Proof:
    async with ground.database.acquire() as connection:
        return await proving.prove(connection, sealing.private_key(ground.keys).public_key(), [], lambda _rows: None)


async def main(rows: int) -> None:
    """Measure in a database of its own and print a table and JSON."""
    with tempfile.TemporaryDirectory(prefix="yersin-sealing-") as folder:
        settings = Settings(data_dir=Path(folder))
        async with embedded.run(settings) as url:
            await prepared(url)
            async with opened(settings, url) as ground:
                found = await measure(ground, rows)
    for name, value in found.items():
        print(f"{name:>24} {value:>14,}")
    print(json.dumps({**found, "goals": GOALS}))


if __name__ == "__main__":
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--rows", type=int, default=1_000_000)
    asyncio.run(main(given.parse_args().rows))
