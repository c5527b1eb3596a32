"""Profiles, tags and security labels that resources of some types carry, as far as they are open to the asker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from yersin.db import Connection
from yersin.db.sql import Sql
from yersin.fhir.problem import problem
from yersin.search.tokens import present
from yersin.store.content import body
from yersin.store.schema import table

from . import audit
from .access import Access

#: labelled resources that one answer looks at
LIMIT = 50_000
_BATCH = 1000
_MARKS = tuple(present(code) for code in ("_profile", "_tag", "_security"))


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A tag or a security label."""

    system: str = ""
    version: str = ""
    code: str = ""
    display: str = ""


class Labels(msgspec.Struct, kw_only=True):
    """What a `meta` says of its resource besides its version."""

    profile: Sequence[str | None] = ()
    tag: list[Label] = []
    security: list[Label] = []


class _Labelled(msgspec.Struct):
    meta: Labels


_decoder = msgspec.json.Decoder(_Labelled)


async def used(access: Access, types: Sequence[str]) -> Labels:
    """Gather the labels in use. Raises Problem (too-costly) where too many resources carry some."""
    profiles: dict[str | None, None] = {}
    tags: dict[tuple[str, str], Label] = {}
    security: dict[tuple[str, str], Label] = {}
    looked = 0
    async with access.ground.database.searching() as connection:
        for type_name in types:
            async for rows in _labelled(connection, access, type_name):
                looked += len(rows)
                if looked > LIMIT:
                    text = f"More than {LIMIT} resources carry labels. Ask of one type, or of one resource."
                    raise problem("too-costly", text, status=422)
                for meta in _read(rows):
                    profiles.update(dict.fromkeys(meta.profile))
                    for label in meta.tag:
                        tags.setdefault((label.system, label.code), label)
                    for label in meta.security:
                        security.setdefault((label.system, label.code), label)
    await access.record(audit.Entry(interaction="meta", type=types[0] if len(types) == 1 else None))
    return Labels(
        profile=sorted(p for p in profiles if p),
        tag=[tags[key] for key in sorted(tags)],
        security=[security[key] for key in sorted(security)],
    )


def _read(rows: Sequence[Any]) -> Iterator[Labels]:
    for row in rows:
        yield _decoder.decode(body(row["enc"], row["content"])).meta


async def _labelled(connection: Connection, access: Access, type_name: str) -> AsyncIterator[Sequence[Any]]:
    marks = list(access.ground.indexer.hashes(_MARKS))
    pat = last = UUID(int=0)
    while True:
        sql = Sql(marks, pat, last)
        rows = await connection.fetch(
            f"SELECT r.pat, r.id, r.enc, r.content FROM {table(type_name)} r WHERE r.tok && $1::bigint[] "
            f"AND (r.pat, r.id) > ($2, $3) AND {access.scope.condition(sql, type_name, 'r')} "
            f"ORDER BY r.pat, r.id LIMIT {_BATCH}",
            *sql.arguments,
        )
        yield rows
        if len(rows) < _BATCH:
            return
        pat, last = rows[-1]["pat"], rows[-1]["id"]
