"""Profiles for those who judge: definitions stored here beside R4's own, and terminology that learns what is asked of it.

Definitions tell of nobody, so everybody's resources are judged by all that are stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from yersin.db import Database
from yersin.db.sql import Sql
from yersin.fhir import encode, r4
from yersin.fhir.path import Environment
from yersin.fhir.problem import Issue, Problem
from yersin.fhir.profiles import Glance, Judge, Library
from yersin.search.rows import Indexer
from yersin.store import reading
from yersin.terminology.terms import Terms

from .questionnaires import Questionnaires

T = TypeVar("T")
#: seconds in which stored definitions are believed unchanged
FRESH = 2.0
#: rounds of judging and learning what was missed
ROUNDS = 6
_ASIDE = 64 * 1024
_TYPE = "StructureDefinition"
_STANDING = "SELECT type, count(*) || '/' || coalesce(sum(ver), 0) AS standing FROM id_map WHERE type = ANY($1::smallint[]) GROUP BY type"
_WATCHED = [r4.TYPE_NUMBER[_TYPE], r4.TYPE_NUMBER["Questionnaire"]]
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class _Everything:
    def condition(self, sql: Sql, type_name: str, row: str) -> str:  # noqa: ARG002
        """Let every row through: definitions tell of nobody."""
        return "true"


class Unlearnt(Exception):  # noqa: N818 - nothing failed: learn, and do it again
    """Something must be learnt from the database before it can be told whether a resource has errors."""


class Profiling:
    """One a process."""

    def __init__(self, database: Database, indexer: Indexer) -> None:
        self._database = database
        self.terms = Terms(database)
        self.questionnaires = Questionnaires(database, indexer)
        self._library = Library()
        self._glance = Glance(self._library, self.terms, self.questionnaires)
        self._is_looking = False
        self._standing: list[str] = []
        self._looked = float("-inf")

    async def library(self) -> Library:
        """Give R4's definitions with those that are stored, as they are now."""
        if time.monotonic() - self._looked < FRESH:
            return self._library
        rows = {row["type"]: row["standing"] for row in await self._database.fetch(_STANDING, _WATCHED)}
        standing = [rows.get(number, "") for number in _WATCHED]
        if standing[:1] != self._standing[:1]:
            self._library = self._glance.library = Library(await self._stored())
        if standing[1:] != self._standing[1:]:
            self.questionnaires.forget()
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
        await self.learn()
        issues: list[Issue] = []
        for _ in range(ROUNDS):
            before = self._misses
            issues = await self._judged(raw, profiles)
            if self._misses == before:
                break
            await self.terms.learn()
            await self.questionnaires.learn()
        return issues

    async def learn(self) -> None:
        """Find what is stored now, and what terminology was asked and did not know."""
        await self.library()
        await self.terms.learn()
        await self.questionnaires.learn()

    @property
    def _misses(self) -> int:
        return self.terms.misses + self.questionnaires.misses

    async def freshen(self) -> None:
        """Look whether definitions have changed, unless that was done a moment ago or is being done."""
        if self._is_looking or time.monotonic() - self._looked < FRESH:
            return
        self._is_looking = True
        try:
            await self.learn()
        finally:
            self._is_looking = False

    async def require_good(self, resources: Iterable[r4.Resource], *, may_learn: bool) -> None:
        """Refuse resources that have an error, as $validate tells it. Raises Problem (422) with every error of the first.

        Asks no database, since a transaction may be open: raises Unlearnt where something must be learnt first, as long
        as it `may_learn`; what is still not known then is not held against a resource.
        """
        unlearnt = False
        for resource in resources:
            if resource.meta == r4.Meta():
                # the server's own, from an earlier try of this write: it is not written
                resource.meta = None
            if not (resource.meta and resource.meta.profile) and self._glance.is_sure(resource):
                continue
            before = self._misses
            issues = await self._judged(encode(resource))
            if may_learn and self._misses > before:
                unlearnt = True
            # go on, so that what all of them ask of terminology is learnt at once
            elif errors := [issue for issue in issues if issue.severity in ("error", "fatal")]:
                raise Problem(errors, status=422)
        if unlearnt:
            raise Unlearnt

    def finding(self, work: Callable[[Environment], T], *, may_learn: bool) -> T:
        """Do work that runs FHIRPath, with terminology and profiles at hand. Asks no database, and raises Unlearnt, as above."""
        before = self._misses
        judge = Judge(self._library, terms=self.terms, questionnaires=self.questionnaires)
        try:
            return work(Environment(terms=self.terms, profiles=judge))
        finally:
            if may_learn and self._misses > before:
                raise Unlearnt

    async def _judged(self, raw: bytes, profiles: Sequence[str] = ()) -> list[Issue]:
        judge = Judge(self._library, terms=self.terms, questionnaires=self.questionnaires)
        if len(raw) > _ASIDE:
            return await asyncio.to_thread(lambda: judge.judge(_decode(raw), profiles))
        return judge.judge(_decode(raw), profiles)
