"""Where each element of a resource stands in its XML, by FHIRPath, so that findings are shown where they are about.

Source: https://hl7.org/fhir/R4/xml.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from lxml import etree

from yersin.fhir import r4
from yersin.fhir.shapes import shape, struct_of
from yersin.fhir.structs import Struct
from yersin.fhir.xml import opened


def laid_out(text: str) -> tuple[str, dict[str, int]]:
    """Give the XML of a resource, broken into lines where it is but one, and the line of each element. Raises Problem."""
    root = opened(text.encode("utf-8", "replace"))
    if "\n" not in text.strip():
        etree.indent(root)
        text = str(etree.tostring(root, encoding="unicode"))
        root = opened(text.encode())
    return text, dict(_resource(root, _name(root)))


def _name(node: Any) -> str:
    return str(node.tag).rpartition("}")[2]


def _resource(node: Any, place: str) -> Iterator[tuple[str, int]]:
    name = _name(node)
    yield from _inside(node, place, struct_of(name) if name in r4.TYPE_NUMBER else r4.Element)


def _inside(node: Any, place: str, struct: type[Struct]) -> Iterator[tuple[str, int]]:
    yield place, node.sourceline
    known, seen = shape(struct), Counter[str]()
    for child in node:
        name = _name(child)
        element = known.get(name)
        if element is None:
            continue
        where = f"{place}.{element.path}" + (f"[{seen[name]}]" if element.many else "")
        seen[name] += 1
        if element.type == "Resource":
            for each in child:
                yield from _resource(each, where)
        elif element.type == "Xhtml":
            yield where, child.sourceline
        else:
            yield from _inside(child, where, r4.Element if element.primitive else struct_of(element.type))
