"""Search parameters that are posted: put in force with the SearchParameter that says them, and learnt by every process.

A change begins a new generation of the type's index. The background job first lets the database refuse rows of earlier
generations (a check that is not applied to the rows there are), so that a process that has not yet heard of the change
learns of it by its next write and loses nothing; then it makes the old rows anew, and in the end the database itself
confirms that none is left. Only then is the parameter searched.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from yersin.db import CheckViolationError, Connection, Database
from yersin.db.listening import listening
from yersin.fhir import parameters, r4
from yersin.fhir.parameters import Learnt, Parameter
from yersin.fhir.posted_composites import Part
from yersin.fhir.posted_parameters import Posted, read
from yersin.fhir.problem import problem
from yersin.store import writing as store
from yersin.store.schema import GENERATIONS_LIMIT

from . import walks

if TYPE_CHECKING:
    from .access import Access

TYPE: Final = "SearchParameter"
PERMISSION: Final = "index.make"
CHANNEL: Final = "yersin_parameters"
#: parameters that one type may be given
LIMIT = 60
_FIRST = 1_000  # numbers below are R4's own
_LOCK = 0x59_45_52_50_41_52  # "YERPAR"
#: seconds between two looks: while something is being indexed, and otherwise, should a notice be lost
_LOOKS = (1.0, 10.0)

DDL = (
    """
CREATE TABLE index_generation (type smallint PRIMARY KEY, generation smallint NOT NULL, whole smallint NOT NULL DEFAULT 0);
COMMENT ON TABLE index_generation IS 'How often the search parameters of a type changed, and up to which change all its rows are made.';
CREATE TABLE search_parameter (
  type smallint NOT NULL, number smallint NOT NULL, source uuid NOT NULL, name text NOT NULL, code text NOT NULL,
  kind text NOT NULL, expression text NOT NULL, targets text[] NOT NULL, url text NOT NULL, place smallint NOT NULL,
  generation smallint NOT NULL, who text NOT NULL, made timestamptz NOT NULL DEFAULT now(), ended timestamptz,
  PRIMARY KEY (type, number));
