"""The audit: one append-only row a request, durable before the answer leaves.

A write's row commits with the write. Rows of reads are gathered while the last group commits and then go down in one
statement (adaptive group commit), so that many readers share one flush to disk. Source:
https://hl7.org/fhir/R4/auditevent.html, IHE BALP (https://profiles.ihe.net/ITI/BALP/), design of the rows in docs/adr/0007-audit.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from yersin.db import Connection
from yersin.db.grouped import Grouped
from yersin.fhir import r4
from yersin.fhir.problem import Problem, problem
from yersin.store import changes

from .who import Who

DDL = """
CREATE TABLE audit (
  seq bigint GENERATED ALWAYS AS IDENTITY, tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  interaction text NOT NULL, outcome smallint NOT NULL, account uuid, practitioner uuid, organization uuid, patient uuid,
  role text NOT NULL, display text NOT NULL, purpose text NOT NULL, address text NOT NULL, request uuid NOT NULL,
  type smallint, entity uuid, ver int, patients uuid[] NOT NULL, query text
) PARTITION BY RANGE (at);
CREATE INDEX audit_seq ON audit (seq);
CREATE INDEX audit_tx ON audit (tx, seq);
CREATE INDEX audit_at ON audit USING brin (at);
CREATE TABLE audit_rest PARTITION OF audit DEFAULT;
SELECT make_months('audit', 2);
CREATE TABLE audit_patient (patient uuid NOT NULL, seq bigint NOT NULL, PRIMARY KEY (patient, seq));
COMMENT ON TABLE audit_patient IS 'Rows of the audit by patient, filed a moment after they were written (`file_patients`).';
"""
#: a row is found by its request through small summaries of many rows each, which cost an insert nothing
REQUESTS = """
CREATE INDEX audit_request ON audit USING brin (request uuid_bloom_ops (n_distinct_per_range = 2000))
  WITH (pages_per_range = 32, autosummarize = on);
"""
_CONSUMER = "audit"

#: outcome codes of AuditEvent.outcome (http://hl7.org/fhir/audit-event-outcome)
SUCCESS, REFUSED, FAILED = 0, 4, 8
_COLUMNS = (
    "interaction, outcome, account, practitioner, organization, patient, role, display, purpose, address, request, "
    "type, entity, ver, patients, query"
)
_TYPES = [
    "text",
    "smallint",
    "uuid",
    "uuid",
    "uuid",
    "uuid",
    "text",
    "text",
    "text",
    "text",
    "uuid",
    "smallint",
    "uuid",
    "int",
    "uuid[]",
    "text",
]
_INSERT = f"INSERT INTO audit ({_COLUMNS}) VALUES ({', '.join(f'${n + 1}::{t}' for n, t in enumerate(_TYPES))})"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What happened: an interaction (read, search, create, login …), on what, about whom, and how it ended."""

    interaction: str
    outcome: int = SUCCESS
    type: str | None = None
    entity: UUID | None = None
    ver: int | None = None
    patients: Sequence[UUID] = ()
    query: str | None = None


def values(who: Who, entry: Entry) -> tuple[Any, ...]:
    """Return the row of an entry, in the order of the insert statement."""
    number = r4.TYPE_NUMBER[entry.type] if entry.type else None
    actor = (who.account, who.practitioner, who.organization, who.patient, who.role, who.display, who.purpose)
    entity = (number, entry.entity, entry.ver, list(entry.patients), entry.query)
    return (entry.interaction, entry.outcome, *actor, who.address, who.request, *entity)


def also(first: int, of: str = "", **known: str) -> str:
    """Part of a larger statement that writes the row; its arguments start at `first`.

    With `of`, another part of that statement, it is written where that part has a row. `known`: columns that the
    statement itself knows better than the argument, as SQL.
    """
    names = _COLUMNS.split(", ")
    given = {name: f"${first + n}::{kind}" for n, (name, kind) in enumerate(zip(names, _TYPES, strict=True))}
    row = ", ".join(f"coalesce({known[name]}, {told})" if name in known else told for name, told in given.items())
    values = f"SELECT {row} FROM {of}" if of else f"VALUES ({row})"
    return f", audited AS (INSERT INTO audit ({_COLUMNS}) {values})"


async def insert(connection: Connection, who: Who, entry: Entry) -> None:
    """Write the row in the caller's transaction."""
    await connection.execute(_INSERT, *values(who, entry))


async def record(grouped: Grouped, who: Who, entry: Entry) -> None:
    """Write the row of what was read, and return when it is durable; readers share one flush to disk.

    Raises Problem when it cannot be made durable; then nothing may be disclosed.
    """
    try:
        await grouped.fetchval(_INSERT, *values(who, entry))
    except Exception as error:
        raise not_recorded() from error


