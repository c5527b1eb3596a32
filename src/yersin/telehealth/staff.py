"""The asker as a member of staff: the PractitionerRole in which they act here, and the pools they answer for."""

from __future__ import annotations

from dataclasses import dataclass

from yersin.fhir.problem import problem
from yersin.guard.access import Access
from yersin.guard.who import Who
from yersin.search.page import Query

from . import people
from .codes import JSON, id_of, ref
from .reading import content, find

_LICENCE = "http://fhir.ehealth.gov.vn/core/sid/provider-medical-license-number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Somebody in a role at a facility."""

    role: str  # id of the PractitionerRole
    name: str
    organization: str
    organization_name: str
    pools: frozenset[str]

    @property
    def ref(self) -> JSON:
        """Reference to the role, with the person's name."""
        return ref("PractitionerRole", self.role, self.name)

    @property
    def place(self) -> JSON:
        """Reference to the facility."""
        return ref("Organization", self.organization, self.organization_name)


async def post_of(access: Access) -> Post:
    """Post of the asker. Raises Problem (forbidden) for who has none: only licensed staff of a facility consult."""
    who = access.who
    query = posts(who)
    roles = [content(v) for v in (await access.search(query)).versions] if query else []
    if not roles or who.organization_id is None:
        raise problem("forbidden", "Only staff of a facility can work on requests for consultation.", status=403)
    services = {id_of(s, "HealthcareService") for r in roles for s in r.get("healthcareService", ())} - {""}
    return Post(
        role=roles[0]["id"],
        name=who.display,
        organization=who.organization_id,
        organization_name=who.organization_name,
        pools=frozenset(services),
    )


def posts(who: Who) -> Query | None:
    """The search for the PractitionerRoles of somebody where they act now; None for who is no staff."""
    if not who.practitioner_id or not who.organization_id:
        return None
    pairs = (
        ("practitioner", f"Practitioner/{who.practitioner_id}"),
        ("organization", f"Organization/{who.organization_id}"),
        ("active", "true"),
    )
    return Query.of("PractitionerRole", pairs)


async def colleagues(access: Access, pool: str) -> list[JSON]:
    """PractitionerRoles of a pool."""
    return await find(access, "PractitionerRole", ("service", f"HealthcareService/{pool}"), ("active", "true"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Licensed:
    """Somebody of the workforce as a document names them."""

    name: str
    title: str
    licence: str
    facility: str


async def licensed(access: Access, role_reference: JSON) -> Licensed:
    """Name, title, licence number and facility behind a PractitionerRole."""
    role = content(await access.read("PractitionerRole", id_of(role_reference, "PractitionerRole")))
    practitioner = content(await access.read("Practitioner", id_of(role["practitioner"], "Practitioner")))
    title = next((c.get("text", "") for c in role.get("code", ())), "")
    licence = next((i["value"] for i in practitioner.get("identifier", ()) if i.get("system") == _LICENCE), "")
    facility = role.get("organization", {}).get("display", "")
    return Licensed(name=people.name_of(practitioner), title=title, licence=licence, facility=facility)
