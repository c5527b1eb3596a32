"""What a value set is made of, written as one SQL statement: inclusions united, exclusions taken away.

Every part gives rows (url, ver, code, id, display, given, part, ord, folded, inactive, abstract); `id` is null for a
listed code whose system is not here. A question about one code or about words typed is written into every part, so that
nothing else is read. Source: https://hl7.org/fhir/R4/valueset.html#compositions
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from yersin.db.sql import Sql
from yersin.fhir.problem import problem

from .concepts import JSON
from .finding import Finder, System, unknown_system
from .grammars import GRAMMARS
from .words import fold, query, words

#: parts of a composition, all that it refers to counted, beyond which it is refused
PARTS_LIMIT = 1000
#: value sets within each other beyond which it is refused
DEPTH_LIMIT = 30
_NOTHING = (
    "SELECT ''::text AS url, ''::text AS ver, ''::text AS code, NULL::bigint AS id, ''::text AS display, "
    "NULL::jsonb AS given, 0 AS part, 0::bigint AS ord, ''::text AS folded, false AS inactive, false AS abstract WHERE false"
)
_VALUE = (
    "coalesce(p->>'valueCode', p->>'valueString', p->'valueCoding'->>'code', p->>'valueBoolean', p->>'valueInteger', "
    "p->>'valueDecimal', p->>'valueDateTime')"
)
_HIERARCHY = frozenset({"is-a", "descendent-of", "is-not-a", "generalizes"})
_ARGUMENT = re.compile(r"\$(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What is asked about: everything, one code (of any system where none is named), or what fits words typed."""

    system: str = ""
    code: str | None = None
    typed: str = ""

    def without_words(self) -> Narrowing:
        """The same for what is taken away or intersected: there words make no difference."""
        return replace(self, typed="")


def pruned(text: str, arguments: Sequence[Any]) -> tuple[str, list[Any]]:
    """Leave out arguments of parts that were dropped, and number the others anew."""
    used = sorted({int(n) for n in _ARGUMENT.findall(text)})
    place = {n: new for new, n in enumerate(used, 1)}
    return _ARGUMENT.sub(lambda m: f"${place[int(m[1])]}", text), [arguments[n - 1] for n in used]