CREATE UNIQUE INDEX search_parameter_code ON search_parameter (type, code) WHERE ended IS NULL;
CREATE INDEX search_parameter_source ON search_parameter (source);
COMMENT ON TABLE search_parameter IS 'Search parameters added at run time, one row for each type; those that ended keep their numbers.';
"""
    + walks.DDL
)
PARTS_DDL = """
ALTER TABLE search_parameter ADD COLUMN parts jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN search_parameter.parts IS 'What a composite is made of, in its order.';
"""
_PARAMETERS = """SELECT p.*, g.whole, w.done, w.total FROM search_parameter p JOIN index_generation g USING (type)
LEFT JOIN reindexing_walk w ON w.type = p.type AND w.generation = p.generation
WHERE p.ended IS NULL ORDER BY p.type, p.number"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A parameter in force, with the resource that says it."""

    number: int
    source: UUID
    name: str
    posted: Posted
    place: int
    generation: int
    who: str
    made: Any
    whole: bool
    done: int
    total: int | None

    @property
    def percent(self) -> int:
        """How much is indexed; never all before it is whole."""
        if self.whole:
            return 100
        return min(99, self.done * 100 // self.total) if self.total else 0

    def parameter(self) -> Parameter:
        """Compile it; one that is not whole says how far it has come."""
        waiting = "" if self.whole else f"{self.done:,} of {self.total or 0:,} resources, {self.percent} %"
        return self.posted.parameter(self.number, self.place, waiting)


def _added(row: Any) -> Added:
    posted = Posted(
        type=r4.TYPE_NAME[row["type"]],
        code=row["code"],
        kind=row["kind"],
        expression=row["expression"],
        targets=tuple(row["targets"]),
        url=row["url"],
        parts=tuple(_part(each) for each in row["parts"]),
    )
    return Added(
        number=row["number"],
        source=row["source"],
        name=row["name"],
        posted=posted,
        place=row["place"],
        generation=row["generation"],
        who=row["who"],
        made=row["made"],
        whole=row["whole"] >= row["generation"],
        done=row["done"] or 0,
        total=row["total"],
    )


def _part(row: dict[str, Any]) -> Part:
    return Part(**{**row, "targets": tuple(row["targets"])})


async def listed(connection: Connection) -> list[Added]:
    """Parameters in force."""
    return [_added(row) for row in await connection.fetch(_PARAMETERS)]


# --- learning ------------------------------------------------------------------------------------------------------


class Extending:
    """What a process knows of the parameters of its database. One a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._heard = asyncio.Event()
        self._busy = False

    async def learn(self) -> None:
        """Learn what is in force now."""
        async with self._database.transaction(isolation="repeatable_read", readonly=True) as connection:
            generations = await connection.fetch("SELECT type, generation FROM index_generation")
            found = await listed(connection) if generations else []
        self._busy = any(not each.whole for each in found)
        added: dict[str, list[Parameter]] = {}
        for each in found:
            added.setdefault(each.posted.type, []).append(each.parameter())
        names = {r4.TYPE_NAME[row["type"]]: row["generation"] for row in generations}
        parameters.learn({name: Learnt(number, tuple(added.get(name, ()))) for name, number in names.items()})

    def listening(self) -> AbstractAsyncContextManager[None]:
        """Learn of every change while the block runs."""
        return listening(self._database, CHANNEL, self._hear, begun=self.learn, rest=self._rest)

    async def _rest(self) -> None:
        """Wait for a notice, or for the next look, and learn."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), _LOOKS[0] if self._busy else _LOOKS[1])
        self._heard.clear()
        await self.learn()

    def _hear(self, *_notice: object) -> None:
        self._heard.set()


def is_late(error: CheckViolationError) -> bool:
    """Whether the database refused a row because its process has not learnt of new search parameters."""
    return bool(error.schema_name == "fhir" and str(error.constraint_name).endswith("_ixv"))


# --- putting in force ----------------------------------------------------------------------------------------------


def require(access: Access, resource: r4.Resource | None) -> None:
    """Judge what is to be written, None for what is to be deleted. Raises Problem: forbidden (403), or what is wrong (422)."""
    if not access.may(PERMISSION):
        text = f"Your role ({access.who.role}) may not change what is searched by; administrators may."
        raise problem("forbidden", text, status=403)
    if isinstance(resource, r4.SearchParameter):
        read(resource)


async def put(access: Access, connection: Connection, writes: Sequence[tuple[store.Write, r4.Resource | None]]) -> None:
    """Put in force what written SearchParameters say, in the transaction that writes them; None stands for a deleted one.

    Raises Problem (422) where another one has given the type a parameter of that code.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    begun: dict[str, int] = {}
    for write, resource in writes:
        wanted = read(resource) if isinstance(resource, r4.SearchParameter) else []
        fresh = await _replace(connection, write, wanted)
        for posted in fresh:
            begun[posted.type] = begun.get(posted.type) or await _generation(connection, posted.type)
            await _insert(access, connection, write, posted, begun[posted.type])
    if begun:
        about = ", ".join(f"SearchParameter/{write.name or write.id}" for write, _ in writes)
        await walks.begin(connection, access.who, about, dict(begun))
    await tell(connection)
    access.has_extended = True


async def tell(connection: Connection) -> None:
    """Let every process learn anew once the transaction is committed."""
    await connection.execute(f"NOTIFY {CHANNEL}")


async def whole(connection: Connection, type_name: str, generation: int) -> None:
    """Say that every row of a type is of a generation."""
    await connection.execute(
        "UPDATE index_generation SET whole = greatest(whole, $2) WHERE type = $1", r4.TYPE_NUMBER[type_name], generation
    )
    await tell(connection)


async def _replace(connection: Connection, write: store.Write, wanted: Sequence[Posted]) -> list[Posted]:
    """End what a SearchParameter no longer says; answers what it says anew."""
    rows = await connection.fetch(
        "SELECT p.*, 0 AS whole, 0 AS done, 0 AS total FROM search_parameter p WHERE source = $1 AND ended IS NULL",
        write.id,
    )
    here = {row["type"]: _added(row).posted for row in rows}
    same = [p for p in wanted if _indexed_alike(here.get(r4.TYPE_NUMBER[p.type]), p)]
    kept = [r4.TYPE_NUMBER[p.type] for p in same]
    await connection.execute(
        "UPDATE search_parameter SET ended = now() WHERE source = $1 AND ended IS NULL AND NOT type = ANY($2::smallint[])",
        write.id,
        kept,
    )
    for posted in same:
        await connection.execute(
            "UPDATE search_parameter SET url = $3, targets = $4 WHERE source = $1 AND type = $2 AND ended IS NULL",
            write.id,
            r4.TYPE_NUMBER[posted.type],
            posted.url,
            list(posted.targets),
        )
    return [p for p in wanted if p not in same]


def _indexed_alike(one: Posted | None, other: Posted) -> bool:
    """Whether what one parameter has indexed is what the other would index: names and targets are asked for, not indexed."""
    return one is not None and replace(one, url="", targets=()) == replace(other, url="", targets=())


async def _generation(connection: Connection, type_name: str) -> int:
    """Begin a generation of a type's index."""
    number: int = await connection.fetchval(
        "INSERT INTO index_generation (type, generation) VALUES ($1, 1) "
        "ON CONFLICT (type) DO UPDATE SET generation = index_generation.generation + 1 RETURNING generation",
        r4.TYPE_NUMBER[type_name],
    )
    if number > GENERATIONS_LIMIT:
        text = (
            f"The search parameters of {type_name} have changed {GENERATIONS_LIMIT} times; there is no room for more."
        )
        raise problem("too-costly", text, expression="SearchParameter.base", status=422)
    return number


async def _insert(access: Access, connection: Connection, write: store.Write, posted: Posted, generation: int) -> None:
    number = r4.TYPE_NUMBER[posted.type]
    rows = await connection.fetch(
        "SELECT number, source, name, code, place, ended FROM search_parameter WHERE type = $1", number
    )
    standing = [row for row in rows if row["ended"] is None]
    for row in standing:
        if row["code"] == posted.code:
            text = (
                f"{posted.type} has a search parameter {posted.code} by SearchParameter/{row['name']}. "
                "Choose another code, or retire that one."
            )
            raise problem("business-rule", text, expression="SearchParameter.code", status=422)
    if len(standing) >= LIMIT:
        text = f"{posted.type} has {LIMIT} search parameters of its own already. Retire one that is not needed."
        raise problem("too-costly", text, expression="SearchParameter.base", status=422)
    taken = [row["place"] for row in standing if row["place"] >= 0]
    place = parameters.free_place(posted.type, taken) if posted.kind == "string" else -1
    await connection.execute(
        "INSERT INTO search_parameter (type, number, source, name, code, kind, expression, targets, url, place, generation, who, parts) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        number,
        max((row["number"] for row in rows), default=_FIRST - 1) + 1,
        write.id,
        write.name or str(write.id),
        posted.code,
        posted.kind,
        posted.expression,
        list(posted.targets),
        posted.url,
        place,
        generation,
        access.who.display,
        [asdict(part) for part in posted.parts],
    )
