"""Credentials for TURN, messages of a page, and minutes on each rung."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from yersin import settings
from yersin.calls import signals
from yersin.calls.ice import IceServers
from yersin.calls.quality import Event, seconds_by_rung

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PAGE = "a-page-of-sixteen-letters"


def test_without_settings_no_address_is_offered() -> None:
    assert IceServers().for_seat("seat", NOW) == []


def test_turn_credentials_expire_and_are_what_coturn_computes() -> None:
    offered = IceServers(turn=("turn:turn.example.vn:3478",), secret="north", seconds=600).for_seat("seat-1", NOW)
    name = f"{int(NOW.timestamp()) + 600}:seat-1"
    password = base64.b64encode(hmac.new(b"north", name.encode(), hashlib.sha1).digest()).decode()
    assert offered == [{"urls": ["turn:turn.example.vn:3478"], "username": name, "credential": password}]


def test_an_operator_names_servers_and_secret() -> None:
    read = settings.read({
        "YERSIN_STUN": "stun:relay.example.vn:3478",
        "YERSIN_TURN": "turn:relay.example.vn:3478?transport=udp turns:relay.example.vn:443?transport=tcp",
        "YERSIN_TURN_SECRET": "north",
    })  # fmt: skip
    assert read.stun == ("stun:relay.example.vn:3478",)
    assert read.turn == ("turn:relay.example.vn:3478?transport=udp", "turns:relay.example.vn:443?transport=tcp")
    assert read.turn_secret == "north"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"YERSIN_TURN": "turn:relay.example.vn"}, "YERSIN_TURN_SECRET"),
        ({"YERSIN_TURN": "relay.example.vn", "YERSIN_TURN_SECRET": "x"}, "turn:relay.example.vn:3478"),
        ({"YERSIN_STUN": "turn:relay.example.vn"}, "YERSIN_STUN"),
    ],
)
def test_what_cannot_be_used_as_a_relay_is_refused_at_the_start(given: dict[str, str], told: str) -> None:
    with pytest.raises(settings.BadSettingError, match=told):
        settings.read(given)


def test_a_signal_is_read_with_its_candidate() -> None:
    to = uuid4()
    text = {"kind": "signal", "n": 3, "to": str(to), "page": PAGE, "candidate": {"candidate": "x", "sdpMid": "0"}}
    said = signals.read(json.dumps(text))
    assert isinstance(said, signals.Signal)
    assert said.to == to
    assert said.candidate is not None
    assert said.candidate.sdp_mid == "0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"kind":"unknown"}',
        '{"kind":"hello","page":"short"}',
        '{"kind":"say","key":"12345678","text":""}',
        '{"kind":"admit","seat":"not-an-id"}',
        '{"kind":"leave","more":1}',
        json.dumps({"kind": "say", "key": "12345678", "text": "x" * 4001}),
        json.dumps({"kind": "hello", "page": PAGE, "line": -1}),
        "x" * (signals.LIMIT + 1),
    ],
)
def test_messages_no_page_of_ours_sends_are_refused(text: str) -> None:
    with pytest.raises(signals.BadMessageError):
        signals.read(text)


def test_time_away_counts_on_no_rung_and_coming_back_resumes() -> None:
    seat = uuid4()

    def at(seconds: int, kind: str, rung: str = "") -> Event:
        return Event(at=NOW + timedelta(seconds=seconds), kind=kind, seat=seat, rung=rung)

    events = [at(0, "rung", "video"), at(60, "rung", "audio"), at(90, "away"), at(200, "back"), at(210, "left")]
    assert seconds_by_rung(events, NOW + timedelta(hours=1)) == {seat: {"video": 60.0, "audio": 40.0}}


def test_a_rung_that_lasts_is_counted_until_now() -> None:
    seat = uuid4()
    events = [Event(at=NOW, kind="rung", seat=seat, rung="low")]
    assert seconds_by_rung(events, NOW + timedelta(seconds=30)) == {seat: {"low": 30.0}}
