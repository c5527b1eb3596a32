"""ICD-9-CM volume 3 (procedures) as the ministry lists it: annex 3 of Decision 4440/QĐ-BYT (2020-10-27), an .xlsx file.

The annex gives the procedures of Vietnamese lists their codes; codes, names and chapters are taken from it.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

from .loaded import Loaded
from .workbook import HEADING_WITHIN, rows

SYSTEM = "http://hl7.org/fhir/sid/icd-9-cm"
_CURE = "load the annex of Decision 4440/QĐ-BYT"
_NEEDED = ("Mã ICD-9", "Tên ICD-9", "Chương ICD-9")
_CODE = re.compile(r"\d{2}(\.\d{1,2})?")
_CHAPTER = re.compile(r"\((\d{2}[A-Z]?(?:-\d{2}[A-Z]?)?)\)\s*(.+)")


def read(path: Path) -> Loaded:
    """Read the annex. Raises ValueError that names the right file when it is another."""
    heading: dict[str, int] = {}
    names: dict[str, str] = {}
    chapters: dict[str, str] = {}
    above: dict[str, str] = {}
    for n, cells in enumerate(rows(path)):
        if not heading and n == HEADING_WITHIN:
            break
        if not heading:
            heading = (
                {name: place for place, name in enumerate(cells)} if all(name in cells for name in _NEEDED) else {}
            )
            continue
        code, name, chapter = (cells[heading[each]].strip() if heading[each] < len(cells) else "" for each in _NEEDED)
        if not _CODE.fullmatch(code) or not name:
            continue
        names.setdefault(code, name)
        if found := _CHAPTER.fullmatch(chapter):
            chapters.setdefault(found[1], found[2].strip())
            above.setdefault(code, found[1])
    if not names:
        raise ValueError(f"{path.name} has no columns {', '.join(_NEEDED)}; {_CURE}")
    concepts = [_concept(code, chapters[code], "", chosen=False) for code in sorted(chapters)]
    concepts += [_concept(code, names[code], _parent(code, names, above), chosen=True) for code in sorted(names)]
    system = {
        "resourceType": "CodeSystem", "url": SYSTEM, "version": "4440/QĐ-BYT", "name": "ICD9CM", "status": "active",
        "title": "ICD-9-CM tập 3: phẫu thuật, thủ thuật (4440/QĐ-BYT)", "content": "fragment", "language": "vi",
        "hierarchyMeaning": "is-a", "concept": concepts,
    }  # fmt: skip
    return Loaded(name="icd9cm", system=system, dated=date(2020, 10, 27))


def _parent(code: str, names: dict[str, str], above: dict[str, str]) -> str:
    """The shorter code that is listed too, else the chapter."""
    return next((short for short in (code[:-1], code[:2]) if short != code and short in names), above.get(code, ""))


def _concept(code: str, name: str, parent: str, *, chosen: bool) -> dict[str, Any]:
    properties: list[dict[str, Any]] = [] if chosen else [{"code": "notSelectable", "valueBoolean": True}]
    properties += [{"code": "parent", "valueCode": parent}] if parent else []
    return {"code": code, "display": name, **({"property": properties} if properties else {})}
