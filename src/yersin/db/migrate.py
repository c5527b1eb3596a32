"""One timeline of numbered steps: each once, in order, in a transaction of its own, under a lock of the whole database.

Every step must be safe while the release before it still runs; waits for locks are short lest others queue.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources

import asyncpg

from yersin.db.failure import DatabaseFailure, busy
from yersin.db.lending import Connection
from yersin.db.pool import Database

LOCK = 0x59_45_52_53_49_4E  # "YERSIN", the key of the advisory lock
_FILE = re.compile(r"(\d{4})_([a-z][a-z0-9_]*)\.sql")
_TABLE = """
CREATE TABLE IF NOT EXISTS yersin_migration (
  number int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied timestamptz NOT NULL DEFAULT now())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of the schema. `sql` may hold several statements, none that refuses to run in a transaction."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the statements: an applied step never changes."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A step the database has taken."""

    number: int
    name: str
    checksum: str
    applied: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where the database stands. `newer` steps are unknown to this program."""

    applied: tuple[Applied, ...]
    pending: tuple[Step, ...]
    newer: tuple[Applied, ...]


def read_steps(package: str, folder: str = "migrations") -> tuple[Step, ...]:
    """Read the steps from the files `NNNN_room_name.sql` of a package's folder, in order."""
    found = []
    for file in resources.files(package).joinpath(folder).iterdir():
        if not file.name.endswith(".sql"):
            continue
        match = _FILE.fullmatch(file.name)
        if match is None:
            raise ValueError(f"{package}/{folder}/{file.name}: name it NNNN_room_name.sql, in lower case")
        found.append(Step(number=int(match[1]), name=match[2], sql=file.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda step: step.number))


async def status(database: Database, steps: Sequence[Step]) -> Status:
    """Compare database and program without changing anything."""
    async with database.dedicated() as connection:
        known = await connection.fetchval("SELECT to_regclass('yersin_migration') IS NOT NULL")
        applied = await _applied(connection) if known else ()
    last = max((step.number for step in steps), default=0)
    taken = {each.number for each in applied}
    return Status(
        applied=applied,
        pending=tuple(step for step in steps if step.number not in taken),
        newer=tuple(each for each in applied if each.number > last),
    )


async def migrate(
    database: Database, steps: Sequence[Step], *, lock_timeout: float = 4.0, statement_timeout: float = 600.0
) -> tuple[Step, ...]:
    """Take the pending steps and return them. Another process that migrates is waited for."""
    _check_order(steps)
    async with database.dedicated(application_name="yersin migrate") as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await connection.execute(_TABLE)
        pending = _pending(steps, await _applied(connection))
        for step in pending:
            await _take(connection, step, lock_timeout, statement_timeout)
        return pending


def _check_order(steps: Sequence[Step]) -> None:
    numbers = [step.number for step in steps]
    if numbers != sorted(set(numbers)):
        raise ValueError(f"Migration steps must rise and stand once each: {numbers}")


async def _applied(connection: Connection) -> tuple[Applied, ...]:
    rows = await connection.fetch("SELECT number, name, checksum, applied FROM yersin_migration ORDER BY number")
    return tuple(Applied(**dict(row)) for row in rows)


def _pending(steps: Sequence[Step], applied: Sequence[Applied]) -> tuple[Step, ...]:
    """Find what is left to do. The applied steps must be the first of ours, unchanged."""
    last = max((step.number for step in steps), default=0)
    if newer := [each for each in applied if each.number > last]:
        raise _refused(
            f"The database is at step {newer[-1].number} ({newer[-1].name}), this program knows {last}. Install the"
            " release that made it, or a later one.",
            f"Cơ sở dữ liệu ở bước {newer[-1].number} ({newer[-1].name}), chương trình này chỉ biết đến {last}. Hãy"
            " cài bản phát hành đã tạo ra nó hoặc bản mới hơn.",
        )
    for step, each in zip(steps, applied, strict=False):
        if (step.number, step.checksum) != (each.number, each.checksum):
            raise _refused(
                f"Migration step {each.number} ({each.name}) in the database is not step {step.number} ({step.name}) of"
                " this program. An applied step must never change: restore its text and add a new step.",
                f"Bước {each.number} ({each.name}) trong cơ sở dữ liệu khác bước {step.number} ({step.name}) của"
                " chương trình. Bước đã chạy không được sửa: hãy khôi phục nội dung cũ và thêm bước mới.",
            )
    return tuple(steps[len(applied) :])


def _refused(diagnostics: str, vi: str) -> DatabaseFailure:
    return DatabaseFailure("conflict", diagnostics, vi=vi, status=409)


async def _take(connection: Connection, step: Step, lock_timeout: float, statement_timeout: float) -> None:
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{int(lock_timeout * 1000)}ms'")
            await connection.execute(f"SET LOCAL statement_timeout = '{int(statement_timeout * 1000)}ms'")
            await connection.execute(step.sql)
            await connection.execute(
                "INSERT INTO yersin_migration (number, name, checksum) VALUES ($1, $2, $3)",
                step.number,
                step.name,
                step.checksum,
            )
    except asyncpg.LockNotAvailableError as error:
        raise busy() from error
    except asyncpg.QueryCanceledError as error:
        raise _refused(
            f"Migration step {step.number} ({step.name}) took longer than {statement_timeout:.0f} seconds and was"
            " undone. Raise the time limit, or run it when fewer people work.",
            f"Bước {step.number} ({step.name}) chạy quá {statement_timeout:.0f} giây và đã được hoàn tác. Hãy tăng"
            " giới hạn thời gian hoặc chạy khi ít người làm việc.",
        ) from error
