"""What a page and the server say to each other on the WebSocket of a call: tagged messages with limits, nothing else.

Descriptions and candidates are handed on as the browsers made them. Sources: RFC 8829 (JSEP), RFC 8839 (candidates).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

#: bytes of one message; a description of three media sections is about 8 kB
LIMIT: Final = 96 * 1024

Page = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
Rung = Literal["video", "low", "audio", "stills", "text"]
Small = Annotated[float, Meta(ge=0, le=1e7)]


class Message(Struct, frozen=True, tag_field="kind", tag=str.lower, forbid_unknown_fields=True, omit_defaults=True):
    """Said by a page."""


class Hello(Message, frozen=True):
    """The page introduces itself; `line` is the last chat line it has."""

    page: Page
    line: Annotated[int, Meta(ge=0)] = 0


class Description(Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["offer", "answer", "pranswer", "rollback"]
    sdp: Annotated[str, Meta(max_length=64 * 1024)] = ""


class Candidate(Struct, frozen=True, rename="camel"):
    candidate: Annotated[str, Meta(max_length=2048)]
    sdp_mid: Annotated[str, Meta(max_length=64)] | None = None
    sdp_m_line_index: Annotated[int, Meta(ge=0, le=64)] | None = None
    username_fragment: Annotated[str, Meta(max_length=256)] | None = None


class Signal(Message, frozen=True):
    """One step of arranging media with another seat; `n` counts per page, so that sending again does nothing twice."""

    n: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    to: UUID
    page: Page
    description: Description | None = None
    candidate: Candidate | None = None


class Took(Message, frozen=True):
    """These signals have arrived."""

    ids: Annotated[list[int], Meta(max_length=500)]


class Admit(Message, frozen=True):
    seat: UUID


class SendBack(Message, frozen=True):
    seat: UUID


class Remove(Message, frozen=True):
    seat: UUID


class HandOver(Message, frozen=True):
    seat: UUID


class Leave(Message, frozen=True):
    pass


class End(Message, frozen=True):
    pass


class Say(Message, frozen=True):
    """A line of chat; `key` makes sending it again harmless."""

    key: Key
    text: Annotated[str, Meta(min_length=1, max_length=4000)]


class Quality(Message, frozen=True):
    """The step of the ladder this page has come to, why, and what it measured."""

    rung: Rung
    why: Literal["start", "loss", "delay", "rate", "chosen", "better", "camera"]
    rtt: Small = 0
    loss: Small = 0
    kbps: Small = 0


class AskRecording(Message, frozen=True):
    pass


class AnswerRecording(Message, frozen=True):
    agrees: bool


class StopRecording(Message, frozen=True):
    pass


class Ping(Message, frozen=True):
    n: int


Said: TypeAlias = (
    Hello
    | Signal
    | Took
    | Admit
    | SendBack
    | Remove
    | HandOver
    | Leave
    | End
    | Say
    | Quality
    | AskRecording
    | AnswerRecording
    | StopRecording
    | Ping
)
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Said)


class BadMessageError(ValueError):
    """A message no page of ours would send; the connection ends."""


def read(text: str | bytes) -> Said:
    """Read one message. Raises BadMessageError with the place."""
    if len(text) > LIMIT:
        raise BadMessageError(f"a message may have {LIMIT} bytes, this one has {len(text)}")
    try:
        said: Said = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessageError(str(error)) from error
    return said
