"""The order of results and the place to go on from. Without `_sort` it is the primary key's, which never changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cmp_to_key, partial
from math import inf
from typing import Any
from uuid import UUID

from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.fhir.parameters import parameters, sorted_strings
from yersin.store.identity import row_id
from yersin.store.schema import range_table
from yersin.store.versions import Version

from . import token_order
from .build import CANONICAL, Row
from .folding import BETWEEN
from .page import Query, Sort

#: what sorts a version by a parameter that no column keeps in an order
Worded = Callable[[r4.Resource], str]

_ENDS = ("infinity", "-infinity")
_START = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One expression to sort by, never null, and the SQL type its values are read back as."""

    expression: str
    cast: str
    descending: bool
    #: what sorts a version that is no longer the current one, from its index row, its moment and its id
    old: Callable[[Row, datetime, str], object]
    #: the same from the version itself, where the index does not say it
    worded: Worded | None = None

    def value(self, text: str) -> Any:
        """Return a value that compares as the database compares it; texts do by their code points."""
        if self.cast == "float8":
            return float(text)
        if self.cast == "timestamptz":
            return (text == "infinity", text != "-infinity", _START if text in _ENDS else datetime.fromisoformat(text))
        return text


@dataclass(frozen=True, slots=True)
class Order:
    """The whole order. It always ends with (pat, id), so that it is total."""

    keys: tuple[Key, ...]
    #: arguments that the expressions speak of, the first ones of a statement
    arguments: tuple[object, ...] = ()

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

    def place_of(self, index: Row, old: Version, resource: r4.Resource, row: Any) -> tuple[str, ...]:
        """Place that a row had by an earlier version of it."""
        pat = row_id("Patient", index.patients[0]).id if index.patients else row["pat"]
        values = (k.worded(resource) if k.worded else k.old(index, old.upd, old.id) for k in self.keys)
        return (*map(_text, values), str(pat), str(row["id"]))

    def is_after(self, place: Sequence[str], other: Sequence[str]) -> bool:
        """Whether a place comes after another."""
        return self._compared(place, other) > 0

    def ranks(self, *, by_keys: bool = False) -> Callable[[Sequence[str]], Any]:
        """Return what sorts places; `by_keys` leaves equal ones as they are."""
        return cmp_to_key(self._compared_by_keys if by_keys else self._compared)

    def _compared(self, place: Sequence[str], other: Sequence[str]) -> int:
        one, two = (tuple(map(UUID, each[-2:])) for each in (place, other))
        return self._compared_by_keys(place, other) or (one > two) - (one < two)

    def _compared_by_keys(self, place: Sequence[str], other: Sequence[str]) -> int:
        for key, here, there in zip(self.keys, place, other, strict=False):
            one, two = key.value(here), key.value(there)
            if one != two:
                return -1 if (one > two) is key.descending else 1
        return 0

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
    return value.astimezone(UTC).isoformat()


def order_of(query: Query, worded: Mapping[Sort, Mapping[str, str]] | None = None) -> Order:
    """Order of a query; `worded` is what sorts each match by the tokens that it is sorted by (see `token_order`)."""
    keys, arguments = [], []
    for rule in query.sort:
        if rule.parameter.kind == "token" and rule.parameter.code != "_id":
            arguments.append((worded or {})[rule])
            keys.append(_worded(rule, len(arguments)))
        else:
            keys.append(_key(query.type, rule))
    return Order(tuple(keys), tuple(arguments))


def _worded(rule: Sort, argument: int) -> Key:
    text = token_order.words_of(rule)
    expression = f"coalesce(${argument}::jsonb ->> r.id::text, '') COLLATE \"C\""
    return Key(expression=expression, cast="text", descending=rule.descending, old=lambda _r, _u, _n: "", worded=text)


def _key(type_name: str, rule: Sort) -> Key:
    parameter, down = rule.parameter, rule.descending
    if parameter.code == "_id":
        by_name = 'coalesce(r.name, r.id::text) COLLATE "C"'
        return Key(expression=by_name, cast="text", descending=down, old=lambda _row, _upd, name: name)
    if parameter.code == "_lastUpdated":
        return Key(expression="r.upd", cast="timestamptz", descending=down, old=lambda _row, upd, _name: upd)
    if parameter.main:
        # rows without a date come last either way
        last = "-infinity" if down else "infinity"
        return Key(
            expression=f"coalesce(r.d_lo, '{last}')",
            cast="timestamptz",
            descending=down,
            old=lambda row, _upd, _name: row.d_lo or last,
        )
    if parameter.kind == "string":
        place = _string(type_name, parameter.covers or (parameter.code,))
        # of several values the one that comes first in the order asked for
        return Key(
            expression=f"coalesce(split_part(r.srt[{place}], E'\\x02', {-1 if down else 1}), '') COLLATE \"C\"",
            cast="text",
            descending=down,
            old=lambda row, _upd, _name: row.srt[place - 1].split(BETWEEN)[-1 if down else 0],
        )
    return Key(
        expression=_range(type_name, parameter.rows, down=down),
        cast="float8",
        descending=down,
        old=partial(_old_range, parameter.rows, down=down),
    )


def _string(type_name: str, codes: Sequence[str]) -> int:
    place = sorted_strings(type_name).index(codes[0]) + 1
    assert codes[0] in parameters(type_name)  # noqa: S101 - the place is an index into this type's own list
    return place


def _range(type_name: str, numbers: Sequence[int], *, down: bool) -> str:
    wanted = ", ".join(map(str, numbers))
    which, missing = ("max(x.hi)", "'-infinity'") if down else ("min(x.lo)", "'infinity'")
    return (
        f"coalesce((SELECT {which} FROM {range_table(type_name)} x WHERE x.pat = r.pat AND x.id = r.id "
        f"AND x.param IN ({wanted})), {missing}::float8)"
    )


def _old_range(numbers: Sequence[int], row: Row, _moment: datetime, _name: str, *, down: bool) -> float:
    """Give what `_range` gives; rows in base units are told apart by their unit here, by a negative number there."""
    found = [r for r in row.ranges if r.param in numbers and not (r.unit or "").startswith(CANONICAL)]
    if down:
        return max((r.hi for r in found), default=-inf)
    return min((r.lo for r in found), default=inf)
