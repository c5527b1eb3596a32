"""Documents and images of a chart: lists, and the words of a document that is text."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from binascii import Error
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from litestar import Response, get
from litestar.params import FromPath, FromQuery

from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.guard.access import Access
from yersin.web.shell import AnyRequest

from . import attachments_showing as files
from . import reading, stretch
from .attachments_pages import area
from .chart import Chart, Wanted, load, with_places, with_resources
from .facing import access_of, chart_page, day_of, filled

_READ = {"permission": "chart.read"}


#: documents a page lists at least, and stretches loaded to come to them
_ENOUGH, _STRETCHES = 12, 4
_STUDIES = ("ImagingStudy", "Media")


async def _stretch(access: Access, patient: str, types: Sequence[str], before: str) -> tuple[Chart, date | None]:
    """Load the newest of some types before a day, and the day before which there are more."""
    chart, earlier = await stretch.load(access, patient, types, day_of(before))
    for _further in range(_STRETCHES):
        if earlier is None or sum(len(chart.of.get(name, ())) for name in types) >= _ENOUGH:
            break
        more, earlier = await stretch.load(access, patient, types, earlier)
        chart = with_resources(
            access, chart.patient, [r for c in (chart, more) for found in c.of.values() for r in found]
        )
    return await with_places(access, chart), earlier


@get("/records/{patient:str}/documents", opt=_READ)
async def show_documents(request: AnyRequest, patient: FromPath[str], before: FromQuery[str] = "") -> Response[bytes]:
    """List the documents of a chart."""
    chart, earlier = await _stretch(access_of(request), patient, ("DocumentReference",), before)
    panels = await filled(request, "chart.documents", chart)
    return await chart_page(
        request,
        "records/documents.html",
        chart,
        here="/documents",
        rows=[d for d in documents(chart) if not files.is_image(d)],
        kind_of=kind_of,
        panels=panels,
        when=_when(chart),
        attach=area(request, chart),
        modules=["imaging/attach"],
        styles=["imaging/attach"],
        before=day_of(before),
        earlier=earlier,
    )


def documents(chart: Chart) -> Sequence[r4.DocumentReference]:
    """Documents that stand, newest first."""
    return [d for d in chart.all("DocumentReference") if d.status == "current"]


def kind_of(document: r4.DocumentReference) -> str:
    """Name the kind of a document: what it says, else what its file is."""
    found = files.attachment_of(document)
    return reading.words(document.type) or ("PDF" if found and found.contentType == "application/pdf" else "")


def _when(chart: Chart) -> Any:
    return lambda r: reading.when(r, chart.zone)


@get("/records/{patient:str}/documents/{document:str}", opt=_READ)
async def show_document(request: AnyRequest, patient: FromPath[str], document: FromPath[str]) -> Response[bytes]:
    """Show a document that is text."""
    wanted = Wanted(type="DocumentReference", pairs=(("_id", document),))
    chart = await load(access_of(request), patient, [wanted], places=True)
    found = next(iter(documents(chart)), None)
    if found is None:
        raise problem("not-found", "This document is not in the record.", status=404)
    return await chart_page(
        request,
        "records/document.html",
        chart,
        here="/documents",
        found=found,
        kind_of=kind_of,
        text=text_of(found),
        when=_when(chart),
    )


def text_of(document: r4.DocumentReference) -> str:
    """Give the words of a document whose content is plain text inside it; empty for any other."""
    for content in document.content:
        inside = content.attachment
        if inside.data and (inside.contentType or "").startswith("text/plain"):
            try:
                return b64decode(inside.data).decode()
            except (Error, UnicodeDecodeError):
                continue
    return ""


@get("/records/{patient:str}/images", opt=_READ)
async def show_images(request: AnyRequest, patient: FromPath[str], before: FromQuery[str] = "") -> Response[bytes]:
    """List the imaging studies and photographs of a chart, each with the report about it."""
    access = access_of(request)
    (chart, earlier), beside = await asyncio.gather(
        _stretch(access, patient, _STUDIES, before), load(access, patient, files.BESIDE_IMAGES)
    )
    chart = replace(chart, of={**beside.of, **chart.of})
    reports = {reading.id_of(s): r for r in chart.of.get("DiagnosticReport", ()) for s in r.imagingStudy or ()}
    panels = await filled(request, "chart.images", chart)
    return await chart_page(
        request,
        "records/images.html",
        chart,
        here="/images",
        studies=chart.all("ImagingStudy"),
        photographs=chart.all("Media"),
        reports=reports,
        panels=panels,
        when=_when(chart),
        pictures=files.pictures(chart),
        photo=lambda media: files.shown(chart, media),
        attach=area(request, chart),
        modules=["imaging/attach"],
        styles=["imaging/attach"],
        before=day_of(before),
        earlier=earlier,
    )


PAGES = (show_documents, show_document, show_images)
