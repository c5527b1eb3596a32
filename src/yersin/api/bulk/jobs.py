"""Export jobs as their tables keep them. A job is known to who asked for it, and to nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from yersin.db import Connection, Database
from yersin.fhir.problem import Issue, Problem, problem
from yersin.guard.exporting import Moment, Place
from yersin.guard.who import Who

#: jobs that one asker may have under way
OPEN = 4
#: patients to whom one statement is narrowed
MEMBERS = 50
_COLUMNS = (
    "id, owner, who, plan, at, tx::text::bigint AS tx, state, part, last_pat, last_id, attempts, folder, failure, made, "
    "touched, expires, (SELECT count(*) FROM export_member m WHERE m.job = j.id) AS members, "
    "(SELECT coalesce(sum(resources), 0)::bigint FROM export_file f WHERE f.job = j.id) AS resources"
)
_BEGIN = f"""UPDATE export_job AS j SET attempts = attempts + (state = 'working')::int, touched = clock_timestamp()
WHERE id = (SELECT id FROM export_job WHERE state IN ('waiting', 'working')
  AND (id = $1 OR ($1 IS NULL AND folder IS NULL)) ORDER BY touched LIMIT 1) RETURNING {_COLUMNS}"""  # noqa: S608 - columns above


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A view that is wanted, and what its files are called by."""

    name: str
    view: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a job exports. `filters` and `elements` go by type; `request` is the address that was asked.

    Where there are `views`, these are exported in place of resources: files of a `kind`, under the asker's mark `tracking`.
    """

    request: str
    types: tuple[str, ...]
    charts: bool = False
    narrowed: bool = False
    since: datetime | None = None
    filters: Mapping[str, tuple[str, ...]] = {}
    elements: Mapping[str, tuple[str, ...]] = {}
    views: tuple[Wish, ...] = ()
    kind: str = "ndjson"
    tracking: str = ""


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A patient to whom a job is narrowed."""

    pat: UUID
    patient: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job and how far it has come: `part` of its parts, and after which row of that."""

    id: UUID
    owner: str
    who: Who
    plan: Plan
    moment: Moment
    state: str
    part: int
    after: Place
    attempts: int
    folder: str | None
    failure: tuple[Issue, ...]
    made: datetime
    touched: datetime
    expires: datetime | None
    members: int
    resources: int

    @property
    def chunks(self) -> int:
        """In how many parts each type is read."""
        return max(1, -(-self.members // MEMBERS)) if self.plan.narrowed else 1

    @property
    def parts(self) -> int:
        """Number of parts: views, or parts of resources and, as the last one, what was deleted."""
        if self.plan.views:
            return len(self.plan.views)
        return len(self.plan.types) * self.chunks + 1

    @property
    def is_open(self) -> bool:
        """Whether there is work to do."""
        return self.state in ("waiting", "working")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that is whole: `kind` is output or deleted."""

    n: int
    name: str
    kind: str
    type: str
    resources: int
    size: int


def owner_of(who: Who) -> str:
    """Name an asker: an account, or the program that a token was made for."""
    return f"account:{who.account}" if who.account else f"program:{who.display}"


def _job(row: Any) -> Job:
    return Job(
        id=row["id"],
        owner=row["owner"],
        who=msgspec.json.decode(row["who"], type=Who),
        plan=msgspec.json.decode(row["plan"], type=Plan),
        moment=Moment(row["at"], row["tx"]),
        state=row["state"],
        part=row["part"],
        after=Place(row["last_pat"], row["last_id"]),
        attempts=row["attempts"],
        folder=row["folder"],
        failure=msgspec.json.decode(row["failure"], type=tuple[Issue, ...]) if row["failure"] else (),
        made=row["made"],
        touched=row["touched"],
        expires=row["expires"],
        members=row["members"],
        resources=row["resources"],
    )


async def add(connection: Connection, job: UUID, who: Who, plan: Plan, at: Moment, folder: str | None = None) -> None:
    """Add a job, in the caller's transaction. Raises Problem (throttled, 429) when the asker has too many under way."""
    owner = owner_of(who)
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('yersin.export'), hashtext($1))", owner)
    if folder is None:
        await _require_few(connection, owner)
    await connection.execute(
        "INSERT INTO export_job (id, owner, who, plan, at, tx, last_pat, last_id, folder) "
        "VALUES ($1, $2, $3, $4, $5, $6::text::xid8, $7, $8, $9)",
        job, owner, msgspec.json.encode(who), msgspec.json.encode(plan), at.at, str(at.tx), *Place(), folder,
    )  # fmt: skip


async def _require_few(connection: Connection, owner: str) -> None:
    sql = "SELECT count(*) FROM export_job WHERE owner = $1 AND folder IS NULL AND state IN ('waiting', 'working')"
    if await connection.fetchval(sql, owner) >= OPEN:
        text = f"You have {OPEN} exports under way. Wait for one to end, or cancel one (DELETE of its status address)."
        raise problem("throttled", text, status=429)


