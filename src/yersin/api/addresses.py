"""What the addresses of entries (`fullUrl`) mean in an import: in a bundle, and from file to file.

A bundle mostly refers to itself. Only when it does not are all files looked through, once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import msgspec

from yersin.fhir.problem import Problem
from yersin.store.identity import new_id

from . import sources
from .sources import UNREADABLE, Piece

_URN = re.compile(r"urn:uuid:([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})").fullmatch
_ABSOLUTE = ("urn:", "http:", "https:")


class _Kind(msgspec.Struct, rename="camel"):
    resource_type: str = ""
    id: str | None = None


def _kind_of(piece: Piece) -> _Kind | None:
    try:
        return msgspec.json.decode(piece.raw, type=_Kind)
    except msgspec.DecodeError:
        # said when the resource is parsed
        return None


def id_of(piece: Piece, own: str | None) -> str:
    """Id a piece is written under: the one its request names, the UUID of its address, its own, or a new one."""
    if piece.method == "PUT" and "/" in piece.url:
        return piece.url.partition("/")[2]
    urn = _URN(piece.full_url)
    return urn[1] if urn else own or str(new_id())


def settled(pieces: Iterable[Piece]) -> dict[str, bytes]:
    """Where pieces that have an address will be: `Type/id`, as references say it."""
    return {
        piece.full_url: f"{kind.resource_type}/{id_of(piece, kind.id)}".encode()
        for piece in pieces
        if piece.full_url and (kind := _kind_of(piece)) is not None
    }


class AllFiles:
    """Addresses of all files of an import; what cannot be read is passed over here, and said when its turn comes."""

    def __init__(self, files: Sequence[Path], *, drafts: bool = False) -> None:
        self._files = files
        self._drafts = drafts

    @cached_property
    def places(self) -> Mapping[str, bytes]:
        """Where the entries of all bundles are, or will be."""
        return {address: place for path in self._files for address, place in self._in(path).items()}

    def _in(self, path: Path) -> dict[str, bytes]:
        if sources.is_lines(path):
            return {}
        try:
            return settled(piece for unit in sources.units(path, drafts=self._drafts) for piece in unit.pieces)
        except (Problem, *UNREADABLE):
            return {}


class Places:
    """What references in a file mean: entries of its own, what was found by criteria, entries of other files."""

    def __init__(self, own: Mapping[str, bytes], found: Mapping[str, bytes], everywhere: AllFiles) -> None:
        self.own = own
        self._found = found
        self._everywhere = everywhere

    def of(self, reference: str) -> bytes | None:
        """Say what a reference means; None where that is known nowhere."""
        near = self.own.get(reference) or self._found.get(reference)
        if near or not reference.startswith(_ABSOLUTE):
            return near
        return self._everywhere.places.get(reference)
