"""A recording arrives from the host's browser, chunk by chunk, and is played to those who may see it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import FromPath, JSONBody
from litestar.response import Stream
from msgspec import Struct

from yersin.calls.recordings import CHUNK
from yersin.calls.seats import Refusal, Seat
from yersin.fhir.problem import problem
from yersin.telehealth.calling.door import calling_of, expected
from yersin.web.shell import AnyRequest

_AT = "/telehealth/calls/{call_id:uuid}/recordings"


class Begin(Struct, frozen=True, forbid_unknown_fields=True):
    media_type: str


class Finish(Struct, frozen=True, forbid_unknown_fields=True):
    chunks: int


@post(_AT, status_code=201)
async def begin(request: AnyRequest, call_id: FromPath[UUID], data: JSONBody[Begin]) -> dict[str, str]:
    """Begin, when everybody has agreed; 409 otherwise."""
    seat = await _seat(request, call_id)
    begun = await calling_of(request).recordings.start(call_id, seat.id, data.media_type)
    if isinstance(begun, Refusal):
        raise problem("business-rule", "A recording begins when everybody in the call has agreed to it.", status=409)
    return {"id": str(begun)}


@post(_AT + "/{recording:uuid}/chunks/{number:int}", status_code=204, request_max_body_size=CHUNK + 1024)
async def chunk(request: AnyRequest, call_id: FromPath[UUID], recording: FromPath[UUID], number: FromPath[int]) -> None:
    """Keep one chunk; sending it again is harmless."""
    await _own(request, call_id, recording)
    await calling_of(request).recordings.keep(recording, number, await request.body())


@post(_AT + "/{recording:uuid}/finish", status_code=200)
async def finish(
    request: AnyRequest, call_id: FromPath[UUID], recording: FromPath[UUID], data: JSONBody[Finish]
) -> dict[str, list[int]]:
    """Close the recording; the answer names the chunks that are still missing."""
    seat = await _own(request, call_id, recording)
    if not 0 <= data.chunks < 10**6:
        raise ClientException
    return {"missing": await calling_of(request).recordings.finish(call_id, seat.id, recording, data.chunks)}


@get(_AT)
async def made(request: AnyRequest, call_id: FromPath[UUID]) -> Any:
    """Recordings of a call, for those who may see them."""
    await _may_replay(request, call_id)
    return [dict(row) for row in await calling_of(request).recordings.made(call_id)]


@get(_AT + "/{recording:uuid}")
async def play(request: AnyRequest, call_id: FromPath[UUID], recording: FromPath[UUID]) -> Response[Any]:
    """The recording itself."""
    await _may_replay(request, call_id)
    calling = calling_of(request)
    found = await calling.recordings.find(call_id, recording)
    if found is None:
        raise NotFoundException
    headers = {"cache-control": "no-store", "content-disposition": "inline"}
    return Stream(calling.recordings.play(recording), media_type=found["media_type"], headers=headers)


async def _may_replay(request: AnyRequest, call_id: UUID) -> None:
    if not await calling_of(request).door.may_replay(request, call_id):
        raise NotFoundException


async def _seat(request: AnyRequest, call_id: UUID) -> Seat:
    who = await expected(request, call_id)
    call = await calling_of(request).rooms.find(call_id)
    seat = call.of(who.person) if call else None
    if seat is None:
        raise NotFoundException
    return seat


async def _own(request: AnyRequest, call_id: UUID, recording: UUID) -> Seat:
    """The seat that made a recording: nobody else may add to it."""
    seat = await _seat(request, call_id)
    found = await calling_of(request).recordings.find(call_id, recording)
    if found is None or found["seat"] != seat.id:
        raise NotFoundException
    return seat
