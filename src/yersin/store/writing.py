"""The statements that write versions. Each change is one statement: row, ranges, history, id map and change log together.

Nothing here decides: `guard.access` has checked, locked and numbered the changes before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from yersin.db import Connection
from yersin.fhir import r4

from .schema import has_ranges, range_table, table

#: from this many first versions in one transaction on, rows are copied instead of inserted
COPY_FROM = 6


class Ranges(NamedTuple):
    """Rows of the range table, as columns."""

    param: Sequence[int] = ()
    key: Sequence[int] = ()
    unit: Sequence[int] = ()
    lo: Sequence[float] = ()
    hi: Sequence[float] = ()


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One version to be written. `ver` is the new version; `old_pat` is where the row and its history lie, if they do."""

    op: str
    type: str
    id: UUID
    pat: UUID
    ver: int = 1
    name: str | None = None
    owner: UUID | None = None
    old_pat: UUID | None = None
    enc: int = 0
    content: bytes = b""
    #: what `content` holds
    tail: bytes = b""
    tok: Sequence[int] = ()
    d_lo: datetime | None = None
    d_hi: datetime | None = None
    txt: str | None = None
    srt: Sequence[str] | None = None
    #: version of the index that made these
    ixv: int = 0
    ranges: Ranges = Ranges()

    @property
    def key(self) -> tuple[int, UUID]:
        """Key in the id map."""
        return r4.TYPE_NUMBER[self.type], self.id

    def arguments(self) -> tuple[Any, ...]:
        """Arguments of the insert and replace statements."""
        number = r4.TYPE_NUMBER[self.type]
        row = (number, self.id, self.pat, self.ver, self.name, self.owner, self.ixv, self.enc, self.content)
        # as text: the driver looks at each number of an array by itself, which takes longer than all else it does
        tokens = f"{{{str(list(self.tok))[1:-1]}}}"
        index = (self.d_lo, self.d_hi, self.txt, self.srt, tokens)
        return (*row, *index, *self.ranges) if has_ranges(self.type) else (*row, *index)


class Locked(NamedTuple):
    """What the id map says of a resource, its row locked until the transaction ends."""

    pat: UUID
    ver: int
    deleted: bool
    name: str | None
    owner: UUID | None


_CLOCK = "date_trunc('milliseconds', clock_timestamp())"
_COLUMNS = "id, pat, ver, name, ixv, enc, content, d_lo, d_hi, txt, srt, tok, upd"
_VALUES = (
    "$2::uuid, $3::uuid, $4::int, $5::text, $7::smallint, $8::smallint, $9::bytea, $10::timestamptz, $11::timestamptz, "
    "$12::text, $13::text[], $14::text::bigint[], t.upd"
)
_LOG = "INSERT INTO change_log (at, type, id, ver, pat, op) SELECT upd, $1::smallint, $2::uuid, $4::int, $3::uuid, "
#: number of arguments of an insert; a caller's own part of the statement counts on from here
_FIXED, _RANGED = 14, 19


@cache
def argument_count(type_name: str) -> int:
    """Number of arguments that `insert_sql` of a type takes."""
    return _RANGED if has_ranges(type_name) else _FIXED


@cache
def insert_sql(type_name: str, also: str = "") -> str:
    """SQL that writes a first version. `also` is a further `, name AS (INSERT …)` part of the same statement."""
    return (
        f"WITH t AS MATERIALIZED (SELECT {_CLOCK} AS upd), "
        "m AS (INSERT INTO id_map (type, id, pat, ver, name, owner) VALUES ($1, $2, $3, $4, $5, $6)), "
        f"r AS (INSERT INTO {table(type_name)} ({_COLUMNS}) SELECT {_VALUES} FROM t), "
        f"{_insert_ranges(type_name)} c AS ({_LOG} 'C' FROM t){also} SELECT upd FROM t"
    )


def _insert_ranges(type_name: str, of: str = "") -> str:
    if not has_ranges(type_name):
        return ""
    return (
        f"g AS (INSERT INTO {range_table(type_name)} (pat, id, param, key, unit, lo, hi) SELECT $3::uuid, $2::uuid, n.* FROM "
        f"unnest($15::smallint[], $16::bigint[], $17::bigint[], $18::float8[], $19::float8[]) AS n{of}), "
    )


