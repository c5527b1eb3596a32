"""Criteria that no index answers: `:text`, `:in`, `:below`, `_list`, `_text`, `_content`.

What asks for words in content is answered by reading what the other criteria leave, up to a limit.
Source: https://hl7.org/fhir/R4/search.html#modifiers
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

import msgspec

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.fhir.expressions import extractor
from yersin.fhir.folding import fold, words
from yersin.fhir.parameters import Parameter
from yersin.fhir.problem import Problem, problem
from yersin.store.identity import row_id
from yersin.store.reading import COLUMNS, Scope, version_of
from yersin.store.schema import table
from yersin.store.versions import Version

from . import hierarchy
from .include import targets
from .joins import Ids, Joiner, too_costly
from .page import Condition, Lookup, Query, plain
from .rows import Indexer
from .terms import CODES_LIMIT, Terms
from .tokens import hashes, token_query

#: resources that are read to look for words
READ_LIMIT = 5_000
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Rows that have one of some tokens, or none of them."""

    numbers: Sequence[int]
    negated: bool

    def text(self, sql: Sql) -> str:
        """Write the condition."""
        if not self.numbers:
            return "true" if self.negated else "false"
        return f"{'NOT ' if self.negated else ''}r.tok && {sql.arg(list(self.numbers), 'bigint[]')}"


async def condition(joiner: Joiner, query: Query, asked: Lookup) -> Condition:
    """Look up what a criterion stands for, among what a search whose other criteria are settled leaves."""
    try:
        return await _looked_up(joiner, query, asked)
    except Problem as refusal:
        raise refusal.at(asked.place) from refusal


async def _looked_up(joiner: Joiner, query: Query, asked: Lookup) -> Condition:
    if asked.modifier == "_list":
        return await _listed(joiner.connection, joiner.indexer, joiner.scope, query.type, asked)
    if asked.modifier in ("text", "_text", "_content"):
        return await _read(joiner, query, asked)
    if asked.parameter is not None and asked.parameter.kind == "reference":
        return Tokens(numbers=await hierarchy.tokens(joiner, asked.parameter, asked), negated=False)
    return await _codes(joiner.connection, joiner.indexer, asked)


async def _read(joiner: Joiner, query: Query, asked: Lookup) -> Condition:
    versions = await joiner.contents(query, READ_LIMIT)
    if versions is None:
        raise too_costly(asked.place)
    test = _has_words(asked) if asked.parameter is None else _has_text(asked.parameter, asked.values)
    return Ids(ids=[row_id(query.type, v.id).id for v in versions if test(v)])


def _has_text(parameter: Parameter, values: Sequence[str]) -> Callable[[Version], bool]:
    """Texts beside a code begin with what is asked, as strings do."""
    extract, wanted = extractor(parameter.paths), tuple(fold(plain(v)) for v in values)
    return lambda version: any(
        fold(text).startswith(wanted) for value in extract(version.resource()) for text in _texts(value)
    )


def _texts(value: Any) -> Iterator[str]:
    for name in ("text", "display"):
        text = getattr(value, name, None)
        if isinstance(text, str):
            yield text
    for coding in getattr(value, "coding", None) or ():
        yield from _texts(coding)
    kind = getattr(value, "type", None)
    if isinstance(kind, r4.CodeableConcept) and kind.text:
        yield kind.text


def _has_words(asked: Lookup) -> Callable[[Version], bool]:
    """All words of one of the values stand in the narrative, or anywhere in the resource."""
    wanted = [set(words(value)) for value in asked.values]
    read = _narrative if asked.modifier == "_text" else _whole

    def test(version: Version) -> bool:
        here = {word for text in read(msgspec.json.decode(version.json())) for word in words(text)}
        return any(each <= here for each in wanted)

    return test


def _narrative(resource: dict[str, Any]) -> Iterator[str]:
    yield unescape(_TAG.sub(" ", resource.get("text", {}).get("div", "")))


def _whole(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield unescape(_TAG.sub(" ", node)) if node.startswith("<div") else node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _whole(value)
    elif isinstance(node, list):
        for value in node:
            yield from _whole(value)


async def _listed(connection: Connection, indexer: Indexer, scope: Scope, type_name: str, asked: Lookup) -> Condition:
    """Resources of a type that a List holds."""
    if any(value.startswith("$") for value in asked.values):
        text = f"_list={','.join(asked.values)}: lists made by the server are not supported; name a List by its id."
        raise problem("not-supported", text, expression="_list")
    sql = Sql([row_id("List", value.removeprefix("List/")).id for value in asked.values])
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM {table('List')} r WHERE r.id = ANY($1::uuid[]) AND {scope.condition(sql, 'List', 'r')}",
        *sql.arguments,
    )
    lists = [version_of("List", row).resource() for row in rows]
    items = [e.item for each in lists if isinstance(each, r4.List) for e in each.entry or () if not e.deleted]
    return Ids(ids=sorted({row_id(kind, i).id for kind, i in targets(items, indexer.base) if kind == type_name}))


async def _codes(connection: Connection, indexer: Indexer, asked: Lookup) -> Condition:
    """Codes of value sets, or those under or over a code, as tokens."""
    parameter, terms = asked.parameter, indexer.terms
    if terms is None or parameter is None:
        text = f"{asked.place}: value sets and hierarchies of codes cannot be searched on this server."
        raise problem("not-supported", text, expression=asked.place)
    found = [pair for value in asked.values for pair in await _pairs(connection, terms, asked, value)]
    codes = parameter.covers or (parameter.code,)
    texts = _query_texts(parameter, codes, found)
    return Tokens(numbers=sorted(set(hashes(texts, indexer.key))), negated=asked.modifier == "not-in")


def _query_texts(parameter: Parameter, codes: Sequence[str], found: Iterable[tuple[str, str]]) -> Iterator[str]:
    for system, value in found:
        for code in codes:
            yield from token_query(parameter, f"{system}|{value}", code)


async def _pairs(connection: Connection, terms: Terms, asked: Lookup, value: str) -> Sequence[tuple[str, str]]:
    if asked.modifier in ("in", "not-in"):
        return await terms.members(connection, value, CODES_LIMIT)
    system, bar, code = value.rpartition("|")
    if not bar or not system or not code:
        raise problem("invalid", f"{asked.place}={value}: write system|code.", expression=asked.place)
    find = terms.below if asked.modifier == "below" else terms.above
    return [(system, each) for each in await find(connection, system, code, CODES_LIMIT)]
