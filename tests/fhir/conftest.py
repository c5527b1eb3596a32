"""HL7's examples and definitions, read from YERSIN_SHARED or the folder `shared` beside the checkout."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


class Digits(str):
    """A number as it was written, equal only to the same digits."""

    __slots__ = ()


def read(raw: bytes) -> Any:
    """JSON with numbers compared to the last digit."""
    return json.loads(raw, parse_float=Digits, parse_int=Digits)


def shared(part: str) -> Path:
    root = Path(os.environ.get("YERSIN_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    folder = root / "data" / "fhir-r4" / part
    if not folder.is_dir():
        pytest.skip(f"{part} of FHIR R4 are not there: set YERSIN_SHARED to the folder that holds data/fhir-r4")
    return folder


def lines(folder: Path) -> Iterator[bytes]:
    for file in sorted(folder.glob("*.ndjson.gz")):
        yield from gzip.decompress(file.read_bytes()).splitlines()


@pytest.fixture(scope="session")
def definitions() -> Path:
    return shared("definitions")


@pytest.fixture(scope="session")
def examples() -> list[bytes]:
    return list(lines(shared("examples")))


@pytest.fixture(scope="session")
def definition_lines(definitions: Path) -> list[bytes]:
    return list(lines(definitions))


@pytest.fixture(scope="session")
def load() -> Callable[[bytes], Any]:
    return read
