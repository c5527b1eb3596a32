"""A sealer with a key of its own, for the tests of blobs."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from yersin.blobs import Sealer


def sealer() -> Sealer:
    box = AESGCM(AESGCM.generate_key(bit_length=256))

    def seal(plain: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + box.encrypt(nonce, plain, b"blobs")

    return Sealer(seal=seal, open=lambda sealed: box.decrypt(sealed[:12], sealed[12:], b"blobs"))


async def stream(content: bytes, step: int = 300_000) -> AsyncIterator[bytes]:
    for at in range(0, len(content), step):
        yield content[at : at + step]


async def gathered(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])
