"""`$reindex` of one resource, and the same of all for the command line: what they are found by is made anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.guard.access import Ground
from yersin.guard.reindexing import BEGINNING, Key, batch, one

from .messages import Response, told
from .operations import EVERY, Asked, Operation


async def reindex(asked: Asked) -> Response:
    """POST [base]/[type]/[id]/$reindex"""
    await one(asked.request.access, asked.type, asked.id)
    return Response(body=told(f"{asked.type}/{asked.id} is found by what it says now."))


async def everything(ground: Ground, named: Sequence[str], tell: Callable[[str, int], None], *, every: bool) -> int:
    """Make the rows of types anew and tell after each batch; returns how many. Raises Problem for what is no type."""
    for name in named:
        if name not in r4.TYPE_NUMBER:
            raise problem("value", f"{name} is no resource type of FHIR R4.")
    total = 0
    for type_name in r4.TYPE_NUMBER:
        after: Key | None = BEGINNING if not named or type_name in named else None
        while after is not None:
            made, after = await batch(ground, type_name, after, every=every)
            total += made
            if made:
                tell(type_name, total)
    return total


OPERATIONS: Sequence[Operation] = (
    Operation(
        name="reindex",
        definition="urn:yersin:operation:reindex",
        work=reindex,
        levels=frozenset({"instance"}),
        types=(EVERY,),
        permission="index.make",
        affects_state=True,
    ),
)
