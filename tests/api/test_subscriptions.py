"""Subscriptions: who makes them, what they match, what is told, again and again, and what becomes of what could not be.

Source: https://hl7.org/fhir/R4/subscription.html
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network

import pytest

from yersin.api.subscriptions import Deliverer, Follower, delivering
from yersin.api.subscriptions.following import CONSUMER
from yersin.api.subscriptions.outgoing import Caller, CallError, fault
from yersin.guard.tokens import grants
from yersin.guard.who import Who

UNHEARD = "SELECT true FROM change_log l, cursor c WHERE c.consumer = $1 AND (l.tx, l.seq) > (c.tx, c.seq) LIMIT 1"
SECRET = "Bearer secret-of-the-hook"
INSIDE = [ip_network("127.0.0.0/8")]


def program(ground, scope="system/*.cruds", name="hooks"):
    return ground.access(Who(role="system", purpose="TREAT", display=name, scopes=grants(scope)))


class Endpoint:
    """An endpoint that keeps what it is told and answers as it is bid."""

    def __init__(self):
        told: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status = 200
        self.told = told
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                told.append((self.command, self.path, dict(self.headers), body))
                self.send_response(endpoint.status)
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            do_POST = do_PUT = do_GET = answer  # noqa: N815 - names of the library

            def log_message(self, *_):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def endpoint():
    made = Endpoint()
    yield made
    made.close()


@pytest.fixture(scope="module")
def caller(run):
    made = Caller(inside=INSIDE, patience=5.0)
    yield made
    run(made.close())


@pytest.fixture(scope="module")
def works(run, ground, caller):
    """Do all the work behind subscriptions that there is, also what other databases' transactions hold up for a moment."""
    follower, deliverer = Follower(ground), Deliverer(ground, caller)

    async def work():
        async with asyncio.timeout(150):
            while await follower.work() or await deliverer.work() or await ground.database.fetchval(UNHEARD, CONSUMER):
                await asyncio.sleep(0.01)

    run(work())
    return lambda: run(work())


@pytest.fixture
def hooks(client, ground, works):
    """A program of its own; what it subscribed to is deleted afterwards."""
    made = client.bound(program(ground, name=f"hooks {uuid.uuid4()}"))
    yield made
    for each in made.search("/Subscription"):
        made.delete(f"/Subscription/{each['id']}")
    works()
    made.close()


def subscription(endpoint, criteria="Patient?active=true", **more):
    channel = {"type": "rest-hook", "endpoint": endpoint.url, **more.pop("channel", {})}
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "test",
        "criteria": criteria,
        "channel": channel,
        **more,
    }


def subscribed(hooks, works, endpoint, criteria="Patient?active=true", **more):
    answer = hooks.post("/Subscription", subscription(endpoint, criteria, **more))
    assert answer.status_code == 201, answer.text
    works()
    return hooks.get(f"/Subscription/{answer.json()['id']}").json()


