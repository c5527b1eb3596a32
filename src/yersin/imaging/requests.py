"""Requests of the browser's uploader and viewer as plain functions: parsed values in, an answer out. Rooms mount them.

The contract is that of `browser/attach.ts` and `browser/viewer.ts`; a Problem becomes `{"state": "refused", "text"}`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import msgspec

from yersin.blobs import Upload, Uploads
from yersin.blobs.uploads import Wish
from yersin.fhir.problem import Problem, problem
from yersin.imaging.results import Rendered, Window
from yersin.imaging.taking_in import Taken

if TYPE_CHECKING:
    from yersin.imaging.dicom_summary import DicomSummary

_MOST_PIECE = 4 << 20


class Start(msgspec.Struct, kw_only=True):
    """Body of `POST <uploads>`."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    size: int
    piece: int
    about: dict[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer to be sent as it is."""

    status: int = 200
    content: bytes
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


async def start(uploads: Uploads, account: str, body: bytes) -> Answered:
    """`POST <uploads>` {name, size, piece, about} -> 201 {id, offset, size, piece, state}."""
    try:
        wish = msgspec.json.decode(body, type=Start)
    except msgspec.DecodeError as error:
        raise problem("structure", f"An upload starts with name, size and piece: {error}") from error
    opened = await uploads.start(
        Wish(account=account, name=wish.name, size=wish.size, piece=wish.piece, about=dict(wish.about))
    )
    return _state(opened, 201)


async def state(uploads: Uploads, account: str, upload_id: UUID) -> Answered:
    """`GET <uploads>/<id>` -> 200 {id, offset, size, piece, state}; `offset` is where to go on."""
    return _state(await uploads.find(upload_id, account))


async def append(uploads: Uploads, account: str, upload_id: UUID, headers: dict[str, str], body: bytes) -> Answered:
    """`POST <uploads>/<id>/pieces` with headers upload-offset and upload-digest (hex SHA-256) -> 200 {…, offset}."""
    offset, digest = headers.get("upload-offset", ""), headers.get("upload-digest", "")
    if not offset.isdecimal() or len(offset) > 15 or len(body) > _MOST_PIECE:
        raise problem("value", "A piece needs the header upload-offset, and has at most 4 MiB.")
    return _state(await uploads.append(upload_id, account, offset=int(offset), digest=digest, content=body))


async def cancel(uploads: Uploads, account: str, upload_id: UUID) -> Answered:
    """`POST <uploads>/<id>/cancel` -> 200 {state: "cancelled"}."""
    await uploads.cancel(upload_id, account)
    return _json({"state": "cancelled"})


def _state(upload: Upload, status: int = 200) -> Answered:
    state = "kept" if upload.blob else "open"
    shown = {"id": str(upload.id), "offset": upload.offset, "size": upload.size, "piece": upload.piece, "state": state}
    return _json(shown, status)


def ready(taken: Taken, *, href: str, thumbnail: str = "", resource: str = "") -> Answered:
    """Answer to `POST <uploads>/<id>/finish` when the file is in the chart."""
    return _json(
        {
            "state": "ready", "title": taken.name, "kind": taken.kind.name.lower(), "href": href,
            "thumbnail": thumbnail, "resource": resource, "findings": list(taken.findings),
        }
    )  # fmt: skip


def confirm(taken: Taken) -> Answered:
    """Answer to `finish` when a person must confirm whose file it is; the client asks again with {"confirmed": true}."""
    return _json({"state": "confirm", "warnings": [{"vi": one.vi, "en": one.en} for one in taken.differences]})


def refused(found: Problem) -> Answered:
    """Answer for a Problem: what is wrong and the cure, and whether to go on from elsewhere (409)."""
    text = " ".join(issue.diagnostics for issue in found.issues)
    return _json({"state": "refused", "text": text, "code": found.issues[0].code}, found.status)


def viewer_facts(dicom: DicomSummary) -> Answered:
    """`GET <viewer source>` -> what `viewer.ts` needs to show a DICOM file."""
    windows = [{"center": one.center, "width": one.width} for one in dicom.windows]
    shown: dict[str, Any] = {
        "rows": dicom.rows, "columns": dicom.columns, "frames": dicom.frames, "grey": dicom.monochrome, "windows": windows,
    }  # fmt: skip
    return _json(shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameWish:
    """What `GET <viewer source>/frames/<n>?center=&width=&side=` asks for."""

    index: int
    window: Window | None
    side: int | None


def frame_wish(number: int, query: dict[str, str]) -> FrameWish:
    """Parse a frame request; frames count from 1. Raises Problem naming the parameter."""
    center, width, side = (_number(query, name) for name in ("center", "width", "side"))
    if (center is None) != (width is None) or (width is not None and not 0 < width < 1e9):
        raise problem("value", "A window needs center and width, and width is above 0.", expression="width")
    if side is not None and not 32 <= side <= 16384:
        raise problem("value", "side is from 32 to 16384 pixels.", expression="side")
    window = None if center is None or width is None else Window(center=center, width=width)
    return FrameWish(index=number - 1, window=window, side=None if side is None else int(side))


def _number(query: dict[str, str], name: str) -> float | None:
    if not query.get(name):
        return None
    try:
        found = float(query[name])
    except ValueError:
        found = float("nan")
    if not -1e9 < found < 1e9:
        raise problem("value", f"{name} is a number.", expression=name)
    return found


def drawn(frame: Rendered) -> Answered:
    """Answer with a frame; the window used is told in headers."""
    headers = {"cache-control": "private, max-age=600", "x-content-type-options": "nosniff"}
    if frame.window:
        headers |= {"x-window-center": f"{frame.window.center:g}", "x-window-width": f"{frame.window.width:g}"}
    return Answered(content=frame.png, media_type="image/png", headers=headers)


def _json(value: Any, status: int = 200) -> Answered:
    return Answered(status=status, content=msgspec.json.encode(value), headers={"cache-control": "no-store"})
