"""FHIR XML as JSON, for test cases that come as XML. Source: https://hl7.org/fhir/R4/xml.html"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from lxml import etree

from yersin.fhir import r4
from yersin.fhir.shapes import Element, shape, struct_of

FHIR = "{http://hl7.org/fhir}"


def read(file: Path) -> dict[str, Any]:
    """Read one resource."""
    return _resource(etree.parse(file, etree.XMLParser(resolve_entities=False, no_network=True)).getroot())


def _resource(element: Any) -> dict[str, Any]:
    name = etree.QName(element).localname
    assert name in r4.TYPE_NUMBER
    return {"resourceType": name, **_members(element, name)}


def _members(element: Any, type_name: str) -> dict[str, Any]:
    known = shape(struct_of(type_name))
    found: dict[str, Any] = {name: value for name, value in element.attrib.items() if name in known}
    for child in element:
        if isinstance(child.tag, str):
            name = etree.QName(child).localname
            _put(found, known[name], child)
    return found


def _put(found: dict[str, Any], element: Element, child: Any) -> None:
    if element.type == "Xhtml":
        text = etree.tostring(child, encoding="unicode", with_tail=False)
        value, sibling = text, None
    elif element.primitive:
        value, sibling = _primitive(child, element.type)
    elif element.type == "Resource":
        value, sibling = _resource(child[0]), None
    else:
        value, sibling = _members(child, element.type), None
    if not element.many:
        _set(found, element.name, value, sibling)
        return
    values = found.setdefault(element.name, [])
    values.append(value)
    if sibling is not None or "_" + element.name in found:
        siblings = found.setdefault("_" + element.name, [None] * (len(values) - 1))
        siblings.append(sibling)


def _set(found: dict[str, Any], name: str, value: Any, sibling: Any) -> None:
    if value is not None:
        found[name] = value
    if sibling is not None:
        found["_" + name] = sibling


def _primitive(child: Any, kind: str) -> tuple[Any, Any]:
    members = _members(child, "Element")
    text = child.get("value")
    if text is not None:
        if kind == "Boolean":
            text = text == "true"
        elif kind in ("Integer", "PositiveInt", "UnsignedInt"):
            text = int(text)
        elif kind == "Decimal":
            text = Decimal(text)
    return text, members or None
