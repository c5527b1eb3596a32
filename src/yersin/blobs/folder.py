"""Blobs in a folder: `<data_dir>/blobs/aa/bb/<sha256>`, and `incoming/` for files that are not whole yet.

A file gets its name only when it is complete and synced. Being written again makes an old file new for the sweep.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from yersin.blobs.blob import Blob, Sealer, checked_address
from yersin.blobs.disk import full_disk_is_a_problem, locked, make_folder, sync_folder
from yersin.blobs.limits import BlobLimits
from yersin.blobs.sealed_file import SealedFile
from yersin.blobs.sealing import CHUNK, damaged
from yersin.blobs.verifying import check_whole, digest_of
from yersin.blobs.writer import SealedWriter
from yersin.fhir.problem import Problem, problem


class FolderBlobs:
    """The folder implementation of `Blobs`."""

    def __init__(self, folder: Path, sealer: Sealer, limits: BlobLimits | None = None) -> None:
        self.folder = folder
        self.sealer = sealer
        self.limits = limits or BlobLimits()
        self.incoming = folder / "incoming"
        self.lock = folder / "sweep.lock"
        self.incoming.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, address: str) -> Path:
        """Where a blob of this address lies, or would."""
        return self.folder / checked_address(address)[:2] / address[2:4] / address

    async def write(self, source: AsyncIterator[bytes]) -> Blob:
        """Keep a stream. Raises Problem `too-long` past the limit and `no-store` when the disk is full."""
        writer = await asyncio.to_thread(SealedWriter, self.incoming, self.sealer)
        try:
            async for piece in source:
                self._require_allowed(writer.size + len(piece))
                await asyncio.to_thread(writer.write, piece)
            seal = await asyncio.to_thread(writer.finish)
            await asyncio.to_thread(self._keep, writer.path, seal.blob)
        except BaseException:
            writer.abandon()
            raise
        return seal.blob

    def _require_allowed(self, size: int) -> None:
        if size > self.limits.largest:
            raise too_large(self.limits.largest)

    async def adopt(self, sealed: Path, blob: Blob) -> None:
        """Take over a complete sealed file whose content the caller has hashed; makes it durable."""
        await asyncio.to_thread(self._adopt, sealed, blob)

    def _adopt(self, sealed: Path, blob: Blob) -> None:
        with SealedFile(sealed, self.sealer) as file, full_disk_is_a_problem():
            if file.seal.blob != blob:
                raise damaged("it is another file's content")
            os.fsync(file.fileno())
        self._keep(sealed, blob)

    def _keep(self, sealed: Path, blob: Blob) -> None:
        target = self.path(blob.address)
        # a sweep running now must not take away the file that this write relies on
        with full_disk_is_a_problem(), locked(self.lock, shared=True):
            make_folder(target.parent, self.folder)
            if self._is_sound(target):
                os.utime(target)
                sealed.unlink()
            else:
                sealed.replace(target)
            sync_folder(target.parent)

    def _is_sound(self, target: Path) -> bool:
        try:
            SealedFile(target, self.sealer).close()
        except (FileNotFoundError, Problem):
            return False
        return True

    async def find(self, address: str) -> Blob | None:
        """The blob of an address, if it is kept."""
        try:
            file = await asyncio.to_thread(self._opened, address)
        except Problem as found:
            if found.status == 404:
                return None
            raise
        with file:
            return file.seal.blob

    def _opened(self, address: str) -> SealedFile:
        try:
            file = SealedFile(self.path(address), self.sealer)
        except FileNotFoundError as error:
            text = "Không có tệp này. / There is no such file."
            raise problem("not-found", text, status=404) from error
        if file.seal.digest.hex() != address:
            file.close()
            raise damaged("it is another file's content")
        return file

    def open(self, address: str) -> BinaryIO:
        """Open as a seekable file. Blocking: use it in a thread."""
        return cast("BinaryIO", io.BufferedReader(self._opened(address), buffer_size=64 << 10))

    async def read(self, address: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Stream bytes `start` to `end` (excluded), as a slice would have them."""
        file = await asyncio.to_thread(self._opened, address)
        with file:
            stop = min(file.seal.size, file.seal.size if end is None else end)
            file.seek(start)
            while piece := await asyncio.to_thread(file.piece, min(CHUNK, stop - file.tell())):
                yield piece

    async def verify(self, address: str) -> None:
        """Read the whole blob and hash it again. Raises Problem when it is missing or damaged."""
        file = await asyncio.to_thread(self._opened, address)
        with file:
            await asyncio.to_thread(check_whole, file)

    async def remove(self, address: str) -> None:
        """Remove a blob, for `yersin erase` and the sweep only."""
        await asyncio.to_thread(self.path(address).unlink, missing_ok=True)

    def addresses(self) -> Iterator[str]:
        """Addresses of all blobs, for backup, verify and the sweep."""
        for path in self.folder.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"):
            yield path.name

    def digest(self, address: str) -> str:
        """SHA-256 of a blob's plain content, computed from its bytes now."""
        with self._opened(address) as file:
            return digest_of(file).hex()


def too_large(largest: int) -> Problem:
    """Build the Problem of a file over the limit."""
    limit = f"{largest / (1 << 20):,.0f} MB"
    return problem(
        "too-long",
        f"Tệp quá lớn: tối đa {limit}. Hãy chia nhỏ hoặc giảm chất lượng rồi gửi lại. / "
        f"The file is too large: at most {limit}. Split it or lower its quality, then send it again.",
        status=413,
    )
