"""What the workshop answers: a photograph, a document, a drawn frame. Free of the libraries that make them."""

from __future__ import annotations

import msgspec


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """A photograph that is safe to keep and to show."""

    media_type: str
    content: bytes
    width: int
    height: int
    thumbnail: bytes
    #: it was made smaller than it came
    reduced: bool


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A PDF that may be kept."""

    pages: int
    #: it carries a digital signature; it is kept byte for byte, so the signature stays good
    signed: bool


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Centre and width of the values shown between black and white."""

    center: float
    width: float


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """A frame to show. `window` is the one used; None for colour and for lookup tables."""

    png: bytes
    width: int
    height: int
    window: Window | None = None
