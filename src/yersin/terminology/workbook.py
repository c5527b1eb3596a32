"""Reads the first sheet of an Office Open XML workbook (.xlsx) as rows of text. Source: ECMA-376 part 1, 18.3 and 18.4."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from lxml import etree

_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_COLUMN = re.compile(r"[A-Z]+")
#: rows within which a list says what its columns are
HEADING_WITHIN = 50
_SIZE_LIMIT = 200 * 1024 * 1024


def rows(path: Path) -> Iterator[list[str]]:
    """Rows of the first sheet. Raises ValueError for what is no workbook, or one too large to be a list."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(part.file_size for part in archive.infolist()) > _SIZE_LIMIT:
                raise ValueError(f"{path.name} unpacks to more than {_SIZE_LIMIT >> 20} MB")
            with archive.open("xl/sharedStrings.xml") as part:
                strings = [_text(item) for item in _elements(part, "si")]
            with archive.open("xl/worksheets/sheet1.xml") as part:
                for row in _elements(part, "row"):
                    yield _cells(row, strings)
    except (zipfile.BadZipFile, KeyError, etree.XMLSyntaxError) as error:
        raise ValueError(f"{path.name} is not a workbook in .xlsx format") from error


def _elements(part: IO[bytes], name: str) -> Iterator[Any]:
    """Elements of a name as they end, each forgotten after use; no entity is resolved and nothing is fetched."""
    for _, element in etree.iterparse(part, tag=_NS + name, resolve_entities=False, no_network=True):
        yield element
        element.clear()


def _text(item: Any) -> str:
    return "".join(t.text or "" for t in item.iter(_NS + "t"))


def _cells(row: Any, strings: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in row:
        place = _place(cell.get("r", ""))
        cells += [""] * (place - len(cells))
        cells.append(_value(cell, strings))
    return cells


def _place(reference: str) -> int:
    """Zero-based column of `AB12`."""
    found = _COLUMN.match(reference)
    number = 0
    for letter in found[0] if found else "A":
        number = number * 26 + ord(letter) - 64
    return number - 1


def _value(cell: Any, strings: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return _text(cell)
    value = cell.find(_NS + "v")
    text = value.text or "" if value is not None else ""
    return strings[int(text)] if cell.get("t") == "s" and text else text
