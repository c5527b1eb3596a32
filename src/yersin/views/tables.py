"""Tables of views: one a view and definition, in the schema `views`, under a stable name that always shows a whole one.

A definition that changes gets a new table; the old one is read until the new one is full. Tables are derived data:
they may be dropped at any time and are made again from the store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from importlib import resources
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from yersin.db import Connection
from yersin.db.migrate import Step
from yersin.fhir.dates import span

from .definition import Column, ViewDefinition, read

_SQL_TYPES = {
    "boolean": "boolean", "integer": "bigint", "positiveInt": "bigint", "unsignedInt": "bigint", "decimal": "numeric",
    "date": "date", "dateTime": "timestamptz", "instant": "timestamptz",
}  # fmt: skip
_ALLOWED = frozenset({"text", "uuid", *_SQL_TYPES.values()})
NOTHING = UUID(int=0)
#: makes a value fit a column, in a zone; what does not fit is empty
Cell = Callable[[Any, ZoneInfo], Any]

STEPS = (
    Step(
        number=40,
        name="views_schema",
        sql="""
CREATE SCHEMA views;
CREATE TABLE views.built (
  view text NOT NULL, epoch int NOT NULL, digest text NOT NULL, relation text NOT NULL, filled boolean NOT NULL DEFAULT false,
  shown boolean NOT NULL DEFAULT false, last_pat uuid NOT NULL, last_id uuid NOT NULL,
  since timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (view, epoch));
COMMENT ON TABLE views.built IS 'Tables of views: which definition each holds and how far its first filling has come.';
CREATE TABLE views.fed (consumer text PRIMARY KEY, changed timestamptz NOT NULL DEFAULT now(), lag double precision);
CREATE TABLE views.refused (view text NOT NULL, row_key uuid NOT NULL, ver int NOT NULL, PRIMARY KEY (view, row_key));
COMMENT ON TABLE views.refused IS 'Resources a view could make no rows of: they are not counted, and the page says how many.';
COMMENT ON TABLE views.fed IS 'When the feed last changed a row of a view, and how many seconds after the commit.';
""",
    ),
)


@dataclass(frozen=True, kw_only=True)
class View:
    """A view of the house: its definition and the digest that its table is recognised by."""

    definition: ViewDefinition
    text: bytes

    @property
    def name(self) -> str:
        return self.definition.name

    @cached_property
    def cells(self) -> tuple[tuple[str, Cell], ...]:
        """Columns in their order, each with what makes a value fit its SQL type."""
        return tuple((column.name, _CELLS.get(sql_type(column), _as_it_is)) for column in self.definition.columns)

    def digest(self, fingerprint: str) -> str:
        """Changes with the definition and with the key of pseudonyms."""
        return hashlib.sha256(self.text + fingerprint.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that is being fed."""

    view: View
    epoch: int
    relation: str
    filled: bool


@cache
def house_views() -> tuple[View, ...]:
    """Read the views that this release defines, from `definitions/`."""
    files = sorted(resources.files(__package__).joinpath("definitions").iterdir(), key=lambda file: file.name)
    texts = [file.read_bytes() for file in files if file.name.endswith(".json")]
    return tuple(View(definition=read(msgspec.json.decode(text)), text=text) for text in texts)


def sql_type(column: Column) -> str:
    """SQL type of a column. Raises ValueError for a tag that names another than the few we store."""
    chosen = column.sql_type or _SQL_TYPES.get(column.type, "text")
    if chosen not in _ALLOWED:
        raise ValueError(f"{column.name}: the type {chosen} is none of {', '.join(sorted(_ALLOWED))}")
    return chosen


def ddl(view: View, relation: str) -> str:
    """DDL of a table; columns of keys are indexed, since views are joined by them."""
    columns = [(column.name, sql_type(column)) for column in view.definition.columns]
    lines = ", ".join(f'"{name}" {kind}' for name, kind in columns)
    indexes = "".join(f'CREATE INDEX ON views."{relation}" ("{name}");' for name, kind in columns if kind == "uuid")
    return (
        f'CREATE TABLE views."{relation}" (row_key uuid NOT NULL, ver int NOT NULL, n int NOT NULL, {lines}, '
        f"PRIMARY KEY (row_key, n)); {indexes}"
    )


async def known(connection: Connection, views: Sequence[View], fingerprint: str) -> list[Table]:
    """Tables that hold one of these definitions, the ones still being filled too."""
    by_digest = {view.digest(fingerprint): view for view in views}
    rows = await connection.fetch("SELECT * FROM views.built WHERE digest = ANY($1::text[])", list(by_digest))
    return [
        Table(view=by_digest[r["digest"]], epoch=r["epoch"], relation=r["relation"], filled=r["filled"]) for r in rows
    ]


async def make(connection: Connection, view: View, fingerprint: str) -> None:
    """Make an empty table for a view; it is shown at once when there is no older one to read."""
    epoch = await connection.fetchval("SELECT coalesce(max(epoch), 0) + 1 FROM views.built WHERE view = $1", view.name)
    relation = f"{view.name}_{epoch}"
    await connection.execute(ddl(view, relation))
    await connection.execute(
        "INSERT INTO views.built (view, epoch, digest, relation, last_pat, last_id) VALUES ($1, $2, $3, $4, $5, $5)",
        view.name, epoch, view.digest(fingerprint), relation, NOTHING,
    )  # fmt: skip
    if await connection.fetchval("SELECT count(*) FROM views.built WHERE view = $1 AND shown", view.name) == 0:
        await show(connection, view.name, epoch)


async def show(connection: Connection, name: str, epoch: int) -> None:
    """Let the stable name show this table, and drop the ones before it."""
    relation = f"{name}_{epoch}"
    await connection.execute(f'DROP VIEW IF EXISTS views."{name}"')
    await connection.execute(f'CREATE VIEW views."{name}" AS SELECT * FROM views."{relation}"')
    await connection.execute("UPDATE views.built SET shown = (epoch = $2) WHERE view = $1", name, epoch)
    older = await connection.fetch(
        "DELETE FROM views.built WHERE view = $1 AND epoch < $2 RETURNING relation", name, epoch
    )
    for row in older:
        await connection.execute(f'DROP TABLE IF EXISTS views."{row["relation"]}"')


def _as_it_is(value: Any, _zone: ZoneInfo) -> Any:
    return value


def _moment(value: Any, zone: ZoneInfo) -> datetime | None:
    try:
        return span(str(value), zone).lo
    except ValueError:
        return None


def _date(value: Any, zone: ZoneInfo) -> date | None:
    moment = _moment(value, zone)
    return moment.astimezone(zone).date() if moment else None


def _integer(value: Any, _zone: ZoneInfo) -> int | None:
    return int(value) if isinstance(value, int) or str(value).lstrip("-").isdigit() else None


def _text(value: Any, _zone: ZoneInfo) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


_CELLS: Mapping[str, Cell] = {"timestamptz": _moment, "date": _date, "bigint": _integer, "text": _text}
