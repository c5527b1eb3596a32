"""Follows the change log: learns of Subscriptions, and puts down what is to be told to whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from yersin.api.bulk.jobs import owner_of
from yersin.api.messages import refuse_nul
from yersin.db import Connection
from yersin.fhir import r4
from yersin.fhir.dates import span
from yersin.fhir.problem import Problem
from yersin.guard import hearing, subscribing
from yersin.guard.access import Ground
from yersin.guard.hearing import Change
from yersin.guard.who import system
from yersin.guard.writing import Update
from yersin.search.page import Query
from yersin.store.identity import row_id

from . import outgoing

CONSUMER = "subscriptions"
BATCH = 500
#: headers of a channel, at most
HEADERS = 10
PAYLOADS = (None, "", "application/fhir+json", "application/json")
_ANSWERING = frozenset({"_count", "_elements", "_include", "_revinclude", "_sort", "_summary", "_total"})
_KNOW = """
INSERT INTO subscription (id, name, owner, tx, seq, type, state, note, ends, told, kind)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (id) DO UPDATE SET owner = $3, tx = $4, seq = $5, type = $6, state = $7, failing = false, note = $8, ends = $9,
  told = $10, kind = $11
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """A Subscription that can be followed."""

    query: Query
    ends: datetime | None


class UnfitError(ValueError):
    """A Subscription that cannot be followed; the text says why."""


def read(ground: Ground, resource: r4.Subscription) -> Reading:
    """Read what a Subscription asks. Raises UnfitError."""
    who = subscribing.asker(ground.keys, resource)
    if who is None:
        raise UnfitError("nobody asked for it here: send it anew with an access token")
    channel = resource.channel
    if channel.type == "rest-hook":
        _require_callable(ground, channel)
    elif channel.type != "websocket":
        raise UnfitError(f"channel.type {channel.type} is not built; use rest-hook or websocket")
    elif channel.payload:
        raise UnfitError("channel.payload: over a websocket nothing but a ping is sent; leave it out")
    ends = span(resource.end, UTC).lo if resource.end else None
    if ends and ends <= datetime.now(UTC):
        raise UnfitError("its end has passed")
    query = _query(resource.criteria or "")
    if not who.is_granted(query.type, "s") or not who.is_granted(query.type, "r"):
        raise UnfitError(f"the access token it was made with does not cover system/{query.type}.rs")
    return Reading(query, ends)


def _require_callable(ground: Ground, channel: r4.SubscriptionChannel) -> None:
    if channel.payload not in PAYLOADS:
        raise UnfitError("channel.payload must be application/fhir+json, or absent")
    headers = subscribing.headers(ground.keys, channel)
    if len(headers) > HEADERS:
        raise UnfitError(f"channel.header holds more than {HEADERS} headers")
    if fault := outgoing.fault(channel.endpoint or "", headers):
        raise UnfitError(fault)


def _query(criteria: str) -> Query:
    type_name, _, text = criteria.partition("?")
    if type_name not in r4.TYPE_NUMBER:
        raise UnfitError("criteria must be a search such as Observation?code=1975-2")
    pairs = parse_qsl(text, keep_blank_values=True)
    if named := next((name for name, _ in pairs if name.partition(":")[0] in _ANSWERING), ""):
        raise UnfitError(f"criteria: {named} says how a search is answered, not what it finds")
    try:
        refuse_nul(text)
        return Query.of(type_name, pairs)
    except Problem as refusal:
        raise UnfitError(f"criteria: {refusal.issues[0].diagnostics}") from refusal


