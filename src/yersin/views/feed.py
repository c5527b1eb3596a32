"""Feeds views from the change log: rows and the cursor move in one transaction, so every change counts exactly once.

A changed resource's rows are made anew from its current version; doing so twice changes nothing, and a later version
read early is read again when its own change comes. Filling a new table goes on beside it, a few resources at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir.problem import Problem, problem
from yersin.guard.access import Ground
from yersin.store import changes, reading
from yersin.store.identity import row_id
from yersin.store.schema import table
from yersin.store.versions import Version

from . import tables
from .pseudonyms import Pseudonyms
from .tables import Table, View, house_views

CONSUMER = "views"
#: few enough that a page waiting behind a batch does not notice
BATCH = 100
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class Everything:
    """Scope of the feed: views are made of all resources, and hold nobody's name."""

    def condition(self, _sql: Sql, _type_name: str, _row: str) -> str:
        """Hide nothing."""
        return "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Up to when views show what was written, and when one of them last changed. `filling` names those not whole yet."""

    as_of: datetime
    changed: datetime
    filling: tuple[str, ...]
    refused: int


class Feed:
    """Follows the change log for some views."""

    def __init__(self, ground: Ground, views: Sequence[View] | None = None) -> None:
        self._ground = ground
        self._views = house_views() if views is None else tuple(views)
        self._pseudonyms = Pseudonyms(ground.keys)
        self._tables: list[Table] | None = None

    async def work(self) -> bool:
        """Do one piece of work: changes first, then filling. Answers whether there is more to do at once."""
        if self._tables is None:
            await self.prepare()
        if await self._is_behind() and await self.follow() == BATCH:
            return True
        return await self.fill()

    async def prepare(self) -> None:
        """Make the tables that are missing. The first time, the feed begins at the log's end and fills from the store."""
        async with self._ground.database.transaction() as connection:
            await self._begin(connection)
            have = {t.view.name for t in await tables.known(connection, self._views, self._pseudonyms.fingerprint)}
            for view in self._views:
                if view.name not in have:
                    await tables.make(connection, view, self._pseudonyms.fingerprint)
            found = await tables.known(connection, self._views, self._pseudonyms.fingerprint)
        self._tables = found

    async def _look(self, connection: Connection) -> None:
        self._tables = await tables.known(connection, self._views, self._pseudonyms.fingerprint)

    async def _begin(self, connection: Connection) -> None:
        cursor = await changes.cursor_of(connection, CONSUMER)
        if cursor == changes.Cursor():
            horizon = await connection.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            await changes.move(connection, CONSUMER, changes.Cursor(horizon - 1, 2**62))
        await connection.execute("INSERT INTO views.fed (consumer) VALUES ($1) ON CONFLICT DO NOTHING", CONSUMER)

    async def _is_behind(self) -> bool:
        return bool(await self._ground.database.fetchval(BEHIND, CONSUMER))

    async def follow(self) -> int:
        """Take one batch of changes into the views; returns how many were read."""
        async with self._ground.database.transaction() as connection:
            cursor = await changes.cursor_of(connection, CONSUMER)
            await self._look(connection)
            found = await changes.after(connection, cursor, BATCH)
            if not found:
                return 0
            touched = await self._apply(connection, found)
            await changes.move(connection, CONSUMER, found[-1].cursor)
            if touched:
                await self._tell(connection, min(change.at for change in found))
        return len(found)

    async def _apply(self, connection: Connection, found: Sequence[changes.Change]) -> bool:
        by_type: dict[str, set[UUID]] = defaultdict(set)
        for change in found:
            by_type[change.type].add(change.id)
        touched = False
        for type_name, ids in by_type.items():
            fed = [each for each in self._tables or () if each.view.definition.resource == type_name]
            if fed:
                versions = await reading.current(connection, type_name, sorted(ids), Everything())
                touched = True
                for each in fed:
                    await self._put(connection, each, sorted(ids), versions)
        return touched

    async def _put(self, connection: Connection, fed: Table, ids: Sequence[UUID], versions: Sequence[Version]) -> None:
        """Put the rows of current versions in the place of all rows these resources had."""
        keys = [self._pseudonyms.of_row(row) for row in ids]
        await connection.execute(f'DELETE FROM views."{fed.relation}" WHERE row_key = ANY($1::uuid[])', keys)
        await connection.execute(_FORGET, fed.view.name, keys)
        rows, refused = self._made(fed.view, versions)
        if refused:
            await connection.executemany("INSERT INTO views.refused VALUES ($1, $2, $3)", refused)
        if rows:
            columns = ["row_key", "ver", "n", *(column.name for column in fed.view.definition.columns)]
            await connection.copy_records_to_table(fed.relation, schema_name="views", records=rows, columns=columns)

    def _made(self, view: View, versions: Sequence[Version]) -> tuple[list[Any], list[Any]]:
        """Rows, and the resources of which none can be made: one odd resource must not hold up the nation's figures."""
        rows: list[Any] = []
        refused: list[Any] = []
        for version in versions:
            try:
                rows += self._rows(view, version)
            except Problem:
                key = self._pseudonyms.of_row(row_id(version.type, version.id).id)
                refused.append((view.name, key, version.ver))
        return rows, refused

    def _rows(self, view: View, version: Version) -> list[tuple[Any, ...]]:
        made = view.definition.rows(_decode(version.json()), self._pseudonyms.of)
        key = self._pseudonyms.of_row(row_id(version.type, version.id).id)
        zone, cells = self._ground.zone, view.cells
        return [
            (key, version.ver, n, *[None if row[name] is None else fit(row[name], zone) for name, fit in cells])
            for n, row in enumerate(made)
        ]

    async def _tell(self, connection: Connection, oldest: datetime) -> None:
        await connection.execute(
            "UPDATE views.fed SET changed = clock_timestamp(), lag = extract(epoch FROM clock_timestamp() - $2) "
            "WHERE consumer = $1",
            CONSUMER,
            oldest,
        )

    async def fill(self) -> bool:
        """Take the next resources of the store into a table that is not whole yet; answers whether there was one."""
        if self._tables is None:
            await self.prepare()
        if all(each.filled for each in self._tables or ()):
            return False
        async with self._ground.database.transaction() as connection:
            await changes.cursor_of(connection, CONSUMER)
            await self._look(connection)
            unfilled = next((each for each in self._tables or () if not each.filled), None)
            if unfilled is not None:
                await self._fill(connection, unfilled)
        return unfilled is not None

    async def _fill(self, connection: Connection, fed: Table) -> None:
        type_name = fed.view.definition.resource
        found = await connection.fetch(next_to_fill(type_name), fed.view.name, fed.epoch, BATCH)
        versions = [reading.version_of(type_name, record) for record in found]
        await self._put(connection, fed, [record["id"] for record in found], versions)
        if found:
            await connection.execute(
                "UPDATE views.built SET last_pat = $3, last_id = $4 WHERE view = $1 AND epoch = $2",
                fed.view.name, fed.epoch, found[-1]["pat"], found[-1]["id"],
            )  # fmt: skip
        else:
            await connection.execute(
                "UPDATE views.built SET filled = true WHERE view = $1 AND epoch = $2", fed.view.name, fed.epoch
            )
            await tables.show(connection, fed.view.name, fed.epoch)
        await connection.execute("UPDATE views.fed SET changed = clock_timestamp() WHERE consumer = $1", CONSUMER)

    async def rebuild(self, name: str) -> None:
        """Begin a new table for a view; the feed fills it, and its readers see the old one until it is whole."""
        view = next((each for each in self._views if each.name == name), None)
        if view is None:
            raise problem("not-found", f"There is no view {name}. Views: {', '.join(v.name for v in self._views)}.")
        async with self._ground.database.transaction() as connection:
            await self._begin(connection)
            await tables.make(connection, view, self._pseudonyms.fingerprint)
            await self._look(connection)

    async def catch_up(self) -> None:
        """Work until nothing is left to do: for commands and tests."""
        while await self.work() or await self._is_behind():
            pass


