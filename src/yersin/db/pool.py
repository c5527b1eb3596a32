"""The database as the floors above see it: connections, transactions, retries, and failures that say what was stored.

Two pools: automatic plans for point reads and writes; a time limit and read-only for searches. These are planned anew for
their values, which a generic plan would misjudge, unless they say that one plan fits all values.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, TypeVar

import asyncpg
import msgspec

from yersin.db.failure import Clash, DatabaseFailure, busy, too_costly, transient
from yersin.db.lending import AWAY, Connection, Lender, gone, told
from yersin.db.planning import ANEW, Planning, Plans

Record: TypeAlias = asyncpg.Record
Isolation = Literal["read_committed", "repeatable_read", "serializable"]
T = TypeVar("T")

SETTINGS: Final = {
    "application_name": "yersin",
    "jit": "off",
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "60s",
}
_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Open with `connect`, close with `close`. Every method raises DatabaseFailure when the server is away."""

    url: str
    points: Lender
    searches: Lender

    def acquire(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection outside a transaction: each statement commits by itself. Leave no session state on it."""
        return self.points.lend(lost="unknown")

    @contextlib.asynccontextmanager
    async def searching(self, *, plans: Plans = ANEW) -> AsyncIterator[Connection]:
        """Lend a read-only connection with a time limit."""
        async with self.searches.lend(lost="no", plans=plans) as connection:
            try:
                yield connection
            except asyncpg.QueryCanceledError as error:
                raise too_costly() from error

    @contextlib.asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation = "read_committed", readonly: bool = False
    ) -> AsyncIterator[Connection]:
        """Commit at the end of the block, roll back when it raises."""
        async with self.points.lend(lost="no") as connection:
            transaction = connection.transaction(isolation=isolation, readonly=readonly)
            await transaction.start()
            try:
                yield connection
            except BaseException:
                with contextlib.suppress(*AWAY, asyncpg.InterfaceError, asyncpg.InternalClientError):
                    await transaction.rollback()
                raise
            await _commit(connection, transaction)

    async def retrying(
        self,
        work: Callable[[Connection], Awaitable[T]],
        *,
        attempts: int = 6,
        isolation: Isolation = "read_committed",
    ) -> T:
        """Run `work` in a transaction, anew after a deadlock or a serialization failure. Assign ids beforehand."""
        for attempt in range(attempts):
            try:
                async with self.transaction(isolation=isolation) as connection:
                    return await work(connection)
            except Clash:
                await asyncio.sleep(random.uniform(0.0, 0.01 * 2**attempt))  # noqa: S311 - spreads clashes, keeps no secret
        raise busy()

    @contextlib.asynccontextmanager
    async def dedicated(self, **server_settings: str) -> AsyncIterator[Connection]:
        """Open a connection of its own, outside the pools: for LISTEN, the job queue and migrations."""
        with told(lost="no"):
            connection = await asyncpg.connect(self.url, server_settings={**SETTINGS, **server_settings})
            await prepare(connection)
        try:
            with told(lost="unknown", connection=connection):
                yield connection
        finally:
            with contextlib.suppress(*AWAY, asyncpg.InterfaceError, TimeoutError):
                await connection.close(timeout=5)

    async def fetch(self, query: str, *values: Any) -> list[Record]:
        """Fetch all rows of one statement."""
        async with self.acquire() as connection:
            return list(await connection.fetch(query, *values))

    async def fetchrow(self, query: str, *values: Any) -> Record | None:
        """Fetch the first row of one statement."""
        async with self.acquire() as connection:
            return await connection.fetchrow(query, *values)

    async def fetchval(self, query: str, *values: Any) -> Any:
        """Fetch the first value of the first row."""
        async with self.acquire() as connection:
            return await connection.fetchval(query, *values)

    async def execute(self, query: str, *values: Any) -> str:
        """Run one statement; the answer is its command tag."""
        async with self.acquire() as connection:
            return str(await connection.execute(query, *values))

    async def close(self) -> None:
        """Wait for running work at most ten seconds, then close every connection."""
        for lender in (self.points, self.searches):
            await lender.close(10)


async def connect(url: str, *, min_size: int = 1, max_size: int = 10, search_seconds: float = 15.0) -> Database:
    """Open both pools; the one for searches may grow to half of `max_size`, at least two."""
    searching = {
        **SETTINGS,
        "application_name": "yersin search",
        "plan_cache_mode": ANEW,
        # a search is one of many and short: starting helpers for it costs more than they bring
        "max_parallel_workers_per_gather": "0",
        "default_transaction_read_only": "on",
        "statement_timeout": f"{int(search_seconds * 1000)}ms",
    }
    points = await _pool(url, min_size, max_size, SETTINGS)
    try:
        searches = await _pool(url, min_size, max(2, max_size // 2), searching)
    except BaseException:
        points.terminate()
        raise
    return Database(url=url, points=points, searches=searches)


async def prepare(connection: Connection) -> None:
    """Let json and jsonb be Python values; numbers stay exact."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + _encode(value),
        decoder=lambda data: _decode(data[1:]),
    )
    await connection.set_type_codec("json", schema="pg_catalog", format="binary", encoder=_encode, decoder=_decode)


async def _pool(url: str, min_size: int, max_size: int, settings: dict[str, str]) -> Lender:
    try:
        with told(lost="no"):
            pool = await asyncpg.create_pool(
                url,
                min_size=min_size,
                max_size=max(max_size, min_size),
                init=prepare,
                connection_class=Planning,
                reset=_keep,
                server_settings=settings,
                max_inactive_connection_lifetime=300.0,
            )
            return Lender(pool)
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise DatabaseFailure(
            "login",
            f"The database refused us: {error}. Correct the name, the password or the database in YERSIN_DATABASE_URL.",
            vi=f"Cơ sở dữ liệu từ chối: {error}. Hãy sửa tên, mật khẩu hoặc cơ sở dữ liệu trong YERSIN_DATABASE_URL.",
        ) from error


async def _keep(_connection: Connection) -> None:
    """Spare each release the round trip of RESET ALL; the driver still ends an open transaction.

    Session state (SET, LISTEN, session locks) therefore belongs on `dedicated` connections only.
    """


async def _commit(connection: Connection, transaction: Any) -> None:
    """Commit. When the line breaks after COMMIT was sent, nobody knows what became of it."""
    try:
        await transaction.commit()
    except AWAY as error:
        raise transient(committed="unknown") from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        if not gone(connection, error):
            raise
        # the line had broken before COMMIT could be sent
        raise transient() from error
