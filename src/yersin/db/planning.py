"""How a connection lets PostgreSQL plan its statements: anew for each set of values, or once for all sets.

Source: https://www.postgresql.org/docs/current/runtime-config-query.html#GUC-PLAN-CACHE-MODE
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import asyncpg

Plans: TypeAlias = Literal["force_custom_plan", "force_generic_plan"]
ANEW: Final[Plans] = "force_custom_plan"
ONCE: Final[Plans] = "force_generic_plan"


class Planning(asyncpg.Connection):  # type: ignore[misc]  # the driver has no types
    """A connection that knows how it plans. `plans` is what connections for searches are opened with."""

    __slots__ = ("plans",)

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self.plans: Plans = ANEW

    async def plan(self, plans: Plans) -> None:
        """Plan the next statements in this way; takes a round trip. Not inside a transaction, which may be undone."""
        await self.execute(f"SET plan_cache_mode = {plans}")
        self.plans = plans
