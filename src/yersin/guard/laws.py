"""Laws: what may become of resources of a type, whoever writes them and by whichever door. Rooms make them; the one write path asks them.

A law is asked inside the transaction, once everything it changes is locked and before anything is written. The system
itself (imports, jobs, the operator's tokens) brings in what happened elsewhere and is not asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from yersin.db import Connection
from yersin.fhir.problem import Problem
from yersin.search.page import Found, Query
from yersin.search.run import search
from yersin.store import reading
from yersin.store.identity import row_id
from yersin.store.versions import Version

from .scope import WhoScope
from .who import Who, system

if TYPE_CHECKING:
    from .access import Access

_ALL = WhoScope(system("HOPERAT"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of a transaction: what is there now (None: nothing; known for types with a law), what it becomes (None: deleted)."""

    type: str
    id: str
    before: Version | None
    after: Version | None


@dataclass(frozen=True, slots=True)
class Case:
    """What a law decides on: who writes, every step of the transaction, and what else the writer may see."""

    access: Access
    connection: Connection
    steps: Sequence[Step]

    @property
    def who(self) -> Who:
        return self.access.who

    def steps_of(self, type_name: str) -> list[Step]:
        """Steps on resources of a type."""
        return [step for step in self.steps if step.type == type_name]

    def step(self, type_name: str, logical_id: str) -> Step | None:
        """Step on a resource, when it is part of this transaction."""
        return next((step for step in self.steps_of(type_name) if step.id == logical_id), None)

    async def read(self, type_name: str, logical_id: str, *, hidden: bool = False) -> Version | None:
        """Read what is there now. None for what is not there or was deleted, and unless `hidden`, is not open to the writer."""
        row = row_id(type_name, logical_id)
        found = await reading.read(self.connection, type_name, row, _ALL if hidden else self.access.scope)
        return None if found is None or found.deleted else found

    async def search(self, query: Query, *, hidden: bool = False) -> Found:
        """Search what is there now; `hidden`: also where it is not open to the writer, who must not be told what was found."""
        scope = _ALL if hidden else self.access.scope
        return await search(self.connection, self.access.ground.indexer, query, scope)

    async def clock(self) -> datetime:
        """The database's clock."""
        moment: datetime = await self.connection.fetchval("SELECT clock_timestamp()")
        return moment


#: returns when a step is lawful: True where the law says, too, to whom the resource may open a chart; raises Problem
#: (business-rule 409, forbidden 403) naming the place and the cure
Law = Callable[[Step, Case], Awaitable[bool]]
Laws = Mapping[str, Sequence[Law]]


def gathered(made: Iterable[Mapping[str, Law]]) -> Laws:
    """Put laws of several rooms together, by the type they are about."""
    found: dict[str, list[Law]] = {}
    for laws in made:
        for type_name, law in laws.items():
            found.setdefault(type_name, []).append(law)
    return found


async def obey(laws: Laws, case: Case) -> list[bool]:
    """Ask the laws about every step; answers for each whether one says to whom it may open a chart.

    Raises the Problem of the first that refuses, which names the resource among several.
    """
    judged = []
    for step in case.steps:
        asked = () if step.before is None and step.after is None else laws.get(step.type, ())
        try:
            judged.append(any([await law(step, case) for law in asked]))
        except Problem as refusal:
            if len(case.steps) == 1 or step.before is None:
                raise
            named = [replace(i, diagnostics=f"{step.type}/{step.id}: {i.diagnostics}") for i in refusal.issues]
            raise Problem(named, status=refusal.status) from refusal
    return judged
