"""Where an operator wants it (YERSIN_REFERENCES=known), a reference to a resource of this server names one that exists.

Literal references are meant, relative ones and those by this server's address; what one transaction writes exists for it.
Source: https://hl7.org/fhir/R4/references.html#literal
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from yersin.db import Connection
from yersin.fhir import r4
from yersin.fhir.problem import Issue, Problem
from yersin.fhir.shapes import shape
from yersin.fhir.structs import Struct, astuple
from yersin.store.identity import row_id

Key = tuple[int, UUID]
_LITERAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?").fullmatch
_MISSING = """
SELECT a.type, a.id FROM unnest($1::smallint[], $2::uuid[]) AS a (type, id)
WHERE NOT EXISTS (SELECT FROM id_map m WHERE m.type = a.type AND m.id = a.id AND NOT m.deleted)
"""


class Literal(NamedTuple):
    """A reference as it is written, and the resource it names."""

    written: str
    key: Key


async def require_known(
    connection: Connection, resources: Sequence[r4.Resource], written: set[Key], gone: set[Key], base: str
) -> None:
    """Refuse references to what is neither here nor `written` along with them, or `gone`. Raises Problem (422), with places."""
    found = {literal.key: literal.written for resource in resources for literal in literals(resource, base)}
    asked = [key for key in found if key not in written]
    missing = {key for key in asked if key in gone}
    if asked:
        rows = await connection.fetch(_MISSING, [kind for kind, _ in asked], [uuid for _, uuid in asked])
        missing |= {(row["type"], row["id"]) for row in rows}
    if not missing:
        return
    raise Problem(
        [
            Issue(code="not-found", diagnostics=f"There is no {literal.written} here.", expression=place)
            for resource in resources
            for place, literal in _placed(resource, type(resource).__name__, base)
            if literal.key in missing
        ],
        status=422,
    )


def literals(struct: Any, base: str) -> Iterator[Literal]:
    """Every literal reference to a resource of this server in a struct."""
    if struct.__class__ is r4.Reference:
        if (literal := _literal(struct.reference, base)) is not None:
            yield literal
        return
    for value in astuple(struct):
        for each in value if value.__class__ is list else (value,):
            if isinstance(each, Struct):
                yield from literals(each, base)


def _placed(struct: Any, place: str, base: str) -> Iterator[tuple[str, Literal]]:
    if struct.__class__ is r4.Reference:
        if (literal := _literal(struct.reference, base)) is not None:
            yield place, literal
        return
    kind: type[Struct] = struct.__class__
    for element in shape(kind).values():
        value = getattr(struct, element.attribute)
        many = value.__class__ is list
        for number, each in enumerate(value if many else (value,)):
            if isinstance(each, Struct):
                yield from _placed(
                    each, f"{place}.{element.path}[{number}]" if many else f"{place}.{element.path}", base
                )


def _literal(written: str | None, base: str) -> Literal | None:
    if written is None:
        return None
    match = _LITERAL(written.removeprefix(f"{base}/").partition("#")[0])
    if match is None or match[1] not in r4.TYPE_NUMBER:
        return None
    return Literal(written, (r4.TYPE_NUMBER[match[1]], row_id(match[1], match[2]).id))
