"""A read and its audit row in one statement: what is shown is recorded by the very statement that finds it.

Reads that arrive together go down together (`db.grouped`), so that many readers share one message to the database and
one flush of its log. Source: docs/adr/0007-audit.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from msgspec import structs

from yersin.db.failure import DatabaseFailure
from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.store import reading
from yersin.store.identity import RowId
from yersin.store.versions import Version

from . import audit
from .scope import in_chart

if TYPE_CHECKING:
    from .access import Access


async def current(access: Access, type_name: str, row: RowId) -> Version | None:
    """Current version, deleted or not; None where there is none or the asker may not see it. It is recorded either way.

    Raises Problem (503) when it cannot be recorded; then nothing is shown.
    """
    sql = Sql(r4.TYPE_NUMBER[type_name], row.id)
    statement = reading.current_sql(type_name, access.scope.condition(sql, type_name, reading.FOUND))
    found = await _found(access, type_name, row, statement, sql, audit.Entry(interaction="read"))
    if found is None or not found["deleted"]:
        return reading.versioned(type_name, row, found) if found else None
    async with access.ground.database.acquire() as connection:
        return await reading.vread(connection, type_name, row, found["ver"], access.scope)


async def version(access: Access, type_name: str, row: RowId, ver: int) -> Version | None:
    """One version, as `current`; it is seen if the current row may be."""
    sql = Sql(r4.TYPE_NUMBER[type_name], row.id, ver)
    statement = reading.version_sql(type_name, access.scope.condition(sql, type_name, reading.FOUND))
    found = await _found(access, type_name, row, statement, sql, audit.Entry(interaction="vread", ver=ver))
    return reading.versioned(type_name, row, found) if found else None


async def _found(
    access: Access, type_name: str, row: RowId, statement: str, sql: Sql, entry: audit.Entry
) -> Mapping[str, Any] | None:
    """Run a statement that finds a version or none, and record it."""
    name = sql.arg(row.name, "text")
    entry = structs.replace(entry, outcome=audit.REFUSED, type=type_name, entity=row.id)
    first = len(sql.arguments) + 1
    values = audit.values(access.who, entry)
    try:
        record = await access.ground.grouped.fetchrow(
            recording(type_name, statement, name, first), *sql.arguments, *values
        )
    except DatabaseFailure:
        raise
    except Exception as error:
        raise audit.not_recorded() from error
    found: Mapping[str, Any] = cast("Mapping[str, Any]", record)
    return found if found["ver"] is not None else None


@lru_cache(maxsize=4096)
def recording(type_name: str, statement: str, name: str, first: int) -> str:
    """Wrap a statement so that it records what it finds; the audit's arguments start at `first`.

    It answers a row in any case, since what goes down together is told apart by its rows.
    """
    recorded = audit.also(
        first,
        "(SELECT 1) AS one LEFT JOIN found ON true",
        outcome=f"CASE WHEN found.ver IS NOT NULL THEN {audit.SUCCESS} END",
        patients=f"CASE WHEN {_tells_of_one(type_name)} THEN ARRAY[found.pat] END",
    )
    return (
        f"WITH found AS MATERIALIZED (SELECT * FROM ({statement}) AS f WHERE f.name IS NOT DISTINCT FROM {name}){recorded} "
        "SELECT found.* FROM (SELECT 1) AS one LEFT JOIN found ON true"
    )


def _tells_of_one(type_name: str) -> str:
    """Return whether what is found tells of a patient; a chart resource about nobody lies under its own id."""
    if type_name == "Patient":
        return "found.pat IS NOT NULL"
    return "found.pat <> $2::uuid" if in_chart(type_name) else "false"
