"""`_include` and `_revinclude`. Source: https://hl7.org/fhir/R4/search.html#include"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.fhir.expressions import extractor
from yersin.fhir.parameters import parameters
from yersin.store.identity import row_id
from yersin.store.reading import COLUMNS, Scope, current, version_of
from yersin.store.versions import Version

from .compiling import where_of
from .page import Include, Query
from .rows import Indexer
from .tokens import reference_text

#: resources that one `_revinclude` adds at most, and beyond which `:iterate` goes no further
LIMIT = 1000
Follow = Callable[[Connection, Indexer, Include, Sequence[Version], Scope], Awaitable[list[Version]]]


async def included(
    connection: Connection, indexer: Indexer, query: Query, matches: Sequence[Version], scope: Scope
) -> list[Version]:
    """Resources that the matches refer to, and those that refer to them; each once, and none that is a match.

    A rule with `iterate` is followed again from what was added, until nothing new is found.
    """
    seen = {(v.type, v.id) for v in matches}
    added: list[Version] = []
    rules: list[tuple[Follow, Include]] = [(_forward, rule) for rule in query.includes]
    rules += [(_reverse, rule) for rule in query.revincludes]
    fresh: Sequence[Version] = matches
    while rules and fresh and len(added) < LIMIT:
        found: list[Version] = []
        for follow, rule in rules:
            for version in await follow(connection, indexer, rule, fresh, scope):
                if (version.type, version.id) not in seen:
                    seen.add((version.type, version.id))
                    found.append(version)
        added += found
        fresh = found
        rules = [(follow, rule) for follow, rule in rules if rule.iterate]
    return added


async def _forward(
    connection: Connection, indexer: Indexer, rule: Include, matches: Sequence[Version], scope: Scope
) -> list[Version]:
    extract = extractor(rule.parameter.paths)
    wanted: dict[str, set[UUID]] = {}
    named: set[str] = set()
    for version in matches:
        if version.type == rule.source:
            values = list(extract(version.resource()))
            named |= _canonical(values)
            for type_name, logical_id in targets(values, indexer.base):
                if type_name in r4.TYPE_NUMBER and rule.target in ("", type_name):
                    wanted.setdefault(type_name, set()).add(row_id(type_name, logical_id).id)
    found = [v for name, ids in wanted.items() for v in await current(connection, name, sorted(ids), scope)]
    texts = [f"url={name.partition('|')[0]}" for name in sorted(named)]
    for kind in [rule.target] if rule.target else rule.parameter.targets or tuple(r4.TYPE_NUMBER):
        if texts and "url" in parameters(kind):
            having = await _having(connection, indexer, kind, texts, scope)
            found += [v for v in having if not named.isdisjoint(_names(v))]
    return found


def _canonical(values: Iterable[Any]) -> set[str]:
    """Canonical references among values, without what they point to inside a resource."""
    return {value.partition("#")[0] for value in values if isinstance(value, str)}


def _names(version: Version) -> Iterable[str]:
    """Ways in which canonical references may name a resource: its url, with its version or without one."""
    resource = version.resource()
    url = getattr(resource, "url", None)
    return [url, f"{url}|{getattr(resource, 'version', None)}"] if isinstance(url, str) else []


def targets(values: Iterable[Any], base: str) -> Iterable[tuple[str, str]]:
    """Give the type and id of each reference to a resource of this server."""
    for value in values:
        text = reference_text(value.reference, base) if isinstance(value, r4.Reference) and value.reference else ""
        type_name, _, logical_id = text.partition("/")
        if logical_id:
            yield type_name, logical_id


async def _reverse(
    connection: Connection, indexer: Indexer, rule: Include, matches: Sequence[Version], scope: Scope
) -> list[Version]:
    codes = rule.parameter.covers or (rule.parameter.code,)
    meant = [v for v in matches if rule.target in ("", v.type)]
    texts = [f"{code}>{v.type}/{v.id}" for code in codes for v in meant]
    found = await _having(connection, indexer, rule.source, texts, scope)
    if all(path.type == "Reference" for path in rule.parameter.paths):
        return found
    named = {name for v in meant if "url" in parameters(v.type) for name in _names(v)}
    texts = [f"{code}>{name}" for code in codes for name in sorted(named) if "|" not in name]
    extract = extractor(rule.parameter.paths)
    having = await _having(connection, indexer, rule.source, texts, scope)
    return found + [v for v in having if not named.isdisjoint(_canonical(extract(v.resource())))]


async def _having(
    connection: Connection, indexer: Indexer, type_name: str, texts: Sequence[str], scope: Scope
) -> list[Version]:
    """Resources of a type that have one of some tokens."""
    if not texts:
        return []
    await indexer.rarity.freshen(connection, type_name)
    clause = where_of(Query(type=type_name), indexer, Sql())
    clause.any_token(texts)
    clause.add(scope.condition(clause.sql, type_name, "r"))
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM {clause.rows()} ORDER BY r.pat, r.id LIMIT {LIMIT}", *clause.sql.arguments
    )
    return [version_of(type_name, row) for row in rows]
