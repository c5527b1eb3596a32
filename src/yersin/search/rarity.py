"""Which tokens many resources have, by the statistics that the database gathers of each type's table (ANALYZE).

A token it does not list may still be on one row in two hundred for all that the planner knows: it takes every other
token to be about as common as the least common one listed. With many rows and a short page it would then rather walk
along an order than ask the index. So a search led by a rare token says itself where to begin (`Where.rows`).
Source: https://www.postgresql.org/docs/current/view-pg-stats.html
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from yersin.db import Connection

#: seconds for which the statistics of a table are taken for true, and those after which missing ones are asked for again
LASTING, SOON = 600.0, 10.0
#: rows that are soon read and sorted; a token that more than these are taken to have is common
FEW = 1000
#: bytes up to which a table without statistics is taken to have no more than a few times as many rows
SMALL = 4 * 1024 * 1024
_TABLE = "to_regclass(format('fhir.%I', $1::text))"
_LISTED = (
    f"SELECT ARRAY(SELECT e FROM pg_stats, unnest(most_common_elems::text::bigint[], most_common_elem_freqs) AS t (e, freq) "
    f"WHERE schemaname = 'fhir' AND tablename = $1 AND attname = 'tok' AND freq * (SELECT reltuples FROM pg_class "
    f"WHERE oid = {_TABLE}) > {FEW}) AS listed, pg_relation_size({_TABLE}) AS size, EXISTS (SELECT 1 FROM pg_stats "
    f"WHERE schemaname = 'fhir' AND tablename = $1 AND attname = 'tok' AND most_common_elems IS NOT NULL) AS is_known"
)
_NONE: frozenset[int] = frozenset()


class Rarity:
    """Common tokens of each type that has been searched. Without statistics none is known to be rare, but in a small table."""

    __slots__ = ("_listed", "_until")

    def __init__(self) -> None:
        self._listed: dict[str, frozenset[int] | None] = {}
        self._until: dict[str, float] = {}

    async def freshen(self, connection: Connection, type_name: str) -> None:
        """Read the statistics of a type's table, unless they were read a short while ago."""
        if time.monotonic() < self._until.get(type_name, 0.0):
            return
        self._until[type_name] = time.monotonic() + SOON  # whoever comes meanwhile goes by what was known
        row: Any = await connection.fetchrow(_LISTED, type_name.lower())
        if row["is_known"]:
            self._listed[type_name] = frozenset(row["listed"])
            self._until[type_name] += LASTING
        else:
            # a table that is spread over a cluster has no size of its own
            self._listed[type_name] = _NONE if 0 < (row["size"] or 0) <= SMALL else None

    def are_rare(self, type_name: str, numbers: Iterable[int]) -> bool:
        """Whether few resources of a type have any of some tokens."""
        listed = self._listed.get(type_name)
        return listed is not None and listed.isdisjoint(numbers)
