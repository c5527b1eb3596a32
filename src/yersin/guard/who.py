"""Who asks, where they act and why: the facts on which every decision of the guard rests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID, uuid4

from yersin.fhir.problem import problem


class Grant(NamedTuple):
    """One SMART scope: verbs out of c r u d s on a type, or on `*`."""

    type: str
    verbs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """The asker. A signed-in person acts in one role at one facility at a time.

    `organization`, `practitioner` and `patient` are row ids; the `…_id` fields are the logical ids they belong to.
    `purpose` is a code of http://terminology.hl7.org/CodeSystem/v3-ActReason such as TREAT or PATRQT.
    """

    role: str
    purpose: str
    account: UUID | None = None
    display: str = ""
    practitioner: UUID | None = None
    practitioner_id: str | None = None
    organization: UUID | None = None
    organization_id: str | None = None
    organization_name: str = ""
    patient: UUID | None = None
    patient_id: str | None = None
    address: str = ""
    request: UUID = field(default_factory=uuid4)
    #: what an access token was narrowed to; None where a person acts by role alone
    scopes: tuple[Grant, ...] | None = None

    def is_granted(self, type_name: str, verb: str) -> bool:
        """Whether the token behind this asker covers a verb (c r u d s) on a type; people need no token."""
        return self.scopes is None or any(g.type in ("*", type_name) and verb in g.verbs for g in self.scopes)

    def require_grant(self, type_name: str, verb: str) -> None:
        """Raise Problem (forbidden, 403) unless the token behind this asker covers a verb on a type."""
        if not self.is_granted(type_name, verb):
            text = f"Your access token does not cover this; it needs the scope system/{type_name}.{verb}."
            raise problem("forbidden", text, status=403)


def system(purpose: str) -> Who:
    """The system itself: jobs, importers and the command line."""
    return Who(role="system", purpose=purpose, display="Yersin")


def nobody(address: str = "") -> Who:
    """Someone who has not signed in."""
    return Who(role="nobody", purpose="", address=address)
