"""Writes one sealed file, chunk by chunk, into the folder of incoming files; its header comes last."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from uuid import uuid4

from yersin.blobs.blob import Sealer
from yersin.blobs.disk import full_disk_is_a_problem
from yersin.blobs.sealing import CHUNK, HEADER, Seal, header, new_key, seal_chunk


class SealedWriter:
    """Takes bytes of any lengths. `finish` makes the file whole and durable, `abandon` leaves nothing behind."""

    def __init__(self, folder: Path, sealer: Sealer, chunk_size: int = CHUNK) -> None:
        self.path = folder / f"{uuid4().hex}.part"
        self._sealer = sealer
        self._chunk_size = chunk_size
        self._key = new_key()
        self._hash = hashlib.sha256()
        self._size = 0
        self._number = 0
        self._waiting = bytearray()
        with full_disk_is_a_problem():
            self._file = self.path.open("xb", buffering=0)
            self._file.write(bytes(HEADER))

    @property
    def size(self) -> int:
        """Plain bytes taken so far."""
        return self._size

    def write(self, plain: bytes) -> None:
        """Take bytes. A chunk is written once it is known not to be the last."""
        self._hash.update(plain)
        self._size += len(plain)
        self._waiting += plain
        while len(self._waiting) > self._chunk_size:
            self._put(bytes(self._waiting[: self._chunk_size]), last=False)
            del self._waiting[: self._chunk_size]

    def _put(self, plain: bytes, *, last: bool) -> None:
        with full_disk_is_a_problem():
            write_all(self._file.fileno(), seal_chunk(self._key, self._number, plain, last=last))
        self._number += 1

    def finish(self) -> Seal:
        """Write the last chunk and the header, and sync."""
        self._put(bytes(self._waiting), last=True)
        seal = Seal(key=self._key, chunk_size=self._chunk_size, size=self._size, digest=self._hash.digest())
        with full_disk_is_a_problem():
            os.pwrite(self._file.fileno(), header(seal, self._sealer), 0)
            os.fsync(self._file.fileno())
        self._file.close()
        return seal

    def abandon(self) -> None:
        """Remove what was written."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of it; a single call may take a part only, at the very end of a disk."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
