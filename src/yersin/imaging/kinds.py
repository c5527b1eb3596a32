"""What a file is, by its content and never by its name or declared type; and what is refused, with the cure.

Magic numbers: JPEG ITU-T T.81, PNG https://www.w3.org/TR/png, WebP RFC 9649, PDF ISO 32000-2 7.5.2, DICOM PS3.10 7.1,
HEIF ISO/IEC 23008-12.
"""

from __future__ import annotations

from enum import Enum
from typing import BinaryIO, Final

from yersin.fhir.problem import Problem, problem


class Kind(Enum):
    """A kind of file that is taken; its value is the media type it is served with."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    PDF = "application/pdf"
    DICOM = "application/dicom"

    @property
    def is_photo(self) -> bool:
        """Whether it is a picture that is turned upright and encoded again."""
        return self in (Kind.JPEG, Kind.PNG, Kind.WEBP)


_HEIF_BRANDS: Final = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"}
_TAKEN: Final = "ảnh JPEG, PNG, WebP, PDF, DICOM"
_TAKEN_EN: Final = "JPEG, PNG and WebP pictures, PDF, DICOM"
#: elements a data set without preamble opens with
_FIRST_ELEMENTS: Final = {
    (2, 0),
    (2, 1),
    (2, 2),
    (2, 0x10),
    (8, 0),
    (8, 1),
    (8, 5),
    (8, 8),
    (8, 0x12),
    (8, 0x14),
    (8, 0x16),
    (8, 0x18),
}
#: known files that are refused: where the mark lies, the mark, what it is called
_OTHERS: Final = (
    (0, b"PK\x03\x04", "ZIP, Word, Excel"),
    (0, b"\xd0\xcf\x11\xe0", "Word, Excel (doc, xls)"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"Rar!", "RAR"),
    (0, b"7z\xbc\xaf", "7z"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"MZ", "Windows program"),
    (0, b"\x7fELF", "Linux program"),
    (0, b"\x1aE\xdf\xa3", "WebM, MKV"),
    (4, b"ftyp", "MP4, MOV"),
)


def find_kind(file: BinaryIO) -> Kind:
    """Kind of a seekable file. Raises Problem `not-supported` that names what it is and what to do instead."""
    file.seek(0)
    head = file.read(4096)
    kind = _by_magic(head)
    if kind is None:
        raise _refusal(head)
    if kind is Kind.PDF and _has_archive_behind(file):
        raise _refused(
            "PDF + ZIP", "A PDF with an archive hidden behind it", "in lại thành PDF", "Print it to a new PDF"
        )
    return kind


def _by_magic(head: bytes) -> Kind | None:
    # DICOM first: its preamble is free, and may look like anything else
    if head[128:132] == b"DICM" or _is_bare_dicom(head):
        return Kind.DICOM
    if head.startswith(b"\xff\xd8\xff"):
        return Kind.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Kind.PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind.WEBP
    if head.startswith(b"%PDF-"):
        return Kind.PDF
    return None


def _is_bare_dicom(head: bytes) -> bool:
    """Old devices write data sets without preamble: some in big endian."""
    if len(head) < 8:
        return False
    little, big = (tuple(int.from_bytes(head[at : at + 2], order) for at in (0, 2)) for order in ("little", "big"))
    return little in _FIRST_ELEMENTS or big in _FIRST_ELEMENTS


def _has_archive_behind(file: BinaryIO) -> bool:
    size = file.seek(0, 2)
    file.seek(max(0, size - (66 << 10)))
    tail = file.read()
    return b"PK\x05\x06" in tail[max(0, tail.rfind(b"%%EOF")) :]


def _refusal(head: bytes) -> Problem:
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return _refused(
            "HEIC/AVIF",
            "HEIC/AVIF",
            "trên iPhone: Cài đặt › Camera › Định dạng › Tương thích nhất, rồi chụp lại hoặc gửi bản JPEG",
            "On an iPhone choose Settings › Camera › Formats › Most Compatible, then take it again or send it as JPEG",
        )
    if not head:
        return problem("value", "Tệp rỗng. / The file is empty.", status=422)
    name = next((name for at, mark, name in _OTHERS if head[at : at + len(mark)] == mark), "")
    what = name or "không rõ loại"
    return _refused(what, name or "of an unknown kind", f"hãy gửi {_TAKEN}", f"Send {_TAKEN_EN}")


def _refused(what: str, what_en: str, cure: str, cure_en: str) -> Problem:
    text = f"Không nhận loại tệp này ({what}): {cure}. / This file is not taken ({what_en}). {cure_en}."
    return problem("not-supported", text, status=415)
