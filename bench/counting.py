"""What a limit of requests costs: one count in the shared memory of all web processes, headers included.

python bench/counting.py [--times 200000]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from yersin.api import throttling
from yersin.guard.rates import Rates
from yersin.guard.who import Who


def measured(rates: Rates, times: int) -> float:
    """CPU in µs of one count, with the headers that tell of it."""
    programs = [Who(role="system", purpose="TREAT", display=f"program {n}", scopes=()) for n in range(100)]
    begun = time.process_time()
    for n in range(times):
        spent = rates.spend(programs[n % 100])
        assert spent is not None
        throttling.headers(spent)
    return (time.process_time() - begun) / times * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200_000)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        rates = Rates(Path(folder), {"program": 10**9})
        costs = [measured(rates, times) for _ in range(5)]
    print(f"a count: median {statistics.median(costs):.1f} µs CPU, {min(costs):.1f} to {max(costs):.1f}")
    print(json.dumps({"count_us": [round(cost, 2) for cost in costs]}))


if __name__ == "__main__":
    main()
