"""The channel websocket: who has bound a Subscription is pinged when something matched; what it was, it reads itself.

A ping that nobody was there to hear waits for the next that binds. Source: https://hl7.org/fhir/R4/subscription.html#channels
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from yersin.api.bulk.jobs import owner_of
from yersin.fhir.problem import Problem
from yersin.guard.access import Access

#: seconds between looks for what is to be told, and between checks of the access token
PAUSE, CHECK = 0.5, 30.0
#: Subscriptions that one connection may bind
BOUND = 100
_REFUSED = 1008  # RFC 6455 7.4.1: against the policy
_FIND = """
SELECT id FROM subscription WHERE name = $1 AND owner = $2 AND kind = 'websocket' AND state = 'active'
"""
_WAITING = """
SELECT d.subscription, max(d.n) AS n FROM subscription_delivery d JOIN subscription s ON s.id = d.subscription
WHERE d.subscription = ANY($1) AND s.state = 'active' GROUP BY d.subscription
"""
_TOLD = "DELETE FROM subscription_delivery WHERE subscription = $1 AND n <= $2"
Asker = Callable[[str, Mapping[bytes, bytes], str], Awaitable[Access]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


async def serve(asker: Asker, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Serve one connection, until it is closed or its access token ends."""
    await receive()
    headers, client = dict(scope["headers"]), (scope.get("client") or ("", 0))[0]
    try:
        access = await asker("GET", headers, client)
    except Problem:
        await send({"type": "websocket.close", "code": _REFUSED})
        return
    await send({"type": "websocket.accept"})
    connection = _Connection(access, receive, send)
    tasks = [
        asyncio.create_task(work) for work in (connection.listen(), connection.ping(), _checked(asker, headers, client))
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not connection.closed:
            with contextlib.suppress(Exception):  # the other side may have gone meanwhile
                await send({"type": "websocket.close", "code": _REFUSED})
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _checked(asker: Asker, headers: Mapping[bytes, bytes], client: str) -> None:
    """Return when the access token does not hold any more."""
    while True:
        await asyncio.sleep(CHECK)
        try:
            await asker("GET", headers, client)
        except Problem:
            return


class _Connection:
    """One open connection and what it has bound."""

    def __init__(self, access: Access, receive: Receive, send: Send) -> None:
        self._access = access
        self._database = access.ground.database
        self._receive, self._send = receive, send
        self._bound: dict[UUID, str] = {}
        self.closed = False

    async def listen(self) -> None:
        """Take `bind [id]` until the other side closes; ends at anything else."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self.closed = True
                return
            word, _, name = (message.get("text") or "").strip().partition(" ")
            if word != "bind" or not await self._bind(name.strip().removeprefix("Subscription/")):
                return

    async def _bind(self, name: str) -> bool:
        found = await self._database.fetchval(_FIND, name, owner_of(self._access.who))
        if found is None or len(self._bound) >= BOUND:
            return False
        await self._say(f"bound {name}")
        self._bound[found] = name
        return True

    async def ping(self) -> None:
        """Tell what is to be told, and strike it out once it was sent."""
        while True:
            if self._bound:
                for row in await self._database.fetch(_WAITING, list(self._bound)):
                    await self._say(f"ping {self._bound[row['subscription']]}")
                    await self._database.execute(_TOLD, row["subscription"], row["n"])
            await asyncio.sleep(PAUSE)

    async def _say(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})
