"""Uploads that go on after a cut: pieces arrive in order, each with its SHA-256, into a sealed part file.

The row says whose upload it is; how far it has come is the length of the file, so nothing has to be kept in step and a
restart, or a kill in the middle of a piece, costs that piece only. Names and keys lie sealed in the row.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec

from yersin.blobs.blob import Blob
from yersin.blobs.disk import require_room
from yersin.blobs.folder import FolderBlobs, too_large
from yersin.blobs.parts import Part
from yersin.blobs.sealing import new_key
from yersin.blobs.sweeping import sweep_parts
from yersin.db import Database, Record
from yersin.fhir.problem import Problem, problem

DDL = """
CREATE TABLE upload (
  id uuid PRIMARY KEY, account text NOT NULL, size bigint NOT NULL CHECK (size > 0), piece int NOT NULL,
  sealed bytea NOT NULL, address text, started timestamptz NOT NULL DEFAULT now(), moved timestamptz NOT NULL DEFAULT now());
CREATE INDEX upload_account ON upload (account) WHERE address IS NULL;
"""


class Inside(msgspec.Struct):
    """What the row keeps sealed: the key of the part file, the name the person's device gave, and what it is for."""

    key: bytes
    name: str
    about: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload and how far it has come. `blob` is there once it is finished."""

    id: UUID
    name: str
    size: int
    piece: int
    offset: int
    about: dict[str, Any]
    blob: Blob | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a client asks for when it starts an upload."""

    account: str
    name: str
    size: int
    piece: int
    about: dict[str, Any]


