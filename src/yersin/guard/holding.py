"""What conditional interactions hold until their transaction ends: criteria nobody else may write by, and standing versions.

Two that ask by the same criteria come one after the other, so that the second sees what the first has written. Criteria
of one transaction are held in one order, so that two transactions do not wait for each other.
Source: https://hl7.org/fhir/R4/http.html#cond-update
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl

from yersin.fhir import r4
from yersin.search.page import Query
from yersin.search.run import search
from yersin.store import reading
from yersin.store import writing as store
from yersin.store.identity import row_id
from yersin.store.versions import Version

from .writing import Writing, not_open

#: what says how results are shown, not which there are
_SHOWN = frozenset({"_count", "_sort", "_total", "_summary"})


async def hold(writing: Writing, queries: Iterable[Query]) -> None:
    """Let nobody else write by these criteria until the transaction ends."""
    labels = sorted({_label(query) for query in queries})
    for key in sorted(writing.access.ground.indexer.hashes(labels)) if labels else ():
        await writing.connection.execute("SELECT pg_advisory_xact_lock($1)", key)


def _label(query: Query) -> str:
    pairs = parse_qsl(query.text, keep_blank_values=True)
    return f"{query.type}?{'&'.join(sorted(f'{name}={value}' for name, value in pairs if name not in _SHOWN))}"


async def find(writing: Writing, query: Query) -> list[Version]:
    """Search within the transaction by criteria that are held."""
    writing.access.who.require_grant(query.type, "s")
    found = await search(writing.connection, writing.access.ground.indexer, query, writing.access.scope)
    return list(found.versions)


async def standing(writing: Writing, type_name: str, logical_id: str) -> Version:
    """Current version of a resource, which nobody else changes until the transaction ends; a deleted one too.

    Raises Problem: not-found (404), also for what is not open to the asker.
    """
    row = row_id(type_name, logical_id)
    await store.lock(writing.connection, [(r4.TYPE_NUMBER[type_name], row.id)])
    version = await reading.read(writing.connection, type_name, row, writing.access.scope)
    if version is None:
        raise not_open(type_name, logical_id)
    return version


async def is_there(writing: Writing, type_name: str, logical_id: str) -> bool:
    """Whether a resource that is open to the asker stands at an id."""
    found = await reading.read(writing.connection, type_name, row_id(type_name, logical_id), writing.access.scope)
    return found is not None and not found.deleted
