"""Recordings made in the host's browser: chunks streamed here, each sealed before it is stored, read back in order.

A chunk is sealed together with its place, so that none can be moved, left out or put into another recording unnoticed.
Kept at least ten years: Circular 49/2017/TT-BYT, article 4.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from yersin.calls import seats
from yersin.calls.rooms import Rooms
from yersin.calls.seats import Refusal
from yersin.db import Record, load
from yersin.fhir.problem import problem

_sql = load(__package__, "queries.sql")

CHUNK: Final = 8 * 2**20
LONGEST: Final = 4 * 3600  # chunks: four hours and more of one a second
TYPES: Final = ("video/webm", "audio/webm", "video/mp4")
_PLACE = struct.Struct(">16sI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealer:
    """How chunks are encrypted: `guard` gives the functions of its key for blobs."""

    seal: Callable[[bytes], bytes]
    open: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recordings:
    """Recordings of all calls."""

    rooms: Rooms
    sealer: Sealer

    async def start(self, call_id: UUID, by: UUID, media_type: str) -> UUID | Refusal:
        """Begin a recording if everybody in the call has agreed."""
        if media_type.partition(";")[0] not in TYPES or len(media_type) > 100 or not media_type.isprintable():
            raise problem("not-supported", f"A recording is one of {', '.join(TYPES)}.", status=415)
        outcome = await self.rooms.act(call_id, lambda call: seats.start_recording(call, by))
        if isinstance(outcome, Refusal):
            return outcome
        recording = uuid4()
        await self.rooms.database.execute(_sql.add_recording, recording, call_id, by, media_type)
        return recording

    async def find(self, call_id: UUID, recording: UUID) -> Record | None:
        """One recording: id, seat, media_type, started, finished."""
        return await self.rooms.database.fetchrow(_sql.find_recording, call_id, recording)

    async def made(self, call_id: UUID) -> list[Record]:
        """Recordings of a call: id, media_type, started, finished, keep_until, size."""
        return await self.rooms.database.fetch(_sql.find_recordings, call_id)

    async def keep(self, recording: UUID, number: int, chunk: bytes) -> None:
        """Keep one chunk. The same again is welcome; another under the same number is refused."""
        if not 0 <= number < LONGEST or not 0 < len(chunk) <= CHUNK:
            raise problem("too-long", f"A chunk has 1 to {CHUNK} bytes and a number below {LONGEST}.", status=413)
        digest = hashlib.sha256(chunk).digest()
        sealed = self.sealer.seal(_PLACE.pack(recording.bytes, number) + chunk)
        database = self.rooms.database
        await database.execute(_sql.add_chunk, recording, number, len(chunk), digest, sealed)
        if await database.fetchval(_sql.find_digest, recording, number) != digest:
            raise problem("duplicate", f"Chunk {number} of this recording has come with other bytes.", status=409)

    async def missing(self, recording: UUID, count: int) -> list[int]:
        """Numbers below `count` that have not come."""
        rows = await self.rooms.database.fetch(_sql.find_numbers, recording)
        there = {row["number"] for row in rows}
        return [number for number in range(min(count, LONGEST)) if number not in there]

    async def finish(self, call_id: UUID, by: UUID, recording: UUID, count: int) -> list[int]:
        """Close a recording; the numbers still missing are the answer, and none of it is closed while there are some."""
        missing = await self.missing(recording, count)
        if not missing:
            await self.rooms.database.execute(_sql.finish_recording, recording)
            await self.rooms.act(call_id, lambda call: seats.stop_recording(call, by))
        return missing

    async def play(self, recording: UUID) -> AsyncIterator[bytes]:
        """The recording from its beginning as far as it has come whole. Ask permission and write the log before."""
        numbers = [row["number"] for row in await self.rooms.database.fetch(_sql.find_numbers, recording)]
        for expected, number in enumerate(numbers):
            if number != expected:
                return
            yield self._unsealed(
                recording, number, await self.rooms.database.fetchval(_sql.find_chunk, recording, number)
            )

    def _unsealed(self, recording: UUID, number: int, sealed: bytes) -> bytes:
        plain = self.sealer.open(sealed)
        if _PLACE.unpack_from(plain) != (recording.bytes, number):
            raise problem("security", "A chunk of this recording stands in the wrong place.", status=500)
        return plain[_PLACE.size :]
