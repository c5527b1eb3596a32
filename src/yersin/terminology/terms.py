"""Terminology for those who cannot wait: bindings and FHIRPath ask within a process, and are answered from what was learnt.

What is not known yet is answered with None and remembered; after `learn` the same question has its answer. So a check
runs, learns what it missed if it missed anything, and runs again. Fits `yersin.fhir.path.scene.Terms`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from yersin.db import Database
from yersin.fhir.problem import Problem

from . import intake
from .expanding import Wanted, expand
from .finding import Finder
from .grammars import GRAMMARS
from .judging import Coding, member
from .relating import subsumes

#: seconds in which what was learnt is believed without asking whether something was stored or loaded since
FRESH = 2.0
#: single answers that are kept; beyond, all of them are forgotten
KEPT = 50_000
_STANDING = """
SELECT (SELECT max(made) FROM terms.loaded)::text || (SELECT max(made) FROM terms.system)::text || (SELECT count(*) FROM terms.system)
  || coalesce((SELECT max(made)::text FROM terms.definition), '') || (SELECT count(*) FROM terms.definition)
"""


@dataclass(frozen=True, slots=True)
class Members:
    """Codes of a value set, and the grammars whose every code is in it."""

    coded: frozenset[tuple[str, str]]
    codes: frozenset[str]
    grammars: frozenset[str]

    def has(self, system: str, code: str) -> bool:
        """Whether a code is in it; of any system where none is named."""
        listed = (system, code) in self.coded if system else code in self.codes
        return listed or any(GRAMMARS[url](code) for url in self.grammars if system in ("", url))


class Terms:
    """One a process; every caller shares what was learnt."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sets: dict[str, Members | None] = {}
        self._members: dict[tuple[str, str, str], bool | None] = {}
        self._above: dict[tuple[str, str, str], bool | None] = {}
        self._codes: dict[tuple[str, str, str], bool | None] = {}
        #: how often something was asked that is not known yet
        self.misses = 0
        self._missed = _nothing()
        self._standing = ""
        self._looked = 0.0

    def member_of(self, system: str, code: str, value_set: str) -> bool | None:
        """Whether a code is in a value set; `system` is empty where only the code is known. None: not known (yet)."""
        if value_set not in self._sets:
            self.misses += 1
            self._missed["set"][value_set, "", ""] = None
            return None
        members = self._sets[value_set]
        if members is not None:
            return members.has(system, code)
        return self._single(self._members, "member", (system, code, value_set))

    def subsumes(self, system: str, parent: str, child: str) -> bool | None:
        """Whether a code is the other or one of its ancestors. None: not known (yet)."""
        return self._single(self._above, "above", (system, parent, child))

    def is_code(self, system: str, code: str) -> bool | None:
        """Whether a code is one of its system. None: not known (yet), or only a part of the system is here."""
        return self._single(self._codes, "code", (system, code, ""))

    def is_surely_code(self, system: str, code: str) -> bool:
        """Whether it was learnt that a code is not wrong in its system."""
        return self._codes.get((system, code, ""), False) is not False

    def is_surely_member(self, system: str, code: str, value_set: str) -> bool:
        """Whether it was learnt that a code is not outside a value set."""
        members = self._sets.get(value_set)
        if members is not None:
            return members.has(system, code)
        return value_set in self._sets and self._members.get((system, code, value_set), False) is not False

    def _single(
        self, known: dict[tuple[str, str, str], bool | None], kind: str, asked: tuple[str, str, str]
    ) -> bool | None:
        if asked not in known:
            self.misses += 1
            self._missed[kind][asked] = None
            return None
        return known[asked]

    @property
    def has_missed(self) -> bool:
        """Whether something was asked that `learn` may find."""
        return any(self._missed.values())

    async def learn(self, value_sets: Iterable[str] = ()) -> None:
        """Find what was missed, and the members of these value sets; forget first what has changed since."""
        await self._look()
        for url in value_sets:
            if url not in self._sets:
                self._missed["set"][url, "", ""] = None
        if not self.has_missed:
            return
        missed, self._missed = self._missed, _nothing()
        async with self._database.searching() as connection:
            finder = Finder(connection)
            for url, _, _ in missed["set"]:
                self._sets[url] = await _members(finder, url)
            for asked in missed["member"]:
                self._members[asked] = await _is_member(finder, *asked)
            for asked in missed["above"]:
                self._above[asked] = await _is_above(finder, *asked)
            for asked in missed["code"]:
                self._codes[asked] = await _is_code(finder, asked[0], asked[1])

    async def _look(self) -> None:
        """Forget all when definitions have changed, or too many single answers are kept."""
        if len(self._members) + len(self._above) + len(self._codes) > KEPT:
            self._members.clear()
            self._above.clear()
            self._codes.clear()
        if time.monotonic() - self._looked < FRESH:
            return
        await intake.take_in(self._database)
        standing = str(await self._database.fetchval(_STANDING))
        if standing != self._standing:
            self._sets.clear()
            self._members.clear()
            self._above.clear()
            self._codes.clear()
        self._standing, self._looked = standing, time.monotonic()


async def _members(finder: Finder, url: str) -> Members | None:
    """Codes of a value set; None where there are too many to hold, or not all can be known."""
    value_set = await finder.value_set(url)
    if value_set is None:
        return None
    parts = value_set.get("compose", {}).get("include", ())
    grammars = frozenset(p["system"] for p in parts if p.get("system") in GRAMMARS and p.keys() == {"system"})
    listed = [p for p in parts if p.keys() != {"system"} or p["system"] not in grammars]
    if grammars and (not listed or value_set["compose"].get("exclude")):
        return Members(frozenset(), frozenset(), grammars) if not listed else None
    try:
        less = {**value_set, "compose": {**value_set["compose"], "include": listed}} if grammars else value_set
        found = await expand(finder, less, Wanted(flat=True))
    except Problem:
        return None
    coded = {(str(c.get("system", "")), str(c["code"])) for c in found.get("contains", ())}
    for name in {name for name, _ in coded}:
        system = await finder.system(name)
        if system and system.folds:
            return None  # asked one by one, as this system compares its codes
    return Members(frozenset(coded), frozenset(code for _, code in coded), grammars)


async def _is_member(finder: Finder, system: str, code: str, url: str) -> bool | None:
    value_set = await finder.value_set(url)
    if value_set is None:
        return None
    try:
        return await member(finder, value_set, Coding(code=code, system=system)) is not None
    except Problem:
        return None


def _nothing() -> dict[str, dict[tuple[str, str, str], None]]:
    return {"set": {}, "member": {}, "above": {}, "code": {}}


async def _is_code(finder: Finder, url: str, code: str) -> bool | None:
    system = await finder.system(url)
    if system is None:
        return GRAMMARS[url](code) if url in GRAMMARS else None
    return True if await finder.concept(system, code) else False if system.is_whole else None


async def _is_above(finder: Finder, system: str, parent: str, child: str) -> bool | None:
    try:
        return await subsumes(finder, system, "", parent, child) in ("subsumes", "equivalent")
    except Problem:
        return None
