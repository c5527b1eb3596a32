"""Where the administrative units come from.

`bundled()` reads the tables of the installed package vietnamadminunits (MIT): only its data files are opened, its code
is never imported (its geocoder sends addresses over the network). `load(path)` reads the official list that an operator
holds: JSON of the statistics office's service as published by vietnamese-provinces-database, plain or gzip.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from yersin.fhir.problem import Problem, problem
from yersin.registry.units import LAST_DAY_BEFORE, REFORM, Succession, Unit, Units, unaccented

OLD_BASIS = "Quyết định 124/2004/QĐ-TTg (đã sửa đổi)"
NEW_PROVINCES = "Nghị quyết 202/2025/QH15; Quyết định 19/2025/QĐ-TTg"
NEW_COMMUNES = "Nghị quyết sắp xếp đơn vị hành chính cấp xã năm 2025 (UBTVQH15); Quyết định 19/2025/QĐ-TTg"
ENGLISH_NAMES = {"01": "Hanoi", "31": "Haiphong"}
#: the package places this district of the time before 2025 in Đà Nẵng's centre; this is the archipelago
OLD_POSITIONS = {"498": (16.568, 112.135)}

_LEGACY = """
select provinceCode, province, provinceShort, provinceLat, provinceLon, districtCode, districtType, districtShort,
       districtLat, districtLon, wardCode, wardType, wardShort, wardLat, wardLon
from admin_units_legacy order by rowid"""
_CURRENT = """
select provinceCode, province, provinceShort, provinceLat, provinceLon, wardCode, wardType, wardShort, wardLat, wardLon,
       wardAreaKm2 from admin_units order by rowid"""


@cache
def bundled() -> Units:
    """Both generations and the map between them, from the installed package."""
    folder = _folder()
    with sqlite3.connect(f"file:{folder / 'dataset.db'}?mode=ro&immutable=1", uri=True) as tables:
        units = (*_old(tables), *_new(tables))
        steps = tuple(_successions(tables, json.loads((folder / "converter_2025.json").read_bytes())))
    tables.close()
    return Units(units, steps)


def load(path: Path, *, known: Units | None = None) -> Units:
    """Take the units valid now from the official list; keep the older generation and positions already known."""
    known = known or bundled()
    listed = tuple(_listed(path, known))
    if not listed:
        raise problem("incomplete", f"{path} holds no administrative unit; give the JSON list of provinces with Wards")
    older = tuple(unit for unit in known.all if unit.valid_to is not None)
    renamed = {unit.code: _same(unit, known).code for unit in listed}
    codes = {before: now for now, before in renamed.items()}
    steps = [
        replace(step, new=codes[step.new])
        for unit in older
        for step in known.successors(unit.code)
        if step.new in codes
    ]
    return Units((*older, *listed), steps)


def boundaries(folder: Path) -> dict[str, dict[str, Any]]:
    """GeoJSON geometries of provinces by code, from a folder of `*.geojson` or `*.geojson.gz` files."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((*folder.glob("*.geojson"), *folder.glob("*.geojson.gz"))):
        for feature in _json(path).get("features", []):
            found[str(feature["properties"]["code"])] = feature["geometry"]
    if not found:
        raise problem("not-found", f"{folder} holds no *.geojson or *.geojson.gz file of a province")
    return found


def _folder() -> Path:
    spec = find_spec("vietnamadminunits")
    if spec is None or not spec.submodule_search_locations:
        raise problem("not-found", "The package vietnamadminunits is not installed; run `make setup`", status=500)
    return Path(spec.submodule_search_locations[0]) / "data"


def _old(tables: sqlite3.Connection) -> Iterator[Unit]:
    seen: set[str] = set()
    for row in tables.execute(_LEGACY):
        province, district, ward = row[:5], row[5:10], row[10:]
        for level, code, kind, name, place, parent in (
            ("province", province[0], _kind(province[1], province[2]), province[2], province[3:], ""),
            ("district", district[0], district[1], district[2], district[3:], province[0]),
            ("commune", ward[0], ward[1], ward[2], ward[3:], district[0]),
        ):
            if code and code not in seen:
                seen.add(code)
                lat, lon = OLD_POSITIONS.get(code, place)
                yield _unit(level, code, kind, name, lat=lat, lon=lon, parent=parent, **_BEFORE)


