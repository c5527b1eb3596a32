"""Where a request goes: the hubs of a facility in the order in which they are asked, and the pool of a specialty at each.

OrganizationAffiliation ties a spoke to its hubs (extension hub-rank); a pool is a HealthcareService of the hub.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from yersin.guard.access import Access
from yersin.search.page import Found, Query

from .codes import EXT_RANK, JSON, SNOMED, code_of, extension, id_of
from .reading import content


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The specialists of one specialty at one hub."""

    hub: str  # Organization
    hub_name: str
    rank: int
    service: str  # HealthcareService
    specialty: str  # SNOMED CT
    specialty_name: str
    concept: JSON


async def pools(access: Access, spoke: str) -> list[Pool]:
    """All pools a facility may ask, first ranks first."""
    return pools_of(await access.search(affiliations(spoke)))


def affiliations(spoke: str) -> Query:
    """The search for what ties a facility to its hubs, with their pools."""
    pairs = [
        ("participating-organization", f"Organization/{spoke}"),
        ("active", "true"),
        ("_include", "OrganizationAffiliation:service"),
        ("_count", "100"),
    ]
    return Query.of("OrganizationAffiliation", pairs)


def pools_of(found: Found) -> list[Pool]:
    """The pools that affiliations name, first ranks first."""
    services = {v.id: content(v) for v in found.included if v.type == "HealthcareService"}
    listed = [pool for v in found.versions for pool in _of(content(v), services)]
    return sorted(listed, key=lambda pool: (pool.rank, pool.specialty_name))


def _of(affiliation: JSON, services: dict[str, JSON]) -> list[Pool]:
    ranks = extension(affiliation, EXT_RANK)
    if not ranks:
        return []
    hub: dict[str, Any] = affiliation["organization"]
    named = [
        services[key]
        for s in affiliation.get("healthcareService", ())
        if (key := id_of(s, "HealthcareService")) in services
    ]
    return [
        Pool(
            hub=id_of(hub, "Organization"),
            hub_name=hub.get("display", ""),
            rank=ranks[0]["valuePositiveInt"],
            service=service["id"],
            specialty=code_of(specialty, SNOMED),
            specialty_name=specialty.get("text", ""),
            concept=specialty,
        )
        for service in named
        if service.get("active", True)
        for specialty in service.get("specialty", ())
    ]


def specialties(listed: list[Pool]) -> list[Pool]:
    """One pool for each specialty: the one asked first."""
    first: dict[str, Pool] = {}
    for pool in listed:
        first.setdefault(pool.specialty, pool)
    return sorted(first.values(), key=lambda pool: pool.specialty_name)
