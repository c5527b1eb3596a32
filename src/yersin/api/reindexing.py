"""`$reindex`: what resources are found by is made anew. Of one resource at once, of more in the background.

What runs in the background is followed by `$reindex-status` and given up by `$reindex-cancel`, by any administrator.
The answer is of the kind that https://hl7.org/fhir/R4/async.html describes: 202 while it is under way, then 200.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from uuid import UUID

from msgspec import structs

from yersin.fhir import encode, r4
from yersin.fhir.problem import problem
from yersin.guard import audit, walks
from yersin.guard.access import Ground
from yersin.guard.reindexing import BEGINNING, batch, one
from yersin.guard.walks import Key, Run, Stretch
from yersin.store.versions import instant

from .messages import Request, Response, told
from .operations import EVERY, Asked, Input, Operation
from .read import there

#: runs that all askers together may have under way
OPEN = 20
_PERMISSION = "index.make"
_SECONDS = b"5"


async def reindex(asked: Asked) -> Response:
    """POST [base]/[type]/[id]/$reindex"""
    await one(asked.request.access, asked.type, asked.id)
    return Response(body=told(f"{asked.type}/{asked.id} is found by what it says now."))


async def reindex_all(asked: Asked) -> Response:
    """POST [base]/$reindex, [base]/[type]/$reindex"""
    types = [asked.type] if asked.type else asked.given.texts("type") or list(r4.TYPE_NUMBER)
    for name in types:
        if name not in r4.TYPE_NUMBER:
            raise problem("value", f"{name} is no resource type of FHIR R4.", expression="type")
    return await _begun(asked.request, types, asked.type or "*")


async def reindex_parameter(asked: Asked) -> Response:
    """POST [base]/SearchParameter/[id]/$reindex: all resources of the types that a parameter is about."""
    resource = there(await asked.request.access.read(asked.type, asked.id)).resource()
    assert isinstance(resource, r4.SearchParameter)  # noqa: S101 - for the type checker: the type was asked for
    named = {name for name in resource.base or () if name}
    types = [name for name in r4.TYPE_NUMBER if name in named or named & {"Resource", "DomainResource"}]
    return await _begun(asked.request, types, f"SearchParameter/{asked.id}")


async def _begun(request: Request, types: Sequence[str], about: str) -> Response:
    access = request.access
    async with access.ground.database.transaction() as connection:
        if await walks.count_open(connection) >= OPEN:
            text = f"{OPEN} runs are under way. Wait for one to end, or give one up ($reindex-cancel)."
            raise problem("throttled", text, status=429)
        run = await walks.begin(connection, access.who, about, dict.fromkeys(types))
        entry = audit.Entry(interaction="reindex", type=types[0] if len(types) == 1 else None, query=str(run))
        await audit.insert(connection, access.who, entry)
    found = await walks.find(access.ground.database, run)
    assert found is not None  # noqa: S101 - for the type checker: it was just put down
    return _followed(request, found)


async def status(asked: Asked) -> Response:
    """GET [base]/$reindex-status?job=…"""
    return _followed(asked.request, await _run(asked))


async def cancel(asked: Asked) -> Response:
    """POST [base]/$reindex-cancel with the parameter job"""
    run, access = await _run(asked), asked.request.access
    if any(each.generation is not None for each in run.stretches):
        text = "A new search parameter waits for this. Retire or delete the SearchParameter instead."
        raise problem("business-rule", text, status=409)
    async with access.ground.database.transaction() as connection:
        await walks.cancel(connection, run.id)
        await audit.insert(connection, access.who, audit.Entry(interaction="reindex", query=f"{run.id} cancelled"))
    return _followed(asked.request, await _run(asked))


async def _run(asked: Asked) -> Run:
    text = asked.given.text("job")
    try:
        found = await walks.find(asked.request.access.ground.database, UUID(text))
    except ValueError:
        found = None
    if found is None:
        raise problem("not-found", "There is no such run.", expression="job", status=404)
    return found


def _followed(request: Request, run: Run) -> Response:
    """Say how far a run has come."""
    response = Response(body=encode(_parameters(run)))
    if run.ended:
        return response
    place = f"{request.base}/$reindex-status?job={run.id}".encode()
    progress = f"{run.done} resources".encode()
    headers = [(b"content-location", place), (b"x-progress", progress), (b"retry-after", _SECONDS)]
    return structs.replace(response, status=202, headers=headers)


def _parameters(run: Run) -> r4.Parameters:
    listed = [
        r4.ParametersParameter(name="job", valueId=str(run.id)),
        r4.ParametersParameter(name="about", valueString=run.about),
        r4.ParametersParameter(name="status", valueCode=run.state),
        r4.ParametersParameter(name="requested", valueInstant=instant(run.asked)),
    ]
    if run.ended:
        listed.append(r4.ParametersParameter(name="ended", valueInstant=instant(run.ended)))
    listed.append(r4.ParametersParameter(name="done", valueDecimal=Decimal(run.done)))
    return r4.Parameters(parameter=[*listed, *map(_part, run.stretches)])


def _part(stretch: Stretch) -> r4.ParametersParameter:
    counted = (
        [] if stretch.total is None else [r4.ParametersParameter(name="total", valueDecimal=Decimal(stretch.total))]
    )
    part = [
        r4.ParametersParameter(name="type", valueCode=stretch.type),
        r4.ParametersParameter(name="done", valueDecimal=Decimal(stretch.done)),
        *counted,
        r4.ParametersParameter(name="complete", valueBoolean=stretch.ended),
    ]
    return r4.ParametersParameter(name="progress", part=part)


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


_DEFINITIONS = "urn:yersin:operation:"
OPERATIONS: Sequence[Operation] = (
    Operation(
        name="reindex",
        definition=f"{_DEFINITIONS}reindex",
        title="Make anew what a resource is found by",
        work=reindex,
        levels=frozenset({"instance"}),
        types=(EVERY,),
        permission=_PERMISSION,
        affects_state=True,
    ),
    Operation(
        name="reindex",
        definition=f"{_DEFINITIONS}SearchParameter-reindex",
        title="Make anew what a search parameter finds",
        answers_later=True,
        work=reindex_parameter,
        levels=frozenset({"instance"}),
        types=("SearchParameter",),
        permission=_PERMISSION,
        affects_state=True,
    ),
    Operation(
        name="reindex",
        definition=f"{_DEFINITIONS}type-reindex",
        title="Make anew what a type is found by",
        answers_later=True,
        work=reindex_all,
        levels=frozenset({"type"}),
        types=(EVERY,),
        permission=_PERMISSION,
        affects_state=True,
    ),
    Operation(
        name="reindex",
        definition=f"{_DEFINITIONS}system-reindex",
        title="Make anew what everything is found by",
        answers_later=True,
        work=reindex_all,
        levels=frozenset({"system"}),
        inputs=(Input(name="type", type="code", repeats=True),),
        permission=_PERMISSION,
        affects_state=True,
    ),
    Operation(
        name="reindex-status",
        definition=f"{_DEFINITIONS}reindex-status",
        title="How far making anew is",
        work=status,
        levels=frozenset({"system"}),
        inputs=(Input(name="job", type="id", required=True),),
        permission=_PERMISSION,
    ),
    Operation(
        name="reindex-cancel",
        definition=f"{_DEFINITIONS}reindex-cancel",
        title="Stop making anew",
        work=cancel,
        levels=frozenset({"system"}),
        inputs=(Input(name="job", type="id", required=True),),
        permission=_PERMISSION,
        affects_state=True,
    ),
)
