"""Expansions of value sets: counted, found as typed, a page at a time, nested where their code system is.

Source: https://hl7.org/fhir/R4/valueset-operation-expand.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from yersin.db import Connection, PostgresError
from yersin.db.sql import Sql
from yersin.fhir.problem import Problem, problem

from . import supplements
from .composing import Composer, Narrowing, pruned
from .concepts import JSON
from .finding import Finder, Versions, shown
from .words import fold

#: concepts in one answer; what is larger is asked for in pages
LIMIT = 10_000
#: matches of words typed that are ranked; of more, the order of the list is kept
RANKED = 5_000
#: what is no expression of SNOMED CT, which of all systems has codes made of others
_PRECOORDINATED = "(m.url <> 'http://snomed.info/sct' OR m.code ~ '^[0-9]+$')"
_COLUMNS = "m.url, m.ver, m.code, m.id, m.display, m.given, m.part, m.ord, m.folded, m.inactive, m.abstract"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of an expansion is wanted. `count` None: all of it."""

    typed: str = ""
    offset: int = 0
    count: int | None = None
    active_only: bool = False
    selectable_only: bool = False
    precoordinated_only: bool = False
    #: code systems to leave out, each with the version, if not all of them
    without: tuple[tuple[str, str], ...] = ()
    #: supplements whose designations count, besides those that the value set names
    supplements: tuple[str, ...] = ()
    designations: bool = False
    #: languages or uses of designations that are wanted, as (system, code); empty: every one
    designated: tuple[tuple[str, str], ...] = ()
    definitions: bool = False
    flat: bool = False
    language: str = ""

    @property
    def is_paged(self) -> bool:
        return self.count is not None or self.offset > 0


async def expand(finder: Finder, value_set: JSON, wanted: Wanted) -> dict[str, Any]:
    """Expand a value set; the answer is its `expansion`. Raises Problem: not-found, too-costly, not-supported, invalid."""
    found = await supplements.find(finder, [*supplements.named(value_set), *wanted.supplements])
    composer = composed(finder, value_set, Narrowing(typed=wanted.typed), wanted.without)
    text = _hidden(await composer.of_set(value_set), wanted)
    if composer.parts > 1 or not value_set.get("compose"):
        text = f"SELECT DISTINCT ON (m.url, m.code) {_COLUMNS} FROM ({text}) m ORDER BY m.url, m.code, m.part, m.ord"
    statement = _Statement(finder.connection, text, composer.sql, wanted)
    rows, total = await (statement.ranked() if wanted.typed else statement.listed())
    languages = await _languages(finder, rows)
    more = await supplements.added(finder, found, [(row["url"], row["ver"], row["code"]) for row in rows])
    contains = [_contained(row, wanted, languages, more.get((row["url"], row["code"]), {})) for row in rows]
    nests = not (wanted.flat or wanted.typed or wanted.is_paged)
    return _expansion(_nested(rows, contains) if nests else contains, total, wanted, composer)


async def codes(finder: Finder, value_set: JSON, limit: int) -> list[tuple[str, str]] | None:
    """Give every code of a value set with its system; None where they are more than a limit. Raises Problem as `expand` does."""
    composer = composed(finder, value_set, Narrowing())
    text = f"SELECT DISTINCT m.url, m.code FROM ({await composer.of_set(value_set)}) m LIMIT {limit + 1}"
    rows = await _Statement(finder.connection, text, composer.sql, Wanted()).fetch(text, composer.sql.arguments)
    return None if len(rows) > limit else [(row["url"], row["code"]) for row in rows]


def composed(
    finder: Finder, value_set: JSON, narrowing: Narrowing, without: tuple[tuple[str, str], ...] = ()
) -> Composer:
    """Make the composer of a value set with what it contains, `without` some code systems."""
    contained = {
        f"#{r.get('id', '')}": r for r in value_set.get("contained", ()) if r.get("resourceType") == "ValueSet"
    }
    within = (str(value_set.get("url", "")),)
    return Composer(finder, Sql(), narrowing, within=within, contained=contained, without=without)


def _hidden(text: str, wanted: Wanted) -> str:
    conditions = ["NOT m.inactive"] if wanted.active_only else []
    conditions += ["NOT m.abstract"] if wanted.selectable_only else []
    conditions += [_PRECOORDINATED] if wanted.precoordinated_only else []
    return f"SELECT m.* FROM ({text}) m WHERE {' AND '.join(conditions)}" if conditions else text


