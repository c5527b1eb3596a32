"""Works on export jobs, one file at a time: reads, joins, seals, and names the file when it is whole.

The patients it tells of are audited in the transaction that names it: what can be fetched has been recorded.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec

from yersin.fhir.problem import Problem, problem
from yersin.guard import audit, exporting
from yersin.guard.access import Access, Ground
from yersin.guard.exporting import Place, Slice
from yersin.guard.scope import in_chart
from yersin.search.page import Query
from yersin.store.identity import row_id
from yersin.store.versions import Version
from yersin.views import copies

from . import elements, jobs
from .files import Plain, Shelf, Sink
from .flattening import flatten
from .jobs import File, Job

#: resources and plain bytes of a file, at most about
RESOURCES, BYTES = 50_000, 128 << 20
#: patients named by one row of the audit
DISCLOSED = 5_000
#: times that a file is begun without being finished until the job is given up
ATTEMPTS = 25
#: how long a job waits for transactions that began before it
PATIENCE = timedelta(seconds=60)
#: deletions in one Bundle
DELETIONS = 100
#: seconds between looks for folders without a job, and between looks at a job that waits
_SWEEPING, _PAUSE = 600.0, 0.1
_LOG = logging.getLogger("yersin.bulk")


@dataclass(slots=True, kw_only=True)
class _Filling:
    """A file being filled: what went in, whom it tells of, and where its reading ended."""

    sink: Sink
    type: str
    kind: str = "output"
    resources: int = 0
    patients: list[UUID] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return self.resources >= RESOURCES or self.sink.size >= BYTES

    def write(self, lines: Sequence[bytes]) -> None:
        self.sink.write(b"\n".join([*lines, b""]))
        self.resources += len(lines)

    def tell_of(self, pat: UUID, type_name: str, logical_id: str) -> None:
        """Note whom a resource tells of; in the order of the charts, one patient's resources follow each other."""
        if self.patients and self.patients[-1] == pat:
            return
        if type_name == "Patient" or (in_chart(type_name) and row_id(type_name, logical_id).id != pat):
            self.patients.append(pat)


class _CancelledError(Exception):
    """The job is not wanted any more."""


def _write(filling: _Filling, versions: Sequence[Version], kept: tuple[str, ...]) -> None:
    """Write versions to a file, in a thread: joining and sealing are work."""
    lines = [version.json() for version in versions]
    if kept:
        lines = [elements.cut(filling.type, kept, line) for line in lines]
    filling.write(lines)
    for version in versions:
        filling.tell_of(version.pat, version.type, version.id)


class _Request(msgspec.Struct):
    method: str
    url: str


class _Entry(msgspec.Struct):
    request: _Request


class _Bundle(msgspec.Struct, rename="camel"):
    """A transaction that deletes, as a line of a file of what was deleted."""

    entry: list[_Entry]
    resource_type: str = "Bundle"
    type: str = "transaction"


