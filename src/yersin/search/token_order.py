"""The order of codes: `_sort` by a token parameter reads what matches, as the index keeps no code that could be put in order.

Source: https://hl7.org/fhir/R4/search.html#sort
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from yersin.fhir import r4
from yersin.fhir.expressions import extractor
from yersin.fhir.parameters import Parameter, parameters
from yersin.store.identity import row_id

from .joins import Joiner, too_costly
from .page import Query
from .tokens import BOOLEANS, contact

#: resources that are read to be put in order
READ_LIMIT = 5_000


async def words(joiner: Joiner, query: Query) -> Mapping[str, Mapping[str, str]]:
    """Give, for each token that a settled search is sorted by, what sorts each match. Raises Problem (too-costly)."""
    wanted = {
        rule.parameter.code: words_of(rule.parameter)
        for rule in query.sort
        if rule.parameter.kind == "token" and rule.parameter.code != "_id"
    }
    if not wanted:
        return {}
    versions = await joiner.contents(query, READ_LIMIT)
    if versions is None:
        raise too_costly("_sort")
    found = [(str(row_id(query.type, v.id).id), v.resource()) for v in versions]
    return {code: {key: word(resource) for key, resource in found} for code, word in wanted.items()}


def words_of(parameter: Parameter) -> Callable[[r4.Resource], str]:
    """Give what sorts a resource by a token: its first code in lower case, then the system; nothing where it has none."""
    known = parameters(parameter.type)
    paths = tuple(p for code in parameter.covers or (parameter.code,) for p in known[code].paths)
    extract = extractor(paths)
    return lambda resource: next((text for value in extract(resource) for text in _texts(value)), "")


def _texts(value: Any) -> list[str]:
    if isinstance(value, bool):
        return [BOOLEANS[value]]
    if isinstance(value, r4.CodeableConcept):
        return [text for coding in value.coding or () for text in _texts(coding)]
    if isinstance(value, r4.Coding):
        return [f"{value.code.lower()}\x01{value.system or ''}"] if value.code else []
    if isinstance(value, r4.Identifier):
        return [f"{value.value}\x01{value.system or ''}"] if value.value else []
    if isinstance(value, r4.ContactPoint):
        return [contact(value.value)] if value.value else []
    return [str(value).lower()] if value is not None else []
