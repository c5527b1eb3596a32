"""From an uploaded blob to what may go into a chart: recognised, made safe, described, compared with the patient.

Nothing is written to the record here: `resources` says what to write, the room writes it through the guard.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING, BinaryIO, Final

from yersin.blobs import Blob, Blobs
from yersin.fhir import r4
from yersin.fhir.problem import Problem, problem
from yersin.imaging.kinds import Kind, find_kind
from yersin.imaging.matching import Difference, differences
from yersin.imaging.results import Rendered, Window
from yersin.imaging.workshop import Workshop

if TYPE_CHECKING:
    from yersin.imaging.dicom_files import DicomFile
    from yersin.imaging.dicom_summary import DicomSummary

MEGABYTE: Final = 1 << 20
#: what is opened whole in the workshop
LARGEST_PHOTO: Final = 100 * MEGABYTE
LARGEST_PDF: Final = 200 * MEGABYTE
THUMBNAIL_SIDE: Final = 400
_PREAMBLE: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A file ready for the chart. `blob` is what is kept, which for a photograph is not what was sent."""

    kind: Kind
    blob: Blob
    media_type: str
    name: str
    thumbnail: bytes = b""
    thumbnail_type: str = "image/jpeg"
    width: int = 0
    height: int = 0
    pages: int = 0
    dicom: DicomSummary | None = None
    #: to be confirmed by a person before it goes into this chart
    differences: tuple[Difference, ...] = ()
    #: what is wrong with the file and does not hinder keeping it
    findings: tuple[str, ...] = ()


class Intake:
    """Takes files in. `zone` is that of times without an offset."""

    def __init__(self, blobs: Blobs, workshop: Workshop, zone: tzinfo) -> None:
        self.blobs = blobs
        self.workshop = workshop
        self.zone = zone

    async def take(self, blob: Blob, name: str, patient: r4.Patient) -> Taken:
        """Take a file in for a patient. Raises Problem with the cure when it cannot be taken."""
        file = await asyncio.to_thread(self.blobs.open, blob.address)
        with file:
            kind = await asyncio.to_thread(find_kind, file)
            if kind.is_photo:
                return await self._photo(blob, file, kind, name)
            if kind is Kind.PDF:
                return await self._pdf(blob, file, name)
            return await self._dicom(blob, file, name, patient)

    async def _photo(self, blob: Blob, file: BinaryIO, kind: Kind, name: str) -> Taken:
        photo = await self.workshop.photo(await _whole(blob, file, LARGEST_PHOTO), kind)
        kept = await self.blobs.write(_pieces(photo.content))
        return Taken(
            kind=kind, blob=kept, media_type=photo.media_type, name=name, thumbnail=photo.thumbnail,
            width=photo.width, height=photo.height,
        )  # fmt: skip

    async def _pdf(self, blob: Blob, file: BinaryIO, name: str) -> Taken:
        document = await self.workshop.pdf(await _whole(blob, file, LARGEST_PDF))
        return Taken(kind=Kind.PDF, blob=blob, media_type=Kind.PDF.value, name=name, pages=document.pages)

    async def _dicom(self, blob: Blob, file: BinaryIO, name: str, patient: r4.Patient) -> Taken:
        opened, summary = await asyncio.to_thread(self._read, file)
        kept = await self._with_harmless_preamble(blob, file)
        thumbnail, findings = b"", list(opened.findings)
        try:
            if opened.frames:
                thumbnail = (await self.frame(kept.address, 0, None, THUMBNAIL_SIDE)).png
        except Problem as unseen:
            findings.append(str(unseen))
        return Taken(
            kind=Kind.DICOM, blob=kept, media_type=Kind.DICOM.value, name=name, thumbnail=thumbnail,
            thumbnail_type="image/png", width=summary.columns, height=summary.rows, dicom=summary,
            differences=differences(summary.patient, patient), findings=tuple(findings),
        )  # fmt: skip

    def _read(self, file: BinaryIO) -> tuple[DicomFile, DicomSummary]:
        from yersin.imaging import dicom_files, dicom_summary  # noqa: PLC0415 - pydicom and numpy load when a file comes

        opened = dicom_files.read(file)
        return opened, dicom_summary.summarise(opened, self.zone)

    async def _with_harmless_preamble(self, blob: Blob, file: BinaryIO) -> Blob:
        """Empty the preamble, in which a program or a web page can hide; every other byte stays (PS3.10 7.1)."""
        head = await asyncio.to_thread(_head, file)
        if head[_PREAMBLE:] != b"DICM" or not head[:_PREAMBLE].strip(b"\0"):
            return blob
        return await self.blobs.write(_behind(self.blobs, blob))

    async def frame(self, address: str, index: int, window: Window | None, side: int | None) -> Rendered:
        """Draw a frame of a kept DICOM file; the caller has checked that it may be seen. Raises Problem."""
        key = hashlib.sha256(f"{address}/{index}".encode()).hexdigest()
        known = await self.workshop.known_frame(key, window, side)
        if known is not None:
            return known
        content = await asyncio.to_thread(self._frame_file, address, index)
        return await self.workshop.frame(key, content, window, side)

    def _frame_file(self, address: str, index: int) -> bytes:
        from yersin.imaging import dicom_files, dicom_frames  # noqa: PLC0415 - as above

        with self.blobs.open(address) as file:
            return dicom_frames.frame_file(dicom_files.read(file), index)


async def _whole(blob: Blob, file: BinaryIO, most: int) -> bytes:
    if blob.size > most:
        text = f"Tệp quá lớn: loại này tối đa {most // MEGABYTE} MB. / The file is too large: at most {most // MEGABYTE} MB of its kind."
        raise problem("too-long", text, status=413)
    file.seek(0)
    return await asyncio.to_thread(file.read)


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(_PREAMBLE + 4)


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), MEGABYTE):
        yield content[at : at + MEGABYTE]


async def _behind(blobs: Blobs, blob: Blob) -> AsyncIterator[bytes]:
    yield bytes(_PREAMBLE)
    async for piece in blobs.read(blob.address, _PREAMBLE):
        yield piece
