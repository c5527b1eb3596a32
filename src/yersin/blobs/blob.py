"""What a blob is and what a place for blobs can do. The folder is one such place; object storage can be another."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from yersin.fhir.problem import problem

_ADDRESS = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A file that is kept: its address is the SHA-256 of its plain content, `size` its plain length."""

    address: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealer:
    """Wraps and unwraps file keys under the installation's key for blobs (`guard.keys`, purpose `blobs`)."""

    seal: Callable[[bytes], bytes]
    open: Callable[[bytes], bytes]


class Blobs(Protocol):
    """A place for blobs. Whatever `write` or `adopt` has answered survives a crash from then on."""

    async def write(self, source: AsyncIterator[bytes]) -> Blob:
        """Keep a stream. Raises Problem `too-long` past the limit and `no-store` when the disk is full."""

    async def adopt(self, sealed: Path, blob: Blob) -> None:
        """Take over a complete sealed file whose content the caller has hashed; it is moved, or removed if kept already."""

    async def find(self, address: str) -> Blob | None:
        """The blob of an address, if it is kept."""

    def read(self, address: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Stream bytes `start` to `end` (excluded). Raises Problem `not-found`, or `exception` when damaged."""

    def open(self, address: str) -> BinaryIO:
        """Open as a seekable file for readers that need one. Blocking: use it in a thread."""

    async def verify(self, address: str) -> None:
        """Read the whole blob and hash it again. Raises Problem when it is missing or damaged."""

    async def remove(self, address: str) -> None:
        """Remove a blob, for `yersin erase` and the sweep only."""


def checked_address(address: str) -> str:
    """Return the address. Raises Problem when it is none, so that it can never become another path."""
    if not _ADDRESS.fullmatch(address):
        raise problem("value", "A blob's address is the 64 small hexadecimal digits of its SHA-256.")
    return address
