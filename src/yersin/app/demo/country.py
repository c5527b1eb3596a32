"""The demo country as a stream: administrative units, facilities, workforce, then household after household.

The same size, seed and day give the same bytes. Nothing is kept of a household once it is handed over, and references
point to what came before, so that any prefix of the stream can be loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from yersin.app.demo import consultations, facilities, history, people, workforce
from yersin.app.demo.chart import Sites
from yersin.app.demo.codes import JSON, META
from yersin.app.demo.patients import Registrar
from yersin.app.demo.places import SIZES, Place, places, population, population_by_province
from yersin.registry import units_data, units_fhir
from yersin.registry.units import REFORM

__all__ = ["SIZES", "generate", "population", "population_by_province"]
UNITS_A_BATCH = 100


def generate(
    size: str, seed: int, today: date, *, consult: consultations.Consult = consultations.write
) -> Iterator[list[JSON]]:
    """Yield the country in batches of FHIR R4 resources; a batch is a few hundred at most, one household or less."""
    network = facilities.network(size)
    yield from _units()
    yield from facilities.registers(size)
    staff: workforce.Staff = {}
    yield from workforce.hire(seed, network, staff)
    registrar = Registrar(network, today)
    for place in places(size):
        station = network[facilities.station_of(place)]
        sites = Sites(
            station=station, centre=network[facilities.centre_of(place)],
            hospital=network[facilities.hospital_of(place.province)], hub=network[station.hubs[0]], staff=staff,
        )  # fmt: skip
        yield from _commune(place, sites, seed, today, registrar, consult)


def _units() -> Iterator[list[JSON]]:
    """Today's provinces and communes; the older generation is loaded by operators who need it."""
    units = units_data.bundled()
    now = sorted(units.at(REFORM), key=lambda unit: (unit.level != "province", unit.code))
    for first in range(0, len(now), UNITS_A_BATCH):
        yield [{**units_fhir.location(unit, units), "meta": META} for unit in now[first : first + UNITS_A_BATCH]]


def _commune(
    place: Place, sites: Sites, seed: int, today: date, registrar: Registrar, consult: consultations.Consult
) -> Iterator[list[JSON]]:
    room, number = place.people, 0
    while room:
        home, rng = people.household(seed, place, number, today, room)
        enrolled = registrar.enrol(home, sites.station)
        batch = [*(one for member in enrolled for one in member), registrar.group(home)]
        for member in range(len(home.members)):
            batch += history.write(home, member, sites, rng, today, consult)
        yield batch
        room -= len(home.members)
        number += 1
