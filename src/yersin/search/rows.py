"""What the database keeps of a resource so that it can be found: tokens, main date, texts, ranges, patients.

Source: https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from zoneinfo import ZoneInfo

from yersin.fhir.parameters import index_epoch, sorted_strings
from yersin.search import emit_together, emit_words, tokens
from yersin.search.build import Build, Row
from yersin.search.extract import Emitter, compile_type
from yersin.search.rarity import Rarity
from yersin.search.terms import Terms
from yersin.store.schema import index_version

PEOPLE = {"Patient", "Practitioner", "RelatedPerson", "Person"}
EMITTERS: dict[tuple[str, str], Emitter] = {**emit_together.ALONE, **emit_together.EMITTERS}
_REMEMBERED = 100_000


class Indexer:
    """Makes index rows under one database's token key and zone."""

    def __init__(self, key: bytes, zone: ZoneInfo, *, base: str = "", terms: Terms | None = None) -> None:
        self.key = key
        self.terms = terms
        self.zone = zone
        self.base = base
        self.rarity = Rarity()
        self._types: dict[str, tuple[Callable[[Any, Build], None], int, int]] = {}
        self._epoch = index_epoch()
        self._memory: dict[Any, Any] = {}

    def index(self, resource: Any) -> Row:
        """Make the row of a resource."""
        name = type(resource).__name__
        if self._epoch != index_epoch():
            self._forget()
        known = self._types.get(name)
        if known is None:
            known = self._types[name] = (
                compile_type(name, EMITTERS),
                len(sorted_strings(name)),
                index_version(name),
            )
        if len(self._memory) > _REMEMBERED:
            self._memory.clear()
        build = Build(self.key, self.zone, self.base, self._memory, known[1])
        if name == "Patient" and resource.id is not None:
            build.patients[resource.id] = -1
        known[0](resource, build)
        if name in PEOPLE:
            emit_words.person_found(build, resource)
        row = build.row()
        row.ixv = known[2]
        return row

    def _forget(self) -> None:
        """Begin anew with the parameters there are now."""
        self._epoch = index_epoch()
        self._types.clear()
        self._memory.clear()

    def hashes(self, texts: Iterable[str]) -> tuple[int, ...]:
        """Hash token texts under this database's key: the query side asks with the same numbers."""
        return tokens.hashes(texts, self.key)
