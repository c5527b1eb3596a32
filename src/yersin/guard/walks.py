"""Walks: going through all rows of a type to make anew what they are found by, and how far each walk has come.

Several walks make a run: what somebody asked for at once, or what a new search parameter needs. Each batch says in its
own transaction how far it has come, so whatever is killed, the walk goes on after the last whole batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from yersin.db import Connection, Database
from yersin.fhir import r4
from yersin.store.identity import new_id

from .who import Who

DDL = """
CREATE TABLE reindexing (
  id uuid PRIMARY KEY, owner text NOT NULL, who text NOT NULL, about text NOT NULL, asked timestamptz NOT NULL DEFAULT now(),
  ended timestamptz, cancelled boolean NOT NULL DEFAULT false);
COMMENT ON TABLE reindexing IS 'Runs that make index rows anew: who asked, and for what.';
CREATE TABLE reindexing_walk (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run uuid NOT NULL REFERENCES reindexing ON DELETE CASCADE,
  type smallint NOT NULL, generation smallint, pat uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000', done bigint NOT NULL DEFAULT 0, total bigint,
  ended timestamptz);
CREATE INDEX reindexing_walk_run ON reindexing_walk (run);
CREATE INDEX reindexing_walk_open ON reindexing_walk (n) WHERE ended IS NULL;
COMMENT ON TABLE reindexing_walk IS 'One type of a run, and the row up to which it was made anew.';
COMMENT ON COLUMN reindexing_walk.generation IS 'Rows of earlier generations are made anew; none: every row.';
"""
Key = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A walk under way; `total` is None before it was begun."""

    n: int
    run: UUID
    type: str
    generation: int | None
    after: Key
    done: int
    total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """How far a run has come in one type."""

    type: str
    done: int
    generation: int | None
    total: int | None
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as its asker sees it."""

    id: UUID
    owner: str
    who: str
    about: str
    asked: datetime
    ended: datetime | None
    cancelled: bool
    stretches: tuple[Stretch, ...]

    @property
    def state(self) -> str:
        """In one word."""
        return "cancelled" if self.cancelled else "completed" if self.ended else "in-progress"

    @property
    def done(self) -> int:
        """Rows made anew."""
        return sum(each.done for each in self.stretches)


def owner_of(who: Who) -> str:
    """Name an asker: an account, or the program that a token was made for."""
    return f"account:{who.account}" if who.account else f"program:{who.display}"


async def begin(connection: Connection, who: Who, about: str, types: Mapping[str, int | None]) -> UUID:
    """Put a run down, in the caller's transaction: types, each with the generation its rows must come to, or None for all."""
    run = new_id()
    await connection.execute(
        "INSERT INTO reindexing (id, owner, who, about) VALUES ($1, $2, $3, $4)", run, owner_of(who), who.display, about
    )
    await connection.execute(
        "INSERT INTO reindexing_walk (run, type, generation) SELECT $1, t.* FROM unnest($2::smallint[], $3::smallint[]) AS t",
        run,
        [r4.TYPE_NUMBER[name] for name in types],
        list(types.values()),
    )
    return run


async def count_open(connection: Connection) -> int:
    """Count the runs under way that somebody asked for."""
    sql = (
        "SELECT count(*) FROM reindexing r WHERE ended IS NULL AND EXISTS "
        "(SELECT FROM reindexing_walk w WHERE w.run = r.id AND w.generation IS NULL)"
    )
    found: int = await connection.fetchval(sql)
    return found


async def following(database: Database) -> Walk | None:
    """Give the walk to go on with: what new search parameters wait for, then what was asked first."""
    row = await database.fetchrow(
        "SELECT n, run, type, generation, pat, id, done, total FROM reindexing_walk WHERE ended IS NULL "
        "ORDER BY generation IS NULL, n LIMIT 1"
    )
    return _walk(row) if row else None


def _walk(row: Any) -> Walk:
    return Walk(
        n=row["n"],
        run=row["run"],
        type=r4.TYPE_NAME[row["type"]],
        generation=row["generation"],
        after=(row["pat"], row["id"]),
        done=row["done"],
        total=row["total"],
    )


async def advance(connection: Connection, walk: Walk, made: int, after: Key) -> bool:
    """Say how far a walk has come, in the transaction that made the rows; false where it has ended meanwhile."""
    told = await connection.execute(
        "UPDATE reindexing_walk SET done = done + $2, pat = $3, id = $4 WHERE n = $1 AND ended IS NULL",
        walk.n,
        made,
        *after,
    )
    return str(told) == "UPDATE 1"


async def end(connection: Connection, walk: Walk) -> None:
    """End a walk, and its run with the last."""
    await connection.execute("UPDATE reindexing_walk SET ended = now() WHERE n = $1", walk.n)
    await connection.execute(
        "UPDATE reindexing SET ended = now() WHERE id = $1 AND ended IS NULL "
        "AND NOT EXISTS (SELECT FROM reindexing_walk w WHERE w.run = $1 AND w.ended IS NULL)",
        walk.run,
    )


async def cancel(connection: Connection, run: UUID) -> None:
    """Give a run up; what it made stays."""
    await connection.execute("UPDATE reindexing_walk SET ended = now() WHERE run = $1 AND ended IS NULL", run)
    await connection.execute(
        "UPDATE reindexing SET ended = now(), cancelled = true WHERE id = $1 AND ended IS NULL", run
    )


async def find(database: Database, run: UUID) -> Run | None:
    """Find a run."""
    async with database.transaction(isolation="repeatable_read", readonly=True) as connection:
        row = await connection.fetchrow("SELECT * FROM reindexing WHERE id = $1", run)
        if row is None:
            return None
        walked = await connection.fetch("SELECT * FROM reindexing_walk WHERE run = $1 ORDER BY n", run)
    return Run(**row, stretches=_stretches(walked))


def _stretches(rows: Sequence[Any]) -> tuple[Stretch, ...]:
    return tuple(
        Stretch(
            type=r4.TYPE_NAME[r["type"]],
            done=r["done"],
            generation=r["generation"],
            total=r["total"],
            ended=r["ended"] is not None,
        )
        for r in rows
    )
