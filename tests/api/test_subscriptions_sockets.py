"""The channel websocket: bind, bound, ping; what happened while nobody listened is told to the next.

Source: https://hl7.org/fhir/R4/subscription.html#channels
"""

from __future__ import annotations

import json
import time

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from yersin.app.ground import opened
from yersin.guard.tokens import Tokens
from yersin.settings import Settings

PATIENCE = 90.0


@pytest.fixture(scope="module")
def tokens(run, served, keys_dir):
    """Access tokens of two programs."""

    async def make():
        async with opened(Settings(data_dir=keys_dir), served.url, connections=2) as ground:
            made = Tokens(ground.keys)
            return made.make("system/*.cruds", 3600, name="one"), made.make("system/*.cruds", 3600, name="other")

    return run(make())


@pytest.fixture(scope="module")
def http(served, tokens):
    headers = {"authorization": f"Bearer {tokens[0]}", "content-type": "application/fhir+json"}
    with httpx.Client(base_url=f"{served.base_url}/fhir", headers=headers, timeout=30) as made:
        yield made


@pytest.fixture
def subscribed(http):
    """A Subscription by websocket."""
    body = {"resourceType": "Subscription", "status": "requested", "reason": "test", "criteria": "Patient?active=true"}
    made = http.post("/Subscription", json={**body, "channel": {"type": "websocket"}}).json()
    end = time.monotonic() + PATIENCE
    while http.get(f"/Subscription/{made['id']}").json()["status"] != "active":
        assert time.monotonic() < end
        time.sleep(0.05)
    yield made["id"]
    http.delete(f"/Subscription/{made['id']}")


def opened_by(served, token):
    address = served.base_url.replace("http:", "ws:") + "/fhir"
    return connect(address, additional_headers={"authorization": f"Bearer {token}"}, proxy=None)


def patient(http, **more):
    assert http.post("/Patient", json={"resourceType": "Patient", "active": True, **more}).status_code == 201


def test_who_has_bound_is_pinged(served, tokens, http, subscribed):
    with opened_by(served, tokens[0]) as socket:
        socket.send(f"bind {subscribed}")
        assert socket.recv(PATIENCE) == f"bound {subscribed}"
        patient(http)
        assert socket.recv(PATIENCE) == f"ping {subscribed}"
        patient(http, active=False)
        with pytest.raises(TimeoutError):
            socket.recv(2)
        patient(http)
        assert socket.recv(PATIENCE) == f"ping {subscribed}"


def test_what_nobody_heard_is_told_to_the_next(served, tokens, http, subscribed):
    patient(http)
    patient(http)
    time.sleep(2)
    with opened_by(served, tokens[0]) as socket:
        socket.send(f"bind {subscribed}")
        assert [socket.recv(PATIENCE) for _ in range(2)] == [f"bound {subscribed}", f"ping {subscribed}"]
        with pytest.raises(TimeoutError):
            socket.recv(2)


def test_another_program_binds_nothing(served, tokens, subscribed):
    with opened_by(served, tokens[1]) as socket:
        socket.send(f"bind {subscribed}")
        with pytest.raises(ConnectionClosed):
            socket.recv(PATIENCE)


@pytest.mark.parametrize("said", ["bind unknown", "ping", "", "x" * 1000])
def test_what_is_no_bind_closes(served, tokens, said):
    with opened_by(served, tokens[0]) as socket:
        socket.send(said)
        with pytest.raises(ConnectionClosed):
            socket.recv(PATIENCE)


@pytest.mark.parametrize("token", ["", "nonsense"])
def test_nobody_gets_in(served, token):
    with pytest.raises(InvalidStatus), opened_by(served, token):
        pass


def test_the_capability_statement_names_the_address(http, served):
    (extension,) = json.loads(http.get("/metadata").text)["rest"][0]["extension"]
    assert extension["url"] == "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket"
    assert extension["valueUri"] == served.base_url.replace("http:", "ws:") + "/fhir"
