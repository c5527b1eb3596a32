"""The part file of an upload: a sealed file growing piece by piece, its chunk size being the piece size.

A piece counts once its sealed bytes are all there, so a torn one at the end is simply written again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from yersin.blobs.blob import Blob, Sealer
from yersin.blobs.disk import full_disk_is_a_problem
from yersin.blobs.sealing import HEADER, TAG, Seal, chunk_count, header, open_chunk, seal_chunk, sealed_size
from yersin.blobs.writer import write_all
from yersin.fhir.problem import Problem, problem


class Part:
    """A part file. Every method blocks; the lock on the file keeps two requests for one upload in order."""

    def __init__(self, path: Path, key: bytes, size: int, piece: int) -> None:
        self.path = path
        self.size = size
        self.piece = piece
        self.key = key
        self.pieces = chunk_count(size, piece)

    def make(self) -> None:
        """Make the empty part file."""
        with full_disk_is_a_problem(), self.path.open("xb") as file:
            file.write(bytes(HEADER))

    def offset(self) -> int:
        """Plain bytes that have come; 0 when the file was lost."""
        try:
            return self._reached(self.path.stat().st_size)
        except FileNotFoundError:
            return 0

    def _reached(self, length: int) -> int:
        if length >= sealed_size(self.size, self.piece):
            return self.size
        return max(0, length - HEADER) // (self.piece + TAG) * self.piece

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        with full_disk_is_a_problem():
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield descriptor
            finally:
                os.close(descriptor)

    def append(self, offset: int, digest: str, content: bytes) -> int:
        """Write the piece at `offset`; returns how far the upload has come. On a full disk the file is as before."""
        self._check_piece(offset, digest, content)
        with self._locked() as descriptor:
            reached = self._reached(os.fstat(descriptor).st_size)
            if offset < reached:
                return reached
            if offset > reached:
                raise out_of_turn(reached)
            self._write(descriptor, offset // self.piece, content)
        return offset + len(content)

    def _check_piece(self, offset: int, digest: str, content: bytes) -> None:
        expected = min(self.piece, self.size - offset)
        if offset < 0 or offset % self.piece or len(content) != expected or not expected:
            raise problem(
                "value",
                f"A piece starts at a multiple of {self.piece} and has so many bytes, the last one the rest.",
            )
        if not hmac.compare_digest(hashlib.sha256(content).hexdigest(), digest.lower()):
            text = "Phần tệp đến nơi bị sai lệch; đang gửi lại. / The piece arrived changed: send it again."
            raise problem("conflict", text, expression="digest", status=409)

    def _write(self, descriptor: int, number: int, content: bytes) -> None:
        start = HEADER + number * (self.piece + TAG)
        os.ftruncate(descriptor, start)
        os.lseek(descriptor, start, os.SEEK_SET)
        try:
            write_all(descriptor, seal_chunk(self.key, number, content, last=number == self.pieces - 1))
        except OSError:
            os.ftruncate(descriptor, start)
            raise

    def complete(self, sealer: Sealer) -> Blob:
        """Check every piece, write the header, sync. Raises Problem `conflict` where pieces are missing or damaged."""
        with self._locked() as descriptor:
            reached = self._reached(os.fstat(descriptor).st_size)
            if reached < self.size:
                raise out_of_turn(reached)
            seal = Seal(key=self.key, chunk_size=self.piece, size=self.size, digest=self._digest(descriptor))
            os.ftruncate(descriptor, sealed_size(self.size, self.piece))
            os.pwrite(descriptor, header(seal, sealer), 0)
            os.fsync(descriptor)
        return seal.blob

    def _digest(self, descriptor: int) -> bytes:
        digest = hashlib.sha256()
        seal = Seal(key=self.key, chunk_size=self.piece, size=self.size, digest=b"")
        with cast("BinaryIO", os.fdopen(os.dup(descriptor), "rb")) as file:
            for number in range(self.pieces):
                try:
                    digest.update(open_chunk(file, seal, number))
                except Problem as error:
                    # lost in a power cut before it was synced: what came before stays
                    os.ftruncate(descriptor, HEADER + number * (self.piece + TAG))
                    raise out_of_turn(number * self.piece) from error
        return digest.digest()


def out_of_turn(reached: int) -> Problem:
    """Build the Problem of a piece that is not the next one."""
    text = f"Hãy gửi tiếp từ byte {reached}. / Go on from byte {reached}."
    return problem("conflict", text, expression="offset", status=409)
