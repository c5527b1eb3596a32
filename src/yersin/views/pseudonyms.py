"""Keys of rows in views: a row id sent through one block of AES-256 under a key of its own purpose.

The same resource has the same key in every view, so that views can be joined; without the key nobody can tell whose it
is; with it the guard can find the resource again for those who may see it. Sources: FIPS 197, RFC 5869,
ISO/IEC 20889 (pseudonymisation by deterministic encryption).
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from yersin.guard.keys import Keys
from yersin.store.identity import row_id


class Pseudonyms:
    """Makes keys of rows and turns them back."""

    def __init__(self, keys: Keys) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=b"yersin.views.pseudonyms").derive(keys.get("content"))
        cipher = Cipher(algorithms.AES256(derived), modes.ECB())  # noqa: S305 - one block: a permutation, no chain of blocks
        self._there, self._back = cipher.encryptor(), cipher.decryptor()
        #: tells keys apart without giving them away
        self.fingerprint = hashlib.sha256(b"fingerprint" + derived).hexdigest()[:16]

    def of(self, type_name: str, logical_id: str) -> UUID:
        """Key of a resource."""
        return self.of_row(row_id(type_name, logical_id).id)

    def of_row(self, row: UUID) -> UUID:
        """Key of a row id."""
        return UUID(bytes=self._there.update(row.bytes))

    def row(self, key: UUID) -> UUID:
        """Row id that a key stands for."""
        return UUID(bytes=self._back.update(key.bytes))
