"""Keys: one for each purpose, wrapped by a master key that lives outside the database.

The master key is the file `keys/master.key` in the data folder (32 random bytes, mode 0600). Wrapped keys lie in the
table `wrapped_key`, AES-256-GCM with the purpose as associated data. Source: NIST SP 800-38D, SP 800-57.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from yersin.db import Connection
from yersin.fhir.problem import problem

#: every purpose that has a key of its own; a key is never used for two
PURPOSES = (
    "index",
    "pages",
    "cookies",
    "access-tokens",
    "audit-heads",
    "receipts",
    "backups",
    "content",
    "blobs",
    "signers",
    "drafts",
    "subscriptions",
)

DDL = """
CREATE TABLE wrapped_key (
  purpose text NOT NULL, number smallint NOT NULL, wrapped bytea NOT NULL, made timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (purpose, number));
"""


def seal(key: bytes, plain: bytes, label: str) -> bytes:
    """Encrypt with AES-256-GCM: nonce and ciphertext joined. `label` must be the same to open it."""
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, plain, label.encode())


def open_sealed(key: bytes, sealed: bytes, label: str) -> bytes:
    """Decrypt what `seal` made. Raises InvalidTag when key, label or bytes differ."""
    return AESGCM(key).decrypt(sealed[:12], sealed[12:], label.encode())


@dataclass(frozen=True, slots=True)
class Keys:
    """The open key ring: newest key of every purpose."""

    ring: dict[str, bytes]

    def get(self, purpose: str) -> bytes:
        """Key of a purpose, 32 bytes."""
        return self.ring[purpose]

    def seal(self, purpose: str, plain: bytes) -> bytes:
        """Encrypt under the key of a purpose."""
        return seal(self.ring[purpose], plain, purpose)

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Decrypt what was sealed under the key of a purpose."""
        return open_sealed(self.ring[purpose], sealed, purpose)


def master_key(folder: Path) -> bytes:
    """Read the master key, making it when the folder has none. It is never written anywhere else."""
    path = folder / "master.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(32))
            file.flush()
            os.fsync(file.fileno())
    key = path.read_bytes()
    if len(key) != 32:
        raise problem(
            "security",
            f"{path} is not a master key: it must hold exactly 32 bytes. Restore it from escrow.",
            status=500,
        )
    return key


async def open_keys(connection: Connection, master: bytes) -> Keys:
    """Open the key ring, making keys for purposes that have none. Raises Problem when the master key does not fit."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('yersin.keys'))")
    rows = await connection.fetch("SELECT purpose, wrapped FROM wrapped_key ORDER BY number")
    try:
        ring = {row["purpose"]: open_sealed(master, row["wrapped"], row["purpose"]) for row in rows}
    except InvalidTag as error:
        text = "The master key does not open this database's keys. Put back the master.key this database was made with."
        raise problem("security", text, status=500) from error
    for purpose in PURPOSES:
        if purpose not in ring:
            ring[purpose] = os.urandom(32)
            wrapped = seal(master, ring[purpose], purpose)
            await connection.execute(
                "INSERT INTO wrapped_key (purpose, number, wrapped) VALUES ($1, 1, $2)", purpose, wrapped
            )
    return Keys(ring)