class Uploads:
    """Uploads of accounts. Nobody reaches another account's upload: to them it does not exist."""

    def __init__(self, database: Database, blobs: FolderBlobs) -> None:
        self.database = database
        self.blobs = blobs
        self.limits = blobs.limits

    async def start(self, wish: Wish) -> Upload:
        """Open an upload. Refuses early: too large, empty, too many open, or no room on the disk."""
        self._check(wish)
        await asyncio.to_thread(require_room, self.blobs.incoming, wish.size, self.limits.reserve)
        await self._check_open(wish.account)
        upload_id, key = uuid4(), new_key()
        sealed = self.blobs.sealer.seal(msgspec.msgpack.encode(Inside(key=key, name=wish.name, about=wish.about)))
        part = Part(self._path(upload_id), key, wish.size, wish.piece)
        await asyncio.to_thread(part.make)
        await self.database.execute(
            "INSERT INTO upload (id, account, size, piece, sealed) VALUES ($1, $2, $3, $4, $5)",
            upload_id, wish.account, wish.size, wish.piece, sealed,
        )  # fmt: skip
        return Upload(id=upload_id, name=wish.name, size=wish.size, piece=wish.piece, offset=0, about=wish.about)

    def _check(self, wish: Wish) -> None:
        if wish.size > self.limits.largest:
            raise too_large(self.limits.largest)
        if wish.size <= 0:
            raise problem("value", "Tệp rỗng. / The file is empty.", expression="size")
        if not self.limits.smallest_piece <= wish.piece <= self.limits.largest_piece:
            span = f"{self.limits.smallest_piece} to {self.limits.largest_piece}"
            raise problem("value", f"A piece must have {span} bytes.", expression="piece")
        if not 0 < len(wish.name) <= 255:
            raise problem("value", "The name of a file has 1 to 255 characters.", expression="name")

    async def _check_open(self, account: str) -> None:
        count = await self.database.fetchval(
            "SELECT count(*) FROM upload WHERE account = $1 AND address IS NULL AND moved > now() - $2::interval",
            account,
            self.limits.patience,
        )
        if count >= self.limits.open_uploads:
            text = "Có quá nhiều tệp đang gửi dở; hãy gửi xong hoặc hủy bớt. / Too many unfinished uploads: finish or cancel some."
            raise problem("throttled", text, status=429)

    async def find(self, upload_id: UUID, account: str) -> Upload:
        """Return an upload. Raises Problem `not-found` for unknown ones and other people's alike."""
        upload, _ = await self._find(upload_id, account)
        return upload

    async def _find(self, upload_id: UUID, account: str) -> tuple[Upload, Part]:
        row = await self.database.fetchrow("SELECT * FROM upload WHERE id = $1 AND account = $2", upload_id, account)
        if row is None:
            raise _unknown()
        inside = msgspec.msgpack.decode(self.blobs.sealer.open(row["sealed"]), type=Inside)
        part = Part(self._path(upload_id), inside.key, row["size"], row["piece"])
        return await asyncio.to_thread(_upload, row, inside, part), part

    async def append(self, upload_id: UUID, account: str, *, offset: int, digest: str, content: bytes) -> Upload:
        """Add the piece at `offset`; sent twice it is kept once. Raises Problem `conflict` when it is not its turn."""
        upload, part = await self._find(upload_id, account)
        if upload.blob is not None:
            return upload
        reached = await asyncio.to_thread(part.append, offset, digest, content)
        await self.database.execute("UPDATE upload SET moved = now() WHERE id = $1", upload_id)
        return _moved(upload, reached)

    async def finish(self, upload_id: UUID, account: str) -> Upload:
        """Make the upload a blob; safe to call again. A part found damaged is cut off and a Problem `conflict` raised."""
        upload, part = await self._find(upload_id, account)
        if upload.blob is not None:
            return upload
        blob = await asyncio.to_thread(part.complete, self.blobs.sealer)
        await self.blobs.adopt(part.path, blob)
        await self.database.execute(
            "UPDATE upload SET address = $2, moved = now() WHERE id = $1", upload_id, blob.address
        )
        return Upload(
            id=upload.id, name=upload.name, size=upload.size, piece=upload.piece, offset=upload.size,
            about=upload.about, blob=blob,
        )  # fmt: skip

    async def cancel(self, upload_id: UUID, account: str) -> None:
        """Forget an upload and what came of it. A finished one leaves its blob to the sweep."""
        await self.database.execute("DELETE FROM upload WHERE id = $1 AND account = $2", upload_id, account)
        still = await self.database.fetchval("SELECT 1 FROM upload WHERE id = $1", upload_id)
        if still is None:
            await asyncio.to_thread(self._path(upload_id).unlink, missing_ok=True)

    async def expire(self) -> int:
        """Forget uploads that have not moved for the limit's patience, and parts that no row knows."""
        rows = await self.database.fetch(
            "DELETE FROM upload WHERE moved < now() - $1::interval RETURNING id", self.limits.patience
        )
        for row in rows:
            await asyncio.to_thread(self._path(row["id"]).unlink, missing_ok=True)
        known = {row["id"].hex for row in await self.database.fetch("SELECT id FROM upload WHERE address IS NULL")}
        return len(rows) + await asyncio.to_thread(sweep_parts, self.blobs, known)

    def _path(self, upload_id: UUID) -> Path:
        return self.blobs.incoming / f"{upload_id.hex}.part"


def _upload(row: Record, inside: Inside, part: Part) -> Upload:
    blob = Blob(address=row["address"], size=row["size"]) if row["address"] else None
    return Upload(
        id=row["id"], name=inside.name, size=row["size"], piece=row["piece"],
        offset=row["size"] if blob else part.offset(), about=inside.about, blob=blob,
    )  # fmt: skip


def _moved(upload: Upload, offset: int) -> Upload:
    return Upload(
        id=upload.id, name=upload.name, size=upload.size, piece=upload.piece, offset=offset, about=upload.about
    )


def _unknown() -> Problem:
    text = (
        "Không có lần gửi tệp này, hoặc đã hết hạn; hãy gửi lại từ đầu. / "
        "There is no such upload, or it has expired: send the file again."
    )
    return problem("not-found", text, status=404)
