"""Kept views as they stand at one moment, so that they can be joined: their tables, columns, and rows, part by part.

Rows go from PostgreSQL to a file or a taker as they come: neither the table nor a part is in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from yersin.db import Connection, Database
from yersin.fhir.problem import problem

from . import parquet

#: rows of one file
PART = 500_000
#: rows taken from the database at a time
_BATCH = 2000
Take = Callable[[bytes], Awaitable[None]]


class Key(NamedTuple):
    """Key of a row of a table."""

    row: UUID
    n: int


class Part(NamedTuple):
    """Rows of a table after one key and up to another; None is an end of the table."""

    after: Key | None
    until: Key | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A table that is shown under the name of its view; `digest` changes with the definition."""

    view: str
    relation: str
    digest: str
    filled: bool


@asynccontextmanager
async def one_moment(database: Database) -> AsyncIterator[Connection]:
    """Open a connection that sees all views as they stand now, however long it is read."""
    async with (
        database.dedicated(idle_in_transaction_session_timeout="0") as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


async def standing(connection: Connection) -> list[Source]:
    """Every view that is shown, by name."""
    rows = await connection.fetch("SELECT view, relation, digest, filled FROM views.built WHERE shown ORDER BY view")
    return [Source(**dict(row)) for row in rows]


async def sources(connection: Connection, names: Sequence[str]) -> list[Source]:
    """Find views by name, all where none is named. Raises Problem: not-found (404), conflict (409) for one being filled."""
    found = await standing(connection)
    known = [each.view for each in found]
    if wrong := [name for name in names if name not in known]:
        text = f"There is no view {', '.join(wrong)} here. Views: {', '.join(known) or 'none yet'}."
        raise problem("not-found", text, status=404)
    chosen = [each for each in found if not names or each.view in names]
    if not chosen:
        raise problem("not-found", "No view is here yet: `yersin serve` or `yersin worker` fills them.", status=404)
    if filling := [each.view for each in chosen if not each.filled]:
        text = f"{', '.join(filling)}: still being filled by `yersin serve` or `yersin worker`. Try again when it is whole."
        raise problem("conflict", text, status=409)
    return chosen


async def parts(connection: Connection, source: Source, size: int = PART) -> AsyncIterator[Part]:
    """Cut a table into parts of so many rows; an empty one is one part."""
    after: Key | None = None
    while True:
        found = await part(connection, source, after, size)
        yield found
        if found.until is None:
            return
        after = found.until


async def part(connection: Connection, source: Source, after: Key | None, size: int = PART) -> Part:
    """Find the part of so many rows that comes after a key; its end is None where it is the last one."""
    return Part(after, await _end(connection, source.relation, after, size))


async def _end(connection: Connection, relation: str, after: Key | None, size: int) -> Key | None:
    """Key of the last row of a part; None where it is the last part."""
    where, values = _between(Part(after, None))
    found = await connection.fetch(
        f'SELECT row_key, n FROM views."{relation}" {where} ORDER BY row_key, n OFFSET {size - 1} LIMIT 2', *values
    )
    return Key(found[0]["row_key"], found[0]["n"]) if len(found) == 2 else None


def _between(part: Part) -> tuple[str, list[Any]]:
    values: list[Any] = []
    conditions = []
    for key, sign in ((part.after, ">"), (part.until, "<=")):
        if key is not None:
            conditions.append(f"(row_key, n) {sign} (${len(values) + 1}, ${len(values) + 2})")
            values += key
    return ("WHERE " + " AND ".join(conditions) if conditions else ""), values


# --- columns -------------------------------------------------------------------------------------------------------


async def columns(connection: Connection, source: Source) -> dict[str, str]:
    """Names and types of Parquet; of numbers the narrowest that loses no digit of those that are there."""
    rows = await connection.fetch(
        "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute "
        "WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        f'views."{source.relation}"',
    )
    return {
        row["attname"]: parquet.TYPES[row["type"]]
        if row["type"] != "numeric"
        else await _decimal(connection, source.relation, row["attname"])
        for row in rows
    }


async def _decimal(connection: Connection, relation: str, column: str) -> str:
    row = await connection.fetchrow(
        f'SELECT max(length(trunc(abs("{column}"))::text)) AS whole, max(scale("{column}")) AS places FROM views."{relation}"'
    )
    return parquet.decimal(row["whole"] or 1, row["places"] or 0)


# --- rows ----------------------------------------------------------------------------------------------------------


async def copy(connection: Connection, source: Source, part: Part, output: Path | Take, *, header: bool = False) -> int:
    """Write rows of a part as CSV, in the order of their keys; returns how many."""
    where, values = _between(part)
    copied = await connection.copy_from_query(
        f'SELECT * FROM views."{source.relation}" {where} ORDER BY row_key, n',
        *values, output=output, format="csv", header=header,
    )  # fmt: skip
    return int(copied.split()[-1])


async def lines(connection: Connection, source: Source, part: Part, take: Take) -> int:
    """Hand on rows of a part as JSON, one a line, in the order of their keys; returns how many."""
    where, values = _between(part)
    cursor = await connection.cursor(
        f'SELECT row_to_json(v)::text AS line FROM views."{source.relation}" v {where} ORDER BY row_key, n', *values
    )
    count = 0
    while rows := await cursor.fetch(_BATCH):
        await take("".join(f"{row['line']}\n" for row in rows).encode())
        count += len(rows)
    return count
