"""Pool, transactions, named SQL, migrations, embedded server. The only floor that knows the database driver."""

from __future__ import annotations

from asyncpg import (
    CheckViolationError,
    ForeignKeyViolationError,
    IntegrityConstraintViolationError,
    PostgresError,
    UniqueViolationError,
)

from yersin.db.failure import DatabaseFailure
from yersin.db.lending import Connection
from yersin.db.pool import Database, Record, connect
from yersin.db.queries import Queries, load

__all__ = [
    "CheckViolationError",
    "Connection",
    "Database",
    "DatabaseFailure",
    "ForeignKeyViolationError",
    "IntegrityConstraintViolationError",
    "PostgresError",
    "Queries",
    "Record",
    "UniqueViolationError",
    "connect",
    "load",
]
