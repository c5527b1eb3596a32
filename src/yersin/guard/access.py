"""The one way in. Rooms, API, jobs and command line hold an `Access`; without one there is no store to call.

It calls the floors below in order and holds no rule of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import structs

from yersin.db import CheckViolationError, Connection, Database, UniqueViolationError
from yersin.db.failure import Clash, busy
from yersin.db.grouped import Grouped
from yersin.db.planning import ANEW, ONCE
from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.fhir.path import Environment
from yersin.fhir.problem import Problem, problem
from yersin.search import people
from yersin.search.page import Found, Query
from yersin.search.rows import Indexer
from yersin.search.run import is_planned_once, search
from yersin.store import histories
from yersin.store.content import ZSTD_DICTIONARY_1
from yersin.store.identity import row_id
from yersin.store.versions import Version

from . import alone, audit, extending, roles, showing
from .extending import Extending
from .keys import Keys
from .laws import Laws
from .profiling import ROUNDS, Profiling, Unlearnt
from .scope import WhoScope, in_chart
from .who import Who
from .writing import Change, Writing, Written, attempted, not_open

T = TypeVar("T")
_A_WRITE = audit.Entry(interaction="write")


@dataclass(frozen=True, slots=True)
class Ground:
    """What every access stands on; one a process."""

    database: Database
    grouped: Grouped
    indexer: Indexer
    keys: Keys
    zone: ZoneInfo
    #: what rooms forbid whoever writes, by type
    laws: Laws = field(default_factory=dict)
    #: whether references to resources of this server must name one that exists
    has_known_references: bool = False
    #: how content is packed when it is written (store.content)
    packing: int = ZSTD_DICTIONARY_1
    profiling: Profiling = field(init=False)
    extending: Extending = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "profiling", Profiling(self.database, self.indexer))
        object.__setattr__(self, "extending", Extending(self.database))

    def access(self, who: Who) -> Access:
        """Open an access for an asker."""
        return Access(self, who)


class Access:
    """What one asker may do, for one request."""

    __slots__ = ("_may_learn", "ground", "has_extended", "is_judged", "scope", "who")

    def __init__(self, ground: Ground, who: Who) -> None:
        #: whether what is written must have no error; an import says so itself
        self.is_judged = True
        #: whether a write of this access has changed what is searched by
        self.has_extended = False
        self._may_learn = True
        self.ground = ground
        self.who = who
        self.scope = WhoScope(who)

    def may(self, permission: str) -> bool:
        """Whether the asker's role holds a permission."""
        return roles.may(self.who.role, permission)

    def require(self, permission: str) -> None:
        """Raise Problem (forbidden, 403) unless the asker's role holds a permission."""
        if not self.may(permission):
            raise problem("forbidden", f"Your role ({self.who.role}) does not allow this ({permission}).", status=403)

    @property
    def display_name(self) -> str:
        """Name shown for the asker."""
        return self.who.display

    @property
    def role_title(self) -> str:
        """Title of the role, in English, for translation."""
        return roles.TITLES.get(self.who.role, self.who.role)

    @property
    def facility_name(self) -> str:
        """Facility the asker works at, empty for a citizen."""
        return self.who.organization_name

    async def read(self, type_name: str, logical_id: str) -> Version:
        """Current version. Raises Problem: not-found (404, also for what is not open to the asker), deleted (410)."""
        await self._require_grant("read", type_name, "r")
        version = await showing.current(self, type_name, row_id(type_name, logical_id))
        if version is None:
            raise not_open(type_name, logical_id)
        return version

    async def vread(self, type_name: str, logical_id: str, ver: int) -> Version:
        """One version of a resource; a version is open if its current row is."""
        await self._require_grant("vread", type_name, "r")
        version = await showing.version(self, type_name, row_id(type_name, logical_id), ver)
        if version is None:
            raise not_open(type_name, logical_id)
        return version

    async def shared(self, patient: str) -> frozenset[str] | None:
        """Types of resources that are open to the asker in a chart whose keeper shares a part of it; None: the whole chart."""
        sql = Sql(row_id("Patient", patient).id)
        statement = self.scope.shared(sql, "$1")
        if not statement:
            return None
        async with self.ground.database.acquire() as connection:
            parts = [row["shares"] for row in await connection.fetch(statement, *sql.arguments)]
        return None if None in parts else frozenset(r4.TYPE_NAME[number] for part in parts for number in part)

    async def past(self, type_name: str, logical_id: str, wanted: histories.Wanted) -> histories.Page:
        """Page of the versions of one resource; without `logical_id` of a type, without a type of all that is open."""
        if type_name:
            await self._require_grant("history", type_name, "r" if logical_id else "s")
        page, entity = await self._past(type_name, logical_id, wanted)
        outcome = audit.SUCCESS if page else audit.REFUSED
        patients = disclosed(page.versions) if page else ()
        entry = audit.Entry(interaction="history", outcome=outcome, type=type_name or None, entity=entity)
        await self.record(structs.replace(entry, patients=patients))
        if page is None:
            raise not_open(type_name, logical_id)
        return page

    async def _past(
        self, type_name: str, logical_id: str, wanted: histories.Wanted
    ) -> tuple[histories.Page | None, UUID | None]:
        if logical_id:
            row = row_id(type_name, logical_id)
            async with self.ground.database.acquire() as connection:
                return await histories.of_resource(connection, type_name, row, self.scope, wanted), row.id
        types = [name for name in ([type_name] if type_name else r4.TYPE_NUMBER) if self.who.is_granted(name, "s")]
        async with self.ground.database.searching() as connection:
            return await histories.of_types(connection, types, self.scope, wanted), None

    async def search(self, query: Query) -> Found:
        """Search under the asker's scope. Raises Problem for parameters that cannot be searched."""
        await self._require_grant("search", query.type, "s")
        plans = ONCE if is_planned_once(self.ground.indexer, query) else ANEW
        async with self.ground.database.searching(plans=plans) as connection:
            found = await search(connection, self.ground.indexer, query, self.scope)
        patients = disclosed([*found.versions, *found.included])
        await self.record(audit.Entry(interaction="search", type=query.type, patients=patients, query=query.text))
        return found

    async def find_people(self, asked: people.Asked, choose: people.Chooser) -> list[people.Person]:
        """Find people by what identifies them: those the asker's facility keeps, those it sees now, then the nation.

        Each wider circle is asked only where the ones before it leave the list short.
        `choose` ranks the candidates and leaves out those not to be shown; outside one's care little is told of them.
        """
        self.require("person.find")
        if not asked:
            return []
        found: dict[UUID, people.Candidate] = {}
        opened = partial(self.scope.condition, type_name="Patient", row="r")
        async with self.ground.database.searching() as connection:
            for circle in self._circles():
                if len(found) < people.SHOWN:
                    more = await people.find(connection, self.ground.indexer.key, asked, circle, opened)
                    found = {**{c.pat: c for c in more}, **found}
        chosen = choose(list(found.values()))
        await self.record(audit.Entry(interaction="find", type="Patient", patients=sorted(c.pat for c in chosen)))
        return [people.shown(c) for c in chosen]

    def _circles(self) -> tuple[people.Circle, ...]:
        if self.who.organization_id is None:
            return (people.NATION,)
        seen_now = partial(self.scope.visiting, key="(r.pat, r.id)")
        return people.Circle(keeper=self.who.organization_id), people.Circle(within=seen_now), people.NATION

    async def write(self, changes: Sequence[Change]) -> list[Written]:
        """Write changes in one transaction, all or none."""
        if len(changes) == 1:
            async with self._refusals_recorded(attempted(changes)):
                done = await self._learning(partial(alone.write, self, changes[0]))
            if done is not None:
                return [done]
        return await self.atomically(lambda writing: writing.write(changes), attempt=attempted(changes))

    async def require_good(self, resources: Sequence[r4.Resource]) -> None:
        """Refuse what $validate finds an error in. Raises Problem (422), or Unlearnt."""
        if self.is_judged:
            await self.ground.profiling.require_good(resources, may_learn=self._may_learn)

    def finding(self, work: Callable[[Environment], T]) -> T:
        """Do a part of `atomically` that runs FHIRPath, with terminology and profiles at hand. Raises Unlearnt."""
        return self.ground.profiling.finding(work, may_learn=self._may_learn)

    async def _learning(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do work; where something must be learnt first, learn it and do the work again. No transaction is open meanwhile."""
        await self.ground.profiling.freshen()
        for more in reversed(range(ROUNDS)):
            self._may_learn = more > 0
            try:
                return await work()
            except Unlearnt:
                await self.ground.profiling.learn()
            except CheckViolationError as error:
                if not more or not extending.is_late(error):
                    raise
                await self.ground.extending.learn()
        raise AssertionError("the last round may not ask for more")

    async def atomically(self, work: Callable[[Writing], Awaitable[T]], *, attempt: audit.Entry = _A_WRITE) -> T:
        """Run work in one write transaction; run again when the database asks for it. `attempt` is recorded if refused."""

        async def once(connection: Connection) -> T:
            try:
                return await work(Writing(self, connection))
            except UniqueViolationError as error:
                if error.constraint_name != "id_map_pkey" and error.schema_name != "fhir":
                    raise
                # someone else has just made the same resource: run again and find it there
                raise busy(Clash) from error

        async with self._refusals_recorded(attempt):
            outcome = await self._learning(partial(self.ground.database.retrying, once))
        if self.has_extended:
            # the other processes hear of it
            self.has_extended = False
            await self.ground.extending.learn()
        return outcome

    @asynccontextmanager
    async def _refusals_recorded(self, attempt: audit.Entry) -> AsyncIterator[None]:
        """Record a write that was refused, before the asker hears of it."""
        try:
            yield
        except Problem as refusal:
            if refusal.status in (403, 404):
                await self.record(structs.replace(attempt, outcome=audit.REFUSED))
            raise

    async def _require_grant(self, interaction: str, type_name: str, verb: str) -> None:
        try:
            self.who.require_grant(type_name, verb)
        except Problem:
            await self.record(audit.Entry(interaction=interaction, outcome=audit.REFUSED, type=type_name))
            raise

    async def recorded(self, wanted: audit.Wanted) -> list[audit.Recorded]:
        """Rows of the audit: all for those who may read it, for a citizen those about herself, naming nobody else."""
        await self._require_grant("audit", "AuditEvent", "s")
        if not self.may("audit.read"):
            if self.who.patient is None or wanted.patient not in (None, self.who.patient):
                await self.record(audit.Entry(interaction="audit", outcome=audit.REFUSED))
                raise problem("forbidden", f"Your role ({self.who.role}) may not read the audit.", status=403)
            wanted = replace(wanted, patient=self.who.patient)
        async with self.ground.database.searching() as connection:
            found = await audit.find(connection, wanted)
        if not self.may("audit.read"):
            found = [replace(row, patients=[p for p in row.patients if p == wanted.patient]) for row in found]
        await self.record(audit.Entry(interaction="audit", patients=[wanted.patient] if wanted.patient else []))
        return found

    async def record(self, entry: audit.Entry) -> None:
        """Record what happened; returns when it is durable."""
        await audit.record(self.ground.grouped, self.who, entry)

    @asynccontextmanager
    async def own_tables(self) -> AsyncIterator[Connection]:
        """Connection for tables outside FHIR that guard's neighbours own (drafts, sessions, views)."""
        async with self.ground.database.acquire() as connection:
            yield connection


def disclosed(versions: Sequence[Version]) -> list[UUID]:
    """Patients whose data some versions show; a chart resource about nobody lies under its own id."""
    return sorted(
        {v.pat for v in versions if v.type == "Patient" or (in_chart(v.type) and row_id(v.type, v.id).id != v.pat)}
    )
