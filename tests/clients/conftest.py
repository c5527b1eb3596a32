"""Programs that others wrote ask the running house: each with a token of its own and data of its own."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import pytest
from tests.running import House

MARK = "urn:yersin:test:client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Where a client asks, with what, and a mark of its own on what it makes."""

    base: str
    token: str
    mark: str

    def identifier(self, value: str) -> dict[str, str]:
        return {"system": MARK, "value": f"{self.mark}-{value}"}

    def patient(self, value: str, family: str = "Lê") -> dict[str, object]:
        """A patient with this identifier, as a client would write one."""
        name = {"use": "official", "family": family, "given": ["Thị", "Hoa"]}
        return {"resourceType": "Patient", "identifier": [self.identifier(value)], "name": [name], "gender": "female",
                "birthDate": "1984-05-06", "active": True}  # fmt: skip


@pytest.fixture(scope="module")
def seat(house: House) -> Seat:
    return Seat(base=f"{house.base_url}/fhir", token=house.token(), mark=uuid4().hex[:12])
