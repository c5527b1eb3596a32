"""Create, update, patch and delete, by id or by criteria. Source: https://hl7.org/fhir/R4/http.html#create"""

from __future__ import annotations

from functools import partial

from yersin.fhir import encode, parse, r4
from yersin.fhir.problem import problem
from yersin.guard import audit, holding
from yersin.guard.writing import Create, Delete, Update, Writing, Written
from yersin.store.identity import row_id

from . import binary, conditions, patching
from .conditions import create_unless
from .messages import Request, Response, location, told, version_headers


async def create(request: Request) -> Response:
    """POST [base]/[type], with If-None-Exist (or criteria in the address) where the client wants no second one."""
    resource = _resource(request, request.path[0])
    resource.id = None
    criteria = request.header("if-none-exist") or (request.query and conditions.in_address(request.query))
    if criteria:
        return answer(request, await create_unless(request.access, resource, criteria))
    (written,) = await request.access.write([Create(resource=resource)])
    return answer(request, written)


async def update(request: Request) -> Response:
    """PUT [base]/[type]/[id]; makes the resource when the id is new."""
    type_name, logical_id = request.path
    resource = _resource(request, type_name)
    if resource.id != logical_id:
        text = (
            f"The address names {type_name}/{logical_id}, the body {resource.id or 'no id'}. Send the same id in both."
        )
        raise problem("invalid", text, expression=f"{type_name}.id")
    (written,) = await request.access.write([Update(resource=resource, expected=request.expected())])
    return answer(request, written)


async def update_where(request: Request) -> Response:
    """PUT [base]/[type]?[criteria]"""
    resource = _resource(request, request.path[0])
    named, expected = resource.id, request.expected()

    async def work(writing: Writing) -> Written:
        change = await conditions.update_of(writing, resource, request.query, named=named, expected=expected)
        (written,) = await writing.write([change])
        return written

    return answer(request, await request.access.atomically(work, attempt=_attempt(request, "update")))


async def patch(request: Request) -> Response:
    """PATCH [base]/[type]/[id] and PATCH [base]/[type]?[criteria]"""
    type_name = request.path[0]
    wanted, expected = patching.of_body(request.header("content-type"), request.body), request.if_match()

    async def work(writing: Writing) -> Written:
        logical_id = await _meant(writing, request)
        standing = await holding.standing(writing, type_name, logical_id)
        change = request.access.finding(partial(wanted.of, standing, expected))
        (written,) = await writing.write([change])
        return written

    return answer(request, await request.access.atomically(work, attempt=_attempt(request, "update")))


async def _meant(writing: Writing, request: Request) -> str:
    if len(request.path) > 1:
        return request.path[1]
    return (await conditions.the_one(writing, request.path[0], request.query)).id


async def delete(request: Request) -> Response:
    """DELETE [base]/[type]/[id]"""
    type_name, logical_id = request.path
    written = await request.access.write([Delete(type=type_name, id=logical_id, expected=request.if_match())])
    return _deleted(request, written)


async def delete_where(request: Request) -> Response:
    """DELETE [base]/[type]?[criteria]: all that meet them, or nothing where these are too many."""
    (type_name,), expected = request.path, request.if_match()

    async def work(writing: Writing) -> list[Written]:
        found = await conditions.to_delete(writing, type_name, request.query)
        return await writing.write([Delete(type=type_name, id=one.id, expected=expected) for one in found])

    return _deleted(request, await request.access.atomically(work, attempt=_attempt(request, "delete")))


def _deleted(request: Request, written: list[Written]) -> Response:
    headers = version_headers(written[0].version) if len(written) == 1 else ()
    if request.preferred != "OperationOutcome":
        return Response(status=204, headers=headers)
    return Response(
        headers=headers,
        body=told(f"{len(written)} {'resource was' if len(written) == 1 else 'resources were'} deleted."),
    )


def _attempt(request: Request, interaction: str) -> audit.Entry:
    type_name, *rest = request.path
    return audit.Entry(interaction=interaction, type=type_name, entity=row_id(type_name, rest[0]).id if rest else None)


def _resource(request: Request, type_name: str) -> r4.Resource:
    if not request.body:
        raise problem("required", f"The body is empty; send a {type_name} as JSON or XML.")
    if type_name == "Binary" and (sent := binary.received(request)) is not None:
        sent.id = request.path[1] if len(request.path) > 1 else None
        return parse(encode(sent))
    return parse(request.body, expect=type_name)


def answer(request: Request, written: Written) -> Response:
    """Answer of a write: 201 for what is new, else 200, with the version written."""
    version = written.version
    headers = version_headers(version)
    # who asked by criteria learns from it which resource was meant
    if written.created or len(request.path) == 1:
        headers.append((b"location", location(request.base, version).encode()))
    return Response(status=201 if written.created else 200, headers=headers, body=_shown(request, written))


def _shown(request: Request, written: Written) -> bytes:
    """Body that the client prefers (https://hl7.org/fhir/R4/http.html#ops)."""
    version = written.version
    if request.preferred == "OperationOutcome":
        return told(f"{version.type}/{version.id} is at version {version.ver}.")
    return b"" if request.minimal or version.deleted else version.json()
