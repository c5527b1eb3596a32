"""A database that is none: it remembers what it is asked, and answers what lets the asker go on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from yersin.fhir import r4

_ONE = UUID(int=7)
_LIMIT = re.compile(r"LIMIT (\d+)\s*$")


class Row(dict[str, Any]):
    """A row of any statement: what is not known is a text."""

    def __missing__(self, key: str) -> Any:
        return "2026-01-01" if key.startswith("k") else None


def row(**known: Any) -> Row:
    """Make a row with what most statements select."""
    common = {
        "id": _ONE,
        "pat": _ONE,
        "ver": 1,
        "name": None,
        "enc": 0,
        "content": b"}}",
        "type": r4.TYPE_NUMBER["Basic"],
    }
    return Row(common, upd=datetime.now(UTC), at=datetime.now(UTC), tx=3, seq=1, deleted=False, owner=None, op=b"C",
               horizon="3:3: 0.0", **known)  # fmt: skip


class Recorder:
    """Stands for a connection, a pool and what commits in groups. `asked` is every statement, once, in order.

    `many`: what reads resources finds as many as it may (`LIMIT`), else one. `type`: what its rows are of.
    """

    def __init__(self) -> None:
        self.asked: dict[str, str] = {}
        self.of = ""
        self.many = False
        self.type = "Basic"

    def heard(self, sql: str) -> None:
        """Remember a statement, under what is being tried."""
        self.asked.setdefault(sql, self.of)

    def _answer(self, sql: str) -> list[Row]:
        if "old_content" in sql or "terms.taken" in sql:  # what is asked again until there is no more
            return []
        limit = _LIMIT.search(sql)
        found = Row(row(), type=r4.TYPE_NUMBER[self.type])
        if "m.deleted FROM id_map" in sql:  # what stands and what is gone is asked for apart
            return [found, Row(found, deleted=True)]
        return [found] * (int(limit[1]) if self.many and limit and "r.content" in sql else 1)

    async def fetch(self, sql: str, *_values: Any) -> list[Row]:
        """Answer rows."""
        self.heard(sql)
        return self._answer(sql)

    async def fetchrow(self, sql: str, *_values: Any) -> Row | None:
        """Answer a row."""
        self.heard(sql)
        return next(iter(self._answer(sql)), None)

    async def fetchmany(self, sql: str, values: Iterable[Any]) -> list[Row]:
        """Answer a row for each."""
        self.heard(sql)
        return [row() for _ in values]

    async def fetchval(self, sql: str, *_values: Any) -> Any:
        """Answer a value: a moment, or none at all of what is counted."""
        self.heard(sql)
        return "3:3: 0.0" if "snapshot" in sql else datetime.now(UTC) if "AS upd" in sql else 0

    async def execute(self, sql: str, *_values: Any) -> str:
        """Answer nothing."""
        self.heard(sql)
        return ""

    async def executemany(self, sql: str, _values: Any) -> None:
        """Answer nothing."""
        self.heard(sql)

    async def copy_records_to_table(self, _name: str, **_rows: Any) -> None:
        """Answer nothing: rows are copied into any table alike."""

    async def cursor(self, sql: str, *_values: Any) -> Cursor:
        """Open what answers a row."""
        self.heard(sql)
        return Cursor(self._answer(sql)[:1])

    def acquire(self) -> Any:
        """Lend itself."""
        return self.transaction()

    def searching(self) -> Any:
        """Lend itself."""
        return self.transaction()

    @asynccontextmanager
    async def transaction(self, **_settings: Any) -> AsyncIterator[Recorder]:
        """Lend itself."""
        yield self

    async def retrying(self, work: Callable[[Any], Awaitable[Any]], **_settings: Any) -> Any:
        """Do work once."""
        return await work(self)


class Cursor:
    """A cursor before its only row."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    async def fetch(self, _count: int) -> Sequence[Row]:
        """Answer it once."""
        rows, self._rows = self._rows, ()
        return rows
