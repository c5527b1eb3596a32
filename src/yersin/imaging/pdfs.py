"""PDF documents: that they can be opened, how many pages they have, and that they do nothing by themselves.

Read with pyHanko's own parser. What could act (scripts, launching programs, sending forms, files inside) is refused
with the cure: print it to a new PDF. Source: ISO 32000-2 12.6 (actions), 7.11.4 (embedded files), 7.6 (encryption).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

from yersin.fhir.problem import Problem, problem
from yersin.imaging.results import Document

#: objects looked at before a document is called too intricate to judge
MOST_OBJECTS: Final = 200_000
_ACTIVE: Final = {
    "/JavaScript": ("có mã JavaScript", "holds JavaScript"),
    "/JS": ("có mã JavaScript", "holds JavaScript"),
    "/Launch": ("mở chương trình khác", "starts other programs"),
    "/SubmitForm": ("tự gửi dữ liệu đi", "sends data away"),
    "/ImportData": ("tự lấy dữ liệu", "loads data"),
    "/EmbeddedFile": ("có tệp khác bên trong", "holds other files"),
    "/EmbeddedFiles": ("có tệp khác bên trong", "holds other files"),
    "/RichMedia": ("có nội dung đa phương tiện", "holds rich media"),
    "/XFA": ("là biểu mẫu XFA", "is an XFA form"),
}


def inspect(raw: bytes) -> Document:
    """Look through a PDF. Raises Problem when it cannot be opened, is locked, or could act by itself."""
    try:
        reader = PdfFileReader(io.BytesIO(raw), strict=False)
        if reader.encrypted:
            raise _locked()
        found, signed = _looked_through(reader)
        pages = int(reader.root["/Pages"]["/Count"])
    except Problem:
        raise
    except (
        PdfError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        RecursionError,
        OSError,
        AttributeError,
        AssertionError,
    ) as error:
        raise _damaged() from error
    if found:
        raise _active(found)
    if pages < 1:
        raise _damaged()
    return Document(pages=pages, signed=signed)


def _looked_through(reader: PdfFileReader) -> tuple[set[str], bool]:
    found: set[str] = set()
    signed = False
    for value in _objects(reader):
        if isinstance(value, generic.DictionaryObject):
            found.update(_marks(value))
            signed = signed or (value.get("/FT", None) == "/Sig" and "/V" in value)
    return found, signed


def _marks(value: generic.DictionaryObject) -> Iterator[str]:
    yield from (key for key in value if key in _ACTIVE)
    for key in ("/S", "/Type", "/Subtype"):
        named = value.raw_get(key) if key in value else None
        if isinstance(named, str) and named in _ACTIVE:
            yield named


def _objects(reader: PdfFileReader) -> Iterator[Any]:
    """Every object that can be reached from the trailer."""
    waiting: list[Any] = [reader.trailer_view]
    seen: set[Any] = set()
    count = 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, generic.IndirectObject):
            if value.reference in seen:
                continue
            seen.add(value.reference)
            value = reader.get_object(value.reference)  # type: ignore[no-untyped-call]  # untyped in pyHanko
        count += 1
        if count > MOST_OBJECTS:
            raise _intricate()
        yield value
        waiting.extend(_inside(value))


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, generic.DictionaryObject):
        yield from (value.raw_get(key) for key in value)
    elif isinstance(value, generic.ArrayObject):
        yield from (value.raw_get(number) for number in range(len(value)))


def _active(found: set[str]) -> Problem:
    vietnamese = ", ".join(sorted({_ACTIVE[mark][0] for mark in found}))
    english = ", ".join(sorted({_ACTIVE[mark][1] for mark in found}))
    text = (
        f"Không nhận PDF này vì {vietnamese}. Hãy in lại thành PDF rồi gửi. / "
        f"This PDF is not taken: it {english}. Print it to a new PDF and send that."
    )
    return problem("security", text, status=422)


def _locked() -> Problem:
    text = "PDF có mật khẩu; hãy bỏ mật khẩu rồi gửi lại. / The PDF is locked by a password: take it off and send it again."
    return problem("security", text, status=422)


def _damaged() -> Problem:
    text = "Không mở được PDF: tệp có thể đã hỏng. Hãy xuất lại rồi gửi. / The PDF cannot be opened: it may be damaged. Export it again."
    return problem("invalid", text, status=422)


def _intricate() -> Problem:
    text = (
        "PDF quá phức tạp để kiểm tra; hãy in lại thành PDF rồi gửi. / "
        "The PDF is too intricate to be checked: print it to a new PDF and send that."
    )
    return problem("too-costly", text, status=422)