async def add_members(connection: Connection, job: UUID, members: Sequence[Member]) -> None:
    """Narrow a job to patients."""
    rows = [(job, n, each.pat, each.patient) for n, each in enumerate(sorted(members, key=lambda each: each.pat))]
    await connection.copy_records_to_table("export_member", records=rows, columns=("job", "n", "pat", "patient"))


async def members(database: Database, job: UUID, chunk: int) -> list[Member]:
    """Patients of one chunk."""
    sql = "SELECT pat, patient FROM export_member WHERE job = $1 AND n >= $2 AND n < $3 ORDER BY n"
    rows = await database.fetch(sql, job, chunk * MEMBERS, (chunk + 1) * MEMBERS)
    return [Member(row["pat"], row["patient"]) for row in rows]


async def find(database: Database, job: UUID) -> Job | None:
    """Find a job."""
    row = await database.fetchrow(f"SELECT {_COLUMNS} FROM export_job j WHERE id = $1", job)  # noqa: S608 - columns above
    return _job(row) if row else None


async def of_views(database: Database, owner: str) -> list[Job]:
    """Jobs of views that an asker has, the latest first."""
    sql = (
        f"SELECT {_COLUMNS} FROM export_job j WHERE owner = $1 AND folder IS NULL AND state <> 'cancelled' "  # noqa: S608 - columns above
        "AND coalesce(expires, now()) >= now() ORDER BY made DESC LIMIT 50"
    )
    return [job for row in await database.fetch(sql, owner) if (job := _job(row)).plan.views]


async def of_folder(database: Database, folder: str) -> Job | None:
    """Find the job that the command line has begun in a folder and not finished."""
    sql = f"SELECT {_COLUMNS} FROM export_job j WHERE folder = $1 AND state IN ('waiting', 'working') ORDER BY made LIMIT 1"  # noqa: S608 - columns above
    row = await database.fetchrow(sql, folder)
    return _job(row) if row else None


async def begin(database: Database, job: UUID | None = None) -> Job | None:
    """Take a job to work on, the one that waits longest unless it is named, and count the attempt."""
    row = await database.fetchrow(_BEGIN, job)
    return _job(row) if row else None


async def settle(database: Database, job: Job, at: datetime | None = None) -> None:
    """Let a job begin: whatever was written as of its moment is there. `at` is an earlier one."""
    sql = (
        "UPDATE export_job SET state = 'working', attempts = 0, at = least(at, $2) WHERE id = $1 AND state = 'waiting'"
    )
    await database.execute(sql, job.id, at or job.moment.at)


async def is_open(database: Database, job: UUID) -> bool:
    """Whether a job is still wanted."""
    sql = "SELECT EXISTS (SELECT FROM export_job WHERE id = $1 AND state IN ('waiting', 'working'))"
    return bool(await database.fetchval(sql, job))


async def files(database: Database, job: UUID) -> list[File]:
    """Files of a job that are whole."""
    sql = "SELECT n, name, kind, type, resources, size FROM export_file WHERE job = $1 ORDER BY n"
    return [File(**dict(row)) for row in await database.fetch(sql, job)]


async def add_file(connection: Connection, job: UUID, file: File) -> None:
    """Name a file that is whole and on the disk, in the transaction that says how far the job has come."""
    await connection.execute(
        "INSERT INTO export_file (job, n, name, kind, type, resources, size) SELECT $1, coalesce(max(n) + 1, 0), $2, $3, $4, "
        "$5, $6 FROM export_file WHERE job = $1",
        job, file.name, file.kind, file.type, file.resources, file.size,
    )  # fmt: skip


async def move(connection: Connection, job: Job, part: int, after: Place) -> bool:
    """Say how far a job has come; answers false when it was cancelled or somebody else has come further meanwhile."""
    done = await connection.execute(
        "UPDATE export_job SET part = $2, last_pat = $3, last_id = $4, attempts = 0 WHERE id = $1 AND state = 'working' "
        "AND part = $5 AND last_pat = $6 AND last_id = $7",
        job.id, part, *after, job.part, *job.after,
    )  # fmt: skip
    return bool(done.endswith(" 1"))


async def end(database: Database, job: UUID, state: str, hours: int, failure: Problem | None = None) -> None:
    """End a job: complete or failed."""
    await database.execute(
        "UPDATE export_job SET state = $2, failure = $4, expires = now() + make_interval(hours => $3) "
        "WHERE id = $1 AND state IN ('waiting', 'working')",
        job, state, hours, msgspec.json.encode(failure.issues) if failure else None,
    )  # fmt: skip


async def cancel(connection: Connection, job: UUID) -> None:
    """Cancel a job, or give up one that is complete."""
    await connection.execute("UPDATE export_job SET state = 'cancelled' WHERE id = $1", job)


async def over(database: Database) -> list[UUID]:
    """Jobs whose files are to be removed: cancelled or expired ones."""
    sql = "SELECT id FROM export_job WHERE folder IS NULL AND (state = 'cancelled' OR expires < now()) LIMIT 10"
    return [row["id"] for row in await database.fetch(sql)]


async def forget(database: Database, job: UUID) -> None:
    """Remove a job."""
    await database.execute("DELETE FROM export_job WHERE id = $1", job)
