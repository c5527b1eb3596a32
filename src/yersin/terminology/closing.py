"""Closure tables: which of a client's concepts subsume which, told by versions, so that it can search by meaning itself.

Only the concepts are kept; how they stand to each other is found anew from the code systems as they are.
Source: https://hl7.org/fhir/R4/conceptmap-operation-closure.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from yersin.db import Connection
from yersin.fhir.problem import problem

from .finding import Finder, unknown_system
from .judging import Coding
from .relating import unknown_code

#: concepts of one table, and tables that are kept of one owner: the one that was made longest ago goes
CONCEPTS, TABLES = 10_000, 50
_BEGIN = """
INSERT INTO terms.closure (owner, name, version) VALUES ($1, $2, 0)
ON CONFLICT (owner, name) DO UPDATE SET version = 0, made = clock_timestamp() RETURNING id
"""
_LATEST = "SELECT id FROM terms.closure WHERE owner = $1 ORDER BY made DESC, id DESC LIMIT $2"
_ADD = """
INSERT INTO terms.closure_concept (closure, url, code, version)
SELECT $1, t.url, t.code, $2 FROM unnest($3::text[], $4::text[]) AS t (url, code) ON CONFLICT DO NOTHING
"""
_FOUND = """
SELECT below.url, b.code AS below, a.code AS above FROM terms.closure_concept below
JOIN unnest($3::text[], $4::int[]) AS s (url, system) ON s.url = below.url
JOIN terms.concept b ON b.system = s.system AND b.code = below.code
JOIN terms.concept a ON a.id = ANY(b.ancestors)
JOIN terms.closure_concept above ON above.closure = below.closure AND above.url = below.url AND above.code = a.code
WHERE below.closure = $1 AND greatest(below.version, above.version) > $2 ORDER BY below.url, b.id, a.id
"""


@dataclass(frozen=True, slots=True)
class Closure:
    """A table as it is now."""

    id: int
    version: int


@dataclass(frozen=True, slots=True)
class Subsumed:
    """A concept and one that subsumes it, both of one code system."""

    url: str
    below: str
    above: str


async def begin(connection: Connection, owner: str, name: str) -> Closure:
    """Make an empty table; one of this name is emptied. The caller holds a transaction."""
    number = await connection.fetchval(_BEGIN, owner, name)
    await connection.execute("DELETE FROM terms.closure_concept WHERE closure = $1", number)
    await connection.execute(f"DELETE FROM terms.closure WHERE owner = $1 AND id NOT IN ({_LATEST})", owner, TABLES)
    return Closure(number, 0)


async def find(connection: Connection, owner: str, name: str) -> Closure:
    """Find and lock a table. Raises Problem (not-found, 404). The caller holds a transaction."""
    row = await connection.fetchrow(
        "SELECT id, version FROM terms.closure WHERE owner = $1 AND name = $2 FOR UPDATE", owner, name
    )
    if row is None:
        text = f"There is no closure table {name!r}. Begin it by asking with name alone."
        raise problem("not-found", text, expression="name", status=404)
    return Closure(row["id"], row["version"])


async def add(finder: Finder, closure: Closure, codings: Sequence[Coding]) -> Closure:
    """Add concepts under a new version. Raises Problem for one that is not here, and for more than a table holds."""
    named = [await _named(finder, coding) for coding in codings]
    version, connection = closure.version + 1, finder.connection
    await connection.execute(_ADD, closure.id, version, [url for url, _ in named], [code for _, code in named])
    await connection.execute("UPDATE terms.closure SET version = $2 WHERE id = $1", closure.id, version)
    if (
        await connection.fetchval("SELECT count(*) FROM terms.closure_concept WHERE closure = $1", closure.id)
        > CONCEPTS
    ):
        text = f"A closure table holds at most {CONCEPTS} concepts; begin another."
        raise problem("too-costly", text, expression="concept", status=422)
    return Closure(closure.id, version)


async def _named(finder: Finder, coding: Coding) -> tuple[str, str]:
    system = await finder.system(coding.system)
    if system is None:
        raise unknown_system(coding.system)
    concept = await finder.concept(system, coding.code)
    if concept is None:
        raise unknown_code(system, coding.code, "concept")
    return system.url, concept.code


async def since(finder: Finder, closure: Closure, version: int) -> list[Subsumed]:
    """List what came into a table after a version."""
    rows = await finder.connection.fetch(
        "SELECT DISTINCT url FROM terms.closure_concept WHERE closure = $1", closure.id
    )
    systems: list[Any] = [system for row in rows if (system := await finder.system(row["url"]))]
    urls, numbers = [system.url for system in systems], [system.id for system in systems]
    found = await finder.connection.fetch(_FOUND, closure.id, version, urls, numbers)
    return [Subsumed(row["url"], row["below"], row["above"]) for row in found]
