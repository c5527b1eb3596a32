"""Invented facilities in real places: stations, regional health centres, provincial and central hospitals.

Levels are those of Law 15/2023 (initial, basic, specialised). OrganizationAffiliation ties a spoke to its hubs in the
order in which they are asked. No name is that of a real facility: each ends in "(mẫu)" or stands for a commune's station.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from yersin.app.demo import places
from yersin.app.demo.chance import uid
from yersin.app.demo.codes import (
    FACILITY_CODE,
    FACILITY_KIND,
    HUB_RANK,
    JSON,
    SPECIALTIES,
    TECHNICAL_LEVEL,
    TERMS,
    coding,
    concept,
    ref,
    resource,
)
from yersin.registry import units_data
from yersin.registry.units import REFORM, Unit
from yersin.registry.units_fhir import address_extension

#: name, province and which of its wards; the first is the hub of the cast
CENTRALS = (
    ("Bệnh viện Đa khoa Trung ương Sông Hồng (mẫu)", "01", 3),
    ("Bệnh viện Đa khoa Trung ương Hồ Xanh (mẫu)", "01", 8),
    ("Bệnh viện Đa khoa Trung ương Sông Hương (mẫu)", "46", 0),
    ("Bệnh viện Đa khoa Trung ương Phương Nam (mẫu)", "79", 0),
    ("Bệnh viện Đa khoa Trung ương Cửu Long (mẫu)", "92", 0),
)
HOSPITAL_SPECIALTIES = tuple(key for key in SPECIALTIES if key != "general")
PROVINCIAL_SPECIALTIES = ("internal", "cardiology", "endocrinology", "respiratory", "infectious", "paediatrics",
                          "obstetrics", "surgery", "radiology")  # fmt: skip
COMMUNES_PER_CENTRE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of facility: its code, names and technical level."""

    code: str
    vi: str
    en: str
    level: str
    specialties: tuple[str, ...]


