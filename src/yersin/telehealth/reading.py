"""Resources as the JSON documents they are: read under the guard, and made into typed ones for writing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from yersin.fhir import parse, r4
from yersin.fhir.dates import span
from yersin.guard.access import Access
from yersin.guard.writing import Writing
from yersin.search.page import Query
from yersin.store.versions import Version
from yersin.web.shell import AnyRequest

from .codes import JSON


def access_of(request: AnyRequest) -> Access:
    """Access of the person who asks."""
    access: Access = request.scope["state"]["access"]
    return access


def content(version: Version) -> JSON:
    """Content of a version, with `meta`."""
    decoded: JSON = msgspec.json.decode(version.json())
    return decoded


def typed(document: JSON) -> r4.Resource:
    """Resource of a document: validated, without what the server sets itself."""
    meta = {k: v for k, v in document.get("meta", {}).items() if k not in {"versionId", "lastUpdated"}}
    kept = {name: value for name, value in {**document, "meta": meta}.items() if value not in (None, "", [], {})}
    return parse(msgspec.json.encode(kept))


async def find(access: Access, type_name: str, *pairs: tuple[str, str]) -> list[JSON]:
    """Search, and give the contents found."""
    return [content(v) for v in (await access.search(Query.of(type_name, pairs))).versions]


async def beside(access: Access, type_name: str, *pairs: tuple[str, str]) -> tuple[list[JSON], dict[str, JSON]]:
    """Search with includes: what was found, and what came with it by `Type/id`."""
    found = await access.search(Query.of(type_name, pairs))
    return [content(v) for v in found.versions], {f"{v.type}/{v.id}": content(v) for v in found.included}


async def clock(writing: Writing) -> datetime:
    """The database's clock, which every machine of this house shares; as fine as that of `meta.lastUpdated`."""
    moment: datetime = await writing.connection.fetchval("SELECT date_trunc('milliseconds', now())")
    return moment


async def now(access: Access) -> datetime:
    """The database's clock, outside a transaction."""
    async with access.own_tables() as connection:
        moment: datetime = await connection.fetchval("SELECT date_trunc('second', clock_timestamp())")
    return moment


def moment(text: str | None) -> datetime | None:
    """Read an instant of a resource."""
    return span(text, UTC).lo if text and "T" in text else None


def texts(found: Sequence[Any]) -> list[str]:
    """The texts that are there."""
    return [str(t) for t in found if t]


def touch(task: JSON, at: datetime) -> None:
    """Say when a Task was last changed: never before it was made, though this clock shows whole seconds and that one their parts."""
    task["lastModified"] = max(at, moment(task.get("authoredOn")) or at).isoformat()