@cache
def _revive_sql(type_name: str) -> str:
    last = "(SELECT max(upd) + interval '1 millisecond' FROM history WHERE pat = $3 AND type = $1 AND id = $2)"
    return (
        insert_sql(type_name)
        .replace(f"SELECT {_CLOCK} AS upd", f"SELECT greatest({_CLOCK}, {last}) AS upd")
        .replace(
            "INSERT INTO id_map (type, id, pat, ver, name, owner) VALUES ($1, $2, $3, $4, $5, $6)",
            "UPDATE id_map SET ver = $4, pat = $3, deleted = false, owner = coalesce(owner, $6) WHERE type = $1 AND id = $2",
        )
    )


def _keep(type_name: str) -> str:
    """Move the current row to history."""
    return (
        "INSERT INTO history (pat, type, id, ver, tx, upd, op, enc, content) SELECT pat, $1::smallint, id, ver, tx, upd, "
        f"""(CASE WHEN ver = 1 THEN 'C' ELSE 'U' END)::"char", enc, content FROM {table(type_name)} WHERE pat = $3 AND id = $2"""
    )


def _now_after(type_name: str) -> str:
    """Clock of the database, but always later than the version before."""
    old = f"(SELECT upd + interval '1 millisecond' FROM {table(type_name)} WHERE pat = $3 AND id = $2)"
    return f"WITH t AS MATERIALIZED (SELECT greatest({_CLOCK}, {old}) AS upd)"


@cache
def _replace_sql(type_name: str) -> str:
    assignments = ", ".join(
        f"{column} = {value}"
        for column, value in zip(_COLUMNS.split(", "), _VALUES.split(", "), strict=True)
        if column not in ("id", "pat")
    )
    clear = f"DELETE FROM {range_table(type_name)} WHERE pat = $3 AND id = $2"
    return (
        f"{_now_after(type_name)}, h AS ({_keep(type_name)}), "
        f"r AS (UPDATE {table(type_name)} SET {assignments}, tx = pg_current_xact_id() FROM t WHERE pat = $3 AND id = $2), "
        f"{f'z AS ({clear}), ' if has_ranges(type_name) else ''}{_insert_ranges(type_name)}"
        "m AS (UPDATE id_map SET ver = $4, pat = $3, owner = coalesce(owner, $6) WHERE type = $1 AND id = $2), "
        f"c AS ({_LOG} 'U' FROM t) SELECT upd FROM t"
    )


@cache
def _remove_sql(type_name: str) -> str:
    clear = f"z AS (DELETE FROM {range_table(type_name)} WHERE pat = $3 AND id = $2), " if has_ranges(type_name) else ""
    return (
        f"{_now_after(type_name)}, h AS ({_keep(type_name)} UNION ALL "
        "SELECT $3::uuid, $1::smallint, $2::uuid, $4::int, pg_current_xact_id(), upd, 'D', 0, NULL FROM t), "
        f"r AS (DELETE FROM {table(type_name)} WHERE pat = $3 AND id = $2), {clear}"
        "m AS (UPDATE id_map SET ver = $4, deleted = true WHERE type = $1 AND id = $2), "
        f"c AS ({_LOG} 'D' FROM t) SELECT upd FROM t"
    )


@cache
def update_alone_sql(type_name: str, unless: str, also: str = "") -> str:
    """SQL that locks and replaces a current version in one statement, and answers `upd`, `ver` and `pat`, null where it cannot.

    Arguments: those of an insert, its version 1 being what is added to the one there, then the version expected (or
    null). It does nothing where somebody else holds the row, where it lies elsewhere or is deleted, or where `unless`
    holds of the row `r`; then `lock` and `write` say why.
    """
    expected = f"${argument_count(type_name) + 1}::int"
    assignments = ", ".join(
        f"{column} = {'t.ver' if column == 'ver' else value}"
        for column, value in zip(_COLUMNS.split(", "), _VALUES.split(", "), strict=True)
        if column not in ("id", "pat")
    )
    return (
        f"{_held_alone(type_name, expected, unless, 'm.pat = $3 AND m.name IS NOT DISTINCT FROM $5', '$4::int')}"
        f"h AS ({_KEEP_OLD}), "
        f"r AS (UPDATE {table(type_name)} x SET {assignments}, tx = pg_current_xact_id() FROM t WHERE x.pat = t.pat AND x.id = $2), "
        f"{_clear_ranges(type_name)}{_insert_ranges(type_name, ', t')}"
        "m AS (UPDATE id_map SET ver = t.ver, owner = coalesce(owner, $6) FROM t WHERE type = $1 AND id = $2), "
        f"c AS ({_log_of('U')}){also} {_ANSWER_ALONE}"
    )


