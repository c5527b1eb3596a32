"""Read and vread. Source: https://hl7.org/fhir/R4/http.html#read"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from yersin.fhir.problem import problem
from yersin.store.versions import Version

from .messages import Request, Response, version_headers


async def read(request: Request) -> Response:
    """GET [base]/[type]/[id]"""
    type_name, logical_id = request.path
    return answer(request, await request.access.read(type_name, logical_id))


async def vread(request: Request) -> Response:
    """GET [base]/[type]/[id]/_history/[vid]"""
    type_name, logical_id, _, vid = request.path
    if not vid.isdecimal() or vid[0] == "0" or len(vid) > 9:
        raise problem(
            "not-found", f"{type_name}/{logical_id} has no version {vid}; versions are numbers from 1.", status=404
        )
    return answer(request, await request.access.vread(type_name, logical_id, int(vid)))


def answer(request: Request, version: Version) -> Response:
    """Answer with a version as stored. Raises Problem: deleted (410)."""
    headers = version_headers(there(version))
    if is_known(request, version):
        return Response(status=304, headers=headers)
    return Response(headers=headers, body=version.json())


def there(version: Version) -> Version:
    """Give a version that has content. Raises Problem: deleted (410)."""
    if version.deleted:
        raise problem("deleted", f"{version.type}/{version.id} was deleted; its history is still there.", status=410)
    return version


def is_known(request: Request, version: Version) -> bool:
    """Whether the client has this version already (RFC 9110, 13.1): by its tag, else by its moment."""
    tags = request.header("if-none-match")
    if tags:
        return tags.strip() == "*" or version.etag in (_weak(tag) for tag in tags.split(","))
    since = request.header("if-modified-since")
    moment = _moment(since) if since else None
    return moment is not None and version.upd.replace(microsecond=0) <= moment


def _weak(tag: str) -> str:
    tag = tag.strip()
    return tag if tag.startswith("W/") else f"W/{tag}"


def _moment(text: str) -> datetime | None:
    """Moment of a header, or of an entry of a bundle, where it is a FHIR instant; None for what is neither (RFC 9110)."""
    try:
        found = datetime.fromisoformat(text) if text[:1].isdigit() else parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
