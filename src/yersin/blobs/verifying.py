"""Reads a sealed file through and compares its content with the hash it was kept under."""

from __future__ import annotations

import hashlib

from yersin.blobs.sealed_file import SealedFile
from yersin.blobs.sealing import damaged


def digest_of(file: SealedFile) -> bytes:
    """SHA-256 of the plain content."""
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.piece(file.seal.chunk_size):
        digest.update(piece)
    return digest.digest()


def check_whole(file: SealedFile) -> None:
    """Check every byte. Raises Problem when one was changed."""
    if file.seal.size == 0:
        # an empty file still has a tag to check
        file.check_empty()
    if digest_of(file) != file.seal.digest:
        raise damaged("its content has another hash")