def _too_costly(most: int) -> Problem:
    text = f"The expansion holds more than {most} concepts. Ask for a page with count, or narrow it by a filter."
    return problem("too-costly", text, status=422)


@dataclass(frozen=True, slots=True)
class _Statement:
    """Runs what was composed; what PostgreSQL says of a regular expression is the asker's error."""

    connection: Connection
    text: str
    sql: Sql
    wanted: Wanted

    async def listed(self) -> tuple[Sequence[Any], int | None]:
        """Fetch a page in the order of the list, and how many concepts there are. Raises Problem (too-costly)."""
        total = await self._count(self.text)
        if self.wanted.count is None and total - self.wanted.offset > LIMIT:
            raise _too_costly(LIMIT)
        return ([] if self.wanted.count == 0 else await self._page()), total

    async def ranked(self) -> tuple[Sequence[Any], int | None]:
        """Fetch a page of what fits words typed, the best first; of too many to rank in the order of the list, uncounted."""
        few = f"SELECT {_COLUMNS} FROM ({self.text}) m LIMIT {RANKED + 1}"
        rows = [] if self.wanted.count == 0 else await self._page(few)
        total = rows[0]["matched"] if rows else await self._count(few)
        if total <= RANKED:
            return rows, total
        if self.wanted.count is None:
            raise _too_costly(RANKED)
        return ([] if self.wanted.count == 0 else await self._page()), None

    async def _count(self, text: str) -> int:
        found = await self.fetch(f"SELECT count(*) AS n FROM ({text}) counted", self.sql.arguments)
        total: int = found[0]["n"]
        return total

    async def _page(self, few: str = "") -> Sequence[Any]:
        """Fetch a page with all that is known of its concepts; out of `few` matches those that fit best come first."""
        wanted, paged = self.wanted, Sql(*self.sql.arguments)
        before, matched, source, order = "", "", self.text, "m.part, m.ord"
        if few:
            typed = fold(wanted.typed)
            start = paged.arg("\n" + typed, "text")
            code = paged.arg(typed, "text")
            order = f"lower(m.code) <> {code}, strpos(m.folded, {start}) = 0, length(m.folded), {order}"
            before, matched = f"WITH f AS MATERIALIZED ({few}) ", ", (SELECT count(*) FROM f) AS matched"
            source = "SELECT * FROM f"
        most = LIMIT if wanted.count is None else min(wanted.count, LIMIT)
        limits = f"LIMIT {paged.arg(most, 'bigint')} OFFSET {paged.arg(wanted.offset, 'bigint')}"
        return await self.fetch(
            f"{before}SELECT m.*, c.more, c.parents{matched} FROM (SELECT {_COLUMNS}, row_number() OVER () AS place FROM "
            f"(SELECT * FROM ({source}) m ORDER BY {order} {limits}) m) m LEFT JOIN terms.concept c ON c.id = m.id ORDER BY m.place",
            paged.arguments,
        )

    async def fetch(self, text: str, arguments: Sequence[Any]) -> Sequence[Any]:
        """Run a statement. Raises Problem (invalid) for a regular expression that is none."""
        statement, used = pruned(text, arguments)
        try:
            found: Sequence[Any] = await self.connection.fetch(statement, *used)
        except PostgresError as error:
            if getattr(error, "sqlstate", "") != "2201B":
                raise
            place = "ValueSet.compose.include.filter.value"
            raise problem(
                "invalid",
                "A filter's regular expression cannot be used here; write it in the form of POSIX.",
                expression=place,
            ) from error
        return found


async def _languages(finder: Finder, rows: Sequence[Any]) -> dict[str, str]:
    found = {}
    for url, version in {(row["url"], row["ver"]) for row in rows}:
        system = await finder.system(url, version)
        found[url] = system.language if system else "en"
    return found


