"""DICOM files read with care: what the header says, where the pixels lie, and what is wrong with it, as findings.

Pixels are never read here. Files without preamble or meta information are read too, since old devices make them.
Source: DICOM PS3.10 (file format), PS3.5 A.5 (deflated), https://dicom.nema.org/medical/dicom/current
"""

from __future__ import annotations

import contextlib
import io
import logging
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from yersin.fhir.problem import Problem, problem
from yersin.imaging.dicom_values import listening, text, whole

#: what pydicom raises, here or when a value is first looked at, on files that break the rules
BROKEN: Final = (
    InvalidDicomError,
    BytesLengthException,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    OSError,
    NotImplementedError,
    RecursionError,
    OverflowError,
    LookupError,
    struct.error,
)
#: a deflated file may not grow past this
MOST_INFLATED: Final = 256 << 20
UNDEFINED: Final = 0xFFFFFFFF
_PIXELS: Final = 0x7FE00010


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """Where the pixel data lie: the place of the value in the file, and its length (UNDEFINED when encapsulated)."""

    start: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomFile:
    """An open DICOM file. `source` is what `pixels` points into: the file itself, or its inflated content."""

    header: Dataset
    source: BinaryIO
    syntax: UID
    pixels: Pixels | None
    findings: tuple[str, ...]

    @property
    def frames(self) -> int:
        """Number of frames that can be asked for."""
        return max(1, whole(self.header, "NumberOfFrames", 1)) if self.pixels else 0


def read(file: BinaryIO) -> DicomFile:
    """Read a DICOM file. Raises Problem with what is wrong when it cannot be read at all."""
    with listening() as heard, _logged() as logged:
        try:
            found = _read(file)
        except BROKEN as error:
            raise unreadable(str(error)) from error
    findings = dict.fromkeys([*found.findings, *heard, *logged])
    return DicomFile(
        header=found.header,
        source=found.source,
        syntax=found.syntax,
        pixels=found.pixels,
        findings=tuple(findings),
    )


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage().splitlines()[0])


@contextlib.contextmanager
def _logged() -> Iterator[list[str]]:
    """Collect what pydicom logs instead of raising: a file cut off, an unknown character set."""
    ear, logger = _Ear(), logging.getLogger("pydicom")
    logger.addHandler(ear)
    try:
        yield ear.heard
    finally:
        logger.removeHandler(ear)


def _read(file: BinaryIO) -> DicomFile:
    source = _inflated(file)
    source.seek(0)
    header = pydicom.dcmread(source, stop_before_pixels=True, force=True)
    if len(header) == 0 or not any(element.tag.group in (0x0008, 0x0010, 0x0028) for element in _top(header)):
        raise unreadable("no element of a patient, a study or an image")
    syntax = _syntax(header)
    pixels, finding = _pixels(source, header)
    findings = [*([finding] if finding else []), *_cut(header)]
    findings += [f"{word} is missing" for word in _REQUIRED if not text(header, word)]
    return DicomFile(header=header, source=source, syntax=syntax, pixels=pixels, findings=tuple(findings))


_REQUIRED: Final = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


def _cut(header: Dataset) -> list[str]:
    """Elements whose value is shorter than they say: the file ends within them, which pydicom lets pass."""
    raw: list[Any] = [header.get_item(tag) for tag in header.keys()]  # noqa: SIM118 - a data set iterates over elements
    return [
        f"the file ends within element {one.tag}"
        for one in raw
        if isinstance(one, RawDataElement) and one.value is not None and UNDEFINED > one.length > len(one.value)
    ]


def _top(header: Dataset) -> list[pydicom.DataElement]:
    # by tag only: values are not decoded, so one bad value does not spoil the file
    return [pydicom.DataElement(tag, "UN", b"") for tag in header.keys()]  # noqa: SIM118 - a data set iterates over elements


def _syntax(header: Dataset) -> UID:
    meta = getattr(header, "file_meta", None)
    declared = text(meta, "TransferSyntaxUID") if meta is not None else ""
    if declared == DeflatedExplicitVRLittleEndian:
        return UID("1.2.840.10008.1.2.1")
    if declared:
        return UID(declared)
    implicit, little = header.original_encoding
    if little is False:
        return ExplicitVRBigEndian
    return UID("1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1")


def _inflated(file: BinaryIO) -> BinaryIO:
    """Return the file, or for a deflated one its content, inflated up to a limit."""
    file.seek(0)
    head = file.read(4096)
    at = head.find(b"\x02\0\x10\0UI")
    if head[128:132] != b"DICM" or at < 0:
        return file
    length = int.from_bytes(head[at + 6 : at + 8], "little")
    if head[at + 8 : at + 8 + length].rstrip(b"\0 ") != DeflatedExplicitVRLittleEndian.encode():
        return file
    group_end = 144 + int.from_bytes(head[140:144], "little") if head[132:136] == b"\x02\0\0\0" else at + 8 + length
    file.seek(group_end)
    return io.BytesIO(inflate(file.read(), MOST_INFLATED))


def inflate(packed: bytes, most: int) -> bytes:
    """Inflate a raw deflate stream. Raises Problem when it grows past `most` or is damaged."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = engine.decompress(packed, most)
    except zlib.error as error:
        raise unreadable("its compressed part is damaged") from error
    if engine.unconsumed_tail:
        text_ = "Tệp DICOM nén quá mức cho phép. / The DICOM file unpacks to more than is allowed."
        raise problem("too-long", text_, status=413)
    return plain


def _pixels(source: BinaryIO, header: Dataset) -> tuple[Pixels | None, str]:
    """Place of the pixel data: reading stopped in front of the element."""
    at = source.tell()
    raw = source.read(12)
    order = "<" if header.original_encoding[1] is not False else ">"
    if len(raw) < 8 or _tag(raw, order) != _PIXELS:
        return None, ""
    if header.original_encoding[0]:
        start, length = at + 8, int(struct.unpack(order + "I", raw[4:8])[0])
    elif raw[4:6] in (b"OB", b"OW", b"UN"):
        start, length = at + 12, int(struct.unpack(order + "I", raw[8:12])[0])
    else:
        return None, "the pixel data have an unknown representation"
    there = source.seek(0, 2) - start
    if length != UNDEFINED and there < length:
        return Pixels(start=start, length=there), f"the pixel data are cut: {there} of {length} bytes"
    return Pixels(start=start, length=length), ""


def _tag(raw: bytes, order: str) -> int:
    group, element = struct.unpack(order + "HH", raw[:4])
    return int(group) << 16 | int(element)


def unreadable(why: str) -> Problem:
    """Build the Problem of a file that cannot be read as DICOM."""
    reason = " ".join(why.split())[:200]
    message = (
        "Tệp DICOM bị hỏng hoặc không đúng chuẩn nên không đọc được; hãy xuất lại từ máy chụp. / "
        f"The DICOM file is damaged or breaks the standard and cannot be read ({reason}). Export it from the device again."
    )
    return problem("invalid", message, status=422)
