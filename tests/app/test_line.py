"""Slow senders and heads without end, on a server of this module with little patience."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import httpx
import pytest
import uvicorn
from tests.running import free_port

from yersin.app import line
from yersin.fhir import encode, parse

PATIENCE = 0.4


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Tell how long the body was; of one that breaks off nothing."""
    size, more = 0, scope["type"] == "http"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(str(size)))]})
    await send({"type": "http.response.body", "body": str(size).encode()})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line, "HEAD_SECONDS", PATIENCE)
        patch.setattr(line, "BODY_SECONDS", PATIENCE)
        chosen = free_port()
        config = uvicorn.Config(echo, port=chosen, http=line.Line, loop="uvloop", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield chosen
        server.should_exit = True
        thread.join()


def answer(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """What comes back of pieces that are sent with pauses between them, until the server hangs up."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as client:
        try:
            for piece in pieces:
                client.sendall(piece)
                time.sleep(pause)
        except OSError:
            """The server has hung up already; what it said is read below."""
        found = b""
        with suppress(ConnectionResetError):  # what was not read is thrown away
            while got := client.recv(65536):
                found += got
    return found


def outcome(found: bytes) -> tuple[int, Any]:
    head, _, body = found.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(parse_and_encode(body))["issue"][0]["code"]


def parse_and_encode(body: bytes) -> bytes:
    return encode(parse(body, expect="OperationOutcome"))


def test_who_sends_nothing_is_cut_off(port: int) -> None:
    assert outcome(answer(port)) == (408, "timeout")


def test_a_head_that_comes_byte_by_byte_is_cut_off(port: int) -> None:
    begun = time.monotonic()
    drops = [b"GET / HTTP/1.1\r\n", *[b"X-A: %d\r\n" % n for n in range(30)]]
    assert outcome(answer(port, *drops, pause=0.1)) == (408, "timeout")
    assert time.monotonic() - begun < 10 * PATIENCE


def test_a_body_that_comes_byte_by_byte_is_cut_off(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    assert outcome(answer(port, head, *[b"x"] * 30, pause=0.1)) == (408, "timeout")


def test_a_second_request_may_not_be_slow_either(port: int) -> None:
    whole = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    found = answer(port, whole, whole[:9])
    assert found.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" in found


def test_a_body_that_goes_on_is_waited_for(port: int) -> None:
    def slowly() -> Iterator[bytes]:
        for _ in range(12):
            time.sleep(0.1)
            yield b"x" * 5000

    assert httpx.post(f"http://127.0.0.1:{port}/", content=slowly()).text == "60000"


@pytest.mark.parametrize(
    "flood",
    [
        b"".join(b"X-%d: x\r\n" % n for n in range(500)),
        b"X-Long: " + b"x" * 100_000,
        b"".join(b"X-%d: %s\r\n" % (n, b"x" * 5000) for n in range(40)) + b"\r\n",
    ],
    ids=["lines", "one line", "bytes"],
)
def test_a_head_without_end_is_refused(port: int, flood: bytes) -> None:
    found = answer(port, b"GET / HTTP/1.1\r\n" + flood)
    assert not found or outcome(found) == (431, "too-long")


def test_an_address_without_end_is_refused(port: int) -> None:
    assert outcome(answer(port, b"GET /" + b"x" * 100_000)) == (431, "too-long")


def test_what_is_no_http_is_told_so(port: int) -> None:
    assert outcome(answer(port, b"HELLO\r\n\r\n")) == (400, "structure")


def test_a_line_is_kept_open_for_the_next_request(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        assert client.get("/").text == "0"
        time.sleep(2 * PATIENCE)
        assert client.post("/", content=b"abc").text == "3"
