"""The stranger test: every page, FHIR interaction and operation, asked by nobody and by someone without a care relationship.

A new route is covered the day it is written. What is open to everybody says so (`opt={"public": True}`).
"""

from __future__ import annotations

import re
import warnings
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest
from litestar.exceptions import LitestarDeprecationWarning
from tests.running import House

from yersin.api.app import OWN
from yersin.api.operations import EVERY, Operation
from yersin.app.asgi import pages
from yersin.app.ground import opened
from yersin.app.rooms import ROOMS
from yersin.app.state import House as State
from yersin.db import connect
from yersin.guard import roles
from yersin.settings import Settings

#: open to everybody, on purpose
PUBLIC = {
    "/",
    "/verify",
    "/sign-in",
    "/preferences",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/design",
    # how programs ask, with invented examples
    "/developers",
    "/static",
    "/assets",
}
#: components shown with invented content; calls that guests enter by invitation, where every handler checks the seat itself;
#: signed papers that anybody checks, and what the authority behind their certificates answers
PUBLIC_BELOW = (
    "/static", "/assets", "/design/", "/join/", "/telehealth/calls/{call_id:uuid}", "/verify/", "/pki/",
)  # fmt: skip


class Route(NamedTuple):
    """A page route of the house."""

    path: str
    method: str
    public: bool


@pytest.fixture(scope="module")
def routes(run: Any, house: House, keys_dir: Any) -> list[Route]:
    """Every route of the assembled pages."""

    async def read() -> list[Route]:
        settings = Settings(data_dir=keys_dir)
        async with opened(settings, house.database_url, connections=2) as ground:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LitestarDeprecationWarning)  # said by the tests of the pages themselves
                app: Any = pages(State(settings, ground))
            found: list[Route] = []
            for route in app.app.routes:
                for handler in getattr(route, "route_handlers", None) or [route.route_handler]:
                    methods = sorted(getattr(handler, "http_methods", {"GET"}) - {"OPTIONS", "HEAD"})
                    found += [Route(route.path, method, bool(handler.opt.get("public"))) for method in methods]
            return found

    made: list[Route] = run(read())
    assert len(made) > 10
    return made


@pytest.fixture(scope="module")
def strange(house: House) -> dict[str, Any]:
    """Someone signed in, and a patient with a chart who is a stranger to her."""
    machine, stranger = house.machine(), house.signed_in("bstinh")
    page = machine.get("/fhir/Patient?_count=200&_revinclude=Encounter:subject").json()
    for entry in page["entry"]:
        patient = entry["resource"]
        if patient["resourceType"] == "Patient" and stranger.get(f"/fhir/Patient/{patient['id']}").status_code == 404:
            charted = machine.get(f"/fhir/Encounter?subject=Patient/{patient['id']}&_count=1").json().get("entry")
            if charted:
                return {"browser": stranger, "patient": patient, "encounter": charted[0]["resource"]}
    raise AssertionError("nobody is a stranger in this country")


def filled(path: str, id_: str) -> str:
    """The path with its parameters filled in."""
    return re.sub(r"\{[^}]*:int\}", "1", re.sub(r"\{[^}]*:(str|uuid|path)\}", id_, path))


def refusals(run: Any, house: House) -> int:
    async def count() -> int:
        database = await connect(house.database_url, max_size=1)
        try:
            number: int = await database.fetchval("SELECT count(*) FROM audit WHERE outcome = 4")
            return number
        finally:
            await database.close()

    number: int = run(count())
    return number


def ask(browser: httpx.Client, route: Route, id_: str) -> httpx.Response:
    data = {"q": "a"} if route.method == "POST" else None
    return browser.request(route.method, filled(route.path, id_), data=data, follow_redirects=False)


def test_what_is_public_is_on_the_list(routes: list[Route]) -> None:
    public = {r.path for r in routes if r.public}
    unlisted = {p for p in public if p not in PUBLIC and not p.startswith(PUBLIC_BELOW)}
    assert not unlisted, "declared public, but not agreed to be: add it to PUBLIC with a reason"


def test_nobody_opens_no_page_and_every_try_is_recorded(run: Any, house: House, routes: list[Route]) -> None:
    visitor, before, tried = house.visitor(), refusals(run, house), 0
    for route in routes:
        if not route.public:
            answer = ask(visitor, route, str(uuid4()))
            to_entrance = answer.status_code in (302, 303) and "/sign-in" in answer.headers["location"]
            assert answer.status_code in (401, 403) or to_entrance, f"{route}: {answer.status_code}"
            tried += answer.status_code in (401, 403)
    assert refusals(run, house) - before == tried


def test_a_stranger_reaches_no_page_about_the_patient(
    house: House, routes: list[Route], strange: dict[str, Any]
) -> None:
    browser, patient = strange["browser"], strange["patient"]
    name = patient["name"][0].get("text") or patient["name"][0]["family"]
    for route in routes:
        if route.path != "/sign-out":
            for id_ in (patient["id"], strange["encounter"]["id"]):
                answer = ask(browser, route, id_)
                assert answer.status_code < 500, f"{route}: {answer.status_code}"
                if "{" in route.path:
                    assert name not in answer.text, f"{route} shows the patient to a stranger"


