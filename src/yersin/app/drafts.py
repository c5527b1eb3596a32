"""Drafts saved as people type: sealed under the key of drafts, one row an account and key, newest version wins."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from yersin.guard.access import Access
from yersin.web.shell import AnyRequest

DDL = """
CREATE TABLE draft (
  account uuid NOT NULL REFERENCES account ON DELETE CASCADE, key text NOT NULL, version bigint NOT NULL, sealed bytea NOT NULL,
  saved_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (account, key));
COMMENT ON TABLE draft IS 'What people have typed and not yet sent; nobody else can read it.';
"""
_LIMIT = 256 * 1024


class Draft(msgspec.Struct):
    """What a page sends: its opaque key, a growing version, and the values of its fields."""

    key: str
    version: int
    values: dict[str, Any]


@post("/drafts", status_code=204)
async def save(request: AnyRequest) -> Response[None]:
    """Keep a draft; 409 when a newer one is there, from another tab."""
    access = _access(request)
    body = await request.body()
    if len(body) > _LIMIT:
        return Response(None, status_code=413)
    try:
        draft = msgspec.json.decode(body, type=Draft)
    except msgspec.DecodeError:
        return Response(None, status_code=400)
    sealed = access.ground.keys.seal("drafts", msgspec.json.encode(draft.values))
    async with access.own_tables() as connection:
        kept = await connection.fetchval(
            "INSERT INTO draft (account, key, version, sealed) VALUES ($1, $2, $3, $4) ON CONFLICT (account, key) "
            "DO UPDATE SET version = $3, sealed = $4, saved_at = now() WHERE draft.version < $3 RETURNING version",
            access.who.account,
            draft.key[:200],
            draft.version,
            sealed,
        )
    return Response(None, status_code=204 if kept is not None else 409)


@get("/drafts/{key:str}")
async def read(request: AnyRequest, key: FromPath[str]) -> Response[bytes]:
    """Return a draft of one's own; nothing (204) when there is none."""
    access = _access(request)
    async with access.own_tables() as connection:
        row = await connection.fetchrow("SELECT * FROM draft WHERE account = $1 AND key = $2", access.who.account, key)
    if row is None:
        return Response(b"", status_code=204)
    values = msgspec.json.decode(access.ground.keys.open("drafts", row["sealed"]))
    answer = {"key": key, "version": row["version"], "values": values, "saved_at": row["saved_at"]}
    return Response(msgspec.json.encode(answer), media_type="application/json")


@post("/drafts/{key:str}/discard", status_code=204)
async def discard(request: AnyRequest, key: FromPath[str]) -> None:
    """Forget a draft."""
    access = _access(request)
    async with access.own_tables() as connection:
        await connection.execute("DELETE FROM draft WHERE account = $1 AND key = $2", access.who.account, key)


def _access(request: AnyRequest) -> Access:
    access: Access = request.scope["state"]["access"]
    return access
