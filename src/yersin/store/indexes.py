"""Indexes that searches are quicker with and right without, so they can come after the tables, while others write.

A new database gets them with its tables (`DDL`); in one that is full `ensure` makes what is missing, one after the other,
without holding up anybody. Source: https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
"""

from __future__ import annotations

from yersin.db import Connection, Database
from yersin.fhir import r4

from .schema import has_main_date, has_text, long_span, table

_LOCK = 0x59_45_52_49_44_58  # "YERIDX"


def _indexes() -> dict[str, tuple[str, str]]:
    """Name to table and what is indexed: long spans of main dates, which the index on `d_lo` alone cannot bound."""
    return {
        f"{name.lower()}_long": (table(name), f"(d_lo) WHERE {long_span()}")
        for name in r4.TYPE_NUMBER
        if has_main_date(name)
    }


def ddl() -> str:
    """Statement that makes the indexes of tables that are still empty, and sets what makes searches quick.

    The planner learns the commonest 2,000 tokens: reading ten times as many took longer than most searches do. What waits
    to be sorted into an index is read whole by every search: 256 KB of it, where the server would let 4 MB gather.
    """
    made = "\n".join(
        f'IF NOT EXISTS (SELECT FROM {where}) THEN CREATE INDEX IF NOT EXISTS "{name}" ON {where} {what}; END IF;'
        for name, (where, what) in _indexes().items()
    )
    small = "\n".join(
        f'ALTER INDEX fhir."{name.lower()}_{kind}" SET (gin_pending_list_limit = 256);'
        for name in r4.TYPE_NUMBER
        for kind in ("tok", *(["txt"] if has_text(name) else []))
    )
    learned = "\n".join(f"ALTER TABLE {table(name)} ALTER tok SET STATISTICS 200;" for name in r4.TYPE_NUMBER)
    return f"DO $$ BEGIN\n{made}\nEND $$;\n{learned}\n{small}"


def full_pages() -> str:
    """Statement that fills pages of rows to the end.

    A row is longer than the twentieth of a page that was kept free: its next version went to another page all the same.
    """
    return "\n".join(f"ALTER TABLE {table(name)} SET (fillfactor = 100);" for name in r4.TYPE_NUMBER)


#: which types stand on which pages of the change log: histories of a rare type read those pages alone
_LOG_INDEX = (
    "USING brin (type int2_bloom_ops (n_distinct_per_range = 64)) WITH (pages_per_range = 16, autosummarize = on)"
)


def log_ddl() -> str:
    """Statement that indexes the change log by type; where it is full, `ensure` does so part by part."""
    return f"""DO $$ BEGIN
IF EXISTS (SELECT FROM change_log) THEN CREATE INDEX IF NOT EXISTS change_log_type ON ONLY change_log {_LOG_INDEX};
ELSE CREATE INDEX IF NOT EXISTS change_log_type ON change_log {_LOG_INDEX}; END IF;
END $$;"""


async def ensure(database: Database) -> None:
    """Make what is missing, beside those who write; what an earlier try left unfinished is made anew.

    Where another process is at it already, it is left to that one: waiting for it here would make it wait for us.
    """
    async with database.dedicated() as connection:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            return
        rows = await connection.fetch(
            "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'fhir'"
        )
        valid = {row["relname"]: row["indisvalid"] for row in rows}
        for name, (where, what) in _indexes().items():
            if valid.get(name):
                continue
            await connection.execute(f'DROP INDEX CONCURRENTLY IF EXISTS fhir."{name}"')
            await connection.execute(f'CREATE INDEX CONCURRENTLY IF NOT EXISTS "{name}" ON {where} {what}')
        await _ensure_of_log(connection)


async def _ensure_of_log(connection: Connection) -> None:
    """Index the parts of the change log that are not yet, and make them parts of its index."""
    rows = await connection.fetch(
        "SELECT inhrelid::regclass::text AS part FROM pg_inherits p WHERE inhparent = 'change_log'::regclass AND NOT EXISTS "
        "(SELECT FROM pg_index i JOIN pg_inherits a ON a.inhrelid = i.indexrelid AND a.inhparent = 'change_log_type'::regclass "
        "WHERE i.indrelid = p.inhrelid) ORDER BY 1"
    )
    for part in [row["part"] for row in rows]:
        await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {part}_by_type")
        await connection.execute(f"CREATE INDEX CONCURRENTLY {part}_by_type ON {part} {_LOG_INDEX}")
        await connection.execute(f"ALTER INDEX change_log_type ATTACH PARTITION {part}_by_type")
