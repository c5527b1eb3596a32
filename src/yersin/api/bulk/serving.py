"""How an export is followed, fetched and given up, by who asked for it.

Source: https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-status-request
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from uuid import UUID

import msgspec

from yersin import settings
from yersin.api.binary import Raw
from yersin.api.errors import not_allowed
from yersin.api.messages import Handler, Request, Response
from yersin.fhir.problem import Problem, problem
from yersin.guard import audit
from yersin.store.versions import instant

from . import files, jobs
from .files import Shelf
from .jobs import File, Job

_FILE = re.compile(r"(\d{1,9})\.ndjson").fullmatch
#: seconds between two looks: a tenth of what the job has taken, within these
_LOOKS = (1, 30)


class _Output(msgspec.Struct):
    type: str
    url: str
    count: int


class _Manifest(msgspec.Struct, rename="camel"):
    transaction_time: str
    request: str
    requires_access_token: bool
    output: list[_Output]
    deleted: list[_Output]
    error: list[_Output]


def route(method: str, path: Sequence[str]) -> Handler:
    """Handler of an address below /bulkdata. Raises Problem: not-found (404) or not-supported (405)."""
    handlers: dict[str, Handler] = {}
    match path[1:]:
        case [_]:
            handlers = {"GET": status, "DELETE": cancel}
        case [_, _]:
            handlers = {"GET": fetch}
    if not handlers:
        raise problem("not-found", f"There is nothing at /{'/'.join(path)}.", status=404)
    if method not in handlers:
        raise not_allowed(method, handlers)
    return handlers[method]


async def _job(request: Request) -> Job:
    """Find the job of an address. Raises Problem (not-found, 404), also for a job that somebody else asked for."""
    database, who = request.access.ground.database, request.access.who
    try:
        found = await jobs.find(database, UUID(request.path[1]))
    except ValueError:
        found = None
    if found is None or found.folder or found.owner != jobs.owner_of(who) or found.state == "cancelled":
        await request.access.record(audit.Entry(interaction="export", outcome=audit.REFUSED))
        raise problem(
            "not-found", "There is no such export: it was cancelled, has expired, or is not yours.", status=404
        )
    if found.expires and found.expires < datetime.now(UTC):
        raise problem("not-found", "The files of this export have expired. Ask for it again.", status=404)
    return found


async def status(request: Request) -> Response:
    """GET [base]/bulkdata/[job]: 202 while it is under way, then the manifest."""
    job = await _job(request)
    if job.is_open:
        taken = (datetime.now(UTC) - job.made).total_seconds()
        wait = str(min(max(round(taken / 10), _LOOKS[0]), _LOOKS[1])).encode()
        progress = f"{job.resources} resources, {job.part} of {job.parts} parts".encode()
        return Response(status=202, headers=[(b"x-progress", progress), (b"retry-after", wait)])
    if job.state == "failed":
        raise Problem(job.failure, status=500)
    return await _manifest(request, job)


async def _manifest(request: Request, job: Job) -> Response:
    found = await jobs.files(request.access.ground.database, job.id)
    manifest = _Manifest(
        transaction_time=instant(job.moment.at),
        request=job.plan.request,
        requires_access_token=True,
        output=_outputs(request.base, job, [each for each in found if each.kind == "output"]),
        deleted=_outputs(request.base, job, [each for each in found if each.kind == "deleted"]),
        error=[],
    )
    expires = format_datetime((job.expires or datetime.now(UTC)).replace(microsecond=0), usegmt=True)
    headers = [(b"content-type", b"application/json"), (b"expires", expires.encode())]
    return _raw(headers, msgspec.json.encode(manifest))


def _outputs(base: str, job: Job, found: Sequence[File]) -> list[_Output]:
    return [_Output(each.type, f"{base}/bulkdata/{job.id}/{each.n}.ndjson", each.resources) for each in found]


def _raw(headers: list[tuple[bytes, bytes]], body: bytes) -> Raw:
    async def whole() -> AsyncIterator[bytes]:
        yield body

    return Raw(headers=[*headers, (b"content-length", str(len(body)).encode())], pieces=whole())


async def cancel(request: Request) -> Response:
    """DELETE [base]/bulkdata/[job]: end it, or give its files up."""
    job = await _job(request)
    async with request.access.ground.database.transaction() as connection:
        await jobs.cancel(connection, job.id)
        await audit.insert(
            connection, request.access.who, audit.Entry(interaction="export", query=f"{job.id} cancelled")
        )
    return Response(status=202)


async def fetch(request: Request) -> Response:
    """GET [base]/bulkdata/[job]/[number].ndjson: a file, packed by gzip for those who take it."""
    job = await _job(request)
    named = _FILE(request.path[2])
    found = await jobs.files(request.access.ground.database, job.id) if job.state == "complete" else []
    file = next((each for each in found if named and each.n == int(named[1])), None)
    if file is None:
        raise problem("not-found", "This export has no such file, or is not complete yet.", status=404)
    if file.kind == "output":
        request.access.who.require_grant(file.type, "r")
    shelf = Shelf(settings.read().data_dir, request.access.ground.keys)
    try:
        (await asyncio.to_thread(shelf.open, job.id, file.name)).close()
    except FileNotFoundError as error:
        raise problem("not-found", "The files of this export are not on this machine any more.", status=404) from error
    await request.access.record(audit.Entry(interaction="export", query=f"{job.id} {file.n}"))
    headers = [(b"content-type", b"application/fhir+ndjson"), (b"vary", b"accept-encoding")]
    if "gzip" in request.header("accept-encoding"):
        return Raw(headers=[*headers, (b"content-encoding", b"gzip")], pieces=files.packed(shelf, job.id, file.name))
    return Raw(
        headers=[*headers, (b"content-length", str(file.size).encode())], pieces=files.pieces(shelf, job.id, file.name)
    )
