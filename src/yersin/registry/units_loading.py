"""Loads the official list of administrative units, and province boundaries beside it, as `Location` resources.

Boundaries use http://hl7.org/fhir/StructureDefinition/location-boundary-geojson.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from yersin.fhir import parse
from yersin.guard.access import Access
from yersin.guard.writing import Update

from . import units_data, units_fhir
from .units import Unit

BOUNDARY = "http://hl7.org/fhir/StructureDefinition/location-boundary-geojson"
_BATCH = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What was written: units, and how many of them with a boundary."""

    units: int
    boundaries: int


async def load(access: Access, path: Path) -> Loaded:
    """Write the units of a file or folder; a folder beside it or in it named `boundaries-provinces` gives the outlines.

    Raises Problem naming the file that cannot be read.
    """
    units = units_data.load(path, known=units_data.bundled())
    outlines = _outlines(path)
    ordered = sorted(units.all, key=lambda unit: (unit.level != "province", unit.level != "district", unit.id))
    made = [_location(unit, units_fhir.location(unit, units), outlines) for unit in ordered]
    for start in range(0, len(made), _BATCH):
        await access.write([Update(resource=parse(raw)) for raw in made[start : start + _BATCH]])
    current = {unit.code for unit in ordered if unit.level == "province" and unit.valid_to is None}
    return Loaded(units=len(made), boundaries=len(current & outlines.keys()))


def _outlines(path: Path) -> Mapping[str, Any]:
    beside: Sequence[Path] = [path / "boundaries-provinces", path.parent / "boundaries-provinces"]
    folder = next((place for place in beside if place.is_dir()), None)
    return units_data.boundaries(folder) if folder else {}


def _location(unit: Unit, location: dict[str, Any], outlines: Mapping[str, Any]) -> bytes:
    if unit.level == "province" and unit.valid_to is None and unit.code in outlines:
        geojson = msgspec.json.encode(outlines[unit.code])
        attachment = {"contentType": "application/geo+json", "data": base64.b64encode(geojson).decode()}
        made = {"url": BOUNDARY, "valueAttachment": attachment}
        location = {**location, "extension": [*location.get("extension", ()), made]}
    return msgspec.json.encode(location)
