"""Accounts and sign-in with a name and a password. Sources: OWASP ASVS 5 V6, RFC 9106 (argon2id), NIST SP 800-63B."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from yersin.db import Connection, Database, UniqueViolationError
from yersin.fhir.problem import problem

T = TypeVar("T")

DDL = """
CREATE TABLE account (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL UNIQUE, password text NOT NULL, display text NOT NULL,
  role text, organization_id text, practitioner_id text, patient_id text, disabled boolean NOT NULL DEFAULT false,
  made timestamptz NOT NULL DEFAULT now());
COMMENT ON COLUMN account.role IS 'For people without a PractitionerRole: citizens, administrators, analysts.';
CREATE TABLE login_failure (name text NOT NULL, address text NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE INDEX login_failure_name ON login_failure (name, at);
"""

#: 19 MiB, two passes, one lane: the first recommendation of the OWASP Password Storage Cheat Sheet
_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")
_SHORTEST = 12
#: so many wrong passwords for one name from one address, within this time, and further ones are not looked at
_FAILURES = 5
_WINDOW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Someone who may sign in."""

    id: UUID
    name: str
    display: str
    role: str | None
    organization_id: str | None
    practitioner_id: str | None
    patient_id: str | None


def canonical(name: str) -> str:
    """Account name as it is compared: NFC, case-folded, without space around it."""
    return unicodedata.normalize("NFC", name).strip().casefold()


async def create(connection: Connection, name: str, password: str, display: str, links: dict[str, str | None]) -> UUID:
    """Make an account; `links` may hold role, organization_id, practitioner_id and patient_id.

    Raises Problem when the name is taken or the password too short.
    """
    if len(password) < _SHORTEST:
        raise problem("invalid", f"The password needs at least {_SHORTEST} characters.", expression="password")
    hashed = await _in_thread(_hasher.hash, password)
    try:
        made: UUID = await connection.fetchval(
            "INSERT INTO account (name, password, display, role, organization_id, practitioner_id, patient_id) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
            canonical(name),
            hashed,
            display,
            *(links.get(k) for k in ("role", "organization_id", "practitioner_id", "patient_id")),
        )
    except UniqueViolationError as error:
        raise problem(
            "duplicate", f"The account name {name} is taken. Choose another.", expression="name", status=409
        ) from error
    return made


async def check(database: Database, name: str, password: str, address: str) -> Account:
    """Account of this name and password. Raises Problem: login (401), throttled (429).

    An unknown name takes as long as a wrong password, so that names cannot be tried out.
    """
    name = canonical(name)
    async with database.acquire() as connection:
        await _refuse_too_many(connection, name, address)
        row = await connection.fetchrow("SELECT * FROM account WHERE name = $1 AND NOT disabled", name)
    fits = await _in_thread(_verify, row["password"] if row else _nobody(), password)
    async with database.acquire() as connection:
        if not fits or row is None:
            await connection.execute("INSERT INTO login_failure (name, address) VALUES ($1, $2)", name, address)
            raise problem("login", "The account name or the password is not right.", status=401)
        await connection.execute("DELETE FROM login_failure WHERE name = $1 AND address = $2", name, address)
    return _account(row)


async def find(connection: Connection, id_: UUID) -> Account | None:
    """Account by its id, unless it is disabled."""
    row = await connection.fetchrow("SELECT * FROM account WHERE id = $1 AND NOT disabled", id_)
    return _account(row) if row else None


def _account(row: dict[str, object]) -> Account:
    return Account(**{name: row[name] for name in Account.__dataclass_fields__})  # type: ignore[arg-type] # columns have the fields' types


async def _refuse_too_many(connection: Connection, name: str, address: str) -> None:
    """Count by name and address together, so that nobody can lock another person out from elsewhere."""
    failures = await connection.fetchval(
        "SELECT count(*) FROM login_failure WHERE name = $1 AND address = $2 AND at > now() - $3::interval",
        name,
        address,
        _WINDOW,
    )
    if failures >= _FAILURES:
        minutes = int(_WINDOW.total_seconds() // 60)
        raise problem(
            "throttled", f"Too many wrong passwords. Wait {minutes} minutes, or ask your administrator.", status=429
        )


def _verify(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


_nobodys: list[str] = []


def _nobody() -> str:
    """Return a hash no password fits, made once, to compare with when the name is unknown."""
    if not _nobodys:
        _nobodys.append(_hasher.hash(secrets.token_hex(32)))
    return _nobodys[0]


async def _in_thread(work: Callable[..., T], *arguments: str) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads, work, *arguments)
