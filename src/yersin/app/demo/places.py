"""Which communes a demo country uses and how many people each gets. The cast lives in Bắc Hà, Lào Cai, in every size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from yersin.app.demo.chance import stream
from yersin.fhir.problem import problem
from yersin.registry import units_data
from yersin.registry.units import REFORM, Unit
from yersin.registry.units_population import POPULATION

HOME = "02839"  # Xã Bắc Hà
HOME_PROVINCE = "15"
#: provinces of the small country's other communes, from the far north to Cà Mau
SMALL_PROVINCES = ("08", "14", "01", "38", "40", "48", "52", "66", "79", "92", "96")
PEOPLE = {"small": 1_500, "commune": 8_000, "province": 1_000_000, "nation": 10_000_000}
SIZES = tuple(PEOPLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A commune in use, its province, its place in the province's list and how many people it gets."""

    commune: Unit
    province: Unit
    number: int
    people: int

    @property
    def rural(self) -> bool:
        """A commune rather than a ward."""
        return self.commune.kind == "Xã"


@cache
def places(size: str) -> tuple[Place, ...]:
    """List the communes of a size, the home commune first."""
    if size not in PEOPLE:
        raise problem("value", f"Unknown size {size!r}; choose one of {', '.join(SIZES)}")
    counts = _counts(size)
    found = [_place(code, people) for code, people in counts.items() if people]
    return tuple(sorted(found, key=lambda place: (place.commune.code != HOME, place.province.code != HOME_PROVINCE)))


def population(size: str) -> dict[str, int]:
    """How many people each commune of a size has, by commune code."""
    return {place.commune.code: place.people for place in places(size)}


def population_by_province(size: str) -> dict[str, int]:
    """How many people each province of a size has, by province code."""
    sums: dict[str, int] = {}
    for place in places(size):
        sums[place.province.code] = sums.get(place.province.code, 0) + place.people
    return sums


def _counts(size: str) -> dict[str, int]:
    match size:
        case "small":
            return {HOME: 400, **{_commune_of(code): 100 for code in SMALL_PROVINCES}}
        case "commune":
            return {HOME: PEOPLE[size]}
        case "province":
            return _shared({unit.code: _weight(unit) for unit in _communes(HOME_PROVINCE)}, PEOPLE[size])
        case _:
            return _nation(PEOPLE[size])


def _nation(people: int) -> dict[str, int]:
    provinces = _shared({code: float(row.people) for code, row in POPULATION.items()}, people)
    shares = (_shared({unit.code: _weight(unit) for unit in _communes(code)}, n) for code, n in provinces.items())
    return {code: people for share in shares for code, people in share.items()}


def _shared(weights: dict[str, float], whole: int) -> dict[str, int]:
    """Share a whole number by weight; the largest part takes what rounding leaves."""
    total = sum(weights.values())
    parts = {code: int(whole * weight / total) for code, weight in weights.items()}
    parts[max(parts, key=lambda code: parts[code])] += whole - sum(parts.values())
    return parts


def _weight(unit: Unit) -> float:
    base = {"Phường": 2.0, "Xã": 1.0}.get(unit.kind, 0.1)
    return base * stream(0, "weight", unit.code).uniform(0.6, 1.4)


def _communes(province: str) -> tuple[Unit, ...]:
    return units_data.bundled().children(province, REFORM)


def _commune_of(province: str) -> str:
    rural = [unit.code for unit in _communes(province) if unit.kind == "Xã"]
    return stream(0, "small", province).choice(rural)


def _place(code: str, people: int) -> Place:
    units = units_data.bundled()
    commune = units.find(code, REFORM)
    province = units.find(commune.parent, REFORM) if commune else None
    if commune is None or province is None:
        raise problem("not-found", f"No commune with code {code} in the tables of administrative units")
    number = next(n for n, unit in enumerate(_communes(province.code)) if unit.code == code)
    return Place(commune=commune, province=province, number=number, people=people)
