"""LOINC from its own release: the zip file of loinc.org, or the table Loinc.csv out of it, with the hierarchy where it is there.

LOINC is copyright Regenstrief Institute and is not shipped: whoever loads it accepts its licence (https://loinc.org/license).
Source of columns: https://loinc.org/kb/users-guide/loinc-database-structure/
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .loaded import Loaded, opened

SYSTEM = "http://loinc.org"
COPYRIGHT = (
    "This content LOINC® is copyright © 1995 Regenstrief Institute, Inc. and the LOINC Committee, and available at no cost "
    "under the license at https://loinc.org/license"
)
_CURE = "load Loinc_2.xx.zip as loinc.org gives it, or LoincTable/Loinc.csv out of it"
_NEEDED = (
    "LOINC_NUM", "COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP", "CLASS", "STATUS",
    "LONG_COMMON_NAME",
)  # fmt: skip
_PROPERTIES = (
    "COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP", "CLASS", "STATUS", "ORDER_OBS",
    "EXAMPLE_UCUM_UNITS",
)  # fmt: skip
_NAMES = ("SHORTNAME", "DisplayName", "CONSUMER_NAME")
_VERSION = re.compile(r"(\d+\.\d+)")
_PART_NUMBER = re.compile(r"LP\d+-\d")
_FIELD_LIMIT = 1_000_000


def read(path: Path) -> Loaded:
    """Read a release. Raises ValueError that names the right file when it is another."""
    csv.field_size_limit(_FIELD_LIMIT)
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _made(path.name, _table(path.name, file), [])
    with opened(path, _CURE) as archive:
        table = _inside(archive.namelist(), "LoincTable/Loinc.csv") or _inside(archive.namelist(), "Loinc.csv")
        tree = _inside(archive.namelist(), "ComponentHierarchyBySystem.csv")
        if not table:
            raise ValueError(f"{path.name} holds no Loinc.csv; {_CURE}")
        with archive.open(table) as part:
            rows = list(_table(path.name, io.TextIOWrapper(part, "utf-8-sig", newline="")))
        links = []
        if tree:
            with archive.open(tree) as part:
                links = list(csv.DictReader(io.TextIOWrapper(part, "utf-8-sig", newline="")))
        named = _VERSION.search(path.name) or _VERSION.search(table)
        return _made(named[1] if named else "", rows, links)


def _inside(names: Iterable[str], ending: str) -> str:
    return next((name for name in names if name.endswith(ending)), "")


def _table(name: str, file: Iterable[str]) -> Iterator[dict[str, str]]:
    try:
        rows = csv.DictReader(file)
        missing = [column for column in _NEEDED if column not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(f"{name} has no column {', '.join(missing)}; {_CURE}")
        yield from rows
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{name} is no table of LOINC in UTF-8; {_CURE}") from error


def _made(named: str, rows: Iterable[dict[str, str]], links: Iterable[dict[str, str]]) -> Loaded:
    listed = list(rows)
    changed = [row.get("VersionLastChanged") or "" for row in listed]
    newest = max((c for c in changed if re.fullmatch(r"\d+(\.\d+)*", c)), key=_numbers, default="")
    found = _VERSION.search(named)
    parents, groups = _hierarchy(links)
    concepts = [*groups, *(_concept(row, parents.get(row["LOINC_NUM"], [])) for row in listed if row["LOINC_NUM"])]
    system = {
        "resourceType": "CodeSystem", "url": SYSTEM, "version": found[1] if found else newest, "name": "LOINC",
        "title": "LOINC", "status": "active", "content": "complete", "caseSensitive": False, "hierarchyMeaning": "is-a",
        "language": "en", "copyright": COPYRIGHT, "concept": concepts,
    }  # fmt: skip
    return Loaded(name="loinc", system=system, dated=None)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _concept(row: dict[str, str], parents: Iterable[str]) -> dict[str, Any]:
    properties: list[dict[str, Any]] = [
        {"code": name, "valueString": row[name]} for name in _PROPERTIES if row.get(name)
    ]
    properties += [{"code": "parent", "valueCode": parent} for parent in parents]
    if row["STATUS"] == "DEPRECATED":
        properties.append({"code": "inactive", "valueBoolean": True})
    named = [{"language": "en", "value": row[name]} for name in _NAMES if row.get(name)]
    made: dict[str, Any] = {"code": row["LOINC_NUM"], "display": row["LONG_COMMON_NAME"], "property": properties}
    return {**made, "designation": named} if named else made


def _hierarchy(links: Iterable[dict[str, str]]) -> tuple[dict[str, list[str]], list[dict[str, Any]]]:
    """Parents of every code, and the groups that are no tests themselves, each before those below it."""
    parents: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for link in links:
        code, parent = link.get("CODE", ""), link.get("IMMEDIATE_PARENT", "")
        if parent:
            parents.setdefault(code, []).append(parent)
        if _PART_NUMBER.fullmatch(code):
            names[code] = link.get("CODE_TEXT", "")
    groups = []
    for code, name in names.items():
        above = [{"code": "parent", "valueCode": parent} for parent in dict.fromkeys(parents.get(code, ()))]
        groups.append(
            {"code": code, "display": name, "property": [{"code": "notSelectable", "valueBoolean": True}, *above]}
        )
    return {code: list(dict.fromkeys(found)) for code, found in parents.items()}, groups
