"""What search asks of terminology: the codes of a value set, and those under or over a code. Fits `yersin.search.terms.Terms`.

What was stored as ValueSet or CodeSystem counts at the next search.
Source: https://hl7.org/fhir/R4/search.html#modifiers (:in, :not-in, :above, :below)
"""

from __future__ import annotations

from collections.abc import Sequence

from yersin.db import Connection, Database
from yersin.fhir.problem import problem

from . import intake
from .expanding import codes
from .finding import Finder, System

_BELOW = "SELECT code FROM terms.concept WHERE system = $1 AND (id = $2 OR ancestors @> ARRAY[$2::bigint]) LIMIT $3"
_ABOVE = (
    "SELECT a.code FROM terms.concept c JOIN terms.concept a ON a.system = c.system AND (a.id = c.id OR a.id = ANY(c.ancestors)) "
    "WHERE c.id = $2 AND c.system = $1 LIMIT $3"
)


class Codes:
    """One a process; it remembers nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def members(self, connection: Connection, value_set: str, limit: int) -> Sequence[tuple[str, str]]:
        """Give the codes of a value set, each with its system; `value_set` is its address, or `ValueSet/id`.

        Raises Problem: not-found, or too-costly above a limit.
        """
        await self._take_in(connection)
        finder = Finder(connection)
        kind, _, logical_id = value_set.partition("/")
        found = await (finder.stored(kind, logical_id) if kind == "ValueSet" else finder.value_set(value_set))
        if found is None:
            text = f"The value set {value_set} is not here. Store it as a ValueSet with a url, then search again."
            raise problem("not-found", text)
        members = await codes(finder, found, limit)
        if members is None:
            raise _too_many(value_set, limit)
        return members

    async def _take_in(self, connection: Connection) -> None:
        if connection.is_in_transaction():
            await intake.take_in_within(connection)
        else:
            await intake.take_in(self._database)

    async def below(self, connection: Connection, system: str, code: str, limit: int) -> Sequence[str]:
        """Give a code and those it subsumes. Raises Problem: not-found, or too-costly above a limit."""
        return await self._related(connection, _BELOW, system, code, limit)

    async def above(self, connection: Connection, system: str, code: str, limit: int) -> Sequence[str]:
        """Give a code and those that subsume it. Raises Problem: not-found, or too-costly above a limit."""
        return await self._related(connection, _ABOVE, system, code, limit)

    async def _related(self, connection: Connection, statement: str, url: str, code: str, limit: int) -> Sequence[str]:
        await self._take_in(connection)
        finder = Finder(connection)
        system: System | None = await finder.system(url)
        if system is None:
            raise problem("not-found", f"The code system {url} is not here.")
        concept = await finder.concept(system, code)
        if concept is None:
            raise problem("not-found", f"The code {code!r} is not in {url}.")
        rows = await connection.fetch(statement, system.id, concept.id, limit + 1)
        if len(rows) > limit:
            raise _too_many(f"{url}|{code}", limit)
        return [row["code"] for row in rows]


def _too_many(what: str, limit: int) -> Exception:
    return problem("too-costly", f"{what} stands for more than {limit} codes. Ask for a smaller part of it.")
