"""Profiles for those who judge: definitions stored here beside R4's own, and terminology that learns what is asked of it.

Definitions tell of nobody, so everybody's resources are judged by all that are stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from yersin.db import Database
from yersin.db.sql import Sql
from yersin.fhir import encode, r4
from yersin.fhir.problem import Issue, Problem
from yersin.fhir.profiles import Judge, Library
from yersin.store import reading
from yersin.terminology.terms import Terms

#: seconds in which stored definitions are believed unchanged
FRESH = 2.0
#: rounds of judging and learning what was missed
ROUNDS = 6
_ASIDE = 64 * 1024
_TYPE = "StructureDefinition"
_STANDING = "SELECT count(*) || '/' || coalesce(sum(ver), 0) FROM id_map WHERE type = $1"
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class _Everything:
    def condition(self, sql: Sql, type_name: str, row: str) -> str:  # noqa: ARG002
        """Let every row through: definitions tell of nobody."""
        return "true"


class Unlearnt(Exception):  # noqa: N818 - nothing failed: learn, and do it again
    """Something must be learnt from the database before it can be told whether a profile is met."""


class Profiling:
    """One a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.terms = Terms(database)
        self._library = Library()
        self._standing = ""
        self._looked = float("-inf")

    async def library(self) -> Library:
        """Give R4's definitions with those that are stored, as they are now."""
        if time.monotonic() - self._looked < FRESH:
            return self._library
        standing = str(await self._database.fetchval(_STANDING, r4.TYPE_NUMBER[_TYPE]))
        if standing != self._standing:
            self._library = Library(await self._stored())
        self._standing, self._looked = standing, time.monotonic()
        return self._library

    async def _stored(self) -> list[Any]:
        async with self._database.searching() as connection:
            rows = await connection.fetch(
                "SELECT id FROM id_map WHERE type = $1 AND NOT deleted ORDER BY id", r4.TYPE_NUMBER[_TYPE]
            )
            found = await reading.current(connection, _TYPE, [row["id"] for row in rows], _Everything())
        return [_decode(version.json()) for version in found]

    async def judge(self, raw: bytes, profiles: Sequence[str] = ()) -> list[Issue]:
        """Every finding in the JSON of a resource that parses: by R4, by what it claims, and by these profiles."""
        library = await self.library()
        resource = _decode(raw)
        await self.terms.learn()
        issues: list[Issue] = []
        for _ in range(ROUNDS):
            judge = Judge(library, terms=self.terms)
            issues = (
                await asyncio.to_thread(judge.judge, resource, profiles)
                if len(raw) > _ASIDE
                else judge.judge(resource, profiles)
            )
            if not self.terms.has_missed:
                break
            await self.terms.learn()
        return issues

    async def learn(self) -> None:
        """Find what is stored now, and what terminology was asked and did not know."""
        await self.library()
        await self.terms.learn()

    def require_met(self, resources: Iterable[r4.Resource], *, has_learnt: bool) -> None:
        """Refuse what does not meet a profile that it claims and that is known. Raises Problem (422) with every finding.

        Asks no database, since a transaction may be open: raises Unlearnt where something must be learnt first.
        """
        claiming = [each for each in resources if each.meta is not None and each.meta.profile]
        if claiming and not has_learnt and time.monotonic() - self._looked >= FRESH:
            raise Unlearnt
        for resource in claiming:
            urls = (resource.meta.profile or ()) if resource.meta else ()
            if not any(url and self._library.find(url) for url in urls):
                continue
            issues = Judge(self._library, terms=self.terms).judge(_decode(encode(resource)))
            # go on, so that what all of them ask of terminology is learnt at once
            if not self.terms.has_missed and any(issue.severity in ("error", "fatal") for issue in issues):
                raise Problem(issues, status=422)
        if claiming and self.terms.has_missed:
            raise Unlearnt
