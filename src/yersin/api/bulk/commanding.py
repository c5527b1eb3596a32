"""The same export for an operator: plain NDJSON in a folder. Begun again after an interruption, it goes on where it was cut off."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from yersin.fhir import r4
from yersin.fhir.dates import span
from yersin.fhir.problem import Problem, problem
from yersin.guard import exporting
from yersin.guard.access import Access
from yersin.store.identity import new_id
from yersin.store.versions import instant

from . import jobs
from .jobs import File, Job, Plan
from .working import Exporter

MANIFEST = "manifest.json"


class _Named(msgspec.Struct):
    """A file as the manifest names it."""

    type: str
    url: str
    count: int


async def export(
    access: Access, folder: Path, types: Sequence[str], since: str, tell: Callable[[Job], None]
) -> tuple[Job, list[File]]:
    """Export into an empty folder. Raises Problem naming what cannot be exported, FileExistsError where the folder is not empty."""
    plan = Plan(request="", types=_types(types), since=span(since, access.ground.zone).lo if since else None)
    job = await _begun(access, folder, plan)
    exporter = Exporter(access.ground, folder, 0)
    while await exporter.named(job.id):
        tell(await _found(access, job))
    ended = await _found(access, job)
    if ended.state == "failed":
        await jobs.forget(access.ground.database, job.id)
        raise Problem(ended.failure, status=500)
    files = await jobs.files(access.ground.database, job.id)
    _write(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(_manifest(ended, files)), indent=2) + b"\n")
    await jobs.forget(access.ground.database, job.id)
    return ended, files


def _types(named: Sequence[str]) -> tuple[str, ...]:
    for name in named:
        if name not in r4.TYPE_NUMBER:
            raise problem("value", f"{name} is no resource type of FHIR R4.")
    return tuple(name for name in r4.TYPE_NUMBER if not named or name in named)


async def _begun(access: Access, folder: Path, plan: Plan) -> Job:
    """Begin an export, or go on with the same one that was interrupted."""
    database = access.ground.database
    there = await asyncio.to_thread(_names, folder)
    found = await jobs.of_folder(database, str(folder))
    if found is not None and found.plan == plan and {f.name for f in await jobs.files(database, found.id)} <= there:
        return found
    if there:
        raise FileExistsError(folder)
    if found is not None:
        await jobs.forget(database, found.id)
    job = new_id()
    async with database.transaction() as connection:
        at = await exporting.moment(connection)
        await jobs.add(connection, job, access.who, plan, at, str(folder))
    begun = await jobs.find(database, job)
    assert begun is not None  # noqa: S101 - it has just been added
    return begun


async def _found(access: Access, job: Job) -> Job:
    found = await jobs.find(access.ground.database, job.id)
    assert found is not None  # noqa: S101 - only this command forgets it
    return found


def _manifest(job: Job, files: Sequence[File]) -> dict[str, datetime | str | list[_Named]]:
    named = {
        kind: [_Named(f.type, f.name, f.resources) for f in files if f.kind == kind] for kind in ("output", "deleted")
    }
    return {"transactionTime": instant(job.moment.at), **named}


def _names(folder: Path) -> set[str]:
    """Return what lies in a folder, made if need be; parts of files that were not finished are written anew."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return {path.name for path in folder.iterdir() if path.suffix != ".part"}


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
