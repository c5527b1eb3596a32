"""Tells what was put down: in order for each resource, again and again with growing pauses, at last as a dead letter.

Without a payload the endpoint is called by POST with nothing in it; with one, the resource is put to
`[endpoint]/[type]/[id]`. Source: https://hl7.org/fhir/R4/subscription.html#channels
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from yersin.fhir import r4
from yersin.fhir.problem import Problem
from yersin.guard import hearing, subscribing
from yersin.guard.access import Ground

from .outgoing import Caller, CallError

#: calls under way at once
ABREAST = 16
#: seconds until a call that failed is tried again; after the last it is a dead letter
PAUSES: Sequence[float] = (5, 20, 80, 320, 1280, 3600, 3600, 3600)
_LOG = logging.getLogger("yersin.subscriptions")
_DUE = """
SELECT d.n, d.subscription, d.type, d.id, d.name, d.ver, d.attempts FROM subscription_delivery d
JOIN subscription s ON s.id = d.subscription AND s.kind = 'rest-hook' AND (s.state = 'active' OR s.failing)
WHERE d.due <= now() AND NOT d.dead AND NOT EXISTS (SELECT FROM subscription_delivery e WHERE e.subscription = d.subscription
  AND e.type = d.type AND e.id = d.id AND e.n < d.n AND NOT e.dead)
ORDER BY d.due, d.n LIMIT $1
"""
_FAILED = """
WITH failed AS (UPDATE subscription_delivery SET attempts = attempts + 1, note = $2, dead = $3,
  due = now() + make_interval(secs => $4) WHERE n = $1 RETURNING subscription)
UPDATE subscription SET state = 'error', failing = true, note = $2 WHERE $3 AND id = (SELECT subscription FROM failed)
"""
_TOLD = """
WITH told AS (DELETE FROM subscription_delivery WHERE n = $1 RETURNING subscription)
UPDATE subscription SET state = 'active', failing = false, note = NULL WHERE failing AND id = (SELECT subscription FROM told)
"""


class Deliverer:
    """Tells what is due."""

    def __init__(self, ground: Ground, caller: Caller) -> None:
        self._ground = ground
        self._caller = caller

    async def work(self) -> bool:
        """Tell what is due, several at once. Answers whether there may be more."""
        rows = await self._ground.database.fetch(_DUE, ABREAST)
        await asyncio.gather(*(self._deliver(row) for row in rows))
        return bool(rows)

    async def _deliver(self, row: Any) -> None:
        try:
            await self._call(row)
        except CallError as failure:
            await self._failed(row, str(failure))
        else:
            await self._ground.database.execute(_TOLD, row["n"])

    async def _failed(self, row: Any, note: str) -> None:
        dead = row["attempts"] >= len(PAUSES)
        pause = 0.0 if dead else PAUSES[row["attempts"]]
        _LOG.info("a notification failed: %s", note)
        await self._ground.database.execute(_FAILED, row["n"], note, dead, pause)

    async def _call(self, row: Any) -> None:
        """Make one call; there is none where the Subscription is gone, or its maker may not see the resource any more."""
        resource = await self._subscription(row["subscription"])
        who = subscribing.asker(self._ground.keys, resource) if resource else None
        if resource is None or who is None:
            return
        channel = resource.channel
        endpoint, headers = channel.endpoint or "", dict(subscribing.headers(self._ground.keys, channel))
        if not channel.payload:
            await self._caller.call("POST", endpoint, headers, b"")
            return
        access, type_name = self._ground.access(who), r4.TYPE_NAME[row["type"]]
        try:
            if row["ver"] is None:
                version = await access.read(type_name, row["name"])
            else:
                version = await access.vread(type_name, row["name"], row["ver"])
        except Problem as refusal:
            if refusal.status in (403, 404, 410):
                return
            raise
        if version.deleted:
            return
        address = f"{endpoint.rstrip('/')}/{type_name}/{row['name']}"
        headers["content-type"] = "application/fhir+json; charset=utf-8"
        await self._caller.call("PUT", address, headers, version.json())

    async def _subscription(self, id_: UUID) -> r4.Subscription | None:
        async with self._ground.database.acquire() as connection:
            versions = await hearing.standing(connection, "Subscription", [id_])
        resource = versions[0].resource() if versions else None
        return resource if isinstance(resource, r4.Subscription) else None