def not_recorded() -> Problem:
    """Say that what was asked for is not shown, since it cannot be recorded."""
    text = "The access could not be recorded, so nothing was shown. Try again in a moment."
    return problem("transient", text, status=503)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A row of the audit as it was written."""

    seq: int
    at: datetime
    interaction: str
    outcome: int
    display: str
    role: str
    purpose: str
    organization: UUID | None
    practitioner: UUID | None
    account: UUID | None
    address: str
    request: UUID
    type: str | None
    entity: UUID | None
    ver: int | None
    patients: Sequence[UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows to find: about a patient, by whom, of what, of which request, how it ended; from and until, before a row, newest first."""

    patient: UUID | None = None
    practitioner: UUID | None = None
    account: UUID | None = None
    address: str | None = None
    interactions: Sequence[str] | None = None
    outcomes: Sequence[int] | None = None
    type: str | None = None
    entity: UUID | None = None
    request: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 50


_BY_PATIENT = """
JOIN (SELECT seq FROM audit_patient WHERE patient = $1
  UNION SELECT t.seq FROM audit t WHERE t.tx >= $14::text::xid8 AND (t.tx, t.seq) > ($14::text::xid8, $15::bigint)
    AND t.patients @> ARRAY[$1::uuid]
) AS hits ON hits.seq = a.seq"""


async def find(connection: Connection, wanted: Wanted) -> list[Recorded]:
    """Find rows of the audit, newest first; rows not filed by patient yet are found all the same."""
    # asked for beforehand: where the unfiled rows begin must be a value that the planner can see
    filed = await connection.fetchrow("SELECT tx::text AS tx, seq FROM cursor WHERE consumer = $1", _CONSUMER)
    tail = (filed["tx"], filed["seq"]) if filed else ("0", 0)
    more, known = _of_request(wanted, 15 if wanted.patient else 13)
    rows = await connection.fetch(
        f"""SELECT a.seq, at, interaction, outcome, display, role, purpose, organization, practitioner, account, address,
          request, type, entity, ver, patients FROM audit a {_BY_PATIENT if wanted.patient else ""}
        WHERE ($1::uuid IS NULL OR true) AND ($2::timestamptz IS NULL OR at >= $2)
          AND ($3::timestamptz IS NULL OR at < $3) AND ($4::bigint IS NULL OR a.seq < $4)
          AND ($6::uuid IS NULL OR practitioner = $6) AND ($7::uuid IS NULL OR account = $7) AND ($8::text IS NULL OR address = $8)
          AND ($9::text[] IS NULL OR interaction = ANY($9)) AND ($10::smallint[] IS NULL OR outcome = ANY($10))
          AND ($11::uuid IS NULL OR (entity = $11 AND type = $12::smallint) OR ($13 AND patients @> ARRAY[$11::uuid])) {more}
        ORDER BY a.seq DESC LIMIT $5""",
        wanted.patient,
        wanted.since,
        wanted.until,
        wanted.before,
        wanted.limit,
        wanted.practitioner,
        wanted.account,
        wanted.address,
        wanted.interactions,
        wanted.outcomes,
        wanted.entity,
        r4.TYPE_NUMBER[wanted.type] if wanted.type else None,
        wanted.type == "Patient",
        *(tail if wanted.patient else ()),
        *known,
    )
    return [_recorded(row) for row in rows]


def _of_request(wanted: Wanted, last: int) -> tuple[str, tuple[UUID, ...]]:
    """Return the condition on the request as a part of the statement of its own, so that its index serves."""
    return (f"AND request = ${last + 1}::uuid", (wanted.request,)) if wanted.request else ("", ())


async def file_patients(connection: Connection, limit: int) -> int:
    """File new rows by patient, in the caller's transaction; returns how many rows were read."""
    cursor = await changes.cursor_of(connection, _CONSUMER)
    last = await connection.fetchrow(_FILE, str(cursor.tx), cursor.seq, limit)
    if last is None:
        return 0
    await changes.move(connection, _CONSUMER, changes.Cursor(last["tx"], last["seq"]))
    return int(last["read"])


_FILE = """WITH new AS MATERIALIZED (SELECT tx, seq, patients FROM audit
  WHERE tx >= $1::text::xid8 AND (tx, seq) > ($1::text::xid8, $2) AND tx < pg_snapshot_xmin(pg_current_snapshot())
  ORDER BY tx, seq LIMIT $3),
filed AS (INSERT INTO audit_patient (patient, seq) SELECT p, seq FROM new, unnest(patients) AS p ON CONFLICT DO NOTHING)
SELECT tx::text::bigint AS tx, seq, (SELECT count(*) FROM new) AS read FROM new ORDER BY new.tx DESC, seq DESC LIMIT 1"""


def _recorded(row: Any) -> Recorded:
    known = dict(row)
    known["type"] = r4.TYPE_NAME[known["type"]] if known["type"] else None
    return Recorded(**known)