def patient(hooks, **more):
    answer = hooks.post("/Patient", {"resourceType": "Patient", "active": True, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def letters(hooks, path="/Subscription/$dead-letters"):
    found = hooks.get(path).json().get("parameter", [])
    return [{part["name"]: next(v for k, v in part.items() if k != "name") for part in each["part"]} for each in found]


# --- what is told --------------------------------------------------------------------------------------------------


def test_a_match_is_told_without_its_content(hooks, works, endpoint):
    made = subscribed(hooks, works, endpoint, channel={"header": [f"Authorization: {SECRET}"]})
    assert (made["status"], made["meta"]["versionId"]) == ("active", "2")
    patient(hooks)
    patient(hooks, active=False)
    works()
    ((method, path, headers, body),) = endpoint.told
    assert (method, path, body) == ("POST", "/hook", b"")
    assert SECRET in headers.values()


def test_with_a_payload_each_version_is_put_in_its_order(hooks, works, endpoint):
    subscribed(hooks, works, endpoint, channel={"payload": "application/fhir+json"})
    made = patient(hooks)
    for gender in ("male", "female", "other"):
        hooks.put(f"/Patient/{made['id']}", {**made, "gender": gender})
    works()
    assert [(method, path) for method, path, _, _ in endpoint.told] == [("PUT", f"/hook/Patient/{made['id']}")] * 4
    assert [json.loads(body)["meta"]["versionId"] for *_, body in endpoint.told] == ["1", "2", "3", "4"]
    assert json.loads(endpoint.told[3][3]) == hooks.get(f"/Patient/{made['id']}").json()
    assert endpoint.told[0][2]["content-type"].startswith("application/fhir+json")


def test_what_was_there_before_is_not_told(hooks, works, endpoint):
    patient(hooks)
    subscribed(hooks, works, endpoint)
    works()
    assert endpoint.told == []


def test_a_named_id_is_put_under_its_name(hooks, works, endpoint):
    subscribed(hooks, works, endpoint, channel={"payload": "application/fhir+json"})
    name = f"n-{uuid.uuid4().hex[:8]}"
    hooks.put(f"/Patient/{name}", {"resourceType": "Patient", "id": name, "active": True})
    works()
    assert endpoint.told[0][1] == f"/hook/Patient/{name}"


def test_only_what_its_maker_may_see_is_told(client, ground, works, endpoint):
    narrow = client.bound(program(ground, "system/Subscription.cruds system/Patient.s", "narrow"))
    made = narrow.post("/Subscription", subscription(endpoint)).json()
    works()
    answer = narrow.get(f"/Subscription/{made['id']}").json()
    assert answer["status"] == "error"
    assert "system/Patient.rs" in answer["error"]
    narrow.delete(f"/Subscription/{made['id']}")


def test_off_and_deleted_ones_are_told_nothing_more(hooks, works, endpoint):
    made = subscribed(hooks, works, endpoint)
    hooks.put(f"/Subscription/{made['id']}", {**made, "status": "off"})
    works()
    patient(hooks)
    works()
    assert hooks.get(f"/Subscription/{made['id']}").json()["status"] == "off"
    hooks.put(f"/Subscription/{made['id']}", {**made, "status": "requested"})
    works()
    patient(hooks)
    works()
    assert len(endpoint.told) == 1
    hooks.delete(f"/Subscription/{made['id']}")
    patient(hooks)
    works()
    assert len(endpoint.told) == 1


def test_its_end_turns_it_off(hooks, works, endpoint, run, ground):
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    made = subscribed(hooks, works, endpoint, end=end)
    sql = "UPDATE subscription SET ends = now() - interval '1 second' WHERE id = $1"
    run(ground.database.execute(sql, uuid.UUID(made["id"])))
    works()
    assert hooks.get(f"/Subscription/{made['id']}").json()["status"] == "off"


# --- what fails ----------------------------------------------------------------------------------------------------


def test_a_failure_is_tried_again_with_growing_pauses(hooks, works, endpoint, run, ground):
    made = subscribed(hooks, works, endpoint)
    endpoint.status = 503
    patient(hooks)
    works()
    works()
    assert len(endpoint.told) == 1
    row = run(ground.database.fetchrow("SELECT attempts, due - now() AS pause, note FROM subscription_delivery"))
    assert (row["attempts"], row["note"]) == (1, "answered 503")
    assert timedelta(seconds=3) < row["pause"] <= timedelta(seconds=5)
    endpoint.status = 204
    run(ground.database.execute("UPDATE subscription_delivery SET due = now()"))
    works()
    assert len(endpoint.told) == 2
    assert run(ground.database.fetchval("SELECT count(*) FROM subscription_delivery")) == 0
    assert hooks.get(f"/Subscription/{made['id']}").json()["status"] == "active"


def test_what_comes_later_waits_for_what_failed(hooks, works, endpoint):
    subscribed(hooks, works, endpoint, channel={"payload": "application/fhir+json"})
    endpoint.status = 500
    made = patient(hooks)
    hooks.put(f"/Patient/{made['id']}", {**made, "gender": "male"})
    works()
    assert [json.loads(body)["meta"]["versionId"] for *_, body in endpoint.told] == ["1"]
    other = patient(hooks)
    works()
    assert [path for _, path, _, _ in endpoint.told] == [f"/hook/Patient/{each['id']}" for each in (made, other)]


def test_dead_letters_are_seen_and_replayed(hooks, works, endpoint, monkeypatch, client, ground):
    monkeypatch.setattr(delivering, "PAUSES", (0, 0))
    made = subscribed(hooks, works, endpoint, channel={"payload": "application/fhir+json"})
    endpoint.status = 500
    about = patient(hooks)
    works()
    assert len(endpoint.told) == 3
    (letter,) = letters(hooks)
    assert letter["about"]["reference"] == f"Patient/{about['id']}"
    assert (letter["attempts"], letter["failure"]) == (3, "answered 500")
    assert letters(hooks, f"/Subscription/{made['id']}/$dead-letters") == [letter]
    said = hooks.get(f"/Subscription/{made['id']}").json()
    assert (said["status"], said["error"]) == ("error", "answered 500")
    # another program sees nothing of it and replays nothing; an administrator sees it
    other = client.bound(program(ground, "system/Subscription.cruds", "somebody else"))
    assert letters(other) == []
    assert (
        other.post("/Subscription/$replay", {"resourceType": "Parameters"}).json()["parameter"][0]["valueInteger"] == 0
    )
    administrator = client.bound(ground.access(Who(role="administrator", purpose="HSYSADMIN", display="Quản trị")))
    assert letters(administrator) == [letter]
    assert (
        client.bound(ground.access(Who(role="doctor", purpose="TREAT"))).get("/Subscription/$dead-letters").status_code
        == 403
    )
    hooks.put(f"/Patient/{about['id']}", {**about, "gender": "male"})
    endpoint.status = 200
    numbers = {"resourceType": "Parameters", "parameter": [{"name": "number", "valueString": letter["number"]}]}
    assert hooks.post("/Subscription/$replay", numbers).json()["parameter"][0]["valueInteger"] == 1
    works()
    assert letters(hooks) == []
    # what is replayed is the present version, so nothing newer is overwritten by it
    assert {json.loads(body)["meta"]["versionId"] for *_, body in endpoint.told[3:]} == {"2"}
    assert hooks.get(f"/Subscription/{made['id']}").json()["status"] == "active"


def test_a_redirect_is_not_followed(hooks, works, endpoint):
    endpoint.status = 302
    subscribed(hooks, works, endpoint)
    patient(hooks)
    works()
    assert [path for _, path, _, _ in endpoint.told] == ["/hook"]


# --- who and what --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["doctor", "administrator", "citizen"])
def test_people_make_none(client, ground, endpoint, role):
    person = client.bound(ground.access(Who(role=role, purpose="TREAT", organization=uuid.uuid4(), display=role)))
    assert person.post("/Subscription", subscription(endpoint)).status_code == 403


def test_a_program_needs_a_grant(client, ground, endpoint):
    assert (
        client.bound(program(ground, "system/Patient.cruds")).post("/Subscription", subscription(endpoint)).status_code
        == 403
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"criteria": "Pateint?x=1"}, "criteria"),
        ({"criteria": "Patient?colour=red"}, "colour"),
        ({"criteria": "Patient?name=%00"}, "U+0000"),
        ({"criteria": "Patient?_sort=name"}, "_sort"),
        ({"channel": {"type": "email", "endpoint": "mailto:a@b.c"}}, "email"),
        ({"channel": {"type": "websocket", "payload": "application/fhir+json"}}, "payload"),
        ({"channel": {"type": "rest-hook"}}, "endpoint"),
        ({"channel": {"type": "rest-hook", "endpoint": "ftp://example.org/"}}, "endpoint"),
        ({"channel": {"type": "rest-hook", "endpoint": "https://me:word@example.org/"}}, "endpoint"),
        ({"channel": {"type": "rest-hook", "endpoint": "https://example.org/", "payload": "text/html"}}, "payload"),
        ({"channel": {"type": "rest-hook", "endpoint": "https://example.org/", "header": ["Host: elsewhere"]}}, "header"),
        ({"end": "2020-01-01T00:00:00Z"}, "end"),
        ({"end": "2016-12-31T23:59:60Z"}, "end"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_says_why(hooks, works, endpoint, more, said):
    answer = hooks.post("/Subscription", {**subscription(endpoint), **more})
    assert answer.status_code == 201, answer.text
    works()
    made = hooks.get(f"/Subscription/{answer.json()['id']}").json()
    assert made["status"] == "error"
    assert said in made["error"]


def test_a_client_does_not_set_the_state(hooks, works, endpoint):
    body = {**subscription(endpoint, "Nonsense"), "status": "active"}
    made = hooks.post("/Subscription", body).json()
    assert made["status"] == "requested"
    works()
    assert hooks.get(f"/Subscription/{made['id']}").json()["status"] == "error"


def test_secrets_are_shown_and_stored_nowhere(hooks, works, endpoint, run, ground, caplog):
    made = subscribed(hooks, works, endpoint, channel={"header": [f"Authorization: {SECRET}"]})
    endpoint.status = 500
    patient(hooks)
    works()
    shown = [hooks.get(f"/Subscription/{made['id']}{path}").text for path in ("", "/_history", "/_history/1")]
    shown += [hooks.get("/Subscription").text, hooks.get("/Subscription/$dead-letters").text, caplog.text]
    assert not [text for text in shown if "secret-of-the-hook" in text]
    for name in ("subscription", "subscription_delivery"):
        rows = run(ground.database.fetch(f"SELECT t::text AS row FROM {name} t"))
        assert not [row for row in rows if "secret-of-the-hook" in row["row"]]


def test_a_sealed_secret_opens_for_no_other_endpoint(hooks, works, endpoint):
    made = subscribed(hooks, works, endpoint, channel={"header": [f"Authorization: {SECRET}"]})
    # sent back as it was read, it is kept
    assert hooks.put(f"/Subscription/{made['id']}", {**made, "reason": "other"}).status_code == 200
    works()
    patient(hooks)
    works()
    assert SECRET in endpoint.told[-1][2].values()
    stolen = {**made["channel"], "endpoint": "https://thief.example.org/"}
    assert hooks.put(f"/Subscription/{made['id']}", {**made, "channel": stolen}).status_code == 400
    assert hooks.post("/Subscription", {**made, "channel": stolen}).status_code == 400


def test_nobody_asks_in_anothers_name(hooks, works, endpoint, client, ground):
    made = subscribed(hooks, works, endpoint)
    narrow = client.bound(program(ground, "system/Subscription.cruds", "narrow"))
    copied = narrow.post("/Subscription", {**made, "criteria": "Patient?active=true"}).json()
    works()
    assert narrow.get(f"/Subscription/{copied['id']}").json()["status"] == "error"


# --- where calls go ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0", "[::1]", "[fe80::1]",
     "[fd00::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "100.64.0.1", "224.0.0.1", "0x7f.1", "2130706433"],
)  # fmt: skip
def test_no_address_inside_is_called(run, host):
    outside = Caller()
    with pytest.raises(CallError, match=r"not public|no such host"):
        run(outside.call("POST", f"https://{host}:9/", {}, b""))
    run(outside.close())


def test_a_setting_opens_a_network_and_no_other(run, endpoint):
    some = Caller(inside=[ip_network("10.0.0.0/8")])
    with pytest.raises(CallError, match="not public"):
        run(some.call("POST", endpoint.url, {}, b""))
    run(some.close())
    assert endpoint.told == []


def test_the_address_that_was_judged_is_called(run, endpoint, monkeypatch):
    """A name that answers differently the second time gets nobody further: it is asked once."""
    asked = []

    def resolve(host, port, *_rest, **_more):
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "203.0.113.9"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    made = Caller(inside=INSIDE)
    run(made.call("POST", f"http://hook.example.org:{endpoint.server.server_port}/x", {}, b""))
    run(made.close())
    assert asked == ["hook.example.org"]
    ((_, _, headers, _),) = endpoint.told
    assert {name.lower(): value for name, value in headers.items()}["host"].startswith("hook.example.org")


def test_plain_http_is_for_inside_only():
    assert not Caller()._is_open(ip_address("8.8.8.8"), "http")
    assert Caller()._is_open(ip_address("8.8.8.8"), "https")


def test_an_endpoint_is_judged_by_its_looks():
    assert fault("https://example.org/hook", [("Authorization", "Bearer x")]) == ""
    assert fault("https://example.org/hook", [("X-Bad", "a\nb")])
    assert fault("https://example.org/hook", [("bad name", "x")])
    assert fault("file:///etc/passwd", [])