INTERACTIONS = [
    ("GET", "/{type}/{id}"),
    ("GET", "/{type}/{id}/_history"),
    ("GET", "/{type}/{id}/_history/1"),
    ("GET", "/{type}?_id={id}"),
    ("POST", "/{type}/_search?_id={id}"),
    ("PUT", "/{type}/{id}"),
    ("DELETE", "/{type}/{id}"),
    ("POST", "/{type}"),
    ("GET", ""),
    ("POST", ""),
    ("GET", "/AuditEvent"),
    ("GET", "/AuditEvent/1"),
    ("POST", "/AuditEvent/_search"),
]


@pytest.mark.parametrize(("method", "path"), INTERACTIONS)
def test_nobody_asks_the_api_and_every_try_is_recorded(run: Any, house: House, method: str, path: str) -> None:
    before = refusals(run, house)
    answer = house.visitor().request(method, "/fhir" + path.format(type="Patient", id=uuid4()), json={})
    assert answer.status_code == 401
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert refusals(run, house) == before + 1


OPERATIONS = [*OWN, *(operation for room in ROOMS for operation in room.operations)]


def addresses(operation: Operation, type_name: str, id_: str) -> list[str]:
    """Every address of an operation; one of every type is asked of the type named here."""
    made = []
    for level, of in operation.places():
        of_type = type_name if of == EVERY else of
        above = {"system": "", "type": f"/{of_type}", "instance": f"/{of_type}/{id_}"}[level]
        made.append(f"/fhir{above}/${operation.name}")
    return made


def asked_of(operation: Operation, type_name: str, id_: str) -> list[tuple[str, str]]:
    """Every way to ask an operation: method and address."""
    return [(method, path) for path in addresses(operation, type_name, id_) for method in operation.methods]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_nobody_asks_an_operation_and_every_try_is_recorded(run: Any, house: House, operation: Operation) -> None:
    visitor, before = house.visitor(), refusals(run, house)
    ways = asked_of(operation, "Patient", str(uuid4()))
    for method, path in ways:
        answer = visitor.request(method, path, json={"resourceType": "Parameters"} if method == "POST" else None)
        assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"
        assert answer.json()["resourceType"] == "OperationOutcome"
    assert refusals(run, house) == before + len(ways)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_role_without_its_permission_asks_no_operation_and_every_try_is_recorded(
    run: Any, house: House, operation: Operation
) -> None:
    asking = {login: member.role for login, member in house.cast.items()}
    refused = [
        login for login, role in asking.items() if operation.permission and not roles.may(role, operation.permission)
    ]
    for login in refused:
        browser, before = house.signed_in(login), refusals(run, house)
        ways = asked_of(operation, "Patient", str(uuid4()))
        for method, path in ways:
            answer = browser.request(method, path, json={"resourceType": "Parameters"} if method == "POST" else None)
            assert answer.status_code == 403, f"{login} {method} {path}: {answer.status_code}"
        assert refusals(run, house) == before + len(ways)
    assert refused or not operation.permission


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_stranger_learns_nothing_of_the_patient_by_an_operation(
    house: House, strange: dict[str, Any], operation: Operation
) -> None:
    browser, patient = strange["browser"], strange["patient"]
    name = patient["name"][0].get("text") or patient["name"][0]["family"]
    for resource in (patient, strange["encounter"]):
        kind, id_ = resource["resourceType"], resource["id"]
        given = [
            {"name": each.name, "valueString": f"{kind}/{id_}"} for each in operation.inputs if each.type == "string"
        ]
        for method, path in asked_of(operation, kind, id_):
            body = {"resourceType": "Parameters", **({"parameter": given} if given else {})}
            answer = browser.request(method, path, json=body if method == "POST" else None)
            assert answer.status_code < 500, f"{method} {path}: {answer.status_code}"
            assert name not in answer.text, f"{method} {path} shows the patient to a stranger"


def test_the_capability_statement_is_open_to_everybody(house: House) -> None:
    assert house.visitor().get("/fhir/metadata").status_code == 200


def test_a_stranger_gets_nothing_of_the_chart_from_the_api(run: Any, house: House, strange: dict[str, Any]) -> None:
    browser = strange["browser"]
    for resource in (strange["patient"], strange["encounter"]):
        kind, id_ = resource["resourceType"], resource["id"]
        before = refusals(run, house)
        for path in (f"/{kind}/{id_}", f"/{kind}/{id_}/_history", f"/{kind}/{id_}/_history/1"):
            assert browser.get("/fhir" + path).status_code == 404
        assert browser.put(f"/fhir/{kind}/{id_}", json=resource).status_code in (403, 404)
        assert browser.delete(f"/fhir/{kind}/{id_}").status_code == 404
        assert refusals(run, house) == before + 5
        page = browser.get(f"/fhir/{kind}?_id={id_}&_total=accurate").json()
        assert (page["total"], page.get("entry", [])) == (0, [])
        batch = {
            "resourceType": "Bundle",
            "type": "batch",
            "entry": [{"request": {"method": "GET", "url": f"{kind}/{id_}"}}],
        }
        assert browser.post("/fhir", json=batch).json()["entry"][0]["response"]["status"] == "404 Not Found"
    organization = f"Organization/{strange['encounter']['serviceProvider']['reference'].partition('/')[2]}"
    page = browser.get(
        f"/fhir/{organization.replace('/', '?_id=')}&_revinclude=Encounter:service-provider&_count=5"
    ).json()
    assert strange["encounter"]["id"] not in {e["resource"]["id"] for e in page["entry"]}
