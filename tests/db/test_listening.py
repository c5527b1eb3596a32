"""Notices of the database are heard, also after the connection was lost."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from yersin.db import connect
from yersin.db.listening import listening

CHANNEL = "yersin_test_listening"
_OTHERS = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1"


def test_who_lost_the_connection_begins_anew_and_hears_again(run: Any, url: str) -> None:
    async def work() -> None:
        begun: asyncio.Queue[None] = asyncio.Queue()
        heard: asyncio.Queue[str] = asyncio.Queue()
        database = await connect(url, max_size=1)
        rest = partial(asyncio.sleep, 0.05)
        async with listening(
            database, CHANNEL, lambda *notice: heard.put_nowait(notice[3]), begun=partial(begun.put, None), rest=rest
        ):
            for word in ("first", "second"):
                await asyncio.wait_for(begun.get(), 60)
                await database.execute("SELECT pg_notify($1, $2)", CHANNEL, word)
                assert await asyncio.wait_for(heard.get(), 60) == word
                assert await database.fetchval(_OTHERS, CHANNEL) == 1
        await database.close()

    run(work())
