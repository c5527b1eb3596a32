"""Attached files as they are looked at: their bytes, the viewer of images, and which files belong to which study."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Stream

from yersin.api import binary
from yersin.blobs import Blob
from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.imaging import requests
from yersin.imaging.resources import THUMBNAIL
from yersin.store.versions import Version
from yersin.web.shell import AnyRequest

from .attachments_pages import kept_of, sent
from .chart import Chart, Wanted, load
from .facing import access_of, chart_page
from .reading import when

_READ = {"permission": "chart.read"}
_DICOM = "application/dicom"
#: what a browser draws by itself
_DRAWN = ("image/jpeg", "image/png")


#: the files of studies, by the type they are attached under, and what was said of them
FILES = Wanted(type="DocumentReference", pairs=(("type", "18748-4"),))
BESIDE_IMAGES = (FILES, Wanted(type="DiagnosticReport"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A file in a list: where it is looked at, its small picture, its name."""

    href: str
    thumbnail: str = ""
    name: str = ""


async def read_binary(request: AnyRequest, patient: str, file: str) -> Version:
    """Read a Binary of this patient through the guard. Raises Problem: not-found, also for another patient's."""
    version = await access_of(request).read("Binary", file)
    if not version.deleted:
        found = version.resource()
        assert isinstance(found, r4.Binary)  # noqa: S101 - a Binary was asked for
        if found.securityContext is not None and found.securityContext.reference == f"Patient/{patient}":
            return version
    raise problem("not-found", "This file is not in the record.", status=404)


@get("/records/{patient:str}/files/{file:str}", opt=_READ)
async def send_file(request: AnyRequest, patient: FromPath[str], file: FromPath[str]) -> Stream:
    """Send the content of a file, opened as it is read."""
    version = await read_binary(request, patient, file)
    access, blobs = access_of(request), kept_of(request).uploads.blobs
    raw = await binary.content(access, version, request.headers.get("range", ""), blobs)
    headers = {name.decode(): value.decode() for name, value in raw.headers}
    media_type = headers.pop("content-type")
    return Stream(raw.pieces or iter(()), status_code=raw.status, media_type=media_type, headers=headers)


@get("/records/{patient:str}/images/{file:str}", opt=_READ)
async def show_image(request: AnyRequest, patient: FromPath[str], file: FromPath[str]) -> Response[bytes]:
    """Show an image of a chart in the viewer."""
    version = await read_binary(request, patient, file)
    chart = await load(access_of(request), patient, [FILES, Wanted(type="Media")], places=True)
    found = next((r for r in (*chart.all("Media"), *chart.all("DocumentReference")) if file_of(r) == file), None)
    content = version.resource()
    kind = content.contentType if isinstance(content, r4.Binary) else ""
    if kind not in (*_DRAWN, _DICOM):
        raise problem("not-found", "This file is no image.", status=404)
    return await chart_page(
        request,
        "records/attachment.html",
        chart,
        here="/images",
        name=name_of(found),
        taken=when(found, chart.zone) if found else None,
        place=chart.place(found) if found else "",
        source=f"/records/{patient}/images/{file}/view" if kind == _DICOM else "",
        file=f"/records/{patient}/files/{file}",
        modules=["imaging/viewer"],
        styles=["imaging/viewer"],
    )


@get("/records/{patient:str}/images/{file:str}/view", opt=_READ)
async def show_facts(request: AnyRequest, patient: FromPath[str], file: FromPath[str]) -> Response[bytes]:
    """Tell the viewer what it needs to know of a DICOM file."""
    blob = await _dicom(request, patient, file)
    blobs, zone = kept_of(request).uploads.blobs, access_of(request).ground.zone

    def look() -> requests.Answered:
        from yersin.imaging import dicom_files, dicom_summary  # noqa: PLC0415 - pydicom and numpy load when an image is shown

        with blobs.open(blob.address) as opened:
            return requests.viewer_facts(dicom_summary.summarise(dicom_files.read(opened), zone))

    return sent(await asyncio.to_thread(look))


@get("/records/{patient:str}/images/{file:str}/view/frames/{number:int}", opt=_READ)
async def show_frame(
    request: AnyRequest, patient: FromPath[str], file: FromPath[str], number: FromPath[int]
) -> Response[bytes]:
    """Draw a frame of a DICOM file."""
    wish = requests.frame_wish(number, dict(request.query_params))
    blob = await _dicom(request, patient, file)
    return sent(requests.drawn(await kept_of(request).intake.frame(blob.address, wish.index, wish.window, wish.side)))


async def _dicom(request: AnyRequest, patient: str, file: str) -> Blob:
    version = await read_binary(request, patient, file)
    content = version.resource()
    blob = await binary.shown(access_of(request), version)
    if blob is None or not isinstance(content, r4.Binary) or content.contentType != _DICOM:
        raise problem("not-found", "This file is no DICOM image.", status=404)
    return blob


def attachment_of(listed: r4.Media | r4.DocumentReference | None) -> r4.Attachment | None:
    """Give the first file that a resource lists."""
    if isinstance(listed, r4.DocumentReference):
        return next((c.attachment for c in listed.content if c.attachment.url), None)
    return listed.content if listed is not None else None


def file_of(listed: r4.Media | r4.DocumentReference) -> str:
    """Give the id of the Binary that holds the file of a resource; empty when it lies elsewhere."""
    found = attachment_of(listed)
    return _binary_id(found.url if found else None)


def _binary_id(url: str | None) -> str:
    before, _, logical_id = (url or "").rpartition("/")
    return logical_id if before.endswith("Binary") else ""


def name_of(listed: r4.Media | r4.DocumentReference | None) -> str:
    """Give the title of the file of a resource."""
    found = attachment_of(listed)
    return (found.title if found else "") or ""


def is_image(document: r4.DocumentReference) -> bool:
    """Tell whether a document is a DICOM file, which is looked at among the images."""
    found = attachment_of(document)
    return found is not None and found.contentType == _DICOM


def shown(chart: Chart, listed: r4.Media | r4.DocumentReference) -> Shown | None:
    """Tell where the file of a resource is looked at; None when it is not stored here."""
    found, file = attachment_of(listed), file_of(listed)
    if found is None or not file:
        return None
    small = next((_binary_id(e.valueUrl) for e in found.extension or () if e.url == THUMBNAIL), "")
    drawn = small or (file if found.contentType in _DRAWN else "")
    thumbnail = f"/records/{chart.id}/files/{quote(drawn)}" if drawn else ""
    return Shown(href=f"/records/{chart.id}/images/{quote(file)}", thumbnail=thumbnail, name=found.title or "")


def pictures(chart: Chart) -> Mapping[str, Sequence[Shown]]:
    """List the files of each imaging study, in the order of the study."""
    by_uid = {
        d.masterIdentifier.value: d
        for d in chart.of.get("DocumentReference", ())
        if d.masterIdentifier is not None and d.status == "current"
    }
    found: dict[str, Sequence[Shown]] = {}
    for study in chart.of.get("ImagingStudy", ()):
        listed = [by_uid.get(f"urn:oid:{i.uid}") for s in study.series or () for i in s.instance or ()]
        files = [one for d in listed if d is not None and (one := shown(chart, d)) is not None]
        found[study.id] = files
    return found


PAGES = (send_file, show_image, show_facts, show_frame)
