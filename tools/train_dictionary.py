"""Trains the compression dictionary that ships with a release, on invented people only.

`python -m tools.train_dictionary` writes src/yersin/store/dictionary-2.zdict. A dictionary is never changed once a
release has shipped it: stored content needs it for ever. It never sees stored resources: it would keep their patients.
The first one learnt the invented country alone; the second learnt records in the shapes of systems abroad besides.
"""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import msgspec
import zstandard
from tools.foreign_records import Records

from yersin.app.demo.country import generate
from yersin.fhir import parse
from yersin.store.content import tail_of

SIZE = 112 * 1024
OUTPUT = Path(__file__).parent.parent / "src/yersin/store/dictionary-2.zdict"
#: at most so many of one type, so that the rare types are learnt too
MOST = 700
#: so many records in shapes from abroad
FOREIGN = 6000


def samples() -> list[bytes | bytearray | memoryview]:
    """Return content of an invented country, with random ids in place of its own, so that no id is learnt."""
    chosen: dict[str, list[bytes]] = {}
    for batch in generate("small", 7, date(2026, 1, 1)):
        for resource in batch:
            kind = chosen.setdefault(resource["resourceType"], [])
            if len(kind) < MOST:
                kind.append(tail_of(parse(msgspec.json.encode(resource))))
    mixed: list[bytes | bytearray | memoryview] = [tail for kind in chosen.values() for tail in kind]
    mixed += [tail_of(parse(msgspec.json.encode(resource))) for resource in Records(3)(FOREIGN)]
    random.Random(1).shuffle(mixed)  # noqa: S311 - the same order every time
    return mixed


def main() -> None:
    """Train and write."""
    trained = zstandard.train_dictionary(SIZE, [*samples()], dict_id=1002)
    OUTPUT.write_bytes(trained.as_bytes())
    print(f"{OUTPUT.name}: {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
