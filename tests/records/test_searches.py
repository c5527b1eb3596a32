"""How few questions a page of the chart asks of the database: a budget that only a decision may raise."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cast import Cast

from yersin.guard.access import Access
from yersin.records.chart import BANNER, SUMMARY, TIMELINE, VITALS, load
from yersin.search.page import Query


class Counting:
    """An access that counts what is asked of it."""

    def __init__(self, access: Access) -> None:
        self._access, self.asked = access, 0
        self.ground = access.ground

    async def search(self, query: Query) -> Any:
        self.asked += 1
        return await self._access.search(query)

    async def read(self, type_name: str, logical_id: str) -> Any:
        self.asked += 1
        return await self._access.read(type_name, logical_id)


@pytest.mark.parametrize(("types", "vitals", "most"), [(SUMMARY, VITALS, 2), (TIMELINE, 0, 1), (BANNER, 0, 1)])
def test_a_page_of_the_chart_asks_at_most(
    run: Any, system: Access, types: tuple[str, ...], vitals: int, most: int
) -> None:
    cast = Cast(run, system)
    patient = cast.patient(managingOrganization={"reference": f"Organization/{cast.here}"}, birthDate="1961-04-12")
    for _ in range(3):
        cast.observation(patient)
    access = Counting(cast.doctor(cast.here))
    chart = run(load(access, patient, types, vitals=vitals))  # type: ignore[arg-type] # counts, else the same
    assert chart.id == patient
    assert access.asked == most
