"""Lends connections of a pool, and says what became of what was under way when the server went away.

Connections in good order are kept at hand between two uses: the driver's pool takes a task and several futures for
each time it lends, which is a tenth of a small write. It still opens, cleans, renews and closes them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias

import asyncpg

from yersin.db.failure import Clash, Committed, busy, disk_full, transient
from yersin.db.planning import Plans

Connection: TypeAlias = asyncpg.Connection

WAIT: Final = 5.0  # seconds for a free connection
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
_CLASHES = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_FULL_HANDS = (asyncpg.TooManyConnectionsError, asyncpg.LockNotAvailableError, asyncpg.OutOfMemoryError)


class Lender:
    """The connections of one pool. Whoever waits for one is served by the pool, in turn."""

    __slots__ = ("_at_hand", "_closing", "_out", "_pool", "_waiting")

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._at_hand: list[Connection] = []
        self._out = 0  # connections the pool has lent us or is asked for, those at hand too
        self._waiting = 0
        self._closing = False

    def lend(self, *, lost: Committed, plans: Plans | None = None) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection for the time of a block. `lost` says what became of its work should the line break.

        `plans` is how it shall plan, where that matters.
        """
        return _Lent(self, lost, plans)

    def at_hand(self, plans: Plans | None) -> Connection | None:
        """Take a connection that is at hand, best one that plans in this way already."""
        while self._at_hand:
            # one that the pool has taken back knows no plans any more
            fitting = (n for n, connection in enumerate(self._at_hand) if getattr(connection, "plans", None) == plans)
            connection = self._at_hand.pop(next(fitting, -1) if plans else -1)
            # the pool takes a connection back by itself when its line breaks, and the driver then refuses every call
            with contextlib.suppress(asyncpg.InterfaceError):
                if not connection.is_closed():
                    return connection
                connection.terminate()
            self._out -= 1
        return None

    async def take(self) -> Connection:
        """Take a connection from the pool. Raises DatabaseFailure: none gets free in time, the server is away."""
        # a clock for the wait is dear, and a connection that nobody has is there at once
        wait = None if self._out < self._pool.get_max_size() else WAIT
        self._out += 1
        self._waiting += 1
        try:
            with told(lost="no"):
                return await self._acquired(wait)
        except BaseException:
            self._out -= 1
            raise
        finally:
            self._waiting -= 1

    async def _acquired(self, wait: float | None) -> Connection:
        try:
            return await self._pool.acquire(timeout=wait)
        except TimeoutError as error:
            raise busy() from error

    def keep(self, connection: Connection) -> bool:
        """Keep a connection at hand, unless somebody waits for it or it must be made clean first."""
        if self._waiting or self._closing or connection.is_closed() or connection.is_in_transaction():
            return False
        self._at_hand.append(connection)
        return True

    async def give_back(self, connection: Connection) -> None:
        """Let the pool have a connection again: it makes it clean, or closes it."""
        self._out -= 1
        with contextlib.suppress(*AWAY, asyncpg.InterfaceError, asyncpg.InternalClientError):
            await self._pool.release(connection)

    async def close(self, seconds: float) -> None:
        """Wait for work under way at most so many seconds, then close every connection."""
        self._closing = True
        while self._at_hand:
            await self.give_back(self._at_hand.pop())
        try:
            await asyncio.wait_for(self._pool.close(), seconds)
        except TimeoutError:
            self._pool.terminate()

    def terminate(self) -> None:
        """Cut off every connection at once."""
        self._pool.terminate()


class _Lent(AbstractAsyncContextManager[Connection]):
    """A connection for the time of a block; what driver and server say of their own state becomes a DatabaseFailure."""

    __slots__ = ("_connection", "_lender", "_lost", "_plans")

    def __init__(self, lender: Lender, lost: Committed, plans: Plans | None) -> None:
        self._lender, self._lost, self._plans = lender, lost, plans

    async def __aenter__(self) -> Connection:
        self._connection = self._lender.at_hand(self._plans) or await self._lender.take()
        if self._plans is not None and self._connection.plans != self._plans:
            await self._plan(self._plans)
        return self._connection

    async def _plan(self, plans: Plans) -> None:
        try:
            await self._connection.plan(plans)
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            raise

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None and self._lender.keep(self._connection):
            return
        try:
            if isinstance(error, Exception):
                tell(error, self._lost, self._connection)
        finally:
            # what the block did or raised stays the answer, whatever becomes of the connection
            await self._lender.give_back(self._connection)


@contextlib.contextmanager
def told(*, lost: Committed, connection: Connection | None = None) -> Iterator[None]:
    """Turn what driver and server say about their own state into a DatabaseFailure; leave the rest alone.

    Inside a block the caller's own code may raise OSError too: it is ours only when the connection is gone.
    """
    try:
        yield
    except Exception as error:
        tell(error, lost, connection)
        raise


def tell(error: Exception, lost: Committed, connection: Connection | None) -> None:
    """Raise the DatabaseFailure that an exception of the driver means; pass over any other."""
    if isinstance(error, _CLASHES):
        raise busy(Clash) from error
    if isinstance(error, (*_FULL_HANDS, asyncpg.QueryCanceledError)):
        raise busy() from error
    if isinstance(error, asyncpg.DiskFullError):
        raise disk_full() from error
    if isinstance(error, (*AWAY, asyncpg.InterfaceError, asyncpg.InternalClientError)) and gone(connection, error):
        raise transient(committed=lost) from error


def gone(connection: Connection | None, error: Exception) -> bool:
    """Whether an exception tells that the connection is lost, and not of a mistake in a call."""
    if isinstance(error, asyncpg.PostgresError):
        return True
    if connection is not None and isinstance(error, asyncpg.InternalClientError):
        # the server's last words came between two statements: the driver can do nothing more with this connection
        connection.terminate()
        return True
    if connection is not None:
        return bool(connection.is_closed())
    # a closing pool is a program that stops; other interface errors are mistakes in a call
    return not isinstance(error, asyncpg.InterfaceError) or str(error) in {"pool is closing", "pool is closed"}
