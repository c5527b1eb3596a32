"""The change log: what was written, in the order of transactions. Every reader keeps its own cursor in it.

A row is handed out only when no transaction older than it still runs, so a late commit is never passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from yersin.db import Connection
from yersin.fhir import r4


class Cursor(NamedTuple):
    """Place in the change log: the last transaction and sequence number read."""

    tx: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of the change log: version `ver` of a resource was created (C), updated (U) or deleted (D)."""

    cursor: Cursor
    at: datetime
    type: str
    id: UUID
    ver: int
    pat: UUID
    op: str


async def after(connection: Connection, cursor: Cursor, limit: int = 1000) -> list[Change]:
    """Changes after a cursor, oldest first."""
    rows = await connection.fetch(
        """SELECT tx::text::bigint AS tx, seq, at, type, id, ver, pat, op FROM change_log
        WHERE (tx, seq) > ($1::text::xid8, $2) AND tx < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY tx, seq LIMIT $3""",
        str(cursor.tx),
        cursor.seq,
        limit,
    )
    return [
        Change(
            cursor=Cursor(r["tx"], r["seq"]),
            at=r["at"],
            type=r4.TYPE_NAME[r["type"]],
            id=r["id"],
            ver=r["ver"],
            pat=r["pat"],
            op=r["op"].decode(),
        )
        for r in rows
    ]


async def cursor_of(connection: Connection, consumer: str) -> Cursor:
    """How far a consumer has read; locked until the transaction ends, so that two never do the same work."""
    await connection.execute("INSERT INTO cursor (consumer) VALUES ($1) ON CONFLICT DO NOTHING", consumer)
    row = await connection.fetchrow(
        "SELECT tx::text::bigint AS tx, seq FROM cursor WHERE consumer = $1 FOR UPDATE", consumer
    )
    return Cursor(row["tx"], row["seq"])


async def move(connection: Connection, consumer: str, cursor: Cursor) -> None:
    """Remember how far a consumer has read, in the transaction that did its work."""
    await connection.execute(
        "UPDATE cursor SET tx = $2::text::xid8, seq = $3 WHERE consumer = $1", consumer, str(cursor.tx), cursor.seq
    )
