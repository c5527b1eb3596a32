"""Settles the joins and look-ups of a search, from the innermost out, so that what is left compiles to one statement."""

from __future__ import annotations

from dataclasses import replace

from yersin.db import Connection
from yersin.store.reading import Scope

from . import lookups
from .joins import Joiner
from .page import Lookup, Query
from .rows import Indexer

#: these read what all the other criteria leave
_READERS = frozenset({"text", "_text", "_content"})


async def settled(connection: Connection, indexer: Indexer, query: Query, scope: Scope) -> Query:
    """Return the same search without joins and look-ups. Raises Problem: too-costly, not-supported, not-found."""
    if not query.joins and not query.lookups:
        return query
    joiner = Joiner(connection=connection, indexer=indexer, scope=scope)

    async def settle(inner: Query) -> Query:
        return await settled(connection, indexer, inner, scope)

    last: list[Lookup] = [asked for asked in query.lookups if asked.modifier in _READERS]
    for asked in (a for a in query.lookups if a.modifier not in _READERS):
        query = replace(query, settled=(*query.settled, await lookups.condition(joiner, query, asked)))
    for join in query.joins:
        query = replace(query, settled=(*query.settled, await joiner.condition(query, join, settle)))
    for asked in last:
        query = replace(query, settled=(*query.settled, await lookups.condition(joiner, query, asked)))
    return replace(query, joins=(), lookups=())
