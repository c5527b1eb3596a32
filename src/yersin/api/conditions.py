"""Conditional create, update, patch and delete: which resources are meant is found and held in the transaction that writes.

Source: https://hl7.org/fhir/R4/http.html#cond-update, #ccreate, #ctransaction
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl

from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.guard import audit, holding
from yersin.guard.access import Access, disclosed
from yersin.guard.writing import Change, Create, Update, Writing, Written
from yersin.search.page import Query
from yersin.store.versions import Version

from .messages import refuse_nul

#: resources that one conditional delete may delete, so that no write holds its locks for long
DELETE_LIMIT = 500
_NO_CRITERIA = frozenset({"_count", "_sort", "_total", "_summary", "_elements", "_format", "_pretty"})


def query_of(type_name: str, criteria: str, most: int = 2) -> Query:
    """Criteria of a conditional interaction as a search. Raises Problem when there are none, or of another type."""
    address, asks, text = criteria.partition("?")
    if not asks or "=" in address:
        text = criteria
    elif address.rstrip("/").rpartition("/")[2] not in ("", type_name):
        raise problem("invalid", f"{criteria} asks for another type; write criteria of {type_name}.")
    refuse_nul(text)
    pairs = [(name, value) for name, value in parse_qsl(text, keep_blank_values=True) if name not in _NO_CRITERIA]
    if not pairs:
        raise problem("invalid", f"{criteria!r} holds no search parameters, such as identifier=system|value.")
    return Query.of(type_name, [*pairs, ("_count", str(most))])


def in_address(query: str) -> str:
    """Criteria in the address of a create; none where it only says which form the answer shall have.

    R4 asks by If-None-Exist alone; clients such as fhirpy write the criteria there, and a second resource would surprise them.
    """
    names = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    return query if names - _NO_CRITERIA else ""


async def existing(writing: Writing, type_name: str, criteria: str) -> Version | None:
    """The one resource that meets the criteria, or None. Raises Problem (412) when several do."""
    found = await matching(writing, query_of(type_name, criteria))
    if len(found) > 1:
        raise problem(
            "multiple-matches", f"Several {type_name} resources meet {criteria}; make it narrower.", status=412
        )
    return found[0] if found else None


async def the_one(writing: Writing, type_name: str, criteria: str) -> Version:
    """The one resource that meets the criteria. Raises Problem: not-found (404), multiple-matches (412)."""
    found = await existing(writing, type_name, criteria)
    if found is None:
        raise problem("not-found", f"No {type_name} that is open to you meets {criteria}.", status=404)
    return found


async def to_delete(writing: Writing, type_name: str, criteria: str) -> list[Version]:
    """All resources that meet the criteria. Raises Problem (412) when they are too many for one delete."""
    found = await matching(writing, query_of(type_name, criteria, DELETE_LIMIT + 1))
    if len(found) > DELETE_LIMIT:
        text = f"More than {DELETE_LIMIT} {type_name} resources meet {criteria}; make it narrower."
        raise problem("multiple-matches", text, status=412)
    return found


async def matching(writing: Writing, query: Query) -> list[Version]:
    """Find what meets criteria, and hold these."""
    await holding.hold(writing, [query])
    return await holding.find(writing, query)


async def update_of(
    writing: Writing, resource: r4.Resource, criteria: str, *, named: str | None, expected: int | None = None
) -> Change:
    """Make the change that a conditional update is; `named` is the id in the resource as it was sent.

    Raises Problem: invalid (400) where one other resource matches, conflict (409) where none does and the id is taken.
    """
    type_name = type(resource).__name__
    found = await existing(writing, type_name, criteria)
    if found is not None:
        if named and named != found.id:
            text = f"{criteria} means {type_name}/{found.id}, the resource has the id {named}. Leave the id out."
            raise problem("invalid", text, expression=f"{type_name}.id")
        resource.id = found.id
        return Update(resource=resource, expected=expected)
    if not named:
        return Create(resource=resource)
    if await holding.is_there(writing, type_name, named):
        text = f"{type_name}/{named} is there and does not meet {criteria}. Leave the id out to make a new one."
        raise problem("conflict", text, status=409)
    resource.id = named
    return Update(resource=resource, expected=expected)


async def create_unless(access: Access, resource: r4.Resource, criteria: str) -> Written:
    """Write a resource unless one that meets the criteria is there; answers the one there is now."""
    type_name = type(resource).__name__

    async def work(writing: Writing) -> Written:
        found = await existing(writing, type_name, criteria)
        if found is not None:
            await access.require_good([resource])
            await told(writing, type_name, [found], criteria)
            return Written(version=found, created=False)
        (written,) = await writing.write([Create(resource=resource)])
        return written

    return await access.atomically(work)


async def told(writing: Writing, type_name: str, versions: Sequence[Version], criteria: str) -> None:
    """Record that the asker is told of resources that met criteria."""
    entry = audit.Entry(interaction="search", type=type_name, patients=disclosed(versions), query=criteria)
    await audit.insert(writing.connection, writing.access.who, entry)