@cache
def remove_alone_sql(type_name: str, unless: str, also: str = "") -> str:
    """SQL that deletes in one statement, as `update_alone_sql` replaces. Arguments: type, id, name, version expected (or null)."""
    return (
        f"{_held_alone(type_name, '$4::int', unless, 'm.name IS NOT DISTINCT FROM $3')}"
        f"h AS ({_KEEP_OLD} UNION ALL SELECT pat, $1::smallint, $2::uuid, ver, pg_current_xact_id(), upd, 'D', 0, NULL FROM t), "
        f"r AS (DELETE FROM {table(type_name)} x USING t WHERE x.pat = t.pat AND x.id = $2), {_clear_ranges(type_name)}"
        "m AS (UPDATE id_map SET ver = t.ver, deleted = true FROM t WHERE type = $1 AND id = $2), "
        f"c AS ({_log_of('D')}){also} {_ANSWER_ALONE}"
    )


#: answers a row in any case, since what commits together is told apart by its rows
_ANSWER_ALONE = "SELECT t.upd, t.ver, t.pat FROM (SELECT 1) AS one LEFT JOIN t ON true"
_KEEP_OLD = (
    "INSERT INTO history (pat, type, id, ver, tx, upd, op, enc, content) SELECT pat, $1::smallint, id, ver, tx, upd, "
    """(CASE WHEN ver = 1 THEN 'C' ELSE 'U' END)::"char", enc, content FROM old"""
)


def _held_alone(type_name: str, expected: str, unless: str, where: str, step: str = "1") -> str:
    """Lock a current version, passing over what somebody else holds: `old` is the row, `t` moment, number and place of the next.

    The row is read by the statement's snapshot and the id map by the lock: where they differ, somebody was quicker.
    """
    return (
        f"WITH k AS MATERIALIZED (SELECT m.ver, m.pat FROM id_map m WHERE m.type = $1 AND m.id = $2 AND {where} "
        f"AND NOT m.deleted AND ({expected} IS NULL OR m.ver = {expected}) FOR UPDATE SKIP LOCKED), "
        "old AS MATERIALIZED (SELECT r.pat, r.id, r.ver, r.tx, r.upd, r.enc, r.content "
        f"FROM k JOIN {table(type_name)} r ON r.pat = k.pat AND r.id = $2 AND r.ver = k.ver WHERE NOT ({unless})), "
        f"t AS MATERIALIZED (SELECT greatest({_CLOCK}, upd + interval '1 millisecond') AS upd, ver + {step} AS ver, pat FROM old), "
    )


def _clear_ranges(type_name: str) -> str:
    if not has_ranges(type_name):
        return ""
    return f"z AS (DELETE FROM {range_table(type_name)} x USING t WHERE x.pat = t.pat AND x.id = $2), "


def _log_of(op: str) -> str:
    return (
        "INSERT INTO change_log (at, type, id, ver, pat, op) "
        f"SELECT upd, $1::smallint, $2::uuid, ver, pat, '{op}' FROM t"
    )


async def lock(connection: Connection, keys: Iterable[tuple[int, UUID]]) -> dict[tuple[int, UUID], Locked]:
    """Lock rows of the id map in their order and say what is there; ids never used are absent."""
    ordered = sorted(set(keys))
    if not ordered:
        return {}
    # a statement for each, since a cluster locks on one machine at a time; they go in one message
    rows = await connection.fetchmany(
        "SELECT type, id, pat, ver, deleted, name, owner FROM id_map WHERE type = $1 AND id = $2 FOR UPDATE", ordered
    )
    return {(r["type"], r["id"]): Locked(r["pat"], r["ver"], r["deleted"], r["name"], r["owner"]) for r in rows}


async def write(connection: Connection, writes: Sequence[Write]) -> list[datetime]:
    """Write versions inside the caller's transaction; answers their `lastUpdated` in the same order."""
    new = [w for w in writes if w.op == "C" and w.ver == 1]
    copied = new if len(new) >= COPY_FROM else []
    moments: dict[tuple[int, UUID], datetime] = {}
    if copied:
        moments = dict.fromkeys((w.key for w in copied), await _copy(connection, copied))
    for one in sorted(writes, key=_order):
        if one.key not in moments:
            moments[one.key] = await _write_one(connection, one)
    return [moments[w.key] for w in writes]


