"""`:above` and `:below` of references: what refers to a place or an organization, or to what it is part of or consists of.

Circles are gone round once. Source: https://hl7.org/fhir/R4/search.html#recursive
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from yersin.fhir.expressions import extractor
from yersin.fhir.parameters import Parameter, parameters
from yersin.fhir.problem import problem
from yersin.store.identity import row_id

from .include import targets
from .joins import IDS_LIMIT, Ids, Joiner, Numbers, too_costly
from .page import Lookup, Query
from .tokens import hashes, reference_text

#: the reference by which resources of a type are parts of others
PART_OF: Mapping[str, str] = {"Location": "partof", "Organization": "partof"}


async def tokens(joiner: Joiner, parameter: Parameter, asked: Lookup) -> list[int]:
    """Hash what a reference may say so that it lies under or over what is asked for. Raises Problem: not-supported, invalid."""
    codes = parameter.covers or (parameter.code,)
    found = []
    for value in asked.values:
        type_name, logical_id = _asked_for(joiner, parameter, asked, value)
        related = await (_below if asked.modifier == "below" else _above)(joiner, asked, type_name, logical_id)
        found += [f"{code}>{type_name}/{name}" for name in related for code in codes]
    return sorted(set(hashes(found, joiner.indexer.key)))


def _asked_for(joiner: Joiner, parameter: Parameter, asked: Lookup, value: str) -> tuple[str, str]:
    """Read `Type/id`, or an id where only one type of the reference has a hierarchy."""
    fitting = [name for name in PART_OF if not parameter.targets or name in parameter.targets]
    if not fitting:
        text = f"{asked.place}: {parameter.code} refers to nothing that is part of others; {' and '.join(PART_OF)} are."
        raise problem("not-supported", text, expression=asked.place)
    type_name, slash, logical_id = reference_text(value, joiner.indexer.base).rpartition("/")
    if not slash and len(fitting) == 1:
        type_name = fitting[0]
    if type_name not in fitting or not logical_id:
        text = f"{asked.place}={value}: write {' or '.join(f'{name}/id' for name in fitting)}."
        raise problem("invalid", text, expression=asked.place)
    return type_name, logical_id


async def _below(joiner: Joiner, asked: Lookup, type_name: str, logical_id: str) -> Sequence[str]:
    """Give a resource and all that are parts of it, level by level."""
    seen = {logical_id: None}
    level = [logical_id]
    while level:
        numbers = hashes((f"{PART_OF[type_name]}>{type_name}/{name}" for name in level), joiner.indexer.key)
        names = await joiner.names(Query(type=type_name, settled=(Numbers(numbers=numbers),)), IDS_LIMIT)
        level = [name for name in names or () if name not in seen]
        seen |= dict.fromkeys(level)
        if names is None or len(seen) > IDS_LIMIT:
            raise too_costly(asked.place)
    return list(seen)


async def _above(joiner: Joiner, asked: Lookup, type_name: str, logical_id: str) -> Sequence[str]:
    """Give a resource and all that it is part of."""
    seen = [logical_id]
    extract = extractor(parameters(type_name)[PART_OF[type_name]].paths)
    query = Query(type=type_name)
    while True:
        here = replace(query, settled=(Ids(ids=[row_id(type_name, seen[-1]).id]),))
        versions = await joiner.contents(here, 1)
        values = extract(versions[0].resource()) if versions else ()
        over = [i for kind, i in targets(values, joiner.indexer.base) if kind == type_name and i not in seen]
        if not over:
            return seen
        if len(seen) > IDS_LIMIT:
            raise too_costly(asked.place)
        seen.append(over[0])