@dataclass(slots=True)
class Composer:
    """Writes the statement of a value set; `sql` collects its arguments."""

    finder: Finder
    sql: Sql
    narrowing: Narrowing
    #: value sets that are being written, against circles
    within: tuple[str, ...] = ()
    #: value sets that a resource brings with it
    contained: dict[str, JSON] = field(default_factory=dict)
    #: code systems that the asker wants left out, each with the version, if not all of them
    without: tuple[tuple[str, str], ...] = ()
    #: versions of code systems that were used, in order
    used: dict[tuple[str, str], None] = field(default_factory=dict)
    parts: int = 0

    async def of_set(self, value_set: JSON, narrowing: Narrowing | None = None) -> str:
        """Write a value set. Raises Problem: not-found, not-supported, too-costly, or invalid for a filter."""
        asked = narrowing or self.narrowing
        compose = value_set.get("compose")
        if compose is None:
            listed = [*_contained_codes(value_set.get("expansion", {}).get("contains", ()))]
            parts = [await self._listed(system, codes, asked) for system, codes in _by_system(listed)]
            return _united(parts)
        taken = [await self._inclusion(part, asked) for part in compose.get("include", ())]
        gone = [await self._inclusion(part, asked.without_words()) for part in compose.get("exclude", ())]
        text = _united([part for part in taken if part != _NOTHING])
        gone = [part for part in gone if part != _NOTHING]
        if gone:
            same = "x.url = m.url AND x.code = m.code"
            text = (
                f"SELECT m.* FROM ({text}) m WHERE NOT EXISTS (SELECT FROM ({' UNION ALL '.join(gone)}) x WHERE {same})"
            )
        if compose.get("inactive") is False:
            text = f"SELECT m.* FROM ({text}) m WHERE NOT m.inactive"
        return text

    async def _inclusion(self, part: JSON, asked: Narrowing) -> str:
        self.parts += 1
        if self.parts > PARTS_LIMIT:
            raise problem("too-costly", f"This value set is made of more than {PARTS_LIMIT} parts.")
        sets = [await self._referred(canonical, asked) for canonical in part.get("valueSet", ())]
        if "system" in part:
            text = await self._of_system(part, asked)
        elif sets:
            text = sets.pop(0)
        else:
            raise problem(
                "invalid",
                "A part of the value set names neither a system nor a value set.",
                expression="ValueSet.compose",
            )
        if text == _NOTHING or _NOTHING in sets:
            return _NOTHING
        for n, other in enumerate(sets):
            same = f"v{n}.url = m.url AND v{n}.code = m.code"
            text = f"SELECT m.* FROM ({text}) m WHERE EXISTS (SELECT FROM ({other}) v{n} WHERE {same})"
        return text

    async def _referred(self, canonical: str, asked: Narrowing) -> str:
        if canonical in self.within:
            circle = " → ".join([*self.within, canonical])
            raise problem("processing", f"The value set refers to itself: {circle}.", expression="ValueSet.compose")
        if len(self.within) > DEPTH_LIMIT:
            raise problem(
                "too-costly", f"This value set is made of others that are made of others, more than {DEPTH_LIMIT} deep."
            )
        found = self.contained.get(canonical) or await self.finder.value_set(canonical)
        if found is None:
            raise problem("not-found", f"The value set {canonical} is not here, and another is made of it.", status=404)
        before, self.within = self.within, (*self.within, canonical)
        try:
            return await self.of_set(found, asked)
        finally:
            self.within = before

    async def _of_system(self, part: JSON, asked: Narrowing) -> str:
        if asked.system and asked.system != part["system"]:
            return _NOTHING
        if "concept" in part:
            return await self._listed((part["system"], part.get("version", "")), part["concept"], asked)
        url, version = part["system"], part.get("version", "")
        system = await self.finder.system(url, version)
        if self._is_out(url, system.version if system else version):
            return _NOTHING
        if url in GRAMMARS and (asked.code is not None or system is None):
            return self._of_grammar(part, asked)
        if system is None or not (system.concepts or system.is_whole):
            raise unknown_system(url, self.finder.versions.chosen(url, version))
        self._use(system)
        conditions = [f"c.system = {self.sql.arg(system.id, 'int')}", *self._narrowed(system, asked)]
        conditions += [_Filter(self.sql, system, one).condition() for one in part.get("filter", ())]
        return (
            f"SELECT {self.sql.arg(system.url, 'text')} AS url, {self.sql.arg(system.version, 'text')} AS ver, c.code, c.id, "
            f"c.display, NULL::jsonb AS given, {self.parts} AS part, c.id AS ord, c.folded, c.inactive, c.abstract "
            f"FROM terms.concept c WHERE {' AND '.join(conditions)}"
        )

    def _is_out(self, url: str, version: str) -> bool:
        return any(url == out and which in ("", version) for out, which in self.without)

    def _of_grammar(self, part: JSON, asked: Narrowing) -> str:
        url = part["system"]
        if asked.code is None:
            raise problem(
                "too-costly",
                f"The codes of {url} cannot be listed: there is no end to them. Ask about one with $validate-code.",
            )
        if part.get("filter"):
            raise problem(
                "not-supported",
                f"Codes of {url} cannot be chosen by a property here.",
                expression="ValueSet.compose.include.filter",
            )
        return self._literal(url, asked.code) if GRAMMARS[url](asked.code) else _NOTHING

    def _literal(self, url: str, code: str) -> str:
        given = f"{self.sql.arg(url, 'text')} AS url, ''::text AS ver, {self.sql.arg(code, 'text')} AS code"
        return (
            f"SELECT {given}, NULL::bigint AS id, {self.sql.arg(code, 'text')} AS display, NULL::jsonb AS given, "
            f"{self.parts} AS part, 0::bigint AS ord, ''::text AS folded, false AS inactive, false AS abstract"
        )

    async def _listed(self, named: tuple[str, str], concepts: Sequence[JSON], asked: Narrowing) -> str:
        """Codes that are named one by one; what their system says of them is joined."""
        system = await self.finder.system(*named)
        if self._is_out(named[0], system.version if system else named[1]):
            return _NOTHING
        if system:
            self._use(system)
        key = system.key if system else str
        chosen = [
            (n, c)
            for n, c in enumerate(concepts)
            if c.get("code") and (asked.code is None or key(str(c["code"])) == key(asked.code))
        ]
        if not chosen:
            return _NOTHING
        columns = [
            self.sql.arg([str(c["code"]) for _, c in chosen], "text[]"),
            self.sql.arg([key(str(c["code"])) for _, c in chosen], "text[]"),
            self.sql.arg([str(c["display"]) if c.get("display") else None for _, c in chosen], "text[]"),
            self.sql.arg(["\n" + fold(str(c.get("display", ""))) for _, c in chosen], "text[]"),
            self.sql.arg([n for n, _ in chosen], "bigint[]"),
        ]
        given = self.sql.arg([c.get("designation") for _, c in chosen], "jsonb")
        number = self.sql.arg(system.id if system else 0, "int")
        version = self.sql.arg(system.version if system else named[1], "text")
        words = f" WHERE {self._typed_in_list(asked)}" if asked.typed else ""
        return (
            f"SELECT {self.sql.arg(named[0], 'text')} AS url, {version} AS ver, coalesce(c.code, l.code) AS code, c.id, "
            f"coalesce(l.display, c.display, '') AS display, "
            f"{given} -> (l.place - 1)::int AS given, {self.parts} AS part, l.ord, l.folded || coalesce(c.folded, '') AS folded, "
            f"coalesce(c.inactive, false) AS inactive, coalesce(c.abstract, false) AS abstract "
            f"FROM unnest({', '.join(columns)}) WITH ORDINALITY AS l (code, key, display, folded, ord, place) "
            f"LEFT JOIN terms.concept c ON c.system = {number} AND c.key = l.key{words}"
        )

    def _narrowed(self, system: System, asked: Narrowing) -> list[str]:
        found = []
        if asked.code is not None:
            found.append(f"c.key = {self.sql.arg(system.key(asked.code), 'text')}")
        if asked.typed:
            words = query(asked.typed)
            found.append(f"array_to_tsvector(c.words) @@ {self.sql.arg(words, 'tsquery')}" if words else "false")
        return found

    def _typed_in_list(self, asked: Narrowing) -> str:
        """Whether every word typed begins a word of what is listed or of the concept in its system."""
        conditions = []
        for word in words(asked.typed)[:12]:
            start = self.sql.arg(rf"\m{re.escape(word)}", "text")
            conditions.append(f"(l.folded || ' ' || lower(l.code) || coalesce(c.folded, '')) ~ {start}")
        return " AND ".join(conditions) or "false"

    def _use(self, system: System) -> None:
        self.used[system.url, system.version] = None


