"""10,000 requests that are nearly right, 200,000 in the long form: never a 5xx, and no 2xx for what `$validate` refuses.

A failure names seed and request; `Fuzzer(access, examples, seed).run([number])` sends it again.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.outcomes import Tally
from tests.fuzz.fuzzing import Fuzzer
from tests.fuzz.invented import EXAMPLES

from yersin.guard import profiling
from yersin.guard.access import Access

SHARED = Path(os.environ.get("YERSIN_SHARED", Path(__file__).parents[3] / "shared"))
FILE = SHARED / "data/fhir-r4/examples/r4-examples.ndjson.gz"
SEED = int(os.environ.get("YERSIN_FUZZ_SEED", "1"))
REQUESTS = int(os.environ.get("YERSIN_FUZZ_REQUESTS", "200000")) if os.environ.get("YERSIN_LONG_TESTS") else 10_000
#: bytes; longer examples take most of the time and say nothing new
LARGEST = 5_000
#: of so many requests one is sent to an example of ours
OURS = 3


@pytest.fixture(autouse=True)
def _standing(monkeypatch: pytest.MonkeyPatch) -> None:
    # definitions that the fuzzer stores are looked for once, so that both sides go by the same
    monkeypatch.setattr(profiling, "FRESH", 1e9)
    monkeypatch.setattr("yersin.terminology.terms.FRESH", 1e9)


def published() -> list[bytes]:
    lines = gzip.decompress(FILE.read_bytes()).splitlines()
    return [line for line in lines if len(line) <= LARGEST]


def fuzzed(run: Any, system: Access, examples: list[bytes], count: int) -> Fuzzer:
    fuzzer = Fuzzer(system, examples, SEED)
    run(system.ground.profiling.learn())
    run(fuzzer.run(range(count)))
    return fuzzer


def test_mutated_resources_of_ours(run: Any, system: Access, tally: Tally) -> None:
    fuzzer = fuzzed(run, system, EXAMPLES, REQUESTS // OURS)
    assert not fuzzer.wrong, "\n".join([f"{len(fuzzer.wrong)} are wrong", *fuzzer.wrong[:40]])
    assert min(fuzzer.statuses[201], fuzzer.statuses[400], fuzzer.statuses[422]) > REQUESTS // 200
    tally(REQUESTS // OURS)


@pytest.mark.skipif(not FILE.is_file(), reason=f"HL7's examples are not in {FILE} (YERSIN_SHARED)")
def test_mutated_examples_of_the_standard(run: Any, system: Access, tally: Tally) -> None:
    fuzzer = fuzzed(run, system, published(), REQUESTS - REQUESTS // OURS)
    assert not fuzzer.wrong, "\n".join([f"{len(fuzzer.wrong)} are wrong", *fuzzer.wrong[:40]])
    assert min(fuzzer.statuses[201], fuzzer.statuses[400], fuzzer.statuses[422]) > REQUESTS // 200
    tally(REQUESTS - REQUESTS // OURS)