KINDS = {
    kind.code: kind
    for kind in (
        Kind(code="ministry", vi="Cơ quan quản lý", en="Health authority", level="", specialties=()),
        Kind(code="insurer", vi="Cơ quan bảo hiểm xã hội", en="Social insurance", level="", specialties=()),
        Kind(code="central-hospital", vi="Bệnh viện tuyến trung ương", en="Central hospital", level="specialised",
             specialties=HOSPITAL_SPECIALTIES),
        Kind(code="provincial-hospital", vi="Bệnh viện tuyến tỉnh", en="Provincial hospital", level="basic",
             specialties=PROVINCIAL_SPECIALTIES),
        Kind(code="health-centre", vi="Trung tâm y tế khu vực", en="Regional health centre", level="basic",
             specialties=("internal", "paediatrics", "obstetrics")),
        Kind(code="station", vi="Trạm y tế", en="Commune health station", level="initial", specialties=("general",)),
    )
}  # fmt: skip
LEVELS = {"initial": "Cấp ban đầu", "basic": "Cấp cơ bản", "specialised": "Cấp chuyên sâu"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """A facility; `hubs` are asked for help in this order."""

    key: str
    name: str
    kind: Kind
    commune: Unit
    province: Unit
    parent: str = ""  # key of the facility above
    hubs: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Id of its Organization."""
        return uid(f"organization/{self.key}")

    @property
    def location_id(self) -> str:
        """Id of its Location."""
        return uid(f"location/{self.key}")

    def service_id(self, specialty: str) -> str:
        """Id of the HealthcareService of a specialty: the pool that requests are routed to."""
        return uid(f"service/{self.key}/{specialty}")


@cache
def network(size: str) -> dict[str, Facility]:
    """All facilities of a size by key, those above before those below."""
    made = [*_authorities(), *_centrals(), *_provincials()]
    made += _local(size)
    return {facility.key: facility for facility in made}


def station_of(place: places.Place) -> str:
    """Key of the station of a commune."""
    return f"station/{place.commune.code}"


def centre_of(place: places.Place) -> str:
    """Key of the regional health centre above a station."""
    return f"centre/{place.province.code}/{place.number // COMMUNES_PER_CENTRE}"


def hospital_of(province: Unit) -> str:
    """Key of the provincial hospital."""
    return f"provincial/{province.code}"


def registers(size: str) -> Iterator[list[JSON]]:
    """Organizations, Locations, HealthcareServices and OrganizationAffiliations, facility by facility."""
    facilities = network(size)
    for number, facility in enumerate(facilities.values()):
        yield [_organization(facility, number), _location(facility), *_services(facility)]
    for facility in facilities.values():
        if facility.hubs:
            yield [_affiliation(facility, facilities[hub], rank) for rank, hub in enumerate(facility.hubs, 1)]


def _authorities() -> list[Facility]:
    home, province = _ward("01", 0)
    return [
        Facility(key="ministry", name="Bộ Y tế (mẫu)", kind=KINDS["ministry"], commune=home, province=province),
        Facility(key="insurer", name="Bảo hiểm xã hội Việt Nam (mẫu)", kind=KINDS["insurer"], commune=home,
                 province=province),
    ]  # fmt: skip


def _centrals() -> list[Facility]:
    kind = KINDS["central-hospital"]
    made = []
    for number, (name, code, ward) in enumerate(CENTRALS):
        commune, province = _ward(code, ward)
        made.append(
            Facility(
                key=f"central/{number}", name=name, kind=kind, commune=commune, province=province, parent="ministry"
            )
        )
    return made


def _provincials() -> list[Facility]:
    units = units_data.bundled()
    kind = KINDS["provincial-hospital"]
    made = []
    for province in units.children("", REFORM):
        wards = [unit for unit in units.children(province.code, REFORM) if unit.kind == "Phường"]
        commune = (wards or list(units.children(province.code, REFORM)))[0]
        title = "tỉnh" if province.kind == "Tỉnh" else "thành phố"
        name = f"Bệnh viện Đa khoa {title} {province.name} (mẫu)"
        made.append(
            Facility(key=hospital_of(province), name=name, kind=kind, commune=commune, province=province,
                     parent="ministry", hubs=_central_hubs(province.code))
        )  # fmt: skip
    return made


def _local(size: str) -> list[Facility]:
    centres: dict[str, Facility] = {}
    stations = []
    for place in places.places(size):
        centre, hospital = centre_of(place), hospital_of(place.province)
        if centre not in centres:
            centres[centre] = _centre(place, centre, hospital)
        hubs = (*_central_hubs(place.province.code), hospital)
        name = f"Trạm Y tế {place.commune.kind.lower()} {place.commune.name}"
        stations.append(
            Facility(key=station_of(place), name=name, kind=KINDS["station"], commune=place.commune,
                     province=place.province, parent=centre, hubs=hubs)
        )  # fmt: skip
    return [*centres.values(), *stations]


def _centre(place: places.Place, key: str, hospital: str) -> Facility:
    name = f"Trung tâm Y tế khu vực {place.commune.name} (mẫu)"
    return Facility(
        key=key, name=name, kind=KINDS["health-centre"], commune=place.commune, province=place.province,
        parent=hospital, hubs=(hospital,),
    )  # fmt: skip


def _central_hubs(province: str) -> tuple[str, ...]:
    """Two central hospitals, the nearer region first."""
    if province < "42":
        return ("central/0", "central/1")
    if province < "56":
        return ("central/2", "central/0")
    return ("central/4", "central/3") if province >= "82" else ("central/3", "central/4")


def _ward(code: str, number: int) -> tuple[Unit, Unit]:
    units = units_data.bundled()
    province = next(unit for unit in units.children("", REFORM) if unit.code == code)
    wards = [unit for unit in units.children(code, REFORM) if unit.kind == "Phường"]
    return wards[number], province


def _organization(facility: Facility, number: int) -> JSON:
    kind = facility.kind
    types: list[JSON] = [
        {"coding": [coding(TERMS + "organization-type", "prov", "Healthcare Provider")]},
        concept(FACILITY_KIND, kind.code, kind.en, kind.vi),
    ]
    if kind.level:
        types.append(concept(TECHNICAL_LEVEL, kind.level, LEVELS[kind.level]))
    return resource(
        "Organization", facility.id,
        identifier=[{"system": FACILITY_CODE, "value": f"99{_base36(number)}"}],
        active=True, type=types if kind.code not in {"ministry", "insurer"} else types[1:2], name=facility.name,
        telecom=[{"system": "phone", "value": f"+84 900 {number % 1000:03d} 000", "use": "work"}],
        address=[_address(facility)],
        partOf=ref("Organization", uid(f"organization/{facility.parent}")) if facility.parent else None,
    )  # fmt: skip


def _location(facility: Facility) -> JSON:
    commune = facility.commune
    return resource(
        "Location", facility.location_id,
        status="active", name=facility.name, mode="instance",
        type=[concept(FACILITY_KIND, facility.kind.code, facility.kind.en, facility.kind.vi)],
        address=_address(facility),
        physicalType={"coding": [coding(TERMS + "location-physical-type", "bu", "Building")]},
        position={"longitude": commune.lon, "latitude": commune.lat},
        managingOrganization=ref("Organization", facility.id), partOf=ref("Location", commune.id, commune.full_name),
    )  # fmt: skip


def _services(facility: Facility) -> list[JSON]:
    return [
        resource(
            "HealthcareService", facility.service_id(key),
            active=True, providedBy=ref("Organization", facility.id, facility.name),
            specialty=[SPECIALTIES[key].concept], location=[ref("Location", facility.location_id)],
            name=f"{SPECIALTIES[key].vi}, {facility.name}",
        )
        for key in facility.kind.specialties
    ]  # fmt: skip


def _affiliation(spoke: Facility, hub: Facility, rank: int) -> JSON:
    services = [ref("HealthcareService", hub.service_id(key)) for key in hub.kind.specialties]
    return resource(
        "OrganizationAffiliation", uid(f"affiliation/{spoke.key}/{hub.key}"),
        extension=[{"url": HUB_RANK, "valuePositiveInt": rank}], active=True, period={"start": "2025-07-01"},
        organization=ref("Organization", hub.id, hub.name),
        participatingOrganization=ref("Organization", spoke.id, spoke.name),
        code=[concept("urn:yersin:code-system:affiliation", "telehealth-hub", "Telehealth hub", "Tuyến trên hỗ trợ từ xa")],
        specialty=[SPECIALTIES[key].concept for key in hub.kind.specialties], healthcareService=services,
    )  # fmt: skip


def _address(facility: Facility) -> JSON:
    commune, province = facility.commune, facility.province
    return {
        "extension": [address_extension(commune, province)],
        "use": "work",
        "text": f"{commune.full_name}, {province.full_name}",
        "district": commune.full_name,
        "state": province.full_name,
        "country": "VN",
    }


def _base36(number: int) -> str:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return digits[number // 1296] + digits[number // 36 % 36] + digits[number % 36]