def _new(tables: sqlite3.Connection) -> Iterator[Unit]:
    seen: set[str] = set()
    for province, full, short, lat, lon, code, kind, name, ward_lat, ward_lon, area in tables.execute(_CURRENT):
        if province not in seen:
            seen.add(province)
            yield _unit("province", province, _kind(full, short), short, lat=lat, lon=lon, **_SINCE)
        yield _unit(
            "commune", code, kind, name, parent=province, lat=ward_lat, lon=ward_lon, area_km2=area, **_SINCE_COMMUNE
        )


_BEFORE: dict[str, Any] = {"valid_to": LAST_DAY_BEFORE, "legal_basis": OLD_BASIS}
_SINCE: dict[str, Any] = {"valid_from": REFORM, "legal_basis": NEW_PROVINCES}
_SINCE_COMMUNE: dict[str, Any] = {"valid_from": REFORM, "legal_basis": NEW_COMMUNES}


def _unit(level: str, code: str, kind: str, name: str, **rest: Any) -> Unit:
    english = ENGLISH_NAMES.get(code) if level == "province" else None
    return Unit(code=code, level=level, kind=kind, name=name, name_en=english or unaccented(name), **rest)


def _kind(full: str, short: str) -> str:
    return full.removesuffix(short).strip()


def _successions(tables: sqlite3.Connection, converter: dict[str, Any]) -> Iterator[Succession]:
    rows = tables.execute(
        "select provinceKey, districtKey, wardKey, provinceCode, districtCode, wardCode from admin_units_legacy"
    )
    old: dict[str, str] = {}
    for province, district, ward, *codes in rows:
        old[province] = codes[0]
        old[f"{province}_{district}_{ward or ''}"] = codes[2] or codes[1]
    new: dict[tuple[str, str], str] = {}
    for province, ward, *codes in tables.execute(
        "select provinceKey, wardKey, provinceCode, wardCode from admin_units"
    ):
        new[province, ""], new[province, ward] = codes
    for province, olds in converter["DICT_PROVINCE"].items():
        yield from (Succession(old=old[key], new=new[province, ""]) for key in olds)
    for province, communes in converter["DICT_PROVINCE_WARD_NO_DIVIDED"].items():
        yield from (
            Succession(old=old[key], new=new[province, ward]) for ward, keys in communes.items() for key in keys
        )
    for province, communes in converter["DICT_PROVINCE_WARD_DIVIDED"].items():
        for key, parts in communes.items():
            yield from (Succession(old=old[key], new=new[province, part["newWardKey"]], whole=False) for part in parts)


def _listed(path: Path, known: Units) -> Iterator[Unit]:
    for province in _provinces(path):
        yield _official(province, "province", "", known)
        for ward in province.get("Wards") or ():
            yield _official(ward, "commune", province["Code"], known)


def _provinces(path: Path) -> list[dict[str, Any]]:
    files = sorted((*path.glob("*.json"), *path.glob("*.json.gz"))) if path.is_dir() else [path]
    if not files:
        raise problem("not-found", f"{path} holds no .json or .json.gz file of administrative units")
    listed = _json(next((file for file in files if file.name.startswith("full")), files[0]))
    if not isinstance(listed, list) or not all(isinstance(one, dict) and "Code" in one for one in listed):
        raise problem("structure", f"{files[0]} is not a list of provinces, each with Code, FullName and Wards")
    return listed


def _official(row: dict[str, Any], level: str, parent: str, known: Units) -> Unit:
    full, name = row["FullName"], row["Name"]
    made = Unit(
        code=row["Code"], level=level, kind=_kind(full, name), name=name,
        name_en=row.get("NameEn") or unaccented(name), parent=parent, valid_from=_since(row),
        legal_basis=NEW_COMMUNES if parent else NEW_PROVINCES,
    )  # fmt: skip
    before = _same(made, known)
    return replace(made, lat=before.lat, lon=before.lon, area_km2=before.area_km2)


def _same(unit: Unit, known: Units) -> Unit:
    """Find the unit as known so far: by code, or by name in its province where the code was corrected since."""
    found = known.find(unit.code, REFORM)
    namesakes = known.named(unit.full_name, REFORM, level=unit.level) if found is None else ()
    return found or next((one for one in namesakes if one.parent == unit.parent), unit)


def _since(row: dict[str, Any]) -> date:
    return date.fromisoformat(row["ValidFrom"]) if row.get("ValidFrom") else REFORM


def _json(path: Path) -> Any:
    try:
        text = path.read_bytes()
        return json.loads(gzip.decompress(text) if path.suffix == ".gz" else text)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> Problem:
    return problem("invalid", f"{path} cannot be read as JSON: {error}")
