"""What the generated structs expect, element by element, read back from their written annotations.

Source: https://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from yersin.fhir import primitives, r4
from yersin.fhir.annotations import bound_codes
from yersin.fhir.structs import SIBLING, Struct, json_name

_WRITTEN = re.compile(r"(?P<list>list\[)?(?P<codes>codes\.)?(?P<type>\w+)(?: \| None)?\]?(?P<optional> \| None)?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element by its JSON name. `path` is its FHIRPath step: a choice is named by its stem."""

    name: str
    attribute: str
    path: str
    type: str
    codes: tuple[str, ...] = ()
    many: bool = False
    required: bool = False
    choice: str = ""

    @property
    def primitive(self) -> bool:
        return bool(self.codes) or self.type in primitives.__all__


@functools.cache
def shape(struct: type[Struct]) -> dict[str, Element]:
    """JSON name to element, siblings included, in the order of the specification."""
    stems = {name: stem for base in struct.__mro__ for stem, names in _choices(base).items() for name in names}
    written = {n: t for base in reversed(struct.__mro__) for n, t in base.__dict__.get("WRITTEN", {}).items()}
    return {
        json_name(name): _element(name, text, stems)
        for name, text in written.items()
        if not text.startswith("ClassVar")
    }


def _choices(base: type) -> dict[str, tuple[str, ...]]:
    return dict(base.__dict__.get("CHOICES", {}))


def _element(attribute: str, text: str, stems: dict[str, str]) -> Element:
    match = _WRITTEN.match(text)
    if match is None:
        raise AssertionError(f"the generator wrote {text!r}, which the collector cannot read")
    name = json_name(attribute)
    plain = name.removeprefix("_") if attribute.endswith(SIBLING) else name
    stem = stems.get(plain, "")
    return Element(
        name=name,
        attribute=attribute,
        path=stem or plain,
        type="Code" if match["codes"] else match["type"],
        codes=bound_codes(r4.codes, match["type"]) if match["codes"] else (),
        many=bool(match["list"]),
        required=not text.endswith("| None"),
        choice=stem,
    )


def struct_of(name: str) -> type[Struct]:
    """Find the struct of a type name."""
    found: type[Struct] = getattr(r4, name)
    return found
