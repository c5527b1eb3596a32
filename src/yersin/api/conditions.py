"""Conditional create. Source: https://hl7.org/fhir/R4/http.html#ccreate"""

from __future__ import annotations

from urllib.parse import parse_qsl

from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.guard.access import Access
from yersin.guard.writing import Create, Writing, Written
from yersin.search.page import Query
from yersin.store.versions import Version


def query_of(type_name: str, criteria: str) -> Query:
    """Criteria of a conditional interaction as a search. Raises Problem when there are none."""
    pairs = parse_qsl(criteria.partition("?")[2] if "?" in criteria else criteria, keep_blank_values=True)
    if not pairs:
        raise problem("invalid", f"{criteria!r} holds no search parameters, such as identifier=system|value.")
    return Query.of(type_name, [*pairs, ("_count", "2")])


async def existing(writing: Writing, type_name: str, criteria: str) -> Version | None:
    """The one resource that meets the criteria, or None. Raises Problem (412) when several do."""
    found = await writing.find(query_of(type_name, criteria))
    if len(found) > 1:
        raise problem(
            "multiple-matches", f"Several {type_name} resources meet {criteria}; make it narrower.", status=412
        )
    return found[0] if found else None


async def create_unless(access: Access, resource: r4.Resource, criteria: str) -> Written:
    """Write a resource unless one that meets the criteria is there; answers the one there is now."""
    type_name = type(resource).__name__

    async def work(writing: Writing) -> Written:
        found = await existing(writing, type_name, criteria)
        if found is not None:
            return Written(version=found, created=False)
        (written,) = await writing.write([Create(resource=resource)])
        return written

    return await access.atomically(work)