class Exporter:
    """Works on jobs. `data` is the data folder; `hours` is how long files are kept."""

    def __init__(self, ground: Ground, data: Path, hours: int) -> None:
        self._ground = ground
        self._database = ground.database
        self._shelf = Shelf(data, ground.keys)
        self._hours = hours
        self._swept = time.monotonic() - _SWEEPING

    async def work(self) -> bool:
        """Do one piece of work: clear what is over, then one file of a job. Answers whether there is more to do at once."""
        await self._clear()
        return await self._work_on(None)

    async def named(self, job: UUID) -> bool:
        """Do one piece of work on one job. Answers whether it is still under way."""
        while not await self._work_on(job):
            if not await jobs.is_open(self._database, job):
                return False
            await asyncio.sleep(_PAUSE)
        return True

    async def _work_on(self, named: UUID | None) -> bool:
        job = await jobs.begin(self._database, named)
        if job is None:
            return False
        try:
            return await self._advance(job)
        except _CancelledError:
            return True
        except Problem as failure:
            await jobs.end(self._database, job.id, "failed", self._hours, failure)
            await copies.drop(self._database, job.id)
            await asyncio.to_thread(self._shelf.remove, job.id)
            _LOG.warning("an export failed: %s", failure.issues[0].code)
            return True

    async def _advance(self, job: Job) -> bool:
        if job.attempts > ATTEMPTS:
            raise problem("exception", "The export was begun again and again, and never got on.", status=500)
        if job.plan.views:
            await jobs.settle(self._database, job)
            await flatten(self._database, self._shelf, job, self._hours)
            return True
        if job.state == "waiting":
            return await self._settled(job)
        await self._next_file(job)
        return True

    async def _settled(self, job: Job) -> bool:
        """Let a job begin once nothing more can be written as of its moment; one that waited too long moves back."""
        async with self._database.acquire() as connection:
            oldest = await exporting.unsettled(connection, job.moment.at)
        if oldest is None:
            await jobs.settle(self._database, job)
        elif datetime.now(UTC) - job.made > PATIENCE:
            await jobs.settle(self._database, job, oldest - timedelta(milliseconds=1))
        else:
            return False
        return True

    async def _next_file(self, job: Job) -> None:
        """Read on from where the job stands until a file is whole or nothing is left."""
        access = self._ground.access(job.who)
        part, after, last = job.part, job.after, job.parts - 1
        while part < last:
            filling, goes_on = await self._fill(access, job, part, after)
            part, after = (part, goes_on) if goes_on else (part + 1, Place())
            if filling is not None:
                await self._keep(job, filling, part, after)
                return
        if part == last and job.plan.since:
            filling = await self._fill_deleted(access, job)
            if filling is not None:
                await self._keep(job, filling, part + 1, after)
        await jobs.end(self._database, job.id, "complete", self._hours)

    # --- one file --------------------------------------------------------------------------------------------------

    async def _fill(self, access: Access, job: Job, part: int, after: Place) -> tuple[_Filling | None, Place | None]:
        """Fill a file from one part of a job; there is none where nothing was found. Says where to go on, too."""
        wanted = await self._slice(job, part)
        kept = job.plan.elements.get(wanted.type, ())
        filling: _Filling | None = None

        async def take(versions: Sequence[Version]) -> bool:
            nonlocal filling
            if not await jobs.is_open(self._database, job.id):
                raise _CancelledError
            if not versions:
                return True
            if filling is None:
                filling = _Filling(sink=await self._sink(job, wanted.type), type=wanted.type)
            await asyncio.to_thread(_write, filling, versions, kept)
            return not filling.is_full

        try:
            goes_on = await exporting.read(access, wanted, after, RESOURCES, take)
        except BaseException:
            if filling is not None:
                filling.sink.abandon()
            raise
        return filling, goes_on

    async def _slice(self, job: Job, part: int) -> Slice:
        number, chunk = divmod(part, job.chunks)
        wanted = _slice(job, job.plan.types[number])
        if not job.plan.narrowed:
            return wanted
        members = await jobs.members(self._database, job.id, chunk)
        return replace(wanted, patients=[each.patient for each in members], placed=[each.pat for each in members])

    async def _fill_deleted(self, access: Access, job: Job) -> _Filling | None:
        """Fill the file of what was deleted since, a Bundle a line."""
        parts = [_slice(job, type_name) for type_name in job.plan.types]
        filling: _Filling | None = None
        after: tuple[int, int] | None = (0, 0)
        try:
            while after is not None:
                found, after = await exporting.deleted(access, parts, after)
                if found and filling is None:
                    filling = _Filling(sink=await self._sink(job, "deleted"), type="Bundle", kind="deleted")
                if filling is not None:
                    await asyncio.to_thread(_write_deleted, filling, found)
        except BaseException:
            if filling is not None:
                filling.sink.abandon()
            raise
        return filling

    async def _sink(self, job: Job, name: str) -> Sink:
        if job.folder is None:
            return await asyncio.to_thread(self._shelf.sink, job.id)
        number = len(await jobs.files(self._database, job.id)) + 1
        return await asyncio.to_thread(Plain, Path(job.folder), f"{name}.{number:04d}.ndjson")

    async def _keep(self, job: Job, filling: _Filling, part: int, after: Place) -> None:
        """Name a whole file, say how far the job has come, and record whom the file tells of: all together."""
        name = await asyncio.to_thread(filling.sink.finish)
        made = File(
            n=0, name=name, kind=filling.kind, type=filling.type, resources=filling.resources, size=filling.sink.size
        )
        async with self._database.transaction() as connection:
            if not await jobs.move(connection, job, part, after):
                raise _CancelledError
            await jobs.add_file(connection, job.id, made)
            told = sorted(set(filling.patients))
            for start in range(0, len(told) or 1, DISCLOSED):
                patients = told[start : start + DISCLOSED]
                entry = audit.Entry(interaction="export", type=filling.type, patients=patients, query=str(job.id))
                await audit.insert(connection, job.who, entry)

    # --- what is over ----------------------------------------------------------------------------------------------

    async def _clear(self) -> None:
        """Remove files of jobs that are cancelled or expired, and now and then those of jobs that are forgotten."""
        for job in await jobs.over(self._database):
            await asyncio.to_thread(self._shelf.remove, job)
            await copies.drop(self._database, job)
            await jobs.forget(self._database, job)
        if time.monotonic() - self._swept >= _SWEEPING:
            self._swept = time.monotonic()
            for job in await asyncio.to_thread(self._shelf.old):
                if await jobs.find(self._database, job) is None:
                    await asyncio.to_thread(self._shelf.remove, job)
            for job in await copies.jobs(self._database):
                if not await jobs.is_open(self._database, job):
                    await copies.drop(self._database, job)


def _slice(job: Job, type_name: str) -> Slice:
    plan = job.plan
    queries = [Query.of(type_name, parse_qsl(text, keep_blank_values=True)) for text in plan.filters.get(type_name, ())]
    return Slice(
        type=type_name,
        moment=job.moment,
        since=plan.since,
        charts=plan.charts,
        others=("export_member", job.id) if plan.narrowed else None,
        queries=queries,
    )


def _write_deleted(filling: _Filling, found: Sequence[exporting.Deleted]) -> None:
    for start in range(0, len(found), DELETIONS):
        some = found[start : start + DELETIONS]
        bundle = _Bundle([_Entry(_Request("DELETE", f"{each.type}/{each.id}")) for each in some])
        filling.write([msgspec.json.encode(bundle)])
    for each in found:
        filling.tell_of(each.pat, each.type, each.id)
