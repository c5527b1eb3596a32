"""The order of codes: `_sort` by a token parameter reads what matches, as the index keeps no code that could be put in order.

Source: https://hl7.org/fhir/R4/search.html#sort
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from yersin.fhir import r4
from yersin.fhir.expressions import extractor
from yersin.fhir.parameters import parameters
from yersin.store.identity import row_id

from .joins import Joiner, too_costly
from .page import Query, Sort
from .tokens import BOOLEANS, contact

#: resources that are read to be put in order
READ_LIMIT = 5_000


async def words(joiner: Joiner, query: Query) -> Mapping[Sort, Mapping[str, str]]:
    """Give, for each rule that sorts a settled search by a token, what sorts each match. Raises Problem (too-costly)."""
    wanted = {
        rule: words_of(rule) for rule in query.sort if rule.parameter.kind == "token" and rule.parameter.code != "_id"
    }
    if not wanted:
        return {}
    versions = await joiner.contents(query, READ_LIMIT)
    if versions is None:
        raise too_costly("_sort")
    found = [(str(row_id(query.type, v.id).id), v.resource()) for v in versions]
    return {rule: {key: word(resource) for key, resource in found} for rule, word in wanted.items()}


def words_of(rule: Sort) -> Callable[[r4.Resource], str]:
    """Give what sorts a resource by a token: a code in lower case, then the system; nothing where it has none.

    Of several codes it is the one that comes first in the order asked for.
    """
    parameter, foremost = rule.parameter, max if rule.descending else min
    known = parameters(parameter.type)
    paths = tuple(p for code in parameter.covers or (parameter.code,) for p in known[code].paths)
    extract = extractor(paths)
    return lambda resource: foremost((text for value in extract(resource) for text in _texts(value)), default="")


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
