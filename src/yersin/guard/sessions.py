"""Sessions of people in the browser: a random token in a cookie, its SHA-256 in the database.

Source: OWASP ASVS 5 V7. A session ends by sign-out, after two idle hours, and after one shift of fourteen hours.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from yersin.db import Connection
from yersin.fhir import r4
from yersin.search.page import Query
from yersin.store.identity import row_id

from .access import Ground
from .accounts import Account
from .roles import ROLE_SYSTEM, ROLES
from .who import Who, system

COOKIE = "session"
DDL = """
CREATE TABLE session (
  hash bytea PRIMARY KEY, account uuid NOT NULL REFERENCES account ON DELETE CASCADE, post text,
  role text NOT NULL, organization_id text, organization_name text NOT NULL DEFAULT '', address text NOT NULL, agent text NOT NULL,
  made timestamptz NOT NULL DEFAULT now(), seen timestamptz NOT NULL DEFAULT now(),
  ends timestamptz NOT NULL DEFAULT now() + interval '14 hours');
CREATE INDEX session_account ON session (account);
"""
_FIND = """
SELECT s.role, s.organization_id, s.organization_name, a.id, a.name, a.display, a.practitioner_id, a.patient_id,
  s.seen < now() - interval '1 minute' AS stale
FROM session s JOIN account a ON a.id = s.account
WHERE s.hash = $1 AND NOT a.disabled AND s.ends > now() AND s.seen > now() - interval '2 hours'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A place where someone works: a role at a facility, from a PractitionerRole."""

    id: str | None
    role: str
    organization_id: str | None = None
    organization_name: str = ""


async def posts(ground: Ground, account: Account) -> list[Post]:
    """Places where the holder of an account works today, or the role the account itself carries."""
    if account.practitioner_id is None:
        return [Post(id=None, role=account.role, organization_id=account.organization_id)] if account.role else []
    access = ground.access(system("HSYSADMIN"))
    query = Query.of(
        "PractitionerRole", [("practitioner", f"Practitioner/{account.practitioner_id}"), ("active", "true")]
    )
    found = [v.resource() for v in (await access.search(query)).versions]
    today = datetime.now(UTC).astimezone(ground.zone).date().isoformat()
    return [
        p
        for role in found
        if isinstance(role, r4.PractitionerRole) and _holds(role, today)
        for p in await _posts(ground, role)
    ]


def _holds(role: r4.PractitionerRole, today: str) -> bool:
    period = role.period or r4.Period()
    return (period.start or today)[:10] <= today <= (period.end or today)[:10]


async def _posts(ground: Ground, role: r4.PractitionerRole) -> list[Post]:
    organization_id = ((role.organization and role.organization.reference) or "").removeprefix("Organization/")
    codes = [c.code for concept in role.code or () for c in concept.coding or () if c.system == ROLE_SYSTEM]
    name = await _name_of(ground, organization_id)
    return [
        Post(id=role.id, role=code, organization_id=organization_id, organization_name=name)
        for code in codes
        if code and code in ROLES and organization_id
    ]


async def _name_of(ground: Ground, organization_id: str) -> str:
    if not organization_id:
        return ""
    resource = (await ground.access(system("HSYSADMIN")).read("Organization", organization_id)).resource()
    return (isinstance(resource, r4.Organization) and resource.name) or ""


async def begin(connection: Connection, account: Account, post: Post, address: str, agent: str) -> str:
    """Open a session at a post; returns the token for the cookie."""
    token = secrets.token_urlsafe(32)
    await connection.execute(
        "INSERT INTO session (hash, account, post, role, organization_id, organization_name, address, agent) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        _hash(token),
        account.id,
        post.id,
        post.role,
        post.organization_id,
        post.organization_name,
        address,
        agent[:300],
    )
    return token


async def end(connection: Connection, token: str) -> None:
    """Close a session."""
    await connection.execute("DELETE FROM session WHERE hash = $1", _hash(token))


async def who(connection: Connection, token: str, address: str) -> Who | None:
    """Who a session belongs to; None when it has ended."""
    row = await connection.fetchrow(_FIND, _hash(token))
    if row is None:
        return None
    if row["stale"]:
        await connection.execute("UPDATE session SET seen = now() WHERE hash = $1", _hash(token))
    asker = Who(
        role=row["role"],
        purpose="PATRQT" if row["patient_id"] else "TREAT",
        account=row["id"],
        display=row["display"],
        organization_name=row["organization_name"],
        address=address,
    )
    return _placed(asker, row["practitioner_id"], row["organization_id"], row["patient_id"])


def _placed(asker: Who, practitioner_id: str | None, organization_id: str | None, patient_id: str | None) -> Who:
    return replace(
        asker,
        practitioner_id=practitioner_id,
        practitioner=_row("Practitioner", practitioner_id),
        organization_id=organization_id,
        organization=_row("Organization", organization_id),
        patient_id=patient_id,
        patient=_row("Patient", patient_id),
    )


def _row(type_name: str, logical_id: str | None) -> UUID | None:
    return row_id(type_name, logical_id).id if logical_id else None


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
