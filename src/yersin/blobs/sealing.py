"""The sealed file: AES-256-GCM in chunks, so that any range can be read and any change is noticed.

Layout: header of 512 bytes, then the chunks, each `chunk_size` plain bytes (the last one fewer, or none) and a tag of 16.
Every file has a random key of its own, used once; so a counter is a safe nonce: 11 bytes of chunk number and 1 byte
that is 1 on the last chunk only (the STREAM construction, Hoang et al., https://eprint.iacr.org/2015/189). The header
holds, wrapped by the installation's key: file key, chunk size, plain size and SHA-256. Thus order, length, and that
the content belongs to its address are all authenticated. Header: magic, length of the wrapped part, it, zeros.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from yersin.blobs.blob import Blob, Sealer
from yersin.fhir.problem import Problem, problem

MAGIC = b"YERSINB1"
HEADER = 512
TAG = 16
CHUNK = 1 << 20
_INSIDE = struct.Struct(">32sIQ32s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What the header of a sealed file says."""

    key: bytes
    chunk_size: int
    size: int
    digest: bytes

    @property
    def blob(self) -> Blob:
        """The blob that the file holds."""
        return Blob(address=self.digest.hex(), size=self.size)


def new_key() -> bytes:
    """Make the key of a file."""
    return os.urandom(32)


def nonce(number: int, *, last: bool) -> bytes:
    """Nonce of a chunk. Safe because a key seals one file only."""
    return number.to_bytes(11, "big") + bytes([last])


def chunk_count(size: int, chunk_size: int) -> int:
    """Number of chunks of a plain size; an empty file has one, empty, chunk."""
    return max(1, -(-size // chunk_size))


def sealed_size(size: int, chunk_size: int) -> int:
    """Length of the sealed file of a plain size."""
    return HEADER + size + TAG * chunk_count(size, chunk_size)


def header(seal: Seal, sealer: Sealer) -> bytes:
    """Make the header of a sealed file."""
    wrapped = sealer.seal(_INSIDE.pack(seal.key, seal.chunk_size, seal.size, seal.digest))
    filled = MAGIC + struct.pack(">H", len(wrapped)) + wrapped
    if len(filled) > HEADER:
        raise ValueError(f"a wrapped key of {len(wrapped)} bytes does not fit into the header of a sealed file")
    return filled.ljust(HEADER, b"\0")


def read_header(raw: bytes, sealer: Sealer) -> Seal:
    """Open a header. Raises Problem when it is damaged or was made under another key."""
    length = int.from_bytes(raw[8:10], "big")
    rest = raw[10 + length :]
    if len(raw) != HEADER or raw[:8] != MAGIC or 10 + length > HEADER or rest.strip(b"\0"):
        raise damaged("its header is not that of a sealed file")
    try:
        key, chunk_size, size, digest = _INSIDE.unpack(sealer.open(raw[10 : 10 + length]))
    except (InvalidTag, struct.error) as error:
        raise damaged("its header was changed, or it was sealed under another key") from error
    return Seal(key=key, chunk_size=chunk_size, size=size, digest=digest)


def seal_chunk(key: bytes, number: int, plain: bytes, *, last: bool) -> bytes:
    """Seal one chunk."""
    return AESGCM(key).encrypt(nonce(number, last=last), plain, None)


def open_chunk(file: BinaryIO, seal: Seal, number: int) -> bytes:
    """Read and open one chunk. Raises Problem when any byte of it was changed, moved or cut."""
    last = number == chunk_count(seal.size, seal.chunk_size) - 1
    file.seek(HEADER + number * (seal.chunk_size + TAG))
    length = seal.size - number * seal.chunk_size if last else seal.chunk_size
    try:
        return AESGCM(seal.key).decrypt(nonce(number, last=last), file.read(length + TAG), None)
    except (InvalidTag, ValueError) as error:
        raise damaged(f"its part {number + 1} was changed or cut") from error


def damaged(how: str) -> Problem:
    """Build the Problem of a file that is not what was written."""
    return problem(
        "exception",
        f"Tệp lưu trên máy chủ bị hỏng, cần phục hồi từ bản sao lưu. / "
        f"The stored file is damaged ({how}). Restore it from a backup.",
        status=500,
    )
