"""Files of an export: sealed in the data folder as blobs are, or plain in a folder that an operator named.

A file has its name only when it is whole and on the disk.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid4

from yersin.blobs import Sealer
from yersin.blobs.disk import full_disk_is_a_problem, make_folder, sync_folder
from yersin.blobs.sealed_file import SealedFile
from yersin.blobs.writer import SealedWriter
from yersin.guard.keys import Keys

#: plain bytes handed on at a time
PIECE = 1 << 18
_GZIP = 31  # zlib's window and the header of RFC 1952


class Sink(Protocol):
    """A file in the making."""

    @property
    def size(self) -> int:
        """Plain bytes taken so far."""

    def write(self, plain: bytes) -> None:
        """Take bytes. Raises Problem `no-store` when the disk is full."""

    def finish(self) -> str:
        """Make the file whole and durable; returns its name."""

    def abandon(self) -> None:
        """Leave nothing behind."""


class Shelf:
    """The folder of sealed files: one folder a job."""

    def __init__(self, data: Path, keys: Keys) -> None:
        self._data = data
        self._sealer = Sealer(
            seal=lambda plain: keys.seal("blobs", plain), open=lambda sealed: keys.open("blobs", sealed)
        )

    def folder(self, job: UUID) -> Path:
        """Where the files of a job lie."""
        return self._data / "exports" / str(job)

    def sink(self, job: UUID) -> Sink:
        """Begin a file."""
        folder = self.folder(job)
        with full_disk_is_a_problem():
            self._data.mkdir(parents=True, exist_ok=True)
            make_folder(folder, self._data)
        return _Sealed(folder, self._sealer)

    def open(self, job: UUID, name: str) -> SealedFile:
        """Open a file for reading. Raises FileNotFoundError, and Problem when it is damaged."""
        return SealedFile(self.folder(job) / name, self._sealer)

    def remove(self, job: UUID) -> None:
        """Remove all files of a job, those that never became whole too."""
        shutil.rmtree(self.folder(job), ignore_errors=True)

    def old(self) -> list[UUID]:
        """Jobs whose folder has not changed for a day."""
        folder, before = self._data / "exports", time.time() - 86_400
        paths = list(folder.iterdir()) if folder.is_dir() else []
        return [UUID(path.name) for path in paths if path.stat().st_mtime < before]


class _Sealed:
    """A sealed file in the making."""

    def __init__(self, folder: Path, sealer: Sealer) -> None:
        self._folder = folder
        self._writer = SealedWriter(folder, sealer)

    @property
    def size(self) -> int:
        return self._writer.size

    def write(self, plain: bytes) -> None:
        self._writer.write(plain)

    def finish(self) -> str:
        name = uuid4().hex
        self._writer.finish()
        self._writer.path.replace(self._folder / name)
        sync_folder(self._folder)
        return name

    def abandon(self) -> None:
        self._writer.abandon()


class Plain:
    """A plain file in the making, in a folder that an operator named."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / name
        self._part = folder / f".{name}.part"
        self._size = 0
        with full_disk_is_a_problem():
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._file = os.fdopen(descriptor, "wb", buffering=1 << 20)

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return self._size

    def write(self, plain: bytes) -> None:
        """Take bytes. Raises Problem `no-store` when the disk is full."""
        with full_disk_is_a_problem():
            self._file.write(plain)
        self._size += len(plain)

    def finish(self) -> str:
        """Make the file whole and durable; returns its name."""
        with full_disk_is_a_problem():
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._path)
        sync_folder(self._path.parent)
        return self._path.name

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._part.unlink(missing_ok=True)


async def pieces(shelf: Shelf, job: UUID, name: str) -> AsyncIterator[bytes]:
    """Stream a file as it is."""
    with await asyncio.to_thread(shelf.open, job, name) as file:
        while piece := await asyncio.to_thread(file.piece, PIECE):
            yield piece


async def packed(shelf: Shelf, job: UUID, name: str) -> AsyncIterator[bytes]:
    """Stream a file packed by gzip."""
    packer = zlib.compressobj(level=5, wbits=_GZIP)
    async for piece in pieces(shelf, job, name):
        if out := await asyncio.to_thread(packer.compress, piece):
            yield out
    yield packer.flush()
