"""Work behind the pages: the feed of views and what rooms do every so often; `yersin worker` is a process for it alone."""

from __future__ import annotations

from collections.abc import Sequence

from yersin.db import embedded
from yersin.guard.access import Ground
from yersin.jobs import periodic
from yersin.jobs.periodic import Task
from yersin.room import Room
from yersin.settings import Settings
from yersin.views.feed import Feed

from . import upkeep
from .ground import opened, prepared
from .rooms import ROOMS

#: seconds between looks at the change log
FEED_EVERY = 0.5


def tasks_of(ground: Ground, rooms: Sequence[Room] = ROOMS) -> list[Task]:
    """Tasks of the house. A room's `tasks` are functions that make a `Task` from the ground."""
    feed = Task(name="views", every=FEED_EVERY, work=Feed(ground).work)
    own = [make(ground) for make in upkeep.TASKS]
    return [feed, *own, *(make(ground) for room in rooms for make in room.tasks)]


async def work(settings: Settings) -> None:
    """Work until a signal comes, beside running servers or on a database of its own: `yersin worker`."""
    url = embedded.address(settings)
    if url is not None:
        await _work(settings, url)
        return
    async with embedded.run(settings) as started:
        await _work(settings, started)


async def _work(settings: Settings, url: str) -> None:
    await prepared(url)
    async with opened(settings, url) as ground, ground.extending.listening():
        await periodic.serve(ground.database, tasks_of(ground))
