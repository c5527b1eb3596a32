"""FHIR in XML: JSON to XML and back, by the order and types of the generated structs. The inside knows JSON alone.

What is read is closed to documents that declare anything: no DOCTYPE, so no entities and nothing fetched; depth, size
and number of elements are limited. What does not fit the definitions is refused with its line; values are judged by
`parse`, which reads the JSON that is made here. Source: https://hl7.org/fhir/R4/xml.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from decimal import Decimal, InvalidOperation
from functools import cache
from html.entities import html5
from typing import Any

import msgspec
from lxml import etree

from yersin.fhir import r4
from yersin.fhir.narrative import XHTML
from yersin.fhir.primitives import WHOLE
from yersin.fhir.problem import Problem, problem
from yersin.fhir.shapes import Element, shape, struct_of
from yersin.fhir.structs import Struct

NAMESPACE = "http://hl7.org/fhir"
#: tags of one document
MOST = 2_000_000
_DECLARED = re.compile(r"""\A\s*<\?xml[^>]*?encoding\s*=\s*["']([^"']+)["']""")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,11})")
_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_KEPT = frozenset({"lt", "gt", "amp", "quot", "apos"})
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#xA;", "\r": "&#xD;", "\t": "&#x9;"}
)
_LOCATION = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


# --- writing -------------------------------------------------------------------------------------------------------


def write(raw: bytes, *, pretty: bool = False) -> bytes:
    """XML of one resource in JSON, which must be good FHIR."""
    writer = _Writer(pretty=pretty)
    writer.resource(_decode(raw), f' xmlns="{NAMESPACE}"')
    return _NOT_XML.sub("\ufffd", "".join(writer.parts)).encode()


class _Writer:
    def __init__(self, *, pretty: bool) -> None:
        self.parts = ['<?xml version="1.0" encoding="UTF-8"?>']
        self._pretty = pretty
        self._depth = 0

    def _line(self, text: str) -> None:
        self.parts.append(f"\n{'  ' * self._depth}{text}" if self._pretty else text)

    def resource(self, value: Mapping[str, Any], namespace: str = "") -> None:
        name = value["resourceType"]
        self._line(f"<{name}{namespace}>")
        self._inside(value, struct_of(name))
        self._line(f"</{name}>")

    def _inside(self, value: Mapping[str, Any], struct: type[Struct]) -> None:
        """Elements of an object, in the order of the definition."""
        self._depth += 1
        order, known, attributes = _order(struct), shape(struct), _attributes(struct)
        names = {key.removeprefix("_") for key in value} - attributes
        for name in sorted(names & order.keys(), key=order.__getitem__):
            self._element(known[name], value.get(name), value.get(f"_{name}"))
        self._depth -= 1

    def _element(self, element: Element, value: Any, sibling: Any) -> None:
        if not element.many:
            self._one(element, value, sibling)
            return
        count = max(len(value or ()), len(sibling or ()))
        for place in range(count):
            self._one(element, value[place] if value else None, sibling[place] if sibling else None)

    def _one(self, element: Element, value: Any, sibling: Any) -> None:
        name = element.name
        if element.type == "Xhtml":
            self._line(_NAMED.sub(_unnamed, value.strip()))
        elif element.primitive:
            self._open(name, _shown(value), sibling or {}, r4.Element)
        elif element.type == "Resource":
            self._line(f"<{name}>")
            self._depth += 1
            self.resource(value)
            self._depth -= 1
            self._line(f"</{name}>")
        else:
            self._open(name, None, value, struct_of(element.type))

    def _open(self, name: str, text: str | None, value: Mapping[str, Any], struct: type[Struct]) -> None:
        attributes = "".join(f' {a}="{_escaped(value[a])}"' for a in _attributes(struct) if a in value)
        shown = "" if text is None else f' value="{_escaped(text)}"'
        if value.keys() <= _attributes(struct):
            self._line(f"<{name}{attributes}{shown}/>")
            return
        self._line(f"<{name}{attributes}{shown}>")
        self._inside(value, struct)
        self._line(f"</{name}>")


@cache
def _order(struct: type[Struct]) -> dict[str, int]:
    """Place of each element in the order of the specification."""
    return {name: number for number, name in enumerate(shape(struct)) if name[0] != "_"}


@cache
def _attributes(struct: type[Struct]) -> frozenset[str]:
    """Elements that are attributes in XML."""
    if issubclass(struct, r4.Resource):
        return frozenset()
    return frozenset({"id", "url"}) if issubclass(struct, r4.Extension) else frozenset({"id"})


def _shown(value: Any) -> str | None:
    return ("true" if value else "false") if isinstance(value, bool) else None if value is None else str(value)


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


def _unnamed(match: re.Match[str]) -> str:
    """Write names of characters, which XML does not know, as the characters."""
    if match[1] in _KEPT:
        return match[0]
    return html5.get(f"{match[1]};", f"&amp;{match[1]};")


# --- reading -------------------------------------------------------------------------------------------------------


def read(raw: bytes, *, draft: bool = False) -> bytes:
    """JSON of one resource in XML. Raises Problem: what is no XML, declares something, or does not fit the definitions.

    Of a `draft`, elements are brought into their order, values that are empty are left out, and `_` in its id becomes `-`.
    """
    root = opened(raw)
    if draft:
        _mend(root)
    return _encode(_resource(root))


def _mend(root: Any) -> None:
    """Bring elements into the order of the definitions, where these know them; take out values that say nothing."""
    waiting: list[tuple[Any, type[Struct]]] = (
        [(root, struct_of(name))] if (name := _local(root)) in r4.TYPE_NUMBER else []
    )
    while waiting:
        node, struct = waiting.pop()
        order, known = _order(struct), shape(struct)
        for child in [each for each in node if each.get("value") == "" and not len(each)]:
            node.remove(child)
        if node is root:
            for each in [each for each in node if _local(each) == "id"]:
                each.set("value", each.get("value", "").replace("_", "-"))
        node[:] = sorted(node, key=lambda child: order.get(_local(child), len(order)))
        for child in node:
            element = known.get(_local(child))
            if element and element.type == "Resource" and len(child) and _local(child[0]) in r4.TYPE_NUMBER:
                waiting.append((child[0], struct_of(_local(child[0]))))
            elif element and not element.primitive and element.type != "Resource":
                waiting.append((child, struct_of(element.type)))


def _local(node: Any) -> str:
    return str(node.tag).rpartition("}")[2]


def opened(raw: bytes) -> Any:
    """Read what is in a document, which declares nothing. Raises Problem where it does, or is no XML."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise problem("structure", "The XML is not UTF-8: save the text as UTF-8.") from None
    declared = _DECLARED.match(text)
    if declared and declared[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise problem("structure", f"The XML says its encoding is {declared[1]}; send UTF-8.")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise problem("security", "The XML declares a document type or entities; FHIR has none. Leave them out.")
    if raw.count(b"<") > MOST:
        raise problem("too-costly", f"The XML has more than {MOST} tags; send less at once.", status=413)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise problem("structure", f"The XML is broken: {error.msg}.") from error


def _resource(node: Any) -> dict[str, Any]:
    name = _name(node, "")
    if name not in r4.TYPE_NUMBER:
        raise _refused(node, "", f"{name} is no resource type of FHIR R4")
    for attribute in node.attrib:
        if attribute != _LOCATION:
            raise _refused(node, name, f"a resource has no attribute {attribute}")
    return {"resourceType": name, **_Reader(struct_of(name), name).members(node)}


def _name(node: Any, place: str) -> str:
    space, _, name = str(node.tag).rpartition("}")
    if space != f"{{{NAMESPACE}":
        raise _refused(node, place, f"{name} is not in the namespace {NAMESPACE}")
    return name


def _refused(node: Any, place: str, words: str) -> Problem:
    return problem("structure", f"At line {node.sourceline}: {words}.", expression=place)


class _Reader:
    """Reads the elements of one object."""

    def __init__(self, struct: type[Struct], place: str) -> None:
        self._struct = struct
        self._known = shape(struct)
        self._place = place
        self._found: dict[str, Any] = {}
        self._at = -1

    def members(self, node: Any) -> dict[str, Any]:
        self._no_text(node)
        order = _order(self._struct)
        attributes = _attributes(self._struct)
        for child in node:
            self._no_tail(child)
            is_narrative = "div" in self._known and child.tag == f"{{{XHTML}}}div"
            name = "div" if is_narrative else _name(child, self._place)
            if name not in order or name in attributes:
                raise _refused(child, self._place, f"{self._struct.__name__} has no element {name}")
            if order[name] < self._at:
                raise _refused(child, f"{self._place}.{name}", f"{name} stands behind what must follow it")
            self._at = order[name]
            self._take(child, self._known[name])
        # of values that are all absent, only what stands beside them is said
        return {key: value for key, value in self._found.items() if not _is_blank(value)}

    def _no_text(self, node: Any) -> None:
        if node.text and node.text.strip():
            raise _refused(node, self._place, f"the text {node.text.strip()[:40]!r} stands outside of any value")

    def _no_tail(self, node: Any) -> None:
        if node.tail and node.tail.strip():
            raise _refused(node, self._place, f"the text {node.tail.strip()[:40]!r} stands outside of any value")

    def _take(self, node: Any, element: Element) -> None:
        place = f"{self._place}.{element.path}"
        value, sibling = self._value(node, element, place)
        name, beside = element.name, f"_{element.name}"
        if not element.many:
            if name in self._found or beside in self._found:
                raise _refused(node, place, f"{name} occurs once")
            self._found |= {key: v for key, v in ((name, value), (beside, sibling)) if v is not None}
            return
        values: list[Any] = self._found.setdefault(name, [])
        values.append(value)
        if element.primitive and (sibling is not None or beside in self._found):
            siblings: list[Any] = self._found.setdefault(beside, [])
            siblings += [None] * (len(values) - 1 - len(siblings)) + [sibling]

    def _value(self, node: Any, element: Element, place: str) -> tuple[Any, Any]:
        if element.type == "Xhtml":
            return _narrative(node), None
        if element.primitive:
            return self._primitive(node, element, place)
        if element.type == "Resource":
            inside = list(node)
            if len(inside) != 1 or node.attrib:
                raise _refused(node, place, f"{element.name} holds one resource and nothing else")
            self._no_text(node)
            return _resource(inside[0]), None
        return _object(node, struct_of(element.type), place), None

    def _primitive(self, node: Any, element: Element, place: str) -> tuple[Any, Any]:
        text = node.get("value")
        beside = _object(node, r4.Element, place, value=True) if len(node) or node.get("id") is not None else None
        if text is None and beside is None:
            raise _refused(node, place, f"{element.name} has neither a value nor an extension")
        for attribute in node.attrib:
            if attribute not in ("id", "value"):
                raise _refused(node, place, f"{element.name} has no attribute {attribute}")
        self._no_text(node)
        return (None if text is None else _typed(text, element.type)), beside


def _is_blank(value: Any) -> bool:
    return isinstance(value, list) and all(each is None for each in value)


def _object(node: Any, struct: type[Struct], place: str, *, value: bool = False) -> dict[str, Any]:
    """Object of an element with its attributes; `value` says that the value beside them is read elsewhere."""
    allowed = _attributes(struct)
    found = {name: text for name, text in node.attrib.items() if name in allowed}
    for name in node.attrib:
        if name not in allowed and not (value and name == "value"):
            raise _refused(node, place, f"{struct.__name__} has no attribute {name}")
    return found | _Reader(struct, place).members(node)


def _narrative(node: Any) -> str:
    alone = deepcopy(node)
    alone.tail = None
    etree.cleanup_namespaces(alone)
    return str(etree.tostring(alone, encoding="unicode"))


def _typed(text: str, type_name: str) -> Any:
    """Give a value as JSON writes it; what does not fit stays text, which `parse` refuses with its place."""
    if type_name == "Boolean":
        return {"true": True, "false": False}.get(text, text)
    if type_name in WHOLE:
        return int(text) if _WHOLE.fullmatch(text) else text
    if type_name == "Decimal" and _NUMBER.fullmatch(text):
        with suppress(InvalidOperation):  # there are exponents that no Decimal has
            return Decimal(text)
    return text
