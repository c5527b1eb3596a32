"""Finds code systems, value sets, concept maps and concepts by what they are called, for one question at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import msgspec

from yersin.db import Connection
from yersin.fhir.problem import Problem, problem
from yersin.store.identity import row_id

from .concepts import COLUMNS, JSON, head, is_folding, rows

#: number of a code system that was sent and stands in no table
LENT = 0
#: stored before loaded before built in; then the newest
_ORDER = "ORDER BY rank DESC, dated DESC NULLS LAST, made DESC, id DESC LIMIT 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A version of a code system. `head` is the CodeSystem without its concepts."""

    id: int
    url: str
    version: str
    folds: bool
    concepts: int
    head: JSON

    def key(self, code: str) -> str:
        """The code as this system compares codes."""
        return code.lower() if self.folds else code

    @property
    def is_whole(self) -> bool:
        """Whether what is not listed is no code of it."""
        return self.head.get("content") == "complete"

    @property
    def language(self) -> str:
        return str(self.head.get("language", "en"))

    @property
    def title(self) -> str:
        return str(self.head.get("title") or self.head.get("name") or self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """A concept with all that is known of it."""

    id: int
    code: str
    display: str
    parents: Sequence[int]
    abstract: bool
    inactive: bool
    more: JSON

    @property
    def designations(self) -> Sequence[JSON]:
        found: Sequence[JSON] = self.more.get("designation", ())
        return found

    @property
    def properties(self) -> Sequence[JSON]:
        found: Sequence[JSON] = self.more.get("property", ())
        return found


def unknown_system(url: str, version: str = "") -> Problem:
    """Say that a code system is not here, and what can be done."""
    which = f"{url}|{version}" if version else url
    cure = "Send it as a CodeSystem, or load its official list with `yersin load`."
    return problem("not-found", f"The code system {which} is not here. {cure}", status=404)


def split(canonical: str) -> tuple[str, str]:
    """Part a canonical address from its version."""
    url, _, version = canonical.partition("|")
    return url, version


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """Versions of code systems that an asker wants, by address.

    `usual` where nothing is said, `checked` as well, and then nobody may say another, `forced` whatever is said.
    """

    usual: Mapping[str, str] = field(default_factory=dict)
    checked: Mapping[str, str] = field(default_factory=dict)
    forced: Mapping[str, str] = field(default_factory=dict)

    def chosen(self, url: str, said: str) -> str:
        """Choose the version, empty for any. Raises Problem (conflict, 422) where one is said that is not the checked one."""
        checked = self.checked.get(url, "")
        if checked and said not in ("", checked):
            text = f"Version {said} of {url} is used here, and check-system-version asks for {checked}."
            raise problem("conflict", text, expression="check-system-version", status=422)
        return self.forced.get(url) or said or checked or self.usual.get(url, "")


@dataclass(slots=True)
class Finder:
    """Answers from one connection, each thing looked up once. `lent` are code systems that an asker sent, by address."""

    connection: Connection
    versions: Versions = field(default_factory=Versions)
    lent: dict[str, tuple[System, Mapping[str, Concept]]] = field(default_factory=dict)
    _systems: dict[tuple[str, str], System | None] = field(default_factory=dict)
    _sets: dict[tuple[str, str], JSON | None] = field(default_factory=dict)

    async def system(self, url: str, version: str = "") -> System | None:
        """Find a code system; None where it is not here, or has no concepts here."""
        if url in self.lent:
            return self.lent[url][0]
        version = self.versions.chosen(url, version)
        if (url, version) not in self._systems:
            row = await self.connection.fetchrow(
                "SELECT id, url, version, folds, concepts, head FROM terms.system "
                f"WHERE url = $1 AND ($2 = '' OR version = $2) {_ORDER}",
                url,
                version,
            )
            self._systems[url, version] = System(**dict(row)) if row else None
        return self._systems[url, version]

    async def value_set(self, canonical: str) -> JSON | None:
        """Find a value set by its address, with or without a version."""
        url, version = split(canonical)
        if (url, version) not in self._sets:
            self._sets[url, version] = await self.definition("ValueSet", url, version)
        return self._sets[url, version]

    async def definition(self, kind: str, url: str, version: str = "") -> JSON | None:
        """Find a value set or a concept map."""
        found: JSON | None = await self.connection.fetchval(
            "SELECT content FROM terms.definition WHERE kind = $1 AND url = $2 AND ($3 = '' OR version = $3) "
            "ORDER BY rank DESC, made DESC, id DESC LIMIT 1",
            kind,
            url,
            version,
        )
        return found

    async def stored(self, kind: str, logical_id: str) -> JSON | None:
        """Find a value set or a concept map that a client stored, by its id."""
        found: JSON | None = await self.connection.fetchval(
            "SELECT content FROM terms.definition WHERE kind = $1 AND source = $2 LIMIT 1",
            kind,
            f"{kind}/{row_id(kind, logical_id).id}",
        )
        return found

    async def maps(self, origin: str, target: str) -> list[JSON]:
        """Concept maps between two scopes; an empty scope is any."""
        rows = await self.connection.fetch(
            "SELECT content FROM terms.definition WHERE kind = 'ConceptMap' AND ($1 = '' OR origin = $1) "
            "AND ($2 = '' OR target = $2) ORDER BY rank DESC, made DESC, id DESC LIMIT 100",
            origin,
            target,
        )
        return [row["content"] for row in rows]

    async def concept(self, system: System, code: str) -> Concept | None:
        """Find a concept by its code."""
        if system.id == LENT:
            return self.lent[system.url][1].get(system.key(code))
        row = await self.connection.fetchrow(
            "SELECT id, code, display, parents, abstract, inactive, more FROM terms.concept WHERE system = $1 AND key = $2",
            system.id,
            system.key(code),
        )
        return Concept(**dict(row)) if row else None

    async def codes(self, ids: Sequence[int]) -> list[tuple[str, str]]:
        """Codes and displays of concepts, in the order of their list."""
        rows = await self.connection.fetch(
            "SELECT code, display FROM terms.concept WHERE id = ANY($1::bigint[]) ORDER BY id", list(ids)
        )
        return [(row["code"], row["display"]) for row in rows]

    async def children(self, concept: int) -> list[tuple[str, str]]:
        """Codes and displays of the concepts just below one."""
        rows = await self.connection.fetch(
            "SELECT code, display FROM terms.concept WHERE ancestors @> ARRAY[$1::bigint] AND $1 = ANY(parents) ORDER BY id",
            concept,
        )
        return [(row["code"], row["display"]) for row in rows]


def lent(sent: JSON) -> tuple[System, dict[str, Concept]]:
    """Read a code system that was sent, for questions about single codes."""
    system = System(
        id=LENT,
        url=str(sent.get("url", "")),
        version=str(sent.get("version", "")),
        folds=is_folding(sent),
        concepts=len(sent.get("concept", ())),
        head=head(sent),
    )
    names = [each.name for each in fields(Concept)]
    made = (dict(zip(COLUMNS, row, strict=True)) for row in rows(sent, LENT))
    return system, {row["key"]: Concept(**{name: row[name] for name in names}) for row in made}


def shown(display: str, designations: Sequence[JSON], language: str, own: str) -> str:
    """Choose the display in a language; the one of the code system, whose language is `own`, where there is none."""
    if not language or own.partition("-")[0] == language.partition("-")[0]:
        return display
    wanted = [d for d in designations if str(d.get("language", "")).partition("-")[0] == language.partition("-")[0]]
    return str(wanted[0].get("value") or display) if wanted else display


def plain(resource: Any) -> dict[str, Any]:
    """A resource as plain values, as the tables hold them."""
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(resource))
    return made
