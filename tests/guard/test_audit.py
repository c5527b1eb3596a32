"""The audit: one row for each interaction, durable before the answer leaves, served as AuditEvent.

Source: docs/adr/0007-audit.md, https://hl7.org/fhir/R4/auditevent.html, https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.cast import Cast
from tests.running import Client, House, Served, form_token, free_port

from yersin.api.audit_events import INTERACTIONS
from yersin.app.demo.cast import demo_people
from yersin.app.ground import opened, prepared
from yersin.db import connect, embedded
from yersin.fhir import parse, r4
from yersin.guard.access import Access, Ground
from yersin.guard.audit import file_patients
from yersin.guard.tokens import Tokens
from yersin.guard.who import nobody
from yersin.guard.who import system as the_system
from yersin.guard.writing import Update
from yersin.settings import Settings
from yersin.web import csrf

SUCCESS, REFUSED = 0, 4
PATIENT = {"resourceType": "Patient", "active": True}
SON = next(m.patient_id for m in demo_people() if m.patient_id)
Row = dict[str, Any]


@pytest.fixture
def cast(run: Any, system: Access) -> Cast:
    return Cast(run, system)


@pytest.fixture
def since(run: Any, system: Access) -> Callable[[], list[Row]]:
    """What has been recorded since the test began, or since it was last asked."""
    return _since(run, system.ground.database)


def _since(run: Any, database: Any) -> Callable[[], list[Row]]:
    last = run(database.fetchval("SELECT coalesce(max(seq), 0) FROM audit"))

    def rows() -> list[Row]:
        nonlocal last
        found = [dict(r) for r in run(database.fetch("SELECT * FROM audit WHERE seq > $1 ORDER BY seq", last))]
        last = max([last, *(r["seq"] for r in found)])
        return found

    return rows


def only(rows: list[Row]) -> Row:
    assert len(rows) == 1, [(r["interaction"], r["outcome"], r["role"]) for r in rows]
    return rows[0]


# --- one row for each interaction -----------------------------------------------------------------------------------


def test_reads_leave_one_row_each_that_says_what_was_shown(client: Client, since: Callable[[], list[Row]]) -> None:
    key = client.post("/Patient", PATIENT).json()["id"]
    since()
    for path, interaction, ver in (
        (f"/Patient/{key}", "read", None),
        (f"/Patient/{key}/_history/1", "vread", 1),
        (f"/Patient/{key}/_history", "history", None),
    ):
        assert client.get(path).status_code == 200
        row = only(since())
        shown = (row["interaction"], row["outcome"], row["type"], row["entity"], row["ver"], row["patients"])
        assert shown == (interaction, SUCCESS, r4.TYPE_NUMBER["Patient"], UUID(key), ver, [UUID(key)])
        assert (row["role"], row["purpose"]) == ("system", "HSYSADMIN")


@pytest.mark.parametrize("posted", [False, True])
def test_a_search_leaves_one_row_with_everybody_it_showed(
    client: Client, since: Callable[[], list[Row]], *, posted: bool
) -> None:
    mark = str(uuid4())
    made = [client.post("/Patient", {**PATIENT, "identifier": [{"value": mark}]}).json()["id"] for _ in range(3)]
    seen = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    for key in made:
        client.post("/Observation", {**seen, "subject": {"reference": f"Patient/{key}"}})
    since()
    query = f"identifier={mark}&_count=2&_revinclude=Observation:subject&_total=accurate"
    answer = client.post("/Patient/_search", content=query, headers={"content-type": "application/x-www-form-urlencoded"}) \
        if posted else client.get(f"/Patient?{query}")  # fmt: skip
    shown = sorted({UUID(e["resource"]["id"]) for e in answer.json()["entry"] if e["search"]["mode"] == "match"})
    row = only(since())
    assert (row["interaction"], row["outcome"], row["patients"]) == ("search", SUCCESS, shown)
    assert len(shown) == 2, "who stands on the next page was not shown"
    link = next(x["url"] for x in answer.json()["link"] if x["relation"] == "next")
    further = client.get(link)
    assert only(since())["patients"] == [UUID(further.json()["entry"][0]["resource"]["id"])]


def test_writes_leave_one_row_each_in_their_own_transaction(
    run: Any, client: Client, since: Callable[[], list[Row]]
) -> None:
    made = client.post("/Patient", PATIENT).json()
    rows = since()
    client.put(f"/Patient/{made['id']}", {**made, "active": False})
    rows += since()
    client.put("/Patient/" + str(fresh := uuid4()), {**PATIENT, "id": str(fresh)})
    rows += since()
    client.delete(f"/Patient/{made['id']}")
    rows += since()
    key = UUID(made["id"])
    assert [(r["interaction"], r["outcome"], r["entity"], r["ver"] or 1, r["patients"]) for r in rows] == [
        ("create", SUCCESS, key, 1, [key]),
        ("update", SUCCESS, key, 2, [key]),
        ("update", SUCCESS, fresh, 1, [fresh]),
        ("delete", SUCCESS, key, 3, [key]),
    ]
    database = client.access.ground.database
    for row in rows:
        same = run(
            database.fetchval("SELECT count(*) FROM change_log WHERE tx = $1 AND id = $2", row["tx"], row["entity"])
        )
        assert same == 1, "the row and the change are of one transaction"


def test_a_transaction_leaves_one_row_and_a_batch_one_for_each_entry(
    client: Client, since: Callable[[], list[Row]]
) -> None:
    first, second = (str(uuid4()) for _ in range(2))
    entries = [
        {"resource": {**PATIENT, "id": key}, "request": {"method": "PUT", "url": f"Patient/{key}"}}
        for key in (first, second)
    ]
    assert client.post("", {"resourceType": "Bundle", "type": "transaction", "entry": entries}).status_code == 200
    row = only(since())
    assert (row["interaction"], sorted(row["patients"])) == ("transaction", sorted([UUID(first), UUID(second)]))
    reading = [{"request": {"method": "GET", "url": f"Patient/{key}"}} for key in (first, second, str(uuid4()))]
    assert client.post("", {"resourceType": "Bundle", "type": "batch", "entry": reading}).status_code == 200
    rows = since()
    assert [(r["interaction"], r["outcome"]) for r in rows] == [("read", SUCCESS), ("read", SUCCESS), ("read", REFUSED)]
    assert len({r["request"] for r in rows}) == 1, "they say that they came together"


def test_a_transaction_that_fails_leaves_no_row_of_a_change(client: Client, since: Callable[[], list[Row]]) -> None:
    good, missing = str(uuid4()), str(uuid4())
    entries = [
        {"resource": {**PATIENT, "id": good}, "request": {"method": "PUT", "url": f"Patient/{good}"}},
        {"request": {"method": "DELETE", "url": f"Patient/{missing}", "ifMatch": 'W/"1"'}},
    ]
    assert client.post("", {"resourceType": "Bundle", "type": "transaction", "entry": entries}).status_code == 404
    assert [(r["interaction"], r["outcome"], r["patients"]) for r in since()] == [("write", REFUSED, [])]


def test_refusals_leave_one_row_and_name_nobody(cast: Cast, client: Client, since: Callable[[], list[Row]]) -> None:
    patient = cast.patient()
    seen = cast.observation(patient)
    stranger = client.bound(cast.doctor(cast.there))
    citizen = client.bound(cast.citizen(patient))
    since()
    body = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": f"Patient/{patient}"},
    }
    for ask, status, interaction in (
        (lambda: stranger.get(f"/Patient/{patient}"), 404, "read"),
        (lambda: stranger.get(f"/Observation/{seen}/_history"), 404, "history"),
        (lambda: stranger.get(f"/Observation/{seen}/_history/1"), 404, "vread"),
        (lambda: stranger.put(f"/Observation/{seen}", {**body, "id": seen}), 403, "update"),
        (lambda: stranger.delete(f"/Observation/{uuid4()}"), 404, "delete"),
        (lambda: stranger.post("/Observation", body), 403, "create"),
        (lambda: citizen.post("/Observation", body), 403, "create"),
        (lambda: stranger.get(f"/AuditEvent?patient={patient}"), 403, "audit"),
    ):
        answer = ask()
        assert answer.status_code == status, answer.text
        row = only(since())
        assert (row["interaction"], row["outcome"], row["patients"]) == (interaction, REFUSED, [])
        assert row["role"] == ("citizen" if interaction == "create" and row["patient"] else "doctor")
    stranger.close()
    citizen.close()


def test_a_token_too_narrow_leaves_one_row(client: Client, since: Callable[[], list[Row]]) -> None:
    who = Tokens(client.access.ground.keys).who(client.token("system/Observation.rs"))
    narrow = client.bound(client.access.ground.access(who))
    for path, interaction in ((f"/Patient/{uuid4()}", "read"), ("/Patient", "search")):
        assert narrow.get(path).status_code == 403
        row = only(since())
        assert (row["interaction"], row["outcome"], row["type"]) == (interaction, REFUSED, r4.TYPE_NUMBER["Patient"])
    assert narrow.post("/Patient", PATIENT).status_code == 403
    row = only(since())
    assert (row["interaction"], row["type"]) == ("create", r4.TYPE_NUMBER["Patient"])
    narrow.close()


# --- people in their browsers ---------------------------------------------------------------------------------------


@pytest.fixture
def seen_in(run: Any, house: House, keys_dir: Path) -> Iterator[Callable[[], list[Row]]]:
    """What people have left in the house since last asked; the work of the house itself is not theirs."""
    manager = opened(Settings(data_dir=keys_dir), house.database_url, connections=2)
    ground: Ground = run(manager.__aenter__())
    rows = _since(run, ground.database)
    yield lambda: [r for r in rows() if r["role"] != "system"]
    run(manager.__aexit__(None, None, None))


def test_signing_in_and_out_leaves_one_row_each(house: House, seen_in: Callable[[], list[Row]]) -> None:
    browser = house.signed_in("boyte")
    entered = only(seen_in())
    assert (entered["interaction"], entered["outcome"], entered["role"]) == ("login", SUCCESS, "analyst")
    assert entered["account"] is not None
    assert entered["address"] == "127.0.0.1"
    assert browser.post("/sign-out").status_code == 303
    left = only(seen_in())
    assert (left["interaction"], left["outcome"], left["account"]) == ("logout", SUCCESS, entered["account"])


def test_a_refused_login_leaves_one_row_with_the_name_that_was_typed(
    house: House, seen_in: Callable[[], list[Row]]
) -> None:
    browser = house.visitor()
    form = {
        "account": "khong-co-ai",
        "password": "not the password",
        "next": "/",
        csrf.FIELD: form_token(browser, "/sign-in"),
    }
    assert browser.post("/sign-in", data=form).status_code == 403
    row = only(seen_in())
    assert (row["interaction"], row["outcome"], row["role"], row["display"]) == (
        "login",
        REFUSED,
        "nobody",
        "khong-co-ai",
    )
    assert row["account"] is None


def test_a_page_of_a_chart_says_once_for_each_thing_what_it_showed(
    house: House, seen_in: Callable[[], list[Row]]
) -> None:
    browser = house.signed_in("tram")
    seen_in()
    assert browser.get(f"/records/{SON}").status_code == 200
    rows = seen_in()
    assert rows
    assert len({r["request"] for r in rows}) == 1, "all rows of one page carry its request"
    assert all(r["account"] == rows[0]["account"] is not None for r in rows)
    assert UUID(str(SON)) in {p for r in rows for p in r["patients"]}
    twice = Counter((r["interaction"], r["type"], r["entity"], r["query"]) for r in rows)
    assert max(twice.values()) == 1, twice.most_common(2)


def test_a_page_that_is_refused_leaves_a_row(house: House, seen_in: Callable[[], list[Row]]) -> None:
    browser = house.signed_in("tram")
    seen_in()
    assert browser.get("/centre").status_code == 403
    row = only(seen_in())
    assert (row["interaction"], row["outcome"], row["role"]) == ("page", REFUSED, "health-worker")
    assert house.visitor().get(f"/records/{SON}").status_code in (303, 401)
    assert only(seen_in())["role"] == "nobody"


def test_the_api_without_a_sign_in_leaves_one_row(house: House, seen_in: Callable[[], list[Row]]) -> None:
    assert house.visitor().get(f"/fhir/Patient/{SON}").status_code == 401
    row = only(seen_in())
    assert (row["interaction"], row["outcome"], row["role"], row["patients"]) == ("rest", REFUSED, "nobody", [])


# --- served as AuditEvent -------------------------------------------------------------------------------------------


def events(client: Client, query: str) -> list[dict[str, Any]]:
    answer = client.get(f"/AuditEvent?{query}")
    assert answer.status_code == 200, answer.text
    parse(answer.content, expect="Bundle")
    return [e["resource"] for e in answer.json().get("entry", ())]


def test_what_happened_is_found_by_patient_and_date(cast: Cast, client: Client) -> None:
    patient, other = cast.patient(), cast.patient()
    seen = cast.observation(patient)
    doctor = client.bound(cast.doctor(cast.here))
    cast.encounter(patient, cast.here, "in-progress")
    assert doctor.get(f"/Observation/{seen}").status_code == 200
    before = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds").replace("+00:00", "Z")
    found = events(client, f"patient=Patient/{patient}&date=ge{before}")
    latest = found[0]
    assert latest["subtype"][0]["code"] == "read"
    assert (latest["action"], latest["outcome"]) == ("R", "0")
    assert {e["what"].get("reference") for e in latest["entity"]} == {None, f"Patient/{patient}", f"Observation/{seen}"}
    assert latest["agent"][0]["requestor"] is True
    assert latest["agent"][0]["who"]["reference"].startswith("Practitioner/")
    assert latest["purposeOfEvent"][0]["coding"][0]["code"] == "TREAT"
    assert [e["action"] for e in found[:4]] == ["R", "C", "C", "C"]
    assert [e["recorded"] for e in found] == sorted((e["recorded"] for e in found), reverse=True)
    assert not {e["id"] for e in found} & {e["id"] for e in events(client, f"patient={other}")}
    assert events(client, f"patient={patient}&date=lt{before}") == []
    assert client.get(f"/AuditEvent/{latest['id']}").json()["entity"] == latest["entity"]
    doctor.close()


def test_the_rows_of_a_request_are_found_by_the_name_it_was_given(cast: Cast, client: Client) -> None:
    patient, mark = cast.patient(), f"my-{uuid4()}"
    for name in (mark, f"{mark}-2", str(uuid4())):
        assert client.get(f"/Patient/{patient}", headers={"x-request-id": name}).status_code == 200
        [event] = events(client, f"entity:identifier={name}")
        assert event["subtype"][0]["code"] == "read"
        [told] = [e for e in event["entity"] if e.get("type", {}).get("code") == "XrequestId"]
        known = told["what"]["identifier"]["value"]
        assert name in (known, mark, f"{mark}-2")
        assert [e["id"] for e in events(client, f"entity:identifier=|{known}&patient={patient}")] == [event["id"]]
    assert events(client, f"entity:identifier={uuid4()}") == []


def test_a_request_is_sought_by_its_index(run: Any, client: Client) -> None:
    async def plan() -> str:
        async with client.access.ground.database.transaction() as connection:
            await connection.execute("SET LOCAL enable_seqscan = off")
            rows = await connection.fetch(f"EXPLAIN SELECT seq FROM audit WHERE request = '{uuid4()}'::uuid")
            return "\n".join(row[0] for row in rows)

    assert "request_idx" in run(plan())


def test_rows_are_found_before_and_after_they_are_filed_by_patient(run: Any, client: Client) -> None:
    key = client.post("/Patient", PATIENT).json()["id"]
    before = [e["id"] for e in events(client, f"patient={key}")]

    async def file() -> None:
        async with client.access.ground.database.transaction() as connection:
            await file_patients(connection, 1000)

    run(file())
    # asking is itself recorded about the patient who was asked about
    assert [e["id"] for e in events(client, f"patient={key}")][1:] == before


def test_pages_of_the_audit_follow_each_other(client: Client) -> None:
    key = client.post("/Patient", PATIENT).json()["id"]
    for _ in range(5):
        client.get(f"/Patient/{key}")
    expected = [e["id"] for e in events(client, f"patient={key}")]
    found, link = [], f"/AuditEvent?patient={key}&_count=2"
    while link:
        page = client.get(link).json()
        found += [e["resource"]["id"] for e in page.get("entry", ())]
        link = next((x["url"] for x in page["link"] if x["relation"] == "next"), "")
    assert [i for i in found if int(i) <= int(expected[0])] == expected


@pytest.mark.parametrize("name", ["agent", "entity", "action", "type", "subtype", "outcome", "altid", "address"])
def test_what_happened_is_found_by_everything_else_it_says(cast: Cast, client: Client, name: str) -> None:
    patient = cast.patient()
    who = replace(cast.doctor(cast.here).who, account=uuid4(), address="192.0.2.7")
    doctor = client.bound(client.access.ground.access(who))
    seen = cast.observation(patient)
    cast.encounter(patient, cast.here, "in-progress")
    doctor.get(f"/Observation/{seen}")
    wanted = {
        "agent": f"Practitioner/{who.practitioner}", "entity": f"Observation/{seen}", "action": "R", "type": "rest",
        "subtype": "read", "outcome": "0", "altid": str(who.account), "address": who.address,
    }[name]  # fmt: skip
    doctor.close()
    found = events(client, f"patient={patient}&{name}={wanted}")
    assert f"Observation/{seen}" in {e["what"].get("reference") for event in found for e in event["entity"]}


def test_what_the_audit_cannot_be_searched_by_is_refused_by_name(client: Client) -> None:
    answer = client.get("/AuditEvent?policy=x")
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == ["policy"]


def test_nobody_changes_the_audit_over_the_api(client: Client) -> None:
    (event,) = events(client, "_count=1")
    assert client.put(f"/AuditEvent/{event['id']}", event).status_code == 405
    assert client.delete(f"/AuditEvent/{event['id']}").status_code == 405
    sent = {k: v for k, v in event.items() if k != "id"}
    made = client.post("/AuditEvent", {**sent, "recorded": "2001-01-01T00:00:00Z"})
    assert made.status_code == 201, "other systems send what they have seen"
    assert client.delete(f"/AuditEvent/{made.json()['id']}").status_code == 405
    assert client.get(f"/AuditEvent/{event['id']}").json() == event
    assert not [e for e in events(client, "_count=1000") if e["recorded"].startswith("2001")], (
        "our own rows are ours alone"
    )


def test_a_citizen_sees_who_looked_at_her_and_nobody_beside_her(cast: Cast, client: Client) -> None:
    one, other = cast.patient(), cast.patient()
    client.get(f"/Patient?_id={one},{other}")
    citizen = client.bound(cast.citizen(one))
    for query in ("", f"patient={one}"):
        found = events(citizen, query)
        assert found
        named = {e["what"].get("reference") for event in found for e in event.get("entity", ())}
        assert f"Patient/{one}" in named
        assert f"Patient/{other}" not in named
    assert citizen.get(f"/AuditEvent?patient={other}").status_code == 403
    citizen.close()


def test_who_has_no_right_to_the_audit_reads_nothing(client: Client) -> None:
    visitor = client.bound(client.access.ground.access(nobody("192.0.2.1")))
    assert visitor.get("/AuditEvent").status_code == 403
    visitor.close()


# --- durable before the answer --------------------------------------------------------------------------------------

READERS, ROUNDS = 4, max(2, int(os.environ.get("YERSIN_KILLS", "50")) // 25)


class Reader(threading.Thread):
    """Reads one patient again and again, and counts the answers it got."""

    def __init__(self, base: str, token: str, key: str) -> None:
        super().__init__(daemon=True)
        self.http = httpx.Client(base_url=base, headers={"authorization": f"Bearer {token}"}, timeout=20)
        self.key = key
        self.answered = self.sent = 0
        self.other: list[int] = []

    def run(self) -> None:
        with self.http, suppress(httpx.TransportError):
            while True:
                self.sent += 1
                status = self.http.get(f"/fhir/Patient/{self.key}").status_code
                if status == 200:
                    self.answered += 1
                else:
                    self.other.append(status)


@pytest.mark.timeout(120 + 60 * ROUNDS)
def test_every_answered_read_has_its_row_though_server_and_database_are_killed(run: Any, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "own")
    database = embedded.start(settings)
    try:
        run(prepared(database.url))
        token, keys = run(_stocked(database.url, tmp_path / "keys"))
        answered: Counter[str] = Counter()
        sent: Counter[str] = Counter()
        for number in range(ROUNDS):
            with closing(Served(database.url, tmp_path / "keys", free_port(), tmp_path, {})) as server:
                server.wait()
                readers = [Reader(server.base_url, token, key) for key in keys]
                for reader in readers:
                    reader.start()
                wanted = 5 + 7 * number
                while min(r.answered for r in readers) < wanted:
                    assert not [r.other for r in readers if r.other]
                    time.sleep(0.01)
                # the kernel takes both at once, in the middle of answers
                os.kill(server.process.pid, signal.SIGKILL)
                os.kill(database.pid, signal.SIGKILL)
                for reader in readers:
                    reader.join(30)
                    answered[reader.key] += reader.answered
                    sent[reader.key] += reader.sent
            embedded.stop(database)
            database = embedded.start(settings)
        rows = run(_recorded(database.url))
    finally:
        embedded.stop(database)
    assert min(answered.values()) >= 5 * ROUNDS
    for key in keys:
        assert answered[key] <= rows[key] <= sent[key], "an answered read without its row, or a row nobody asked for"


async def _stocked(url: str, keys: Path) -> tuple[str, list[str]]:
    async with opened(Settings(data_dir=keys), url) as ground:
        made = [str(uuid4()) for _ in range(READERS)]
        changes = [Update(resource=parse(b'{"resourceType":"Patient","id":"%s"}' % key.encode())) for key in made]
        await ground.access(the_system("HSYSADMIN")).write(changes)
        return Tokens(ground.keys).make("system/*.rs", 3600), made


async def _recorded(url: str) -> dict[str, int]:
    database = await connect(url, max_size=2)
    try:
        rows = await database.fetch(
            "SELECT entity, count(*) AS n FROM audit WHERE interaction = 'read' GROUP BY entity"
        )
    finally:
        await database.close()
    return {str(row["entity"]): row["n"] for row in rows}


def test_every_interaction_that_is_recorded_can_be_searched() -> None:
    """A search by action lists interactions by name: one that is missing there would never be found."""
    source = Path(__file__).parents[2] / "src"
    used = {name for file in source.rglob("*.py") for name in re.findall(r'interaction="([a-z]+)"', file.read_text())}
    assert "revoke" in used
    assert used <= set(INTERACTIONS)
