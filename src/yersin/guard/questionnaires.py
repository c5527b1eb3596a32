"""Questionnaires for those who judge answers: found by their canonical address, or by their address here.

Like terminology, they answer from what was learnt, and remember what they were asked and did not know.
Source: https://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec

from yersin.db import Connection, Database
from yersin.db.sql import Sql
from yersin.search.page import Query
from yersin.search.rows import Indexer
from yersin.search.run import search
from yersin.store import reading
from yersin.store.identity import row_id
from yersin.store.versions import Version

#: questionnaires that are kept; beyond, all of them are forgotten
KEPT = 500
_TYPE = "Questionnaire"
_HERE = re.compile(r"(?:\A|/)Questionnaire/([A-Za-z0-9\-.]{1,64})\Z").search
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class _Everything:
    def condition(self, sql: Sql, type_name: str, row: str) -> str:  # noqa: ARG002
        """Let every row through: questionnaires tell of nobody."""
        return "true"


class Questionnaires:
    """One a process."""

    def __init__(self, database: Database, indexer: Indexer) -> None:
        self._database = database
        self._indexer = indexer
        self._known: dict[str, Any | None] = {}
        self._missed: set[str] = set()
        #: how often one was asked for that is not known yet
        self.misses = 0

    def find(self, canonical: str) -> Any | None:
        """Give a questionnaire; None where it is not here, or not known yet."""
        if canonical not in self._known:
            self.misses += 1
            self._missed.add(canonical)
            return None
        return self._known[canonical]

    def is_surely_absent(self, canonical: str) -> bool:
        """Whether it was learnt that a questionnaire is not here."""
        return canonical in self._known and self._known[canonical] is None

    def forget(self) -> None:
        """Forget all, since some have changed."""
        self._known.clear()

    async def learn(self) -> None:
        """Find what was missed."""
        if not self._missed:
            return
        missed, self._missed = self._missed, set()
        if len(self._known) > KEPT:
            self._known.clear()
        async with self._database.searching() as connection:
            for canonical in missed:
                found = await self._found(connection, canonical)
                self._known[canonical] = _decode(found.json()) if found else None

    async def _found(self, connection: Connection, canonical: str) -> Version | None:
        url, _, version = canonical.partition("|")
        asked = [
            ("url", url),
            *([("version", version)] if version else ()),
            ("_sort", "-_lastUpdated"),
            ("_count", "1"),
        ]
        query = Query.of(_TYPE, asked)
        found = (await search(connection, self._indexer, query, _Everything())).versions
        here = _HERE(url.removeprefix(self._indexer.base))
        if found or here is None:
            return found[0] if found else None
        return await reading.read(connection, _TYPE, row_id(_TYPE, here[1]), _Everything())
