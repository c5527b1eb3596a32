"""Administrative units as FHIR Location resources, and as the extension VN Core adds to an Address.

Sources: https://hl7.org/fhir/R4/location.html, VN Core 1.0.0 (extension-administrative-address), where the code
system of the statistics office is named. The period of validity is an extension: R4 Location has no period.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from yersin.registry.units import Unit, Units

UNIT_CODES = "http://fhir.ehealth.gov.vn/core/CodeSystem/vn-core-administrative-address"
ADDRESS_EXTENSION = "http://fhir.ehealth.gov.vn/core/StructureDefinition/extension-administrative-address"
VALID_PERIOD = "urn:yersin:extension:valid-period"
LEGAL_BASIS = "urn:yersin:extension:legal-basis"
SUCCEEDED_BY = "urn:yersin:extension:succeeded-by"
UNIT_LEVEL = "urn:yersin:code-system:administrative-level"
PHYSICAL_TYPE = "http://terminology.hl7.org/CodeSystem/location-physical-type"

LEVEL_NAMES = {
    "province": "Tỉnh, thành phố trực thuộc trung ương",
    "district": "Huyện, quận, thị xã",
    "commune": "Xã, phường, đặc khu",
}


def locations(units: Units) -> Iterator[dict[str, Any]]:
    """Every unit as a Location: what is referred to comes first, so the present, then the past, each from above."""
    rank = {"province": 0, "district": 1, "commune": 2}
    for unit in sorted(units.all, key=lambda unit: (unit.valid_to is not None, rank[unit.level], unit.code)):
        yield location(unit, units)


def location(unit: Unit, units: Units) -> dict[str, Any]:
    """One unit as a Location of physical type jdn (jurisdiction)."""
    made: dict[str, Any] = {
        "resourceType": "Location",
        "id": unit.id,
        "extension": _extensions(unit, units),
        "identifier": [{"system": UNIT_CODES, "value": unit.code, **_period("period", unit)}],
        "status": "active" if unit.valid_to is None else "inactive",
        "name": unit.full_name,
        "alias": [unit.full_name_en, unit.name],
        "mode": "instance",
        "type": [{"coding": [{"system": UNIT_LEVEL, "code": unit.level, "display": LEVEL_NAMES[unit.level]}]}],
        "physicalType": {"coding": [{"system": PHYSICAL_TYPE, "code": "jdn", "display": "Jurisdiction"}]},
    }
    if unit.lat is not None and unit.lon is not None:
        made["position"] = {"longitude": unit.lon, "latitude": unit.lat}
    above = units.path(unit)[1:2]
    if above:
        made["partOf"] = {"reference": f"Location/{above[0].id}", "display": above[0].full_name}
    return {key: value for key, value in made.items() if value}


def address_extension(commune: Unit, province: Unit) -> dict[str, Any]:
    """Codes of an address in the two-level administration: province (`state`) and commune (`ward`)."""
    return {
        "url": ADDRESS_EXTENSION,
        "extension": [
            {"url": part, "valueCodeableConcept": {"coding": [_coding(unit)]}}
            for part, unit in (("state", province), ("ward", commune))
        ],
    }


def _coding(unit: Unit) -> dict[str, str]:
    return {"system": UNIT_CODES, "code": unit.code, "display": unit.full_name}


def _extensions(unit: Unit, units: Units) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    period = _period("valuePeriod", unit)
    if period:
        made.append({"url": VALID_PERIOD, **period})
    if unit.legal_basis:
        made.append({"url": LEGAL_BASIS, "valueString": unit.legal_basis})
    if unit.valid_to is not None:
        made.extend(
            {"url": SUCCEEDED_BY, "valueReference": {"reference": f"Location/vn-2025-{step.new}"}}
            for step in units.successors(unit.code)
        )
    return made


def _period(name: str, unit: Unit) -> dict[str, Any]:
    ends = {"start": unit.valid_from, "end": unit.valid_to}
    period = {key: day.isoformat() for key, day in ends.items() if day}
    return {name: period} if period else {}
