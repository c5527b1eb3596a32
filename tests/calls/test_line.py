"""The WebSocket of a call and the links for a third person, over real sockets and two workers on one database."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.calls.small_house import Worker, on
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin


class Browser:
    """A page that speaks, without a browser around it."""

    def __init__(
        self, worker: Worker, call: UUID, who: str, *, cookie: str = "", page: str = "", origin: str = ""
    ) -> None:
        headers = {"cookie": cookie or f"who={who}"}
        url = f"{worker.base}/telehealth/calls/{call}/signals".replace("http", "ws", 1)
        self.page = page or f"{who or 'guest'}-{uuid4().hex}"
        from_page = Origin(origin or worker.base)
        self.socket: ClientConnection = connect(url, additional_headers=headers, origin=from_page, legacy=True)
        with contextlib.suppress(ConnectionClosed):
            self.say("hello", page=self.page)
        self.heard: list[dict[str, Any]] = []

    def say(self, kind: str, **values: Any) -> None:
        self.socket.send(json.dumps({"kind": kind, **values}))

    def hear(
        self, kind: str, fits: Callable[[dict[str, Any]], bool] = lambda _told: True, seconds: float = 8.0
    ) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while True:
            told = json.loads(self.socket.recv(timeout=max(0.05, deadline - time.monotonic())))
            self.heard.append(told)
            if told["kind"] == kind and fits(told):
                return dict(told)

    def room(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        return self.hear("room", fits)

    def silence(self, seconds: float = 0.6) -> list[dict[str, Any]]:
        """Everything heard until nothing more comes."""
        told = []
        try:
            while True:
                told.append(json.loads(self.socket.recv(timeout=seconds)))
        except TimeoutError:
            return told

    def ended(self) -> int | None:
        try:
            while True:
                self.socket.recv(timeout=8)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


@pytest.fixture
def page(call: UUID) -> Iterator[Callable[..., Browser]]:
    pages: list[Browser] = []

    def make(worker: Worker, who: str, **options: Any) -> Browser:
        pages.append(Browser(worker, call, who, **options))
        return pages[-1]

    yield make
    for each in pages:
        each.socket.close()
        each.socket.recv_events_thread.join(10)
        each.socket.socket.close()


def inside(room: dict[str, Any]) -> bool:
    return bool(room["inside"])


def someone_waits(room: dict[str, Any]) -> bool:
    return any(seat["state"] == "waiting" and seat["present"] for seat in room["seats"])


def met(doctor: Browser, worker: Browser) -> tuple[dict[str, Any], dict[str, Any]]:
    """Admit whoever waits; the two rooms as both see them."""
    room = doctor.room(someone_waits)
    waiting = next(seat for seat in room["seats"] if seat["state"] == "waiting")
    doctor.say("admit", seat=waiting["id"])
    theirs = worker.room(inside)
    return doctor.room(
        lambda room: any(s["id"] == waiting["id"] and s["state"] == "admitted" for s in room["seats"])
    ), theirs


def offer(to: dict[str, Any], n: int = 0) -> dict[str, Any]:
    return {"n": n, "to": to["id"], "page": to["page"], "description": {"type": "offer", "sdp": "v=0"}}


def test_two_pages_on_different_workers_exchange_signals(
    start: Callable[..., Worker], page: Callable[..., Browser]
) -> None:
    doctor, worker = page(start(), "doctor"), page(start(), "worker")
    room, _ = met(doctor, worker)
    doctor.say("signal", **offer(room["seats"][0]))
    told = worker.hear("signal")
    assert told["body"]["description"] == {"type": "offer", "sdp": "v=0"}
    assert told["page"] == doctor.page


def test_a_signal_said_twice_arrives_once(worker: Worker, page: Callable[..., Browser]) -> None:
    doctor, station = page(worker, "doctor"), page(worker, "worker")
    room, _ = met(doctor, station)
    for _turn in range(2):
        doctor.say("signal", **offer(room["seats"][0]))
    first = station.hear("signal")
    station.say("took", ids=[first["id"]])
    assert not [told for told in station.silence() if told["kind"] == "signal"]


def test_a_signal_not_taken_comes_again_after_a_reconnection(worker: Worker, page: Callable[..., Browser]) -> None:
    doctor, station = page(worker, "doctor"), page(worker, "worker")
    room, _ = met(doctor, station)
    doctor.say("signal", **offer(room["seats"][0]))
    first = station.hear("signal")
    station.socket.close()
    again = page(worker, "worker", page=station.page)
    assert again.hear("signal")["id"] == first["id"]


def test_whoever_waits_neither_sends_nor_receives_signals(worker: Worker, page: Callable[..., Browser]) -> None:
    doctor, station = page(worker, "doctor"), page(worker, "worker")
    waiting = doctor.room(someone_waits)["seats"][0]
    doctor.say("signal", **offer(waiting))
    assert doctor.hear("taken")["posted"] is False
    host = station.room(lambda room: bool(room["seats"]))["seats"][0]
    station.say("signal", **offer(host))
    assert station.hear("taken")["posted"] is False
    assert not [told for told in doctor.silence() + station.silence() if told["kind"] == "signal"]


def test_whoever_waits_sees_the_host_and_nobody_else(worker: Worker, page: Callable[..., Browser]) -> None:
    page(worker, "doctor").hear("welcome")
    page(worker, "second").hear("welcome")
    station = page(worker, "worker")
    room = station.room(lambda room: bool(room["seats"]))
    assert [seat["role"] for seat in room["seats"]] == ["host"]


def test_the_same_person_on_a_second_page_takes_the_seat_over(worker: Worker, page: Callable[..., Browser]) -> None:
    doctor, station = page(worker, "doctor"), page(worker, "worker")
    met(doctor, station)
    newer = page(worker, "worker")
    assert newer.room(inside)["me"]["state"] == "admitted"
    assert station.ended() == 4409


def test_a_lost_line_leaves_the_seat_away_and_back_again(worker: Worker, page: Callable[..., Browser]) -> None:
    doctor, station = page(worker, "doctor"), page(worker, "worker")
    met(doctor, station)
    station.socket.close()
    doctor.room(lambda room: room["seats"][0]["state"] == "away")
    page(worker, "worker").room(inside)
    doctor.room(lambda room: room["seats"][0]["state"] == "admitted")


def test_a_restart_of_the_server_ends_no_call(start: Callable[..., Worker], page: Callable[..., Browser]) -> None:
    first = start()
    doctor, station = page(first, "doctor"), page(first, "worker")
    met(doctor, station)
    first.stop()
    second = start()
    assert page(second, "worker").room(inside)["elapsed"] >= 0
    assert page(second, "doctor").room(inside)["me"]["role"] == "host"


def test_a_stranger_is_told_nothing(worker: Worker, page: Callable[..., Browser], call: UUID) -> None:
    assert page(worker, "stranger").ended() == 4404
    assert page(worker, "", cookie="call_seat=guessed").ended() == 4404
    for who in ("stranger", "nobody"):
        answer = httpx.get(f"{worker.base}/telehealth/calls/{call}", cookies={"who": who})
        assert answer.status_code == 404


def test_a_page_of_another_site_cannot_open_the_line(worker: Worker, page: Callable[..., Browser]) -> None:
    assert page(worker, "doctor", origin="https://elsewhere.example").ended() == 4404


def test_a_message_no_page_of_ours_sends_ends_the_line(worker: Worker, page: Callable[..., Browser]) -> None:
    doctor = page(worker, "doctor")
    doctor.hear("welcome")
    doctor.socket.send('{"kind":"admit","seat":"1; DROP TABLE call"}')
    assert doctor.ended() == 4400


def test_the_chat_is_kept_at_once_and_shown_again(worker: Worker, page: Callable[..., Browser], calls_url: str) -> None:
    doctor, station = page(worker, "doctor"), page(worker, "worker")
    station.hear("welcome")
    for _turn in range(2):
        station.say("say", key="key-of-one-line", text="Bệnh nhân đau ngực từ 6 giờ sáng")
    assert doctor.hear("line")["text"] == "Bệnh nhân đau ngực từ 6 giờ sáng"
    assert [row["text"] for row in on(calls_url, "SELECT text FROM call_line")] == ["Bệnh nhân đau ngực từ 6 giờ sáng"]
    assert page(worker, "doctor").hear("line")["mine"] is False


def test_the_end_comes_to_everybody(worker: Worker, page: Callable[..., Browser]) -> None:
    doctor, station = page(worker, "doctor"), page(worker, "worker")
    met(doctor, station)
    doctor.say("end")
    assert station.hear("over")["why"] == "ended"
    assert page(worker, "worker").hear("over")["why"] == "ended"


@contextlib.contextmanager
def client(worker: Worker, who: str, call: UUID) -> Iterator[httpx.Client]:
    """A signed-in client with the token of a page it has opened."""
    cookies, headers = {"who": who} if who else {}, {"sec-fetch-site": "same-origin"}
    with httpx.Client(base_url=worker.base, cookies=cookies, headers=headers) as made:
        shown = made.get(f"/telehealth/calls/{call}") if who else made.get("/join/nothing")
        made.headers["x-csrf-token"] = shown.text.partition('name="csrf-token" content="')[2].partition('"')[0]
        yield made


def link(worker: Worker, call: UUID) -> str:
    with client(worker, "doctor", call) as doctor:
        answer = doctor.post(f"/telehealth/calls/{call}/invitations")
        assert answer.status_code == 201, answer.text[:200]
        return str(answer.json()["path"])


def test_a_link_serves_one_person_and_looking_does_not_use_it_up(
    worker: Worker, call: UUID, page: Callable[..., Browser], calls_url: str
) -> None:
    page(worker, "doctor").room(inside)
    path = link(worker, call)
    assert "Nguyễn" not in path
    token = path.rpartition("/")[2]
    assert len(token) == 43
    with client(worker, "", call) as guest, client(worker, "", call) as late:
        assert [guest.get(path).status_code for _ in range(3)] == [200, 200, 200]
        used = guest.post(path, data={"name": "Lý A Sử", "place": "Phiên dịch tiếng Mông"})
        assert used.status_code == 303
        assert used.headers["location"] == f"/telehealth/calls/{call}"
        assert late.get(path).status_code == 410
        assert late.post(path, data={"name": "Người khác"}).status_code == 410
        assert late.get(f"/telehealth/calls/{call}").status_code == 404
        assert guest.get(f"/telehealth/calls/{call}").status_code == 200
        cookie = f"call_seat={guest.cookies['call_seat']}"
    guest_page = page(worker, "", cookie=cookie)
    assert guest_page.room(lambda _room: True)["inside"] is False
    assert token not in str(on(calls_url, "SELECT token::text FROM call_invitation"))


def test_a_link_used_by_ten_at_once_seats_one(worker: Worker, call: UUID, page: Callable[..., Browser]) -> None:
    page(worker, "doctor").room(inside)
    path = link(worker, call)
    answers: list[int] = []

    def press() -> None:
        with client(worker, "", call) as guest:
            answers.append(guest.post(path, data={"name": "Lý A Sử"}).status_code)

    presses = [threading.Thread(target=press) for _ in range(10)]
    for each in presses:
        each.start()
    for each in presses:
        each.join()
    assert sorted(answers) == [303] + [410] * 9


def test_a_link_that_has_expired_or_outlived_the_call_is_dead(
    worker: Worker, call: UUID, page: Callable[..., Browser], calls_url: str
) -> None:
    doctor = page(worker, "doctor")
    doctor.room(inside)
    expired, outlived = link(worker, call), link(worker, call)
    on(
        calls_url,
        "UPDATE call_invitation SET expires = now() - interval '1 s' WHERE made = (SELECT min(made) FROM call_invitation)",
    )
    assert httpx.get(worker.base + expired).status_code == 410
    assert httpx.get(worker.base + outlived).status_code == 200
    doctor.say("end")
    doctor.ended()
    assert httpx.get(worker.base + outlived).status_code == 410


def test_a_guest_reads_no_line_from_before_and_can_invite_nobody(
    worker: Worker, call: UUID, page: Callable[..., Browser]
) -> None:
    doctor = page(worker, "doctor")
    doctor.room(inside)
    doctor.say("say", key="before-the-guest", text="Trao đổi riêng")
    doctor.hear("line")
    with client(worker, "", call) as guest:
        guest.post(link(worker, call), data={"name": "Lý A Sử"})
        cookie = f"call_seat={guest.cookies['call_seat']}"
        assert guest.post(f"/telehealth/calls/{call}/invitations").status_code == 403
        assert guest.get(f"/telehealth/calls/{call}/recordings").status_code == 404
    sitting = page(worker, "", cookie=cookie)
    met(doctor, sitting)
    doctor.say("say", key="after-the-guest", text="Chào anh")
    assert sitting.hear("line")["text"] == "Chào anh"


def test_recording_needs_everybody_and_its_chunks_are_sealed(
    worker: Worker, call: UUID, page: Callable[..., Browser], calls_url: str
) -> None:
    doctor, station = page(worker, "doctor"), page(worker, "worker")
    met(doctor, station)
    at = f"/telehealth/calls/{call}/recordings"
    with client(worker, "doctor", call) as hub, client(worker, "worker", call) as spoke:
        doctor.say("askrecording")
        assert hub.post(at, json={"media_type": "video/webm"}).status_code == 409
        station.say("answerrecording", agrees=True)
        doctor.room(lambda room: bool(room["may_record"]))
        assert spoke.post(at, json={"media_type": "video/webm"}).status_code == 409
        recording = hub.post(at, json={"media_type": "video/webm"}).json()["id"]
        for number in (0, 2, 0):
            assert hub.post(f"{at}/{recording}/chunks/{number}", content=f"piece {number};").status_code == 204
        assert hub.post(f"{at}/{recording}/chunks/0", content=b"other").status_code == 409
        assert spoke.post(f"{at}/{recording}/chunks/1", content=b"mine").status_code == 404
        assert hub.post(f"{at}/{recording}/finish", json={"chunks": 3}).json() == {"missing": [1]}
        hub.post(f"{at}/{recording}/chunks/1", content=b"piece 1;")
        assert hub.post(f"{at}/{recording}/finish", json={"chunks": 3}).json() == {"missing": []}
        assert hub.get(f"{at}/{recording}").content == b"piece 0;piece 1;piece 2;"
        assert spoke.get(f"{at}/{recording}").status_code == 404
    stored = b"".join(row["sealed"] for row in on(calls_url, "SELECT sealed FROM call_recording_chunk"))
    assert b"piece" not in stored
    kinds = [row["kind"] for row in on(calls_url, "SELECT kind FROM call_event ORDER BY id")]
    assert kinds.count("consent-yes") == 2
    assert kinds.index("recording-asked") < kinds.index("recording-running") < kinds.index("recording-off")


def test_chunks_that_change_places_are_noticed(
    worker: Worker, call: UUID, page: Callable[..., Browser], calls_url: str
) -> None:
    doctor = page(worker, "doctor")
    doctor.room(inside)
    at = f"/telehealth/calls/{call}/recordings"
    with client(worker, "doctor", call) as hub:
        doctor.say("askrecording")
        doctor.room(lambda room: bool(room["may_record"]))
        recording = hub.post(at, json={"media_type": "video/webm"}).json()["id"]
        for number in (0, 1):
            hub.post(f"{at}/{recording}/chunks/{number}", content=f"piece {number};")
        on(
            calls_url,
            "UPDATE call_recording_chunk a SET sealed = b.sealed FROM call_recording_chunk b WHERE a.number <> b.number",
        )
        with pytest.raises(httpx.RemoteProtocolError):
            hub.get(f"{at}/{recording}")


def test_a_line_said_while_the_database_goes_away_is_kept_once(
    worker: Worker, page: Callable[..., Browser], calls_url: str
) -> None:
    doctor = page(worker, "doctor")
    doctor.room(inside)
    on(
        calls_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()",
    )
    with contextlib.suppress(ConnectionClosed, TimeoutError):
        doctor.say("say", key="said-in-bad-times", text="Còn đó")
        doctor.hear("said", seconds=3)
    again = page(worker, "doctor", page=doctor.page)
    assert again.room(inside)["me"]["role"] == "host"
    again.say("say", key="said-in-bad-times", text="Còn đó")
    assert again.hear("said")["kept"] is True
    assert [row["text"] for row in on(calls_url, "SELECT text FROM call_line")] == ["Còn đó"]
