"""Routes by which files come into a chart: piece by piece from the uploader, or as a form where scripts do not run.

The contract is that of `yersin.imaging.requests`. Whether the chart is open to the asker is asked of the guard at the
beginning and at the end; in between an upload is known to the account that began it alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath
from litestar.response import Redirect

from yersin.blobs import Upload
from yersin.fhir.problem import Problem, problem
from yersin.imaging import requests
from yersin.imaging.requests import Answered
from yersin.imaging.taking_in import Taken
from yersin.web import forms
from yersin.web.language import gettext as _
from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name
from yersin.web.shell import AnyRequest, redirect

from .attachments import Attached, Attachments, keep, page_of
from .chart import GOING, Chart, load
from .facing import access_of, chart_page, now

ACCEPT = "image/jpeg,image/png,image/webp,application/pdf,application/dicom,.dcm"
_WRITE = {"permission": "chart.write"}
_PIECE = 5 << 20
#: a form without scripts sends everything at once
_FORM = 64 << 20
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Files to be attached; `confirmed` says that they are this patient's whatever is written in them."""

    files: Annotated[tuple[UploadFile, ...], msgspec.Meta(title=N_("Attach files"))]
    confirmed: Annotated[bool, msgspec.Meta(title=N_("The images are this patient's, I have checked"))] = False


class Finish(msgspec.Struct):
    """Body of `finish`."""

    confirmed: bool = False


def kept_of(request: AnyRequest) -> Attachments:
    """What this process keeps for attachments."""
    kept: Attachments = request.app.state.attachments
    return kept


def area(request: AnyRequest, chart: Chart) -> Any:
    """What the template `attach.html` needs; None where the asker may not write."""
    if not access_of(request).may("chart.write"):
        return None
    largest = kept_of(request).uploads.limits.largest
    return {
        "bound": forms.blank(Files),
        "accept": ACCEPT,
        "largest": largest,
        "uploads": f"/records/{chart.id}/uploads",
        "differences": (),
    }


def sent(answered: Answered) -> Response[bytes]:
    """Send an answer as it is."""
    return Response(
        answered.content, status_code=answered.status, media_type=answered.media_type, headers=answered.headers
    )


def refuse(_request: AnyRequest, found: Problem) -> Response[bytes]:
    """Tell the uploader in plain words why a file was refused."""
    return sent(requests.refused(found))


_ROUTE: dict[str, Any] = {"opt": _WRITE, "status_code": 200, "exception_handlers": {Problem: refuse}}


def _account(request: AnyRequest) -> str:
    return str(access_of(request).who.account)


@post("/records/{patient:str}/uploads", **_ROUTE)
async def start(request: AnyRequest, patient: FromPath[str]) -> Response[bytes]:
    """Begin an upload for a chart that is open to the asker."""
    await access_of(request).read("Patient", patient)
    body = _bound(await request.body(), patient)
    return sent(await requests.start(kept_of(request).uploads, _account(request), body))


def _bound(body: bytes, patient: str) -> bytes:
    """Bind an upload to the chart it was begun for."""
    try:
        asked = msgspec.json.decode(body, type=requests.Start)
    except msgspec.DecodeError:
        return body  # refused with the right words where it is read
    asked.about = {"patient": patient}
    return msgspec.json.encode(asked)


async def _of_chart(request: AnyRequest, patient: str, upload: UUID) -> Upload:
    """Find an upload of this account and this chart. Raises Problem: not-found."""
    found = await kept_of(request).uploads.find(upload, _account(request))
    if found.about.get("patient") != patient:
        raise problem("not-found", "There is no such upload for this record: send the file again.", status=404)
    return found


@get("/records/{patient:str}/uploads/{upload:uuid}", **_ROUTE)
async def state(request: AnyRequest, patient: FromPath[str], upload: FromPath[UUID]) -> Response[bytes]:
    """Tell how far an upload has come."""
    await _of_chart(request, patient, upload)
    return sent(await requests.state(kept_of(request).uploads, _account(request), upload))


