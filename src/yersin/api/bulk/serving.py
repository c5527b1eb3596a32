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
from yersin.fhir import encode, r4
from yersin.fhir.problem import Problem, problem
from yersin.guard import audit
from yersin.guard.access import Access
from yersin.store.versions import instant

from . import files, flat, jobs
from .files import Shelf
from .jobs import File, Job

_FILE = re.compile(rf"(\d{{1,9}})\.({'|'.join(flat.KINDS)})").fullmatch
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
        case [_, "result"]:
            handlers = {"GET": result}
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
    if job.plan.views:
        return Response(status=303, headers=[(b"location", f"{request.base}/bulkdata/{job.id}/result".encode())])
    _require_made(job)
    return await _manifest(request, job)


async def result(request: Request) -> Response:
    """GET [base]/bulkdata/[job]/result: what came of a job of views, under the names that were asked for."""
    job = await _job(request)
    if job.is_open or not job.plan.views:
        raise problem(
            "not-found", "There is no result here, or not yet: look at the address before /result.", status=404
        )
    _require_made(job)
    found = await jobs.files(request.access.ground.database, job.id)
    return Response(body=encode(_told(request.base, job, found)))


def _require_made(job: Job) -> None:
    if job.state == "failed":
        raise Problem(job.failure, status=500)


def _told(base: str, job: Job, found: Sequence[File]) -> r4.Parameters:
    told = flat.told(base, job.id, "completed", job.plan.kind, job.plan.tracking)
    times = [
        r4.ParametersParameter(name="exportStartTime", valueInstant=instant(job.made)),
        r4.ParametersParameter(name="exportEndTime", valueInstant=instant(job.touched)),
        r4.ParametersParameter(name="exportDuration", valueInteger=round((job.touched - job.made).total_seconds())),
    ]
    outputs = [
        _output(base, job, wish.name, [each for each in found if each.type == wish.name]) for wish in job.plan.views
    ]
    return r4.Parameters(parameter=[*told, *times, *outputs])


def _output(base: str, job: Job, name: str, found: Sequence[File]) -> r4.ParametersParameter:
    places = [r4.ParametersParameter(name="location", valueUri=address(base, job, each)) for each in found]
    return r4.ParametersParameter(name="output", part=[r4.ParametersParameter(name="name", valueString=name), *places])


def address(base: str, job: Job, file: File) -> str:
    """Where a file is fetched."""
    return f"{base}/bulkdata/{job.id}/{file.n}.{job.plan.kind}"


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
    return [_Output(each.type, address(base, job, each), each.resources) for each in found]


def _raw(headers: list[tuple[bytes, bytes]], body: bytes) -> Raw:
    async def whole() -> AsyncIterator[bytes]:
        yield body

    return Raw(headers=[*headers, (b"content-length", str(len(body)).encode())], pieces=whole())


async def cancel(request: Request) -> Response:
    """DELETE [base]/bulkdata/[job]: end it, or give its files up."""
    await give_up(request.access, await _job(request))
    return Response(status=202)


async def give_up(access: Access, job: Job) -> None:
    """End a job of the asker's, or give its files up."""
    interaction = "export-views" if job.plan.views else "export"
    async with access.ground.database.transaction() as connection:
        await jobs.cancel(connection, job.id)
        await audit.insert(connection, access.who, audit.Entry(interaction=interaction, query=f"{job.id} cancelled"))


async def fetch(request: Request) -> Response:
    """GET [base]/bulkdata/[job]/[number].[kind]: a file, packed by gzip for those who take it."""
    job = await _job(request)
    named = _FILE(request.path[2])
    found = await jobs.files(request.access.ground.database, job.id) if job.state == "complete" else []
    file = next((each for each in found if named and (each.n, job.plan.kind) == (int(named[1]), named[2])), None)
    if file is None:
        raise problem("not-found", "This export has no such file, or is not complete yet.", status=404)
    if job.plan.views:
        flat.require(request.access, job.plan.types)
    elif file.kind == "output":
        request.access.who.require_grant(file.type, "r")
    shelf = Shelf(settings.read().data_dir, request.access.ground.keys)
    try:
        (await asyncio.to_thread(shelf.open, job.id, file.name)).close()
    except FileNotFoundError as error:
        raise problem("not-found", "The files of this export are not on this machine any more.", status=404) from error
    interaction = "export-views" if job.plan.views else "export"
    await request.access.record(audit.Entry(interaction=interaction, query=f"{job.id} {file.n}"))
    headers = [*_kind(job, file), (b"vary", b"accept-encoding")]
    if "gzip" in request.header("accept-encoding"):
        return Raw(headers=[*headers, (b"content-encoding", b"gzip")], pieces=files.packed(shelf, job.id, file.name))
    return Raw(
        headers=[*headers, (b"content-length", str(file.size).encode())], pieces=files.pieces(shelf, job.id, file.name)
    )


def _kind(job: Job, file: File) -> list[tuple[bytes, bytes]]:
    if not job.plan.views:
        return [(b"content-type", b"application/fhir+ndjson")]
    name = f'attachment; filename="{file.type}.{file.n}.{job.plan.kind}"'
    return [(b"content-type", flat.KINDS[job.plan.kind].encode()), (b"content-disposition", name.encode())]
