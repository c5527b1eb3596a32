"""Makes the files of `$viewdefinition-export`: every view of a job of one snapshot, sealed, and named all at once.

A snapshot does not outlive its connection: whatever is killed, the job is begun anew, and half of it is never seen.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

from yersin.blobs.disk import full_disk_is_a_problem
from yersin.db import Connection, Database
from yersin.views import exporting, kept
from yersin.views.kept import Part, Source

from . import jobs
from .files import Shelf, Sink
from .jobs import File, Job, Wish

#: bytes carried from a plain file to a sealed one at a time
_PIECE = 1 << 20


async def flatten(database: Database, shelf: Shelf, job: Job, hours: int) -> None:
    """Make all files of a job and end it. Raises Problem where a view is gone, is being filled, or the disk is full."""
    await asyncio.to_thread(shelf.remove, job.id)
    made: list[File] = []
    async with kept.one_moment(database) as connection:
        for done, wish in enumerate(job.plan.views):
            if not await jobs.progress(database, job.id, done):
                break
            [source] = await kept.sources(connection, [wish.view])
            made += await _files(connection, shelf, job, wish, source)
    if not await jobs.complete(database, job.id, made, hours):
        await asyncio.to_thread(shelf.remove, job.id)


async def _files(connection: Connection, shelf: Shelf, job: Job, wish: Wish, source: Source) -> list[File]:
    columns = await kept.columns(connection, source)
    made = []
    async for part in kept.parts(connection, source, kept.PART):
        sink = await asyncio.to_thread(shelf.sink, job.id)
        try:
            rows = await _fill(connection, sink, job.plan.kind, (source, part, columns), shelf.folder(job.id) / "plain")
            name = await asyncio.to_thread(sink.finish)
        except BaseException:
            sink.abandon()
            raise
        made.append(File(n=0, name=name, kind="output", type=wish.name, resources=rows, size=sink.size))
    return made


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
