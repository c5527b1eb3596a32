"""Single changes by a program of the operator, each one statement: lock, row, history, change log and audit together.

Programs bring in most of what is written, one resource at a time. Nothing but the change itself need be asked for them,
so one message to the database does it all, and those that arrive together commit together (`db.grouped`). Whatever is
out of the ordinary (somebody else holds the row, a version out of date, a signed resource, a care relationship)
changes nothing here and is left to `guard.writing`, which says what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

from yersin.fhir import r4
from yersin.store import writing as store

from . import audit, extending
from .scope import in_chart
from .writing import (
    SIGNED,
    STATE_SYSTEM,
    Change,
    Create,
    Delete,
    Draft,
    Written,
    draft,
    entry_of,
    judge,
    require_references,
    written,
)

if TYPE_CHECKING:
    from .access import Access

#: a signed resource stays as it is; who may open a chart by this resource is worked out elsewhere
_UNLESS = "r.tok @> ${mark}::bigint[] OR EXISTS (SELECT 1 FROM care WHERE care.type = $1 AND care.source = $2)"
_REMOVE_ARGUMENTS = 4


async def write(access: Access, change: Change) -> Written | None:
    """Write one change if it can be done alone, else None. Raises Problem where the asker may not, whatever is there."""
    if access.who.role != "system" or access.who.organization is not None or _type(change) == extending.TYPE:
        return None
    await judge(access, [change])
    one = draft(access, change)
    if access.ground.has_known_references and not isinstance(change, Delete):
        async with access.ground.database.acquire() as connection:
            await require_references(access, connection, [change], [one])
    if one.care:
        return None
    if isinstance(change, Create):
        return await _create(access, one)
    return await (_remove if isinstance(change, Delete) else _update)(access, one)


def _type(change: Change) -> str:
    return change.type if isinstance(change, Delete) else type(change.resource).__name__


async def _create(access: Access, one: Draft) -> Written:
    sql = store.insert_sql(one.type, audit.also(store.argument_count(one.type) + 1))
    values = audit.values(access.who, entry_of([one], [], one.write.ver))
    moment = await access.ground.grouped.fetchval(sql, *one.write.arguments(), *values)
    return written(one.write, moment)


async def _update(access: Access, one: Draft) -> Written | None:
    count = store.argument_count(one.type) + 1
    sql = store.update_alone_sql(one.type, _UNLESS.format(mark=count + 1), audit.also(count + 2, "t", ver="t.ver"))
    return await _done(access, one, sql, (*one.write.arguments(), one.expected))


async def _remove(access: Access, one: Draft) -> Written | None:
    count = _REMOVE_ARGUMENTS
    patients = {"patients": "ARRAY[t.pat]"} if in_chart(one.type) else {}
    known = audit.also(count + 2, "t", ver="t.ver", **patients)
    sql = store.remove_alone_sql(one.type, _UNLESS.format(mark=count + 1), known)
    number = r4.TYPE_NUMBER[one.type]
    return await _done(access, one, sql, (number, one.write.id, one.write.name, one.expected))


async def _done(access: Access, one: Draft, sql: str, arguments: tuple[Any, ...]) -> Written | None:
    mark = list(access.ground.indexer.hashes([f"_tag|{STATE_SYSTEM}|{SIGNED}"]))
    values = audit.values(access.who, entry_of([one], []))
    moment, ver, pat = await access.ground.grouped.fetchrow(sql, *arguments, mark, *values)
    return written(structs.replace(one.write, ver=ver, pat=pat), moment) if moment is not None else None
