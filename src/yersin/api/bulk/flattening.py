"""Makes the files of `$viewdefinition-export`, one at a time: from copies of its views, all taken at one moment.

Between two files other exports have their turn; whatever is killed, the job goes on after its last whole file.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID, uuid4

from yersin.blobs.disk import full_disk_is_a_problem
from yersin.db import Connection, Database
from yersin.fhir.problem import problem
from yersin.guard.exporting import Place
from yersin.views import copies, exporting, kept
from yersin.views.kept import Key, Part, Source

from . import jobs
from .files import Shelf, Sink
from .jobs import File, Job

#: bytes carried from a plain file to a sealed one at a time
_PIECE = 1 << 20


async def flatten(database: Database, shelf: Shelf, job: Job, hours: int) -> None:
    """Do one piece of a job: copy its views, make one file, or end it.

    Raises Problem where a view is gone or is being filled, or the disk is full.
    """
    if job.part == len(job.plan.views):
        await jobs.end(database, job.id, "complete", hours)
        await copies.drop(database, job.id)
        return
    async with database.dedicated(idle_in_transaction_session_timeout="0", statement_timeout="0") as connection:
        source = await copies.find(connection, job.id, job.part)
        if source is not None:
            async with connection.transaction(readonly=True):
                file, until = await _file(connection, shelf, job, source)
            await _keep(database, job, file, until)
            return
    if (job.part, job.after) != (0, Place()):
        raise problem("exception", "The copy of a view that was being exported is gone. Ask again.", status=500)
    await copies.take(database, job.id, [wish.view for wish in job.plan.views])


async def _file(connection: Connection, shelf: Shelf, job: Job, source: Source) -> tuple[File, Key | None]:
    """Make the next file of a view; says where it ends, None at the end of the view."""
    after = Key(job.after.pat, job.after.id.int) if job.after != Place() else None
    part = await kept.part(connection, source, after, kept.PART)
    columns = await kept.columns(connection, source)
    sink = await asyncio.to_thread(shelf.sink, job.id)
    try:
        plain = shelf.folder(job.id) / f"plain-{uuid4().hex}"
        rows = await _fill(connection, sink, job.plan.kind, (source, part, columns), plain)
        name = await asyncio.to_thread(sink.finish)
    except BaseException:
        sink.abandon()
        raise
    wish = job.plan.views[job.part]
    return File(n=0, name=name, kind="output", type=wish.name, resources=rows, size=sink.size), part.until


async def _keep(database: Database, job: Job, file: File, until: Key | None) -> None:
    """Name a whole file and say how far the job has come, unless it is not wanted any more."""
    part, after = (job.part + 1, Place()) if until is None else (job.part, Place(until.row, UUID(int=until.n)))
    async with database.transaction() as connection:
        if await jobs.move(connection, job, part, after):
            await jobs.add_file(connection, job.id, file)


async def _fill(
    connection: Connection, sink: Sink, kind: str, what: tuple[Source, Part, Mapping[str, str]], plain: Path
) -> int:
    """Fill a file with a part of a view; `plain` is a folder for what cannot be made in one go. Returns how many rows."""
    source, part, columns = what

    async def take(piece: bytes) -> None:
        await asyncio.to_thread(sink.write, piece)

    if kind == "ndjson":
        return await kept.lines(connection, source, part, take)
    if kind == "csv":
        return await kept.copy(connection, source, part, take, header=True)
    with full_disk_is_a_problem():
        await asyncio.to_thread(plain.mkdir, mode=0o700)
        try:
            rows = await exporting.write(connection, source, part, columns, plain / "part.parquet")
            await asyncio.to_thread(_carry, plain / "part.parquet", sink)
        finally:
            await asyncio.to_thread(shutil.rmtree, plain, ignore_errors=True)
    return rows


def _carry(path: Path, sink: Sink) -> None:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            sink.write(piece)
