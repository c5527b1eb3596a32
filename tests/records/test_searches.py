"""How few questions a page of the chart asks of the database: a budget that only a decision may raise."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.cast import Cast

from yersin.guard.access import Access
from yersin.records.chart import VITALS, load, summary
from yersin.records.timeline import paged
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


def _patient(cast: Cast) -> str:
    patient = cast.patient(managingOrganization={"reference": f"Organization/{cast.here}"}, birthDate="1961-04-12")
    for _ in range(3):
        cast.observation(patient)
    return patient


def test_a_page_of_the_chart_asks_at_most(run: Any, system: Access) -> None:
    cast = Cast(run, system)
    patient = _patient(cast)
    for wanted, vitals, most in ((), 0, 1), (summary(date(2026, 1, 1)), VITALS, 10):
        access = Counting(cast.doctor(cast.here))
        chart = run(load(access, patient, wanted, vitals=vitals))  # type: ignore[arg-type] # counts, else the same
        assert chart.id == patient
        assert access.asked == most


def test_a_page_of_the_timeline_asks_each_kind_once(run: Any, system: Access) -> None:
    cast = Cast(run, system)
    access = Counting(cast.doctor(cast.here))
    page = run(paged(access, _patient(cast)))  # type: ignore[arg-type] # counts, else the same
    assert page.earlier is None
    # the patient with the banner, and twelve streams; a chart that fits knows its visits and what bears no date
    assert access.asked == 1 + 12
