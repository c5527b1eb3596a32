"""The audit sealed: rows that are committed are chained in blocks, so that none is changed, removed or put in unnoticed.

A block holds a mark of each of its rows and the hash of the block before, and is signed with a key that the database does not
have. Heads, the newest blocks, are copied out now and then: whoever holds one knows everything before it. Sources: RFC 8032
(Ed25519), FIPS 180-4 (SHA-256), Schneier and Kelsey 1999, "Secure Audit Logs to Support Computer Forensics"; docs/adr/0007-audit.md.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from yersin.db import Connection
from yersin.db.migrate import Step

from .keys import Keys

#: bytes of a row's mark, the first of its SHA-256
MARK = 16
#: rows of the largest block
LARGEST = 5000
NOTHING = bytes(32)
_CONTEXT = b"yersin audit block"
_PUBLIC_KEY = "public-key.pem"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

DDL = """
CREATE TABLE audit_seal (
  number bigint PRIMARY KEY, tx xid8 NOT NULL, seq bigint NOT NULL, at timestamptz NOT NULL,
  marks bytea NOT NULL, hash bytea NOT NULL, signature bytea NOT NULL);
COMMENT ON TABLE audit_seal IS 'Blocks of the chain that seals the audit: rows after those of the block before, up to (tx, seq).';
"""
STEPS = (Step(number=100, name="guard_audit_seals", sql=DDL),)

#: columns of the audit beside the number, transaction and moment of a row
CONTENTS = (
    "interaction, outcome, account, practitioner, organization, patient, role, display, purpose, address, request, type, entity, "
    "ver, patients, query"
)
#: what a mark is made of: every column, most as one text, which is the same under every setting and quickly handed over
COLUMNS = f"seq, tx::text::bigint AS tx, at, ROW({CONTENTS})::text AS contents"
_NEW = f"""SELECT {COLUMNS} FROM audit WHERE tx >= $1::text::xid8 AND (tx, seq) > ($1::text::xid8, $2)
AND tx < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY audit.tx, seq LIMIT $3"""
BLOCKS = "SELECT number, tx::text::bigint AS tx, seq, at, marks, hash, signature FROM audit_seal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A link of the chain: the marks (`MARK` bytes each) of the rows after the block before it, up to (`tx`, `seq`).

    `at` is when it was sealed, by the database's clock.
    """

    number: int
    tx: int
    seq: int
    at: datetime
    marks: bytes
    hash: bytes
    signature: bytes

    @property
    def rows(self) -> int:
        """How many rows it seals."""
        return len(self.marks) // MARK


#: before the first
START = Block(number=0, tx=0, seq=0, at=_EPOCH, marks=b"", hash=NOTHING, signature=b"")


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A block as it is copied out: a line of JSON, hash and signature in hexadecimal digits."""

    number: int
    at: datetime
    hash: str
    signature: str


def mark(row: Mapping[str, Any]) -> bytes:
    """Mark of a row of the audit with its `COLUMNS`."""
    text = f"{row['seq']} {row['tx']} {_microseconds(row['at'])} {row['contents']}"
    return hashlib.sha256(text.encode()).digest()[:MARK]


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def chained(before: bytes, block: Block) -> bytes:
    """Hash of a block on the hash of the one before it: everything in it but hash and signature."""
    values = (block.number, block.tx, block.seq, _microseconds(block.at), len(block.marks))
    return hashlib.sha256(before + b"".join(n.to_bytes(8, "big") for n in values) + block.marks).digest()


def private_key(keys: Keys) -> Ed25519PrivateKey:
    """Key that signs blocks; it never is in the database but wrapped."""
    return Ed25519PrivateKey.from_private_bytes(keys.get("audit-heads"))


def signed(hash_: bytes) -> bytes:
    """Return the words that a signature of a block stands under."""
    return _CONTEXT + hash_


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Return a public key as others read it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


async def seal(connection: Connection, keys: Keys, limit: int = LARGEST) -> int:
    """Seal the next rows in a block, in the caller's transaction; returns how many. One at a time: two would make the same number."""
    row = await connection.fetchrow(f"{BLOCKS} ORDER BY number DESC LIMIT 1")
    last = Block(**row) if row else START
    rows = await connection.fetch(_NEW, str(last.tx), last.seq, limit)
    if not rows:
        return 0
    block = Block(
        number=last.number + 1,
        tx=rows[-1]["tx"],
        seq=rows[-1]["seq"],
        at=await connection.fetchval("SELECT clock_timestamp()"),
        marks=b"".join(map(mark, rows)),
        hash=b"",
        signature=b"",
    )
    hash_ = chained(last.hash, block)
    signature = private_key(keys).sign(signed(hash_))
    await connection.execute(
        "INSERT INTO audit_seal (number, tx, seq, at, marks, hash, signature) VALUES ($1, $2::text::xid8, $3, $4, $5, $6, $7)",
        *(block.number, str(block.tx), block.seq, block.at, block.marks, hash_, signature),
    )
    return len(rows)


async def newest(connection: Connection) -> Head | None:
    """Head of the chain, None before the first block."""
    row = await connection.fetchrow("SELECT number, at, hash, signature FROM audit_seal ORDER BY number DESC LIMIT 1")
    return (
        Head(number=row["number"], at=row["at"], hash=row["hash"].hex(), signature=row["signature"].hex())
        if row
        else None
    )


def copy_out(folder: Path, head: Head, key: Ed25519PublicKey) -> bool:
    """Append a head to the file of its month, unless it is there already; beside it lies the key that proves it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    known = folder / _PUBLIC_KEY
    if not known.exists():
        known.write_bytes(public_pem(key))
    file = folder / f"heads-{head.at:%Y-%m}.ndjson"
    line = msgspec.json.encode(head) + b"\n"
    if file.exists() and file.read_bytes().endswith(line):
        return False
    with file.open("ab") as written:
        written.write(line)
        written.flush()
        os.fsync(written.fileno())
    return True


def copied(folder: Path) -> list[Head]:
    """Heads that were copied out, oldest first. A line cut off by a crash is passed over where it is a file's last."""
    found = []
    for file in sorted(folder.glob("heads-*.ndjson")):
        lines = file.read_bytes().split(b"\n")
        found += [msgspec.json.decode(line, type=Head) for line in lines[:-1] if line]
    return sorted(found, key=lambda head: head.number)