def _united(parts: Sequence[str]) -> str:
    return " UNION ALL ".join(parts) if parts else _NOTHING


def _contained_codes(contains: Sequence[JSON]) -> list[JSON]:
    """Codes of an expansion that was sent instead of a composition, with those nested in others."""
    found: list[JSON] = []
    waiting = list(reversed(contains))
    while waiting:
        one = waiting.pop()
        if one.get("code") and not one.get("abstract"):
            found.append(one)
        waiting += reversed(one.get("contains", ()))
    return found


def _by_system(codes: Sequence[JSON]) -> list[tuple[tuple[str, str], list[JSON]]]:
    found: dict[tuple[str, str], list[JSON]] = {}
    for one in codes:
        found.setdefault((str(one.get("system", "")), str(one.get("version", ""))), []).append(one)
    return list(found.items())


@dataclass(frozen=True, slots=True)
class _Filter:
    """One filter of an inclusion. Source: https://hl7.org/fhir/R4/valueset-filter-operator.html"""

    sql: Sql
    system: System
    given: JSON

    def condition(self) -> str:
        """Write it. Raises Problem for an operator or a value that is none."""
        operator, value = str(self.given.get("op", "")), str(self.given.get("value", ""))
        made = self._of_hierarchy(operator, value) if operator in _HIERARCHY else self._of_values(operator, value)
        if not made:
            text = f"The filter {operator!r} is none of R4: =, is-a, descendent-of, is-not-a, regex, in, not-in, generalizes, exists."
            raise problem("not-supported", text, expression="ValueSet.compose.include.filter.op")
        return made

    def _of_hierarchy(self, operator: str, code: str) -> str:
        concept = self._concept(code)
        below = f"c.ancestors @> ARRAY[{concept}]"
        match operator:
            case "is-a":
                return f"({below} OR c.id = {concept})"
            case "descendent-of":
                return below
            case "is-not-a":
                return f"NOT ({below} OR c.id = coalesce({concept}, 0))"
        above = f"SELECT unnest(g.ancestors) FROM terms.concept g WHERE g.id = {concept}"
        return f"(c.id = {concept} OR c.id IN ({above}))"

    def _concept(self, code: str) -> str:
        key = self.sql.arg(self.system.key(code), "text")
        return f"(SELECT f.id FROM terms.concept f WHERE f.system = {self.sql.arg(self.system.id, 'int')} AND f.key = {key})"

    def _of_values(self, operator: str, value: str) -> str:
        parts = [part.strip() for part in value.split(",")]
        match operator:
            case "=":
                return self._any(f"= {self.sql.arg(value, 'text')}", value)
            case "in":
                return self._any(f"= ANY({self.sql.arg(parts, 'text[]')})", *parts)
            case "not-in":
                return "NOT " + self._any(f"= ANY({self.sql.arg(parts, 'text[]')})", *parts)
            case "regex":
                return self._any(f"~ {self.sql.arg(_expression(value), 'text')}")
            case "exists":
                return self._any("IS NOT NULL") if value == "true" else f"NOT {self._any('IS NOT NULL')}"
        return ""

    def _any(self, test: str, *codes: str) -> str:
        """Whether a value of the property passes a test. `codes` are the values wanted, for parents and children."""
        name = str(self.given.get("property", ""))
        if name in ("code", "concept"):
            return f"(c.code {test})"
        if name == "display":
            return f"(c.display {test})"
        if name in ("parent", "child"):
            return self._related(name, test)
        if name == "inactive" and codes:
            return f"(c.inactive::text {test})"
        listed = "jsonb_array_elements(CASE WHEN c.more ? 'property' THEN c.more->'property' ELSE '[]' END)"
        named = self.sql.arg(name, "text")
        return f"EXISTS (SELECT FROM {listed} p WHERE p->>'code' = {named} AND {_VALUE} {test})"

    def _related(self, name: str, test: str) -> str:
        if name == "parent":
            return f"EXISTS (SELECT FROM terms.concept r WHERE r.id = ANY(c.parents) AND r.code {test})"
        return f"EXISTS (SELECT FROM terms.concept r WHERE c.id = ANY(r.parents) AND r.system = c.system AND r.code {test})"


def _expression(value: str) -> str:
    """A regular expression that must fit whole. Raises Problem where it is none, or one that may never end."""
    try:
        re.compile(value)
    except re.error as error:
        text = f"{value!r} is no regular expression: {error}."
        raise problem("invalid", text, expression="ValueSet.compose.include.filter.value") from error
    return f"^(?:{value})$"
