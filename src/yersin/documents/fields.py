"""Empty signature fields put into a typeset PDF where the template left room for them.

The field marked `last` carries a lock: once it is signed nothing but archive time-stamps may follow.
Sources: ISO 32000-2 12.7.5.5 (signature fields, lock dictionary), ISO 14289-1 7.18 (form fields in the structure tree).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import FieldMDPAction, FieldMDPSpec, MDPPerm, SigFieldSpec, append_signature_field

_NAME = generic.pdf_name


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
    _tag(writer, {field.name for field in fields})
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


def _tag(writer: IncrementalPdfFileWriter, names: set[str]) -> None:
    """Put the fields into the structure tree, where screen readers come upon them, in the order of signing."""
    if "/StructTreeRoot" not in writer.root:
        return
    tree = writer.root["/StructTreeRoot"]
    top, leaf = tree["/K"].raw_get(0), tree["/ParentTree"]
    while "/Kids" in leaf:
        leaf = leaf["/Kids"][-1]
    number = int(tree["/ParentTreeNextKey"])
    for reference in writer.root["/AcroForm"]["/Fields"]:
        if reference.get_object()["/T"] in names:
            element = writer.add_object(_form(top, reference))
            top.get_object()["/K"].append(element)
            leaf["/Nums"] += [_number(number), element]
            reference.get_object()["/StructParent"] = _number(number)
            writer.update_container(reference.get_object())
            number += 1
    tree["/ParentTreeNextKey"] = _number(number)
    if "/Limits" in leaf:
        leaf["/Limits"][1] = _number(number - 1)
    for changed in (tree, leaf, leaf["/Nums"], top.get_object(), top.get_object()["/K"]):
        writer.update_container(changed)


def _form(top: Any, reference: Any) -> generic.DictionaryObject:
    """The structure element of a field."""
    widget = reference.get_object()
    place = {"/Type": _NAME("/OBJR"), "/Obj": reference, "/Pg": widget.raw_get("/P")}
    parts = {"/Type": _NAME("/StructElem"), "/S": _NAME("/Form"), "/P": top, "/Alt": widget["/TU"]}
    return _dictionary({**parts, "/K": _dictionary(place)})


def _dictionary(parts: dict[str, Any]) -> generic.DictionaryObject:
    return generic.DictionaryObject({_NAME(key): value for key, value in parts.items()})  # type: ignore[no-untyped-call]  # pyHanko leaves it untyped


def _number(value: int) -> generic.NumberObject:
    return generic.NumberObject(value)  # type: ignore[no-untyped-call]  # pyHanko leaves it untyped


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
