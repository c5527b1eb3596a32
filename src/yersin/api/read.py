"""Read, vread and instance history. Source: https://hl7.org/fhir/R4/http.html#read"""

from __future__ import annotations

from yersin.fhir.problem import problem
from yersin.store.versions import Version

from .bundles import history_bundle
from .messages import Request, Response, version_headers


async def read(request: Request) -> Response:
    """GET [base]/[type]/[id]"""
    type_name, logical_id = request.path
    return answer(request, await request.access.read(type_name, logical_id))


async def vread(request: Request) -> Response:
    """GET [base]/[type]/[id]/_history/[vid]"""
    type_name, logical_id, _, vid = request.path
    if not vid.isdecimal() or len(vid) > 9:
        raise problem(
            "not-found", f"{type_name}/{logical_id} has no version {vid}; versions are numbers from 1.", status=404
        )
    return answer(request, await request.access.vread(type_name, logical_id, int(vid)))


def answer(request: Request, version: Version) -> Response:
    """Answer with a version as stored. Raises Problem: deleted (410)."""
    if version.deleted:
        raise problem("deleted", f"{version.type}/{version.id} was deleted; its history is still there.", status=410)
    headers = version_headers(version)
    if request.header("if-none-match") == version.etag:
        return Response(status=304, headers=headers)
    return Response(headers=headers, body=version.json())


async def history(request: Request) -> Response:
    """GET [base]/[type]/[id]/_history"""
    type_name, logical_id, _ = request.path
    versions = await request.access.history(type_name, logical_id)
    return Response(body=history_bundle(request.base, versions))
