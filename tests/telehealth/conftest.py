"""A running house with its cast, seen through browsers without windows, and the FHIR API beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from tests.journeys.conftest import chromium, signed_in
from tests.telehealth.browserless import Answer, Browser
from tests.telehealth.browserless import signed_in as quietly

from yersin.app.demo.cast import demo_people

#: fixtures of the journeys that serve here too
__all__ = ["chromium", "signed_in"]
CARDIOLOGY = "394579002"
CAST = {member.login: member for member in demo_people()}
_taken = count()


@dataclass
class Api:
    """The FHIR API as a program with a system token sees it."""

    base: str
    token: str

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/fhir+json", **headers}
        answer = Browser(self.base).call(
            method, f"/fhir/{path}", json.dumps(body).encode() if body is not None else None, sent
        )
        return answer.status, json.loads(answer.body) if answer.body else None

    def get(self, path: str) -> Any:
        status, body = self.call("GET", path)
        assert status == 200, body
        return body

    def found(self, path: str) -> list[Any]:
        return [entry["resource"] for entry in self.get(path).get("entry", ())]

    def put(self, resource: Any) -> Any:
        status, body = self.call("PUT", f"{resource['resourceType']}/{resource['id']}", resource)
        assert status in {200, 201}, body
        return body


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Address and system token: of the house of the tests, or of the running demo that YERSIN_TEST_SERVER names."""
    running = os.environ.get("YERSIN_TEST_SERVER")
    if running:
        return running, os.environ["YERSIN_TEST_TOKEN"]
    house = request.getfixturevalue("house")
    return house.base_url, house.token()


@pytest.fixture(scope="session")
def api(place: tuple[str, str]) -> Api:
    return Api(*place)


@pytest.fixture
def browser(place: tuple[str, str]) -> Callable[[str], Browser]:
    return lambda account: quietly(place[0], account)


@pytest.fixture
def patient(api: Api) -> str:
    """A patient of the commune of the cast whom no other test asks about."""
    kept = api.found(f"Patient?organization=Organization/{CAST['tram'].organization_id}&_count=100&_sort=_lastUpdated")
    return str(kept[next(_taken) + os.getpid() % 50]["id"])


WISH = [
    ("activity", "CONSULT_CARE"), ("mode", "INTER_FACILITY_SUPPORT"), ("specialty", CARDIOLOGY), ("question", "Có cần đổi thuốc không?"),
    ("question", "Có cần chuyển tuyến không?"), ("diagnosis_text", "Tăng huyết áp"), ("history", "Đau đầu ba ngày."), ("whole", "yes"),
    ("days", "7"), ("told", "spoken"), ("informed", "yes"), ("consents", "yes"), ("recording", "no"),
]  # fmt: skip


def asked(station: Browser, patient: str, urgency: str = "urgent") -> str:
    """Ask, and give the address of the request."""
    station.get(f"/telehealth/ask/{patient}")
    answer = station.post(f"/telehealth/ask/{patient}", [*WISH, ("urgency", urgency), ("step", "send")])
    assert answer.path.startswith("/telehealth/requests/"), (answer.status, answer.words[:500])
    return answer.path


def minutes_of(step: str, *conclusions: str) -> list[tuple[str, str]]:
    return [
        ("step", step), ("findings", "Tim đều, không phù."), *(("conclusion", c) for c in conclusions), ("diagnosis_text", "Tăng huyết áp"),
        ("plan", "Thêm amlodipin 5 mg."), ("advice", "Uống thuốc đều."), ("day", "22/11/2026"), ("begun", "08:00"), ("ended", "08:20"),
    ]  # fmt: skip


def accepted(specialist: Browser, path: str) -> Answer:
    specialist.get(path)
    return specialist.post(f"{path}/accept", {})
