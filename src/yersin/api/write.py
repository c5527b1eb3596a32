"""Create, update and delete. Source: https://hl7.org/fhir/R4/http.html#create"""

from __future__ import annotations

from yersin.fhir import parse, r4
from yersin.fhir.problem import problem
from yersin.guard.writing import Create, Delete, Update, Written

from .conditions import create_unless
from .messages import Request, Response, location, version_headers


async def create(request: Request) -> Response:
    """POST [base]/[type], with If-None-Exist where the client wants no second one."""
    resource = _resource(request, request.path[0])
    resource.id = None
    criteria = request.header("if-none-exist")
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
    (written,) = await request.access.write([Update(resource=resource, expected=request.if_match())])
    return answer(request, written)


async def delete(request: Request) -> Response:
    """DELETE [base]/[type]/[id]"""
    type_name, logical_id = request.path
    written = await request.access.write([Delete(type=type_name, id=logical_id, expected=request.if_match())])
    return Response(status=204, headers=version_headers(written[0].version) if written else ())


def _resource(request: Request, type_name: str) -> r4.Resource:
    if not request.body:
        raise problem("required", f"The body is empty; send a {type_name} as JSON.")
    return parse(request.body, expect=type_name)


def answer(request: Request, written: Written) -> Response:
    """Answer of a write: 201 for what is new, else 200, with the version written."""
    version = written.version
    headers = version_headers(version)
    if written.created:
        headers.append((b"location", location(request.base, version).encode()))
    return Response(
        status=201 if written.created else 200,
        headers=headers,
        body=b"" if request.minimal or version.deleted else version.json(),
    )
