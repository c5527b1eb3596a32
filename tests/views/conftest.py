"""Feeds wait for transactions of other databases of the server, which hold every horizon back."""

from __future__ import annotations

from typing import Any

import pytest
from tests.running import others_have_ended

from yersin.views.feed import Feed


@pytest.fixture(autouse=True)
def _nothing_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("catch_up", "follow"):
        monkeypatch.setattr(Feed, name, _once_others_have_ended(getattr(Feed, name)))


def _once_others_have_ended(method: Any) -> Any:
    async def waiting(self: Feed) -> Any:
        async with self._ground.database.acquire() as connection:
            await others_have_ended(connection)
        return await method(self)

    return waiting
