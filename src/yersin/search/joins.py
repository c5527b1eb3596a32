"""Chains and `_has`: what is asked of other resources, settled before the search itself is compiled.

Where a reference says in which patient's place a row lies, the join is a semi-join on that place, written into the
search. Every other reference is kept as a hash only, so one side is looked up first, the smaller one: the hashes of
the resources it leads to, or of those that may match, are asked for. Either way the asker's scope stands on every
resource on the way. Sources: https://hl7.org/fhir/R4/search.html#chaining and #has
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from uuid import UUID

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir.expressions import extractor
from yersin.fhir.parameters import Parameter, built_in, compartment, parameters
from yersin.fhir.problem import Problem, problem
from yersin.store.identity import row_id
from yersin.store.reading import COLUMNS, Scope, version_of
from yersin.store.schema import table
from yersin.store.versions import Version

from .compiling import where_of
from .include import targets
from .page import Condition, Join, Query, Way
from .rows import Indexer
from .tokens import hashes, present

#: resources of one side of a join that are looked up, and those of them whose content is read
IDS_LIMIT, CONTENT_LIMIT = 20_000, 2_000
#: places that are looked up beforehand, where the planner expects no more
PLACES_LIMIT = 1_000
Settle = Callable[[Query], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Rows that have one of some tokens."""

    numbers: Sequence[int]

    def text(self, sql: Sql) -> str:
        """Write the condition."""
        return f"r.tok && {sql.arg(list(self.numbers), 'bigint[]')}" if self.numbers else "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids:
    """Rows that have one of some ids."""

    ids: Sequence[UUID]

    def text(self, sql: Sql) -> str:
        """Write the condition."""
        return f"r.id = ANY({sql.arg(list(self.ids), 'uuid[]')})" if self.ids else "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Rows that lie in the place of one found by another search; `mark` is the token of a reference to that patient.

    The inner search names its rows `r` as well: it knows nothing of the outer one, and is run once.
    """

    indexer: Indexer
    query: Query
    scope: Scope
    mark: int | None
    reverse: bool

    def text(self, sql: Sql) -> str:
        """Write the condition."""
        # nearly every row has the mark: it is a filter, and no part of what the index is asked
        mark = self._marked(sql) if not self.reverse else ""
        found = f"r.pat IN ({self.places(sql)})"
        return f"({mark} AND {found})" if mark else found

    def places(self, sql: Sql) -> str:
        """Write the inner search."""
        inner = where_of(self.query, self.indexer, sql)
        if self.reverse and self.mark is not None:
            inner.add(self._marked(sql))
        inner.add(self.scope.condition(sql, self.query.type, "r"))
        return f"SELECT r.pat FROM {table(self.query.type)} r WHERE {inner.text()}"

    def _marked(self, sql: Sql) -> str:
        return f"{sql.arg(self.mark, 'bigint')} = ANY(r.tok)" if self.mark is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Rows that lie in one of some places."""

    places: Sequence[UUID]

    def text(self, sql: Sql) -> str:
        """Write the condition."""
        return f"r.pat = ANY({sql.arg(list(self.places), 'uuid[]')})" if self.places else "false"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Rows that meet one of some conditions."""

    conditions: tuple[Condition, ...]

    def text(self, sql: Sql) -> str:
        """Write the condition."""
        texts = [t for t in (c.text(sql) for c in self.conditions) if t != "false"]
        return f"({' OR '.join(texts)})" if len(texts) > 1 else texts[0] if texts else "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joiner:
    """Settles the joins of one search."""

    connection: Connection
    indexer: Indexer
    scope: Scope

    async def condition(self, outer: Query, join: Join, settle: Settle) -> Condition:
        """Settle a join of a search whose other joins that came before are settled."""
        found = [await self._way(outer, join, replace(way, query=await settle(way.query))) for way in join.ways]
        return AnyOf(tuple(found))

    async def _way(self, outer: Query, join: Join, way: Way) -> Condition:
        mark = place_mark(way.parameter.type, way.parameter.code)
        patient = outer.type if join.reverse else way.query.type
        if patient == "Patient" and mark is not None:
            number = hashes((present(mark),), self.indexer.key)[0] if mark else None
            placed = Placed(indexer=self.indexer, query=way.query, scope=self.scope, mark=number, reverse=join.reverse)
            return await self._few(placed) or placed if join.reverse else placed
        return await (self._reverse if join.reverse else self._forward)(outer, join.place, way)

    async def _few(self, placed: Placed) -> Condition | None:
        """Look up the places of what is rare, so that the search begins there; None where the planner expects many."""
        sql = Sql()
        inner = placed.places(sql)
        plan = await self.connection.fetchval(f"EXPLAIN (FORMAT JSON) {inner}", *sql.arguments)
        if plan[0]["Plan"]["Plan Rows"] > PLACES_LIMIT:
            return None
        rows = await self.connection.fetch(f"{inner} LIMIT {PLACES_LIMIT + 1}", *sql.arguments)
        return Places(places=sorted({row["pat"] for row in rows})) if len(rows) <= PLACES_LIMIT else None

    async def _forward(self, outer: Query, place: str, way: Way) -> Condition:
        names = await self.names(way.query, IDS_LIMIT)
        if names is None:
            # too many resources meet what the chain asks: look only at those that possible matches refer to
            versions = await self.contents(outer, CONTENT_LIMIT)
            if versions is None:
                raise too_costly(place)
            ids = sorted({row_id(way.query.type, i).id for i in self._referred(way, versions, way.query.type)})
            names = await self.names(replace(way.query, settled=(*way.query.settled, Ids(ids=ids))), len(ids))
        return Numbers(numbers=self._hashes(way.parameter, way.query.type, names or ()))

    async def _reverse(self, outer: Query, place: str, way: Way) -> Condition:
        versions = await self.contents(way.query, CONTENT_LIMIT)
        if versions is not None:
            found = self._referred(way, versions, outer.type)
            return Ids(ids=sorted({row_id(outer.type, logical_id).id for logical_id in found}))
        names = await self.names(outer, IDS_LIMIT)
        if names is None:
            raise too_costly(place)
        return Ids(ids=await self._referred_of(way, outer.type, names))

    async def _referred_of(self, way: Way, type_name: str, names: Sequence[str]) -> list[UUID]:
        """Those of some resources that a match of the other search refers to."""
        number_of = {number: name for name in names for number in self._hashes(way.parameter, type_name, (name,))}
        clause = where_of(way.query, self.indexer, Sql())
        sql = clause.sql
        wanted = sql.arg(sorted(number_of), "bigint[]")
        clause.add(self.scope.condition(sql, way.query.type, "r"))
        rows = await self.connection.fetch(
            f"SELECT DISTINCT t.number FROM {table(way.query.type)} r, unnest(r.tok) AS t (number) "
            f"WHERE {clause.text()} AND r.tok && {wanted} AND t.number = ANY({wanted})",
            *sql.arguments,
        )
        return sorted({row_id(type_name, number_of[row["number"]]).id for row in rows})

    def _hashes(self, parameter: Parameter, type_name: str, names: Iterable[str]) -> list[int]:
        codes = parameter.covers or (parameter.code,)
        return list(hashes((f"{code}>{type_name}/{name}" for name in names for code in codes), self.indexer.key))

    def _referred(self, way: Way, versions: Iterable[Version], type_name: str) -> set[str]:
        known = parameters(way.parameter.type)
        paths = [p for code in way.parameter.covers or (way.parameter.code,) for p in known[code].paths]
        extract = extractor(tuple(paths))
        found = (t for version in versions for t in targets(extract(version.resource()), self.indexer.base))
        return {logical_id for kind, logical_id in found if kind == type_name}

    async def names(self, query: Query, limit: int) -> list[str] | None:
        """Logical ids of what a settled search finds; None when they are more than a limit."""
        rows = await self._rows("r.id, r.name", query, limit)
        return None if rows is None else [row["name"] or str(row["id"]) for row in rows]

    async def contents(self, query: Query, limit: int) -> list[Version] | None:
        """What a settled search finds; None when it is more than a limit."""
        rows = await self._rows(COLUMNS, query, limit)
        return None if rows is None else [version_of(query.type, row) for row in rows]

    async def _rows(self, columns: str, query: Query, limit: int) -> Sequence[Any] | None:
        await self.indexer.rarity.freshen(self.connection, query.type)
        clause = where_of(replace(query, joins=(), lookups=()), self.indexer, Sql())
        clause.add(self.scope.condition(clause.sql, query.type, "r"))
        rows: Sequence[Any] = await self.connection.fetch(
            f"SELECT {columns} FROM {clause.rows()} LIMIT {limit + 1}",
            *clause.sql.arguments,
        )
        return None if len(rows) > limit else rows


def too_costly(place: str) -> Problem:
    """Say that a search is too wide to be answered."""
    text = f"{place}: too many resources would have to be looked at. Narrow the search by other parameters."
    return problem("too-costly", text, expression=place)


@cache
def place_mark(type_name: str, code: str) -> str | None:
    """Name the parameter whose presence says that a row lies at the patient that the reference `code` names.

    "" where no mark is needed, None where the place says nothing about this reference.
    """
    known, codes = built_in(type_name), compartment("Patient", type_name)
    element = _element(type_name, code) if code in known else None
    if not codes or element is None or element != _element(type_name, codes[0]):
        return None
    named = [c for c, p in known.items() if not p.covers and _is_of_patients(p) and _element(type_name, c) == element]
    if named:
        return named[0]
    return "" if len(codes) == 1 else None


def _element(type_name: str, code: str) -> tuple[str, ...] | None:
    """Name the one element, never repeated, that a reference parameter looks at."""
    known = built_in(type_name)
    paths = [p for c in known[code].covers or (code,) for p in known[c].paths]
    if len(paths) != 1 or paths[0].type != "Reference" or any(step.many for step in paths[0].steps):
        return None
    return tuple(step.name for step in paths[0].steps)


def _is_of_patients(parameter: Parameter) -> bool:
    return parameter.kind == "reference" and (
        parameter.targets == ("Patient",) or parameter.paths[0].steps[-1].test == "is Patient"
    )
