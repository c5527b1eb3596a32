"""Compiles the criteria of a search to the WHERE clause of one type's table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from yersin.db.sql import Sql
from yersin.fhir.problem import Problem, problem

from . import compartment, composite, date, near, number, quantity, reference, string, token, uri
from .missing import missing
from .page import Criterion, Join, Lookup, Query
from .rows import Indexer
from .where import Where, refuse_modifier

_KINDS: dict[str, Callable[[Criterion, Where], None]] = {
    "token": token.where,
    "reference": reference.where,
    "string": string.where,
    "date": date.where,
    "number": number.where,
    "quantity": quantity.where,
    "uri": uri.where,
    "composite": composite.where,
    "special": near.where,
}
_BY_TOKENS = frozenset({"token", "reference", "string", "uri"})


def where_of(query: Query, indexer: Indexer, sql: Sql) -> Where:
    """Compile the criteria of a search. Raises Problem for joins and look-ups that are not settled."""
    unsettled: tuple[Join | Lookup, ...] = (*query.joins, *query.lookups)
    for open_one in unsettled:
        text = f"{open_one.place}: this kind of search is not supported here."
        raise problem("not-supported", text, expression=open_one.place)
    clause = _empty(query, indexer, sql)
    if query.within is not None:
        compartment.where(*query.within, clause)
    for criterion in query.criteria:
        compile_one(criterion, clause)
    for condition in query.settled:
        clause.add(condition.text(sql))
    return clause


def is_narrow(query: Query, indexer: Indexer) -> bool:
    """Whether a search is led by a token that few resources have (see `Where.rows`). Raises Problem as `where_of` does."""
    clause = _empty(query, indexer, Sql())
    if query.within is not None:
        compartment.where(*query.within, clause)
    for criterion in query.criteria:
        if criterion.parameter.kind in _BY_TOKENS:
            compile_one(criterion, clause)
    return clause.is_narrow


def _empty(query: Query, indexer: Indexer, sql: Sql) -> Where:
    return Where(
        type=query.type,
        sql=sql,
        key=indexer.key,
        zone=indexer.zone,
        now=datetime.now(UTC),
        rarity=indexer.rarity,
        base=indexer.base,
    )


def compile_one(criterion: Criterion, clause: Where) -> None:
    """Add one criterion to a clause."""
    kind = criterion.parameter.kind
    if criterion.modifier == "missing":
        (composite.missing if kind == "composite" else missing)(criterion, clause)
    elif kind in _KINDS:
        try:
            _KINDS[kind](criterion, clause)
        except Problem as refusal:
            raise refusal.at(criterion.place) from refusal
    else:
        raise refuse_kind(criterion)


def refuse_kind(criterion: Criterion) -> Exception:
    """Say that a parameter is known but cannot be searched yet."""
    if criterion.modifier:
        return refuse_modifier(criterion, ())
    text = f"{criterion.parameter.code} is a {criterion.parameter.kind} parameter; these cannot be searched yet."
    return problem("not-supported", text, expression=criterion.place)