def next_to_fill(type_name: str) -> str:
    """SQL of the next resources of the store for a view ($1) and its epoch ($2), at most $3."""
    return (
        f"SELECT {reading.COLUMNS} FROM {table(type_name)} r "
        f"WHERE (r.pat, r.id) > ({_BUILT.format('last_pat')}, {_BUILT.format('last_id')}) ORDER BY r.pat, r.id LIMIT $3"
    )


_FORGET = "DELETE FROM views.refused WHERE view = $1 AND row_key = ANY($2::uuid[])"
_HORIZON = "pg_snapshot_xmin(pg_current_snapshot())"
#: where the filling of a table stands; a value, not a joined row, so that the store is entered there by its index
_BUILT = "(SELECT {} FROM views.built WHERE view = $1 AND epoch = $2)"
#: what comes after the feed's cursor, in order: so that the log is entered there by its index, however long it is
_NEXT = (
    "SELECT l.at FROM change_log l WHERE (l.tx, l.seq) > ((SELECT tx FROM cursor WHERE consumer = $1), "
    "(SELECT seq FROM cursor WHERE consumer = $1)) {until} ORDER BY l.tx, l.seq LIMIT {most}"
)
BEHIND = _NEXT.format(until=f"AND l.tx < {_HORIZON}", most=1)  # within EXISTS its order would be dropped


async def standing(connection: Connection) -> Standing:
    """How fresh views are. Whatever is committed and not yet taken in makes `as_of` older."""
    row = await connection.fetchrow(
        f"""SELECT now() AS now, (SELECT min(at) FROM ({_NEXT.format(until="", most=1000)}) AS waiting) AS oldest,
        (SELECT changed FROM views.fed WHERE consumer = $1) AS changed,
        (SELECT count(*) FROM views.refused) AS refused,
        ARRAY(SELECT DISTINCT view FROM views.built WHERE shown AND NOT filled ORDER BY view) AS filling""",
        CONSUMER,
    )
    as_of = row["oldest"] - timedelta(microseconds=1) if row["oldest"] else row["now"]
    return Standing(
        as_of=as_of, changed=row["changed"] or row["now"], filling=tuple(row["filling"]), refused=row["refused"]
    )


async def resolved(ground: Ground, scope: reading.Scope, type_name: str, keys: Sequence[UUID]) -> list[Version]:
    """Resources behind keys of rows, as far as a scope shows them. The caller records what is disclosed."""
    pseudonyms = Pseudonyms(ground.keys)
    rows = [pseudonyms.row(key) for key in keys]
    async with ground.database.searching() as connection:
        return await reading.current(connection, type_name, rows, scope)
