"""What the room keeps running in each process: the pen that signs, and the calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from yersin import settings
from yersin.calls.ice import IceServers
from yersin.calls.recordings import Recordings, Sealer
from yersin.calls.room_bus import RoomBus
from yersin.calls.rooms import Rooms
from yersin.guard.access import Ground
from yersin.telehealth.calling import Calling

from .doors import RequestDoor
from .pens import AuthorityPen


@asynccontextmanager
async def living(kept: dict[str, Any], ground: Ground, folder: Path) -> AsyncIterator[None]:
    """Put pen and calls into the application's state, and listen for calls while the application lives."""
    keys = ground.keys
    rooms = Rooms(database=ground.database, bus=RoomBus(ground.database))
    sealer = Sealer(seal=lambda plain: keys.seal("blobs", plain), open=lambda sealed: keys.open("blobs", sealed))
    kept["pen"] = kept["authority"] = AuthorityPen(ground, folder / "authority")
    chosen = settings.read()
    ice = IceServers(stun=chosen.stun, turn=chosen.turn, secret=chosen.turn_secret)
    recordings = Recordings(rooms=rooms, sealer=sealer)
    kept["calling"] = Calling(rooms=rooms, recordings=recordings, door=RequestDoor(rooms), ice=ice)
    async with rooms.bus.running():
        yield
