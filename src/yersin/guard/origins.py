"""Apps of other origins that may call the API from a browser: an administrator registers them, every process learns of it.

An origin lets a page read answers to requests that carry an access token. Cookies count for nothing across origins.
Source: https://fetch.spec.whatwg.org/#http-cors-protocol, RFC 6454
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from yersin.db import Connection, Database, DatabaseFailure
from yersin.db.migrate import Step
from yersin.fhir.problem import problem

from . import audit
from .access import Access

DDL = """
CREATE TABLE cors_origin (
  origin text PRIMARY KEY, name text NOT NULL, added_by text NOT NULL, added timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cors_origin IS 'Apps of other origins that may call the API from a browser (guard/origins.py).';
"""
STEPS = (Step(number=83, name="guard_origins", sql=DDL),)
#: seconds after which a process looks again
_FRESH = 2.0
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An app that is registered."""

    origin: str
    name: str
    added_by: str
    added: datetime


def origin_of(text: str) -> str:
    """Origin as browsers write it, names with accents in their ASCII form. Raises Problem (value) for what is none."""
    try:
        parts = urlsplit(text.strip().lower())
        port, host = parts.port, (parts.hostname or "").encode("idna").decode()
    except ValueError:
        parts, port, host = urlsplit(""), None, ""
    if parts.scheme not in _PORTS or not host or parts.path.strip("/") or parts.query or parts.username:
        cure = f"{text[:80]!r} is no origin. Write scheme, host and port of the app, such as https://app.example.org."
        raise problem("value", cure, expression="origin")
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != _PORTS[parts.scheme] else "")


async def register(access: Access, origin: str, name: str) -> str:
    """Let an app call the API, and record it; returns its origin. Raises Problem for what is no origin."""
    found = origin_of(origin)
    sql = "INSERT INTO cors_origin (origin, name, added_by) VALUES ($1, $2, $3) ON CONFLICT (origin) DO UPDATE SET name = $2"
    async with access.ground.database.transaction() as connection:
        await connection.execute(sql, found, name.strip() or found, access.who.display)
        await _record(connection, access, f"origins/add?origin={found}")
    return found


async def remove(access: Access, origin: str) -> bool:
    """Let an app call no longer, and record it; tells whether it was registered."""
    found = origin_of(origin)
    async with access.ground.database.transaction() as connection:
        gone = await connection.fetchval("DELETE FROM cors_origin WHERE origin = $1 RETURNING origin", found)
        if gone is not None:
            await _record(connection, access, f"origins/remove?origin={found}")
    return gone is not None


async def _record(connection: Connection, access: Access, what: str) -> None:
    await audit.insert(connection, access.who, audit.Entry(interaction="write", query=what))


async def listed(database: Database) -> list[App]:
    """Give every app that is registered."""
    rows = await database.fetch("SELECT origin, name, added_by, added FROM cors_origin ORDER BY origin")
    return [App(**dict(row)) for row in rows]


class Origins:
    """What one process knows of the origins; it looks again where two seconds have passed since it looked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: frozenset[str] = frozenset()
        self._until = 0.0

    async def knows(self, origin: str) -> bool:
        """Whether an origin is registered. While the database is away, what was known last counts."""
        now = time.monotonic()
        if now >= self._until:
            self._until = now + _FRESH
            try:
                rows = await self._database.fetch("SELECT origin FROM cors_origin")
            except DatabaseFailure:
                return origin in self._known
            self._known = frozenset(str(row["origin"]) for row in rows)
        return origin in self._known
