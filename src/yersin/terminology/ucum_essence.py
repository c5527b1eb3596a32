"""Units of UCUM from its own file, ucum-essence.xml, so that they can be found by name; composed ones are read by grammar.

UCUM is copyright Regenstrief Institute and the UCUM Organization (https://ucum.org/license). Source: https://ucum.org/ucum-essence.xml
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from lxml import etree

from yersin.fhir import ucum

from .loaded import Loaded

_NS = "{http://unitsofmeasure.org/ucum-essence}"
_CURE = "load ucum-essence.xml as ucum.org gives it"
_SIZE_LIMIT = 32 * 1024 * 1024


def read(path: Path) -> Loaded:
    """Read the file. Raises ValueError that names the right file when it is another."""
    if path.stat().st_size > _SIZE_LIMIT:
        raise ValueError(f"{path.name} is too large; {_CURE}")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(path.read_bytes(), parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"{path.name} is no XML file; {_CURE}") from error
    if root.tag != f"{_NS}root":
        raise ValueError(f"{path.name} is no list of UCUM units; {_CURE}")
    concepts = [_concept(unit) for unit in root if unit.tag in (f"{_NS}base-unit", f"{_NS}unit")]
    if not concepts:
        raise ValueError(f"{path.name} lists no unit; {_CURE}")
    system = {
        "resourceType": "CodeSystem", "url": ucum.SYSTEM, "version": root.get("version", ""), "name": "UCUM",
        "title": "Unified Code for Units of Measure", "status": "active", "content": "fragment", "language": "en",
        "caseSensitive": True, "concept": concepts,
    }  # fmt: skip
    return Loaded(name="ucum", system=system, dated=_dated(root))


def _dated(root: Any) -> date | None:
    """The day of the release, as `$Date: 2017-11-21 19:04:52 -0500$` or `2024-06-17` writes it."""
    digits = root.get("revision-date", "").removeprefix("$Date:").strip()[:10]
    try:
        return date.fromisoformat(digits)
    except ValueError:
        return None


def _concept(unit: Any) -> dict[str, Any]:
    texts = {name: [_text(each) for each in unit.findall(_NS + name)] for name in ("name", "printSymbol", "property")}
    names = [name for name in texts["name"] if name] or [unit.get("Code")]
    more = [*names[1:], *(symbol for symbol in texts["printSymbol"] if symbol)]
    made: dict[str, Any] = {"code": unit.get("Code"), "display": names[0]}
    if more:
        made["designation"] = [{"language": "en", "value": name} for name in more]
    if texts["property"]:
        made["property"] = [{"code": "property", "valueString": texts["property"][0]}]
    return made


def _text(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())