@post("/records/{patient:str}/uploads/{upload:uuid}/pieces", request_max_body_size=_PIECE, **_ROUTE)
async def append(request: AnyRequest, patient: FromPath[str], upload: FromPath[UUID]) -> Response[bytes]:
    """Take the next piece."""
    await _of_chart(request, patient, upload)
    body, headers = await request.body(), dict(request.headers)
    return sent(await requests.append(kept_of(request).uploads, _account(request), upload, headers, body))


@post("/records/{patient:str}/uploads/{upload:uuid}/cancel", **_ROUTE)
async def cancel(request: AnyRequest, patient: FromPath[str], upload: FromPath[UUID]) -> Response[bytes]:
    """Forget an upload."""
    await _of_chart(request, patient, upload)
    return sent(await requests.cancel(kept_of(request).uploads, _account(request), upload))


@post("/records/{patient:str}/uploads/{upload:uuid}/finish", **_ROUTE)
async def finish(request: AnyRequest, patient: FromPath[str], upload: FromPath[UUID]) -> Response[bytes]:
    """Take the file in and write it into the chart, unless a person must first say whose it is."""
    chart = await load(access_of(request), patient, (GOING,))
    await _of_chart(request, patient, upload)
    confirmed = _confirmed(await request.body())
    done = await kept_of(request).uploads.finish(upload, _account(request))
    assert done.blob is not None  # noqa: S101 - a finished upload has its file
    taken = await kept_of(request).intake.take(done.blob, done.name, chart.patient)
    if taken.differences and not confirmed:
        return sent(requests.confirm(taken))
    attached = await _keep(request, chart, taken)
    return sent(requests.ready(taken, href=page_of(chart.id, taken, attached.binary), resource=attached.resource))


def _confirmed(body: bytes) -> bool:
    try:
        return msgspec.json.decode(body or b"{}", type=Finish).confirmed
    except msgspec.DecodeError as error:
        raise problem("structure", f"An upload finishes with confirmed, true or false: {error}") from error


async def _keep(request: AnyRequest, chart: Chart, taken: Taken) -> Attached:
    return await keep(access_of(request), chart, taken, now().isoformat(timespec="seconds"))


@post("/records/{patient:str}/attachments", opt=_WRITE, status_code=200, request_max_body_size=_FORM)
async def attach(request: AnyRequest, patient: FromPath[str]) -> Response[bytes] | Redirect:
    """Take files in that a form sent at once, where scripts do not run."""
    chart = await load(access_of(request), patient, (GOING,))
    bound = await forms.read(request, Files)
    if bound.value is None or not bound.value.files:
        return await _again(request, chart, bound.with_error("files", bound.errors.get("files") or _("Choose a file")))
    try:
        taken = [await _taken(request, chart, file) for file in bound.value.files]
    except Problem as refusal:
        return await _again(request, chart, bound.with_error("files", " ".join(i.diagnostics for i in refusal.issues)))
    if any(one.differences for one in taken) and not bound.value.confirmed:
        differences = [d for one in taken for d in one.differences]
        return await _again(request, chart, bound, differences=differences)
    for one in taken:
        await _keep(request, chart, one)
    return redirect(f"/records/{patient}/{'documents' if taken[0].pages else 'images'}")


async def _taken(request: AnyRequest, chart: Chart, file: UploadFile) -> Taken:
    intake = kept_of(request).intake
    blob = await intake.blobs.write(_pieces(file))
    return await intake.take(blob, file.filename or _("File"), chart.patient)


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(_BLOCK):
        yield piece


async def _again(
    request: AnyRequest, chart: Chart, bound: forms.Bound[Files], differences: Any = ()
) -> Response[bytes]:
    shown = {**area(request, chart), "bound": bound, "differences": differences}
    return await chart_page(
        request,
        "records/attach_again.html",
        chart,
        status=422,
        here="/images",
        attach=shown,
        modules=["imaging/attach"],
        styles=["imaging/attach"],
    )


PAGES = (start, state, append, cancel, finish, attach)
