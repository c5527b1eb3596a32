"""What a search parameter of each kind can index of what its expression finds.

Source: https://hl7.org/fhir/R4/search.html#ptypes
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from yersin.fhir.expressions import Path, Schema, Step

#: types by kind; other types an expression reaches (an onset given as a string) give nothing
LEAVES: Mapping[str, str] = {
    "string": "string markdown HumanName Address",
    "token": "CodeableConcept Coding Identifier ContactPoint code boolean string id uri canonical",
    "reference": "Reference canonical uri Resource",
    "date": "date dateTime instant Period Timing",
    "number": "integer decimal positiveInt unsignedInt Range",
    "quantity": "Quantity Age Count Distance Duration Money SimpleQuantity Range SampledData",
    "uri": "uri url canonical oid uuid",
}


def leaves(kind: str, found: Sequence[Path], schema: Schema) -> tuple[Path, ...]:
    """Keep what the kind can index; an Extension is read by its values."""
    if kind in {"composite", "special"}:
        return tuple(found)
    wanted = LEAVES[kind].split()
    out: list[Path] = []
    for one in found:
        if one.type == "Extension":
            values = schema.children("Extension", "value")
            out += [replace(one, steps=(*one.steps, Step(name=n)), type=t) for n, t, _, _ in values if t in wanted]
        elif one.type in wanted:
            out.append(one)
    return tuple(dict.fromkeys(out))


def is_calendar(kind: str, paths: Sequence[Path]) -> bool:
    """Whether the dates of a parameter are days of the calendar, in no zone."""
    return kind == "date" and {p.type for p in paths} == {"date"}
