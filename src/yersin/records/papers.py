"""Documents and images of a chart: lists, and the words of a document that is text."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from collections.abc import Sequence
from typing import Any

from litestar import Response, get

from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.web.shell import AnyRequest

from . import attachments_showing as files
from . import reading
from .attachments_pages import area
from .chart import PAPERS, PICTURES, Chart, load
from .facing import access_of, chart_page, filled

_READ = {"permission": "chart.read"}


@get("/records/{patient:str}/documents", opt=_READ)
async def show_documents(request: AnyRequest, patient: str) -> Response[bytes]:
    """List the documents of a chart."""
    chart = await load(access_of(request), patient, PAPERS)
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
async def show_document(request: AnyRequest, patient: str, document: str) -> Response[bytes]:
    """Show a document that is text."""
    chart = await load(access_of(request), patient, PAPERS)
    found = next((d for d in documents(chart) if d.id == document), None)
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
async def show_images(request: AnyRequest, patient: str) -> Response[bytes]:
    """List the imaging studies and photographs of a chart, each with the report about it."""
    chart = await load(access_of(request), patient, PICTURES)
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
    )


PAGES = (show_documents, show_document, show_images)