class Follower:
    """Follows the change log for all Subscriptions."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def work(self) -> bool:
        """Take in the next changes, and say in resources how their Subscriptions stand. Answers whether to go on at once."""
        heard = await hearing.hear(self._ground.database, CONSUMER, BATCH, self._take)
        return await self._tell() or heard

    async def _take(self, connection: Connection, found: Sequence[Change]) -> None:
        for change in found:
            if change.type == "Subscription":
                await self._know(connection, change)
        by_type: dict[str, list[Change]] = defaultdict(list)
        for change in found:
            if change.op != "D":
                by_type[change.type].append(change)
        sql = "SELECT id, tx, seq, type FROM subscription WHERE state = 'active' OR failing"
        for row in await connection.fetch(sql):
            after = (row["tx"], row["seq"])
            fresh = [change for change in by_type.get(row["type"], ()) if change.cursor > after]
            if fresh:
                await self._match(connection, row["id"], fresh)

    async def _know(self, connection: Connection, change: Change) -> None:
        """Learn of a Subscription as it stands. What the server itself wrote of its state is no news."""
        versions = await hearing.standing(connection, "Subscription", [change.id])
        if not versions:
            await connection.execute("DELETE FROM subscription WHERE id = $1", change.id)
            return
        resource = versions[0].resource()
        assert isinstance(resource, r4.Subscription)  # noqa: S101 - its type is in the statement
        if resource.status in ("active", "error"):
            return
        who = subscribing.asker(self._ground.keys, resource)
        state, note, ends, type_name = "off", None, None, ""
        if resource.status == "requested":
            try:
                found = read(self._ground, resource)
                state, ends, type_name = "active", found.ends, found.query.type
            except UnfitError as error:
                state, note = "error", str(error)
        await connection.execute(
            _KNOW, change.id, versions[0].id, owner_of(who) if who else "", *change.cursor, type_name, state, note, ends,
            resource.status, resource.channel.type,
        )  # fmt: skip

    async def _match(self, connection: Connection, subscription: UUID, found: Sequence[Change]) -> None:
        versions = await hearing.standing(connection, "Subscription", [subscription])
        resource = versions[0].resource() if versions else None
        who = subscribing.asker(self._ground.keys, resource) if isinstance(resource, r4.Subscription) else None
        if who is None or not isinstance(resource, r4.Subscription):
            return
        query = _query(resource.criteria or "")
        ids = {change.id for change in found}
        matched = await hearing.matching(connection, self._ground.access(who), query, sorted(ids))
        rows = [
            (subscription, r4.TYPE_NUMBER[change.type], change.id, matched[change.id], change.ver, change.at)
            for change in found
            if change.id in matched
        ]
        if rows:
            await self._put_down(connection, rows)

    async def _put_down(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Put down what is to be told. A ping says nothing of what happened: of those that wait, the last is enough."""
        subscription = rows[0][0]
        kind = await connection.fetchval("SELECT kind FROM subscription WHERE id = $1", subscription)
        if kind == "websocket":
            await connection.execute("DELETE FROM subscription_delivery WHERE subscription = $1", subscription)
            rows = rows[-1:]
        columns = ("subscription", "type", "id", "name", "ver", "at")
        await connection.copy_records_to_table("subscription_delivery", records=rows, columns=columns)

    async def _tell(self) -> bool:
        """Write the state of a Subscription into its resource."""
        sql = "UPDATE subscription SET state = 'off', note = 'its end has passed' WHERE ends < now() AND state <> 'off'"
        await self._ground.database.execute(sql)
        row = await self._ground.database.fetchrow(
            "SELECT id, name, state, note FROM subscription WHERE told IS DISTINCT FROM state LIMIT 1"
        )
        if row is None:
            return False
        await self._say(row)
        sql = "UPDATE subscription SET told = $2 WHERE id = $1"
        await self._ground.database.execute(sql, row["id"], row["state"])
        return True

    async def _say(self, row: Any) -> None:
        """Write a new version of the resource, unless somebody has just written another one."""
        async with self._ground.database.acquire() as connection:
            versions = await hearing.standing(connection, "Subscription", [row_id("Subscription", row["name"]).id])
        resource = versions[0].resource() if versions else None
        if not isinstance(resource, r4.Subscription) or resource.status == row["state"]:
            return
        resource.status, resource.error = row["state"], row["note"]
        change = Update(resource=resource, expected=versions[0].ver)
        try:
            await self._ground.access(system("HOPERAT")).write([change])
        except Problem as refusal:
            if refusal.status not in (404, 409, 410, 412):
                raise
