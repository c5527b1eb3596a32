"""OperationDefinitions of what is asked here by `$name`, made from the registry of operations.

A definition of ours says by `base` whose operation it is. The CapabilityStatement names HL7's own definition where all of it
is here, and ours where it takes less. Source: https://hl7.org/fhir/R4/operationdefinition.html
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from yersin.fhir import encode, r4

from . import lasting
from .messages import Request, Response
from .operations import EVERY, Input, Operation, Operations
from .read import read as read_stored
from .release import RELEASED


async def read(request: Request) -> Response:
    """GET [base]/OperationDefinition/[id]: one of ours, else one that was stored."""
    return answer(request.base, request.operations, request.path[1]) or await read_stored(request)


def answer(base: str, operations: Operations, logical_id: str) -> Response | None:
    """Answer with a definition of ours; None where the id is none of theirs."""
    made = _made(base, operations).get(logical_id)
    return lasting.answer(made) if made else None


def canonical(base: str, operation: Operation) -> str:
    """Where an operation is defined as it is here."""
    if operation.narrower or operation.is_own:
        return f"{base}/OperationDefinition/{operation.id}"
    return operation.definition


@cache
def _made(base: str, operations: Operations) -> dict[str, bytes]:
    return {name: encode(definition(base, operation)) for name, operation in operations.all().items()}


def definition(base: str, operation: Operation) -> r4.OperationDefinition:
    """Define an operation as it is here."""
    levels = operation.levels
    types: list[str | None] = ["Resource" if each == EVERY else each for each in operation.types]
    return r4.OperationDefinition(
        id=operation.id,
        url=f"{base}/OperationDefinition/{operation.id}",
        name="".join(word[0].upper() + word[1:] for word in operation.id.split("-")),
        title=operation.title or None,
        status="active",
        kind="operation",
        date=RELEASED,
        publisher="Yersin",
        affectsState=operation.affects_state,
        code=operation.name,
        base=None if operation.is_own else operation.definition,
        resource=types or None,
        system="system" in levels,
        type="type" in levels,
        instance="instance" in levels,
        comment=_comment(operation) or None,
        parameter=_parameters(operation) or None,
    )


def _comment(operation: Operation) -> str:
    said = []
    if operation.takes_search:
        said.append(f"Besides, the search parameters of {' and '.join(operation.types)} narrow it.")
    if operation.grant:
        said.append(f"A token needs the scope system/{operation.grant.type}.{operation.grant.verbs}.")
    return " ".join(said)


def _parameters(operation: Operation) -> list[r4.OperationDefinitionParameter]:
    body = (Input(name="resource", type="Resource"),) if operation.takes_any_body else ()
    return [*_of(operation.inputs, "in"), *_of(body, "in"), *_of(operation.outputs, "out")]


def _of(inputs: Sequence[Input], use: str) -> list[r4.OperationDefinitionParameter]:
    return [_parameter(each, use) for each in inputs]


def _parameter(wanted: Input, use: str) -> r4.OperationDefinitionParameter:
    return r4.OperationDefinitionParameter(
        name=wanted.name,
        use=use,
        min=int(wanted.required),
        max="*" if wanted.repeats else "1",
        type=None if wanted.parts else wanted.type,
        part=_of(wanted.parts, use) or None,
    )
