"""Indexes that come after the tables, beside those who write: made part by part, once, and finished where they were cut off."""

from __future__ import annotations

from typing import Any

from yersin.db import Database, connect
from yersin.store import indexes

_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'change_log_type'::regclass"
_PARTS = "SELECT count(*) FROM pg_inherits WHERE inhparent = $1::text::regclass"
_LINE = (
    "INSERT INTO change_log (at, type, id, ver, pat, op) "
    "VALUES (now(), 1, gen_random_uuid(), 1, gen_random_uuid(), 'C')"
)


def test_a_full_change_log_is_indexed_part_by_part(run: Any, fresh_url: str) -> None:
    async def work(database: Database) -> None:
        parts = await database.fetchval(_PARTS, "change_log")
        assert (await database.fetchval(_VALID), await database.fetchval(_PARTS, "change_log_type")) == (True, parts)
        await database.execute("DROP INDEX change_log_type")
        await database.execute(_LINE)
        await database.execute(indexes.log_ddl())
        assert (await database.fetchval(_VALID), await database.fetchval(_PARTS, "change_log_type")) == (False, 0)
        for _ in range(2):
            await indexes.ensure(database)
            assert (await database.fetchval(_VALID), await database.fetchval(_PARTS, "change_log_type")) == (
                True,
                parts,
            )
        await database.execute("SELECT make_months('change_log', 4)")
        more = await database.fetchval(_PARTS, "change_log")
        assert await database.fetchval(_PARTS, "change_log_type") == more > parts
        assert await database.fetchval(_VALID)

    async def connected() -> None:
        database = await connect(fresh_url, max_size=2)
        try:
            await work(database)
        finally:
            await database.close()

    run(connected())
