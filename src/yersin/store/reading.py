"""The statements that read versions, each under a scope: what of the store the asker may see at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir import r4

from .identity import RowId
from .schema import table
from .versions import Version


class Scope(Protocol):
    """A restriction that is part of the SQL. `guard` makes them; nothing else decides what is seen."""

    def condition(self, sql: Sql, type_name: str, row: str) -> str:
        """Return an SQL condition on a row of `type_name`; `row` is a table or its alias with the columns pat and id.

        Or it is the text of an expression in which `{}` stands for the column's name (`FOUND`).
        """


#: what `version_of` reads of a row `r` of a type's table
COLUMNS = "r.id, r.name, r.ver, r.upd, r.enc, r.content, r.pat"
#: the one row of a common table expression `m`: what rows elsewhere can be compared with, wherever they lie
FOUND = "(SELECT m.{} FROM m)"


def column(row: str, name: str) -> str:
    """Name a column of a row as `Scope.condition` is given it."""
    return row.format(name) if "{" in row else f"{row}.{name}"


async def read(connection: Connection, type_name: str, row: RowId, scope: Scope) -> Version | None:
    """Current version of a resource, deleted or not; None where there is none or the scope hides it."""
    sql = Sql(r4.TYPE_NUMBER[type_name], row.id)
    found = await connection.fetchrow(current_sql(type_name, scope.condition(sql, type_name, FOUND)), *sql.arguments)
    if found is None or found["name"] != row.name:
        return None
    if found["deleted"]:
        return await vread(connection, type_name, row, found["ver"], scope)
    return versioned(type_name, row, found)


def current_sql(type_name: str, condition: str) -> str:
    """SQL of what the id map ($1 type, $2 id) and a type's table say of a resource, under a condition on `FOUND`."""
    return (
        "WITH m AS MATERIALIZED (SELECT id, ver, deleted, name, pat FROM id_map WHERE type = $1 AND id = $2), "
        f"r AS (SELECT t.upd, t.enc, t.content FROM m JOIN {table(type_name)} t ON t.pat = m.pat AND t.id = m.id) "
        "SELECT m.ver, m.deleted, m.name, m.pat, r.upd, r.enc, r.content FROM m LEFT JOIN r ON true "
        f"WHERE {condition}"
    )


async def vread(connection: Connection, type_name: str, row: RowId, ver: int, scope: Scope) -> Version | None:
    """One version of a resource; a version is seen if its current row may be."""
    sql = Sql(r4.TYPE_NUMBER[type_name], row.id, ver)
    statement = version_sql(type_name, scope.condition(sql, type_name, FOUND))
    found = await connection.fetchrow(statement, *sql.arguments)
    return versioned(type_name, row, found) if found and found["name"] == row.name else None


def version_sql(type_name: str, condition: str) -> str:
    """SQL of one version ($1 type, $2 id, $3 version) with the columns of `current_sql`, under a condition on `FOUND`."""
    return f"""WITH m AS MATERIALIZED (SELECT id, pat, name FROM id_map WHERE type = $1 AND id = $2),
        v AS (SELECT r.ver, r.upd, r.enc, r.content, r.pat FROM {table(type_name)} r JOIN m ON r.pat = m.pat WHERE r.id = $2
          UNION ALL SELECT h.ver, h.upd, h.enc, h.content, h.pat FROM history h JOIN m ON h.pat = m.pat
            WHERE h.type = $1 AND h.id = $2)
        SELECT v.*, m.name FROM v, m WHERE v.ver = $3::int AND {condition}"""


def versioned(type_name: str, row: RowId, record: Any) -> Version:
    """Make a version of a known resource of a row with the columns ver, upd, pat, enc and content."""
    return Version(
        type=type_name,
        id=row.name or str(row.id),
        ver=record["ver"],
        upd=record["upd"],
        pat=record["pat"],
        enc=record["enc"],
        content=record["content"],
    )


async def current(connection: Connection, type_name: str, ids: Sequence[UUID], scope: Scope) -> list[Version]:
    """Current versions of several resources of one type, in no order; hidden and deleted ones are absent."""
    sql = Sql(r4.TYPE_NUMBER[type_name], list(ids))
    rows = await connection.fetch(
        "WITH m AS MATERIALIZED (SELECT pat, id FROM id_map WHERE type = $1 AND id = ANY($2::uuid[])) "
        f"SELECT {COLUMNS} FROM m JOIN {table(type_name)} r "
        f"ON r.pat = m.pat AND r.id = m.id WHERE {scope.condition(sql, type_name, 'r')}",
        *sql.arguments,
    )
    return [version_of(type_name, r) for r in rows]


def version_of(type_name: str, record: Any) -> Version:
    """Make a version of a row with the columns of `COLUMNS`."""
    return versioned(type_name, RowId(record["id"], record["name"]), record)
