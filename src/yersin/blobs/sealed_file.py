"""A sealed file read as a plain, seekable one; one chunk is held at a time."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from yersin.blobs.blob import Sealer
from yersin.blobs.sealing import HEADER, Seal, damaged, open_chunk, read_header, sealed_size

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class SealedFile(io.RawIOBase):
    """Plain view of a sealed file. Every byte it gives has been authenticated."""

    def __init__(self, path: Path, sealer: Sealer) -> None:
        super().__init__()
        self._file = cast("BinaryIO", path.open("rb"))
        try:
            self.seal = self._checked(sealer)
        except BaseException:
            self._file.close()
            raise
        #: readers that keep a file's name get the blob's address
        self.name = self.seal.blob.address
        self._at = 0
        self._number = -1
        self._chunk = b""

    def _checked(self, sealer: Sealer) -> Seal:
        seal = read_header(self._file.read(HEADER), sealer)
        if os.fstat(self._file.fileno()).st_size != sealed_size(seal.size, seal.chunk_size):
            raise damaged("its length is not the one it was written with")
        return seal

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.seal.size}[whence]
        if start + offset < 0:
            raise ValueError("a file cannot be read before its start")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        piece = self.piece(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def piece(self, most: int) -> bytes:
        """Return what lies from here to the end of the chunk, at most so many bytes, and move on."""
        if self._at >= self.seal.size or most <= 0:
            return b""
        number, offset = divmod(self._at, self.seal.chunk_size)
        if number != self._number:
            self._chunk = open_chunk(self._file, self.seal, number)
            self._number = number
        piece = self._chunk[offset : offset + most]
        self._at += len(piece)
        return piece

    def check_empty(self) -> None:
        """Check the tag of a file without content, which reading never meets."""
        open_chunk(self._file, self.seal, 0)

    def close(self) -> None:
        self._file.close()
        super().close()
