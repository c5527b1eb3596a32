"""The order of results and the place to go on from. Without `_sort` it is the primary key's, which never changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from yersin.db.sql import Sql
from yersin.fhir.parameters import parameters, sorted_strings
from yersin.store.schema import range_table

from .page import Query, Sort


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One expression to sort by, never null, and the SQL type its values are read back as."""

    expression: str
    cast: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Order:
    """The whole order. It always ends with (pat, id), so that it is total."""

    keys: tuple[Key, ...]

    @property
    def by(self) -> str:
        """The ORDER BY clause."""
        return ", ".join([*(f"{k.expression}{' DESC' if k.descending else ''}" for k in self.keys), "r.pat", "r.id"])

    @property
    def columns(self) -> str:
        """Columns to select beside the row, from which `place` reads."""
        return "".join(f", {k.expression} AS k{n}" for n, k in enumerate(self.keys))

    def place(self, row: Any) -> tuple[str, ...]:
        """Place of a row in the order, as texts."""
        return (*(_text(row[f"k{n}"]) for n in range(len(self.keys))), str(row["pat"]), str(row["id"]))

    def after(self, place: Sequence[str], sql: Sql) -> str:
        """Return the condition that a row comes after a place."""
        *values, pat, id_ = place
        condition = f"(r.pat, r.id) > ({sql.arg(UUID(pat))}, {sql.arg(UUID(id_))})"
        for key, value in reversed(list(zip(self.keys, values, strict=True))):
            argument = f"{sql.arg(value, 'text')}::{key.cast}"
            sign = "<" if key.descending else ">"
            condition = f"({key.expression} {sign} {argument} OR ({key.expression} = {argument} AND {condition}))"
        return condition


def _text(value: object) -> str:
    if not isinstance(value, datetime):
        return str(value)
    if value.tzinfo is None:  # the driver gives the infinities as the two ends of time without a zone
        return "infinity" if value.year > 1 else "-infinity"
    return value.isoformat()


def order_of(query: Query) -> Order:
    """Order of a query."""
    return Order(tuple(_key(query.type, rule) for rule in query.sort))


def _key(type_name: str, rule: Sort) -> Key:
    parameter, down = rule.parameter, rule.descending
    if parameter.code == "_id":
        return Key(expression='coalesce(r.name, r.id::text) COLLATE "C"', cast="text", descending=down)
    if parameter.code == "_lastUpdated":
        return Key(expression="r.upd", cast="timestamptz", descending=down)
    if parameter.main:
        # rows without a date come last either way
        return Key(expression=f"coalesce(r.d_lo, '{'-' if down else ''}infinity')", cast="timestamptz", descending=down)
    if parameter.kind == "string":
        return Key(expression=_string(type_name, parameter.covers or (parameter.code,)), cast="text", descending=down)
    return Key(expression=_range(type_name, parameter.rows, down=down), cast="float8", descending=down)


def _string(type_name: str, codes: Sequence[str]) -> str:
    place = sorted_strings(type_name).index(codes[0]) + 1
    assert codes[0] in parameters(type_name)  # noqa: S101 - the place is an index into this type's own list
    return f"coalesce(r.srt[{place}], '') COLLATE \"C\""


def _range(type_name: str, numbers: Sequence[int], *, down: bool) -> str:
    wanted = ", ".join(map(str, numbers))
    which, missing = ("max(x.hi)", "'-infinity'") if down else ("min(x.lo)", "'infinity'")
    return (
        f"coalesce((SELECT {which} FROM {range_table(type_name)} x WHERE x.pat = r.pat AND x.id = r.id "
        f"AND x.param IN ({wanted})), {missing}::float8)"
    )