def _order(one: Write) -> tuple[str, str, UUID]:
    return one.type, one.op, one.id


async def _write_one(connection: Connection, one: Write) -> datetime:
    if one.op == "D":
        number = r4.TYPE_NUMBER[one.type]
        return await _moment(connection, _remove_sql(one.type), (number, one.id, one.old_pat, one.ver))
    if one.old_pat is not None and one.old_pat != one.pat:
        await _move(connection, one, one.old_pat)
    if one.op == "C":
        sql = insert_sql(one.type) if one.ver == 1 else _revive_sql(one.type)
        return await _moment(connection, sql, one.arguments())
    return await _moment(connection, _replace_sql(one.type), one.arguments())


async def _moment(connection: Connection, sql: str, arguments: Sequence[Any]) -> datetime:
    moment: datetime = await connection.fetchval(sql, *arguments)
    return moment


async def _move(connection: Connection, one: Write, old: UUID) -> None:
    """Carry a row and its history to another patient's place; what the row is found by is about to be replaced."""
    number, history = r4.TYPE_NUMBER[one.type], "id, type, ver, tx, upd, op, enc, content"
    # what rows are spread over machines by is never changed: they go and come again
    row = "id, ver, tx, upd, name, enc, content, d_lo, d_hi, txt, srt, tok"
    gone = f"WITH gone AS (DELETE FROM {table(one.type)} WHERE pat = $2 AND id = $1 RETURNING {row}) "
    again = f"INSERT INTO {table(one.type)} (pat, ixv, {row}) SELECT $3::uuid, $4::smallint, {row} FROM gone"
    await connection.execute(gone + again, one.id, old, one.pat, one.ixv)
    if has_ranges(one.type):
        name, ranges = range_table(one.type), "id, param, key, unit, lo, hi"
        gone = f"WITH gone AS (DELETE FROM {name} WHERE pat = $2 AND id = $1 RETURNING {ranges}) "
        again = f"INSERT INTO {name} (pat, {ranges}) SELECT $3::uuid, {ranges} FROM gone"
        await connection.execute(gone + again, one.id, old, one.pat)
    gone = f"WITH gone AS (DELETE FROM history WHERE pat = $2 AND id = $1 AND type = $4 RETURNING {history}) "
    again = f"INSERT INTO history (pat, {history}) SELECT $3::uuid, {history} FROM gone"
    await connection.execute(gone + again, one.id, old, one.pat, number)


async def _copy(connection: Connection, writes: Sequence[Write]) -> datetime:
    """Write many first versions by COPY: what all types share once, then each type's rows."""
    moment: datetime = await connection.fetchval(f"SELECT {_CLOCK}")
    numbered = [(r4.TYPE_NUMBER[w.type], w) for w in sorted(writes, key=_order)]
    await connection.copy_records_to_table(
        "id_map",
        columns=("type", "id", "pat", "ver", "name", "owner"),
        records=[(number, w.id, w.pat, 1, w.name, w.owner) for number, w in numbered],
    )
    for type_name, group in groupby((w for _, w in numbered), key=lambda w: w.type):
        await _copy_rows(connection, type_name, list(group), moment)
    await connection.copy_records_to_table(
        "change_log",
        columns=("at", "type", "id", "ver", "pat", "op"),
        records=[(moment, number, w.id, 1, w.pat, b"C") for number, w in numbered],
    )
    return moment


async def _copy_rows(connection: Connection, type_name: str, writes: Sequence[Write], moment: datetime) -> None:
    await connection.copy_records_to_table(
        type_name.lower(),
        schema_name="fhir",
        columns=_COLUMNS.split(", "),
        records=[
            (w.id, w.pat, 1, w.name, w.ixv, w.enc, w.content, w.d_lo, w.d_hi, w.txt, w.srt, w.tok, moment)
            for w in writes
        ],
    )
    ranges = [(w.pat, w.id, *row) for w in writes for row in zip(*w.ranges, strict=True)]
    if ranges:
        await connection.copy_records_to_table(
            f"{type_name.lower()}_range",
            schema_name="fhir",
            columns=("pat", "id", "param", "key", "unit", "lo", "hi"),
            records=ranges,
        )
