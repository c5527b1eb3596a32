"""The visible block of a signature, typeset with the house's fonts and put into the field as its appearance.

Source: ISO 32000-2 12.7.5.5; Circular 13/2025/TT-BYT (a pasted image is no signature: the block only shows what was signed).
"""

from __future__ import annotations

from datetime import datetime
from io import BytesIO
from zoneinfo import ZoneInfo

from asn1crypto import x509
from pyhanko.pdf_utils.content import PdfContent
from pyhanko.pdf_utils.layout import BoxConstraints
from pyhanko.pdf_utils.reader import PdfFileReader

from yersin.documents.certificates import AUTHORITY
from yersin.documents.typeset import typeset

TEMPLATE = "documents/templates/signature.typ"
_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


def stamp_pdf(
    certificate: x509.Certificate,
    *,
    size: tuple[float, float],
    at: datetime,
    reason: str,
    lines: tuple[tuple[str, str], ...],
) -> bytes:
    """Return a one-page PDF of the given size in points."""
    subject = certificate.subject.native
    data = {
        "width": size[0],
        "height": size[1],
        "name": subject.get("common_name", ""),
        "title": subject.get("title", ""),
        "organisation": subject.get("organization_name", ""),
        "time": f"{at.astimezone(_ZONE):%H:%M:%S %d/%m/%Y} (UTC+7)",
        "extras": [("Lý do", reason), *lines],
        "notice": "CHỨNG THƯ THỬ NGHIỆM" if AUTHORITY in str(certificate.issuer.native) else "",
    }
    return typeset(TEMPLATE, data, at=at, standards=("a-2b",))


class StampPage(PdfContent):
    """The first page of a PDF held in memory, as the content of an appearance."""

    def __init__(self, pdf: bytes) -> None:
        self._pdf = pdf
        super().__init__()

    def render(self) -> bytes:
        form = self._ensure_writer.import_page_as_xobject(PdfFileReader(BytesIO(self._pdf)))
        self.resources.xobject["/Stamp"] = form
        left, bottom, right, top = form.get_object()["/BBox"]
        self.box = BoxConstraints(width=abs(right - left), height=abs(top - bottom))
        return b"/Stamp Do"
