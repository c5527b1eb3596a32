"""Roles and what each may do, as data. What is not named here is refused.

Role codes are those of PractitionerRole.code in the system ROLE_SYSTEM. A permission is `<group>.<verb>`: groups are
`chart` (types of the patient compartment), `directory` (facilities, workforce, definitions) and the further ones named below;
verbs are read and write. Sources: Circular 13/2025/TT-BYT art. 6 (access by task); docs/adr/0006-access.md.
"""

from __future__ import annotations

from collections.abc import Mapping

ROLE_SYSTEM = "urn:yersin:code-system:staff-role"

_CARE = frozenset({"chart.read", "chart.write", "directory.read", "person.find", "person.register", "care.declare"})

ROLES: Mapping[str, frozenset[str]] = {
    "system": frozenset(
        {
            "chart.read",
            "chart.write",
            "directory.read",
            "directory.write",
            "audit.read",
            "person.find",
            "account.write",
            "figures.read",
            "export",
            "views.export",
            "subscriptions.watch",
            "index.make",
            "resources.judge",
            "origins.write",
        }
    ),
    "doctor": _CARE | {"telehealth.ask", "telehealth.answer", "telehealth.sign"},
    "specialist": _CARE | {"telehealth.ask", "telehealth.answer", "telehealth.sign"},
    "nurse": _CARE | {"telehealth.ask"},
    "midwife": _CARE | {"telehealth.ask"},
    "health-worker": _CARE | {"telehealth.ask", "telehealth.sign"},
    "registrar": frozenset({"directory.read", "person.find", "person.register"}),
    "facility-administrator": frozenset(
        {"directory.read", "directory.write", "account.write", "figures.read", "figures.list"}
    ),
    "administrator": frozenset(
        {
            "directory.read",
            "directory.write",
            "account.write",
            "audit.read",
            "figures.read",
            "certificate.revoke",
            "subscriptions.watch",
            "index.make",
            "resources.judge",
            "origins.write",
        }
    ),
    "analyst": frozenset({"directory.read", "figures.read", "views.export"}),
    "auditor": frozenset({"directory.read", "audit.read"}),
    "citizen": frozenset({"chart.read", "directory.read", "record.own"}),
    "nobody": frozenset(),
}

#: titles for people to read; pages translate them
TITLES: Mapping[str, str] = {
    "doctor": "Doctor",
    "specialist": "Specialist",
    "nurse": "Nurse",
    "midwife": "Midwife",
    "health-worker": "Commune health worker",
    "registrar": "Registrar",
    "facility-administrator": "Facility administrator",
    "administrator": "Administrator",
    "analyst": "Analyst",
    "auditor": "Auditor",
    "citizen": "Citizen",
}


def may(role: str, permission: str) -> bool:
    """Whether a role holds a permission; an unknown role holds none."""
    return permission in ROLES.get(role, ())
