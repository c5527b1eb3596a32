"""What search asks of terminology: which codes a value set has, and which lie under or over a code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from yersin.db import Connection

#: codes that one criterion may stand for
CODES_LIMIT = 10_000


class Terms(Protocol):
    """Answers on the connection that searches. Each raises Problem: not-found, or too-costly above a limit."""

    async def members(self, connection: Connection, value_set: str, limit: int) -> Sequence[tuple[str, str]]:
        """Give the codes of a value set, each with its system."""

    async def below(self, connection: Connection, system: str, code: str, limit: int) -> Sequence[str]:
        """Give a code and those it subsumes."""

    async def above(self, connection: Connection, system: str, code: str, limit: int) -> Sequence[str]:
        """Give a code and those that subsume it."""
