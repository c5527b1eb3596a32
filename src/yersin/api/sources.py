"""Files to import, taken apart into units that are written whole: a bundle, or some hundred lines of NDJSON."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import msgspec

from yersin.fhir import xml
from yersin.fhir.problem import Issue

from .transaction import Entry, read_bundle

#: resources of NDJSON or of a collection that are written in one transaction
UNIT = 500
#: what reading a broken or truncated file raises
UNREADABLE = (OSError, EOFError, zlib.error)
#: beginnings of the names of files that others refer to, in the order in which they refer to each other
_DIRECTORY = (
    "hospitalinformation",
    "practitionerinformation",
    "organization.",
    "location.",
    "practitioner.",
    "healthcareservice.",
    "practitionerrole.",
)
_ENDINGS = (".json", ".ndjson", ".jsonl", ".xml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One resource of a file: where it stands (entry or line, from 0), its bytes, and what its bundle says of it."""

    place: int
    raw: bytes
    full_url: str = ""
    method: str = "PUT"
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Pieces that are written in one transaction. `whole`: all of them or none, because a transaction bundle says so."""

    file: Path
    number: int
    pieces: Sequence[Piece]
    whole: bool
    findings: Sequence[tuple[int, Issue]] = field(default_factory=tuple)


def files(paths: Sequence[Path]) -> list[Path]:
    """List the files under some paths, those that hold no patients' records by their name first. Raises FileNotFoundError."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(path)
        inside = sorted(p for p in path.rglob("*") if p.is_file() and _plain_name(p).endswith(_ENDINGS))
        found += inside if path.is_dir() else [path]
    return sorted(found, key=_rank)


def is_directory(path: Path) -> bool:
    """Whether a file holds facilities and workforce, by its name."""
    return _rank(path) < len(_DIRECTORY)


def is_lines(path: Path) -> bool:
    """Whether a file is NDJSON, by its name."""
    return _plain_name(path).endswith((".ndjson", ".jsonl"))


def _rank(path: Path) -> int:
    name = _plain_name(path)
    return next((n for n, start in enumerate(_DIRECTORY) if name.startswith(start)), len(_DIRECTORY))


def _plain_name(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".bz2").lower()


def opened(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacked."""
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if path.suffix == ".bz2":
        return cast("IO[bytes]", bz2.open(path, "rb"))
    return path.open("rb")


def units(path: Path, *, drafts: bool = False) -> Iterator[Unit]:
    """Take a file apart; XML of `drafts` is mended where it can be. Raises Problem, OSError or EOFError when it cannot be read at all."""
    name = _plain_name(path)
    if is_lines(path):
        yield from _lines(path)
        return
    with opened(path) as file:
        content = file.read()
    yield from _whole(path, xml.read(content, draft=drafts) if name.endswith(".xml") else content)


def _lines(path: Path) -> Iterator[Unit]:
    pieces: list[Piece] = []
    number = 0
    with opened(path) as file:
        for place, line in enumerate(file):
            if line.strip():
                pieces.append(Piece(place=place, raw=line))
            if len(pieces) == UNIT:
                yield Unit(file=path, number=number, pieces=pieces, whole=False)
                pieces, number = [], number + 1
    if pieces:
        yield Unit(file=path, number=number, pieces=pieces, whole=False)


def _whole(path: Path, content: bytes) -> Iterator[Unit]:
    if not _is_bundle(content):
        yield Unit(file=path, number=0, pieces=[Piece(place=0, raw=content)], whole=True)
        return
    bundle = read_bundle(content)
    pieces = [_piece(n, e) for n, e in enumerate(bundle.entry) if e.resource != msgspec.Raw()]
    if bundle.type == "transaction":
        yield Unit(file=path, number=0, pieces=pieces, whole=True)
        return
    for number, start in enumerate(range(0, len(pieces), UNIT)):
        yield Unit(file=path, number=number, pieces=pieces[start : start + UNIT], whole=False)


class _Kind(msgspec.Struct, rename="camel"):
    resource_type: str = ""


def _is_bundle(content: bytes) -> bool:
    try:
        return msgspec.json.decode(content, type=_Kind).resource_type == "Bundle"
    except msgspec.DecodeError:
        # the parser of resources says what is wrong, and where
        return False


def _piece(place: int, entry: Entry) -> Piece:
    asked = entry.request
    return Piece(
        place=place,
        raw=bytes(entry.resource),
        full_url=entry.full_url,
        method=asked.method if asked else "PUT",
        url=asked.url if asked else "",
    )