def _contained(row: Any, wanted: Wanted, languages: dict[str, str], supplement: JSON) -> dict[str, Any]:
    more: JSON = row["more"] or {}
    designations = [*(row["given"] or ()), *more.get("designation", ()), *supplement.get("designation", ())]
    made: dict[str, Any] = {"system": row["url"]} if row["url"] else {}
    for name in ("abstract", "inactive"):
        if row[name]:
            made[name] = True
    if row["ver"]:
        made["version"] = row["ver"]
    made["code"] = row["code"]
    if display := shown(row["display"], designations, wanted.language, languages.get(row["url"], "en")):
        made["display"] = display
    told = [d for d in designations if wanted.designations and _is_designated(d, wanted.designated)]
    told = [{k: v for k, v in d.items() if k in ("language", "use", "value")} for d in told]
    if wanted.definitions and more.get("definition"):
        told.append({"use": DEFINITION, "value": more["definition"]})
    if told:
        made["designation"] = told
    return made


def _is_designated(designation: JSON, wanted: Sequence[tuple[str, str]]) -> bool:
    """Whether a designation is of a language or of a use that is wanted; a language takes its regions in."""
    language, use = str(designation.get("language", "")).lower(), designation.get("use") or {}
    return not wanted or any(
        (system in ("", LANGUAGES) and bool(language) and f"{language}-".startswith(f"{code.lower()}-"))
        or (system in ("", str(use.get("system", ""))) and code == use.get("code"))
        for system, code in wanted
    )


#: languages as a code system
LANGUAGES = "urn:ietf:bcp:47"


#: the use of a designation that holds a definition, as HL7 codes it for expansions
DEFINITION = {"system": "http://terminology.hl7.org/CodeSystem/hl7TermMaintInfra", "code": "definition"}


def _nested(rows: Sequence[Any], contains: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put concepts under the first of their parents that is in the expansion too."""
    place = {row["id"]: n for n, row in enumerate(rows) if row["id"] is not None}
    above = {n: next((place[p] for p in row["parents"] or () if p in place), None) for n, row in enumerate(rows)}
    top = []
    for n, one in enumerate(contains):
        parent = above[n]
        if parent is None or _in_circle(n, above):
            top.append(one)
        else:
            contains[parent].setdefault("contains", []).append(one)
    return top


def _in_circle(start: int, above: dict[int, int | None]) -> bool:
    seen, n = set(), above[start]
    while n is not None and n not in seen:
        if n == start:
            return True
        seen.add(n)
        n = above[n]
    return n is not None


def _expansion(contains: list[dict[str, Any]], total: int | None, wanted: Wanted, composer: Composer) -> dict[str, Any]:
    made: dict[str, Any] = {
        "identifier": f"urn:uuid:{uuid4()}",
        "timestamp": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    if total is not None:
        made["total"] = total
    if wanted.is_paged:
        made["offset"] = wanted.offset
    parameters = [*_parameters(wanted), *_versions(composer.finder.versions)]
    parameters += [
        {"name": "version", "valueUri": f"{url}|{version}" if version else url} for url, version in composer.used
    ]
    if parameters:
        made["parameter"] = parameters
    return {**made, "contains": contains} if contains else made


def _parameters(wanted: Wanted) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [{"name": "filter", "valueString": wanted.typed}] if wanted.typed else []
    if wanted.offset:
        made.append({"name": "offset", "valueInteger": wanted.offset})
    if wanted.count is not None:
        made.append({"name": "count", "valueInteger": wanted.count})
    flags = {
        "activeOnly": wanted.active_only, "includeDesignations": wanted.designations,
        "includeDefinition": wanted.definitions, "excludeNested": wanted.flat, "excludeNotForUI": wanted.selectable_only,
        "excludePostCoordinated": wanted.precoordinated_only,
    }  # fmt: skip
    made += [{"name": name, "valueBoolean": True} for name, value in flags.items() if value]
    made += [{"name": "designation", "valueString": "|".join(each).lstrip("|")} for each in wanted.designated]
    made += [{"name": "exclude-system", "valueUri": "|".join(each).rstrip("|")} for each in wanted.without]
    made += [{"name": "useSupplement", "valueUri": each} for each in wanted.supplements]
    return [*made, {"name": "displayLanguage", "valueCode": wanted.language}] if wanted.language else made


def _versions(versions: Versions) -> list[dict[str, Any]]:
    named = {
        "system-version": versions.usual,
        "check-system-version": versions.checked,
        "force-system-version": versions.forced,
    }
    return [{"name": n, "valueUri": f"{url}|{v}"} for n, chosen in named.items() for url, v in chosen.items()]
