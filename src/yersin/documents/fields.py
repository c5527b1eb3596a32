"""Empty signature fields put into a typeset PDF where the template left room for them.

The field marked `last` carries a lock: once it is signed nothing but archive time-stamps may follow.
Sources: ISO 32000-2 12.7.5.5 (signature fields, lock dictionary), ISO 14289-1 7.18 (form fields in the structure tree).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import FieldMDPAction, FieldMDPSpec, MDPPerm, SigFieldSpec, append_signature_field


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedField:
    """Where the template left room: points from the top left of the page."""

    name: str
    label: str
    page: int
    x: float
    y: float
    width: float
    height: float
    last: bool = False


def place_fields(pdf: bytes, fields: list[PlacedField], *, at: datetime) -> bytes:
    """Return the PDF with one empty signature field for each place."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    for field in fields:
        append_signature_field(writer, _spec(writer, field))
    return steady(writer, pdf, at=at)


def _spec(writer: IncrementalPdfFileWriter, field: PlacedField) -> SigFieldSpec:
    reference, _ = writer.prev.find_page_for_modification(field.page - 1)  # type: ignore[no-untyped-call]  # pyHanko leaves it untyped
    page = reference.get_object()
    top = float(page["/MediaBox"][3])
    box = (field.x, top - field.y - field.height, field.x + field.width, top - field.y)
    return SigFieldSpec(
        field.name,
        on_page=field.page - 1,
        box=tuple(round(side) for side in box),  # type: ignore[arg-type]  # always four sides
        readable_field_name=field.label,
        field_mdp_spec=FieldMDPSpec(FieldMDPAction.ALL) if field.last else None,
        doc_mdp_update_value=MDPPerm.NO_CHANGES if field.last else None,
    )


def steady(writer: IncrementalPdfFileWriter, pdf: bytes, *, at: datetime) -> bytes:
    """Write with a document id and modification date that depend on the input alone."""
    first, _ = writer.document_id
    second = hashlib.sha256(pdf + at.isoformat().encode()).digest()[:16]
    writer._document_id = generic.ArrayObject(  # noqa: SLF001 - the library draws it at random
        [generic.ByteStringObject(first), generic.ByteStringObject(second)]
    )
    writer._update_meta = lambda: None  # type: ignore[method-assign]  # noqa: SLF001 - it would stamp the present time
    out = BytesIO()
    writer.write(out)  # type: ignore[no-untyped-call]  # pyHanko leaves it untyped
    return out.getvalue()
