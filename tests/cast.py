"""The cast of the guard's tests, all invented: two facilities, their doctors, patients in the care of one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from yersin.fhir import parse
from yersin.guard.access import Access
from yersin.guard.who import Who
from yersin.guard.writing import Create, Update
from yersin.store.identity import new_id

DAY = timedelta(days=1)


def moment(away: timedelta) -> str:
    """A moment that lies so far from now."""
    return (datetime.now(UTC) + away).isoformat(timespec="seconds")


@dataclass
class Cast:
    """Two facilities and the people in them; `here` treats, `there` is a stranger."""

    run: Callable[..., Any]
    system: Access
    here: UUID = field(default_factory=new_id)
    there: UUID = field(default_factory=new_id)

    def __post_init__(self) -> None:
        for org, name in ((self.here, "Trạm Y tế Thử"), (self.there, "Bệnh viện Khác")):
            self.write({"resourceType": "Organization", "id": str(org), "name": name})

    def write(self, resource: dict[str, Any], access: Access | None = None) -> dict[str, Any]:
        """Write a resource, as the system unless someone else is named."""
        parsed = parse(msgspec.json.encode(resource))
        change = Update(resource=parsed) if resource.get("id") else Create(resource=parsed)
        (written,) = self.run((access or self.system).write([change]))
        made: dict[str, Any] = msgspec.json.decode(written.version.json())
        return made

    def doctor(self, org: UUID, role: str = "doctor") -> Access:
        """Someone who works at a facility."""
        who = Who(role=role, purpose="TREAT", organization=org, practitioner=new_id(), display=f"Tester {role}")
        return self.system.ground.access(who)

    def citizen(self, patient: str) -> Access:
        """A patient who has signed in."""
        return self.system.ground.access(
            Who(role="citizen", purpose="PATRQT", patient=UUID(patient), display="Citizen")
        )

    def patient(self, **more: Any) -> str:
        """A patient nobody cares for yet; returns the id."""
        return str(
            self.write({"resourceType": "Patient", "name": [{"family": "Người", "given": ["Bệnh"]}], **more})["id"]
        )

    def observation(self, patient: str, **more: Any) -> str:
        body = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **more}
        return str(self.write({**body, "subject": {"reference": f"Patient/{patient}"}})["id"])

    def encounter(self, patient: str, org: UUID, status: str, ended: timedelta | None = None) -> dict[str, Any]:
        """A visit that began thirty days before it ended, or thirty days ago."""
        period = {"start": moment((ended or timedelta()) - 30 * DAY)}
        if ended is not None:
            period["end"] = moment(ended)
        return self.write(
            {
                "resourceType": "Encounter",
                "status": status,
                "class": {"code": "AMB"},
                "subject": {"reference": f"Patient/{patient}"},
                "serviceProvider": {"reference": f"Organization/{org}"},
                "period": period,
            }
        )

    def task(self, patient: str, org: UUID, status: str, until: timedelta | None = None) -> dict[str, Any]:
        """A request to a facility about a patient."""
        body: dict[str, Any] = {
            "resourceType": "Task",
            "status": status,
            "intent": "order",
            "for": {"reference": f"Patient/{patient}"},
            "owner": {"reference": f"Organization/{org}"},
        }
        if until is not None:
            body["restriction"] = {"period": {"end": moment(until)}}
        return self.write(body)

    def episode(self, patient: str, org: UUID, status: str, ended: timedelta | None = None) -> dict[str, Any]:
        period = {"end": moment(ended)} if ended is not None else {}
        return self.write(
            {
                "resourceType": "EpisodeOfCare",
                "status": status,
                "patient": {"reference": f"Patient/{patient}"},
                "managingOrganization": {"reference": f"Organization/{org}"},
                **({"period": period} if period else {}),
            }
        )
