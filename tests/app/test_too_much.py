"""Bodies that are too long, of a later version of FHIR, or no resource at all, sent to a running server."""

from __future__ import annotations

import gzip
import os
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.running import Client, Served, form_token

from yersin.fhir import parse

GIGABYTE = 1 << 30


def memory_of(pid: int) -> int:
    """Memory a process holds now, in bytes."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("this system does not tell the memory of a process")
    line = next(x for x in status.read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def announced(server: Served, path: str, headers: dict[str, str], size: int) -> bytes:
    """Announce a body and send none of it; what comes back at once."""
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", f"Content-Length: {size}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=10)) as line:
        line.sendall("\r\n".join([*lines, "", ""]).encode())
        return line.recv(65536)


def test_two_gigabytes_are_refused_before_they_are_sent(client: Client, served: Served) -> None:
    headers = {"Authorization": f"Bearer {client.token()}", "Content-Type": "application/fhir+json"}
    before = memory_of(served.process.pid)
    for path in ("/fhir", "/fhir/Patient", "/fhir/Patient/_search"):
        assert b" 413 " in announced(served, path, headers, 2 * GIGABYTE).partition(b"\r\n")[0]
    assert memory_of(served.process.pid) - before < 32 << 20


def test_an_endless_body_is_refused_and_kept_nowhere(client: Client, served: Served) -> None:
    most = memory_of(served.process.pid)
    begun = most

    def endless() -> Iterator[bytes]:
        nonlocal most
        for _ in range(256):
            most = max(most, memory_of(served.process.pid))
            yield b" " * (1 << 20)

    headers = {"authorization": f"Bearer {client.token()}", "content-type": "application/fhir+json"}
    with suppress(httpx.WriteError):  # a server that hangs up on us is as good
        answer = httpx.post(f"{served.base_url}/fhir/Patient", content=endless(), headers=headers, timeout=60)
        assert answer.status_code == 413
    assert most - begun < 200 << 20, "64 MiB are the limit, and their joining may take as much again"
    assert served.is_ready()


def test_two_gigabytes_for_a_page_are_refused_before_they_are_sent(served: Served) -> None:
    visitor = httpx.Client(base_url=served.base_url)
    with visitor:
        form_token(visitor, "/sign-in")
        cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
    before = memory_of(served.process.pid)
    line = announced(served, "/sign-in", headers, 2 * GIGABYTE).partition(b"\r\n")[0]
    assert b" 413 " in line, line
    assert memory_of(served.process.pid) - before < 32 << 20


MANY = 8 << 20
PATIENT, XML = b'{"resourceType":"Patient",', b'<Patient xmlns="http://hl7.org/fhir">'
BOMBS = {
    "deep": b"[" * MANY,
    "deep objects": PATIENT + b'"a":{' * (MANY // 5),
    "empty objects": PATIENT + b'"name":[' + b"{}," * (MANY // 3) + b"{}]}",
    "empty objects in a smaller body": PATIENT + b'"name":[' + b"{}," * 80_000 + b"{}]}",
    "unknown members": PATIENT + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}",
    "one member many times": PATIENT + b'"id":"x",' * 20_000 + b'"id":"x"}',
    "a long number": PATIENT + b'"multipleBirthInteger":' + b"9" * MANY + b"}",
    "an exponent": PATIENT + b'"multipleBirthInteger":1e999999999}',
    "a long text": PATIENT + b'"name":[{"text":"' + b"x" * MANY + b'"}]}',
    "a bundle of nothing": b'{"resourceType":"Bundle","type":"transaction","entry":[' + b"{}," * (MANY // 3) + b"{}]}",
    "a bundle of too much": b'{"resourceType":"Bundle","type":"batch","entry":['
    + b",".join([b'{"request":{"method":"GET","url":"Patient/x"}}'] * 10_001) + b"]}",
    "deep XML": XML + b"<a>" * (MANY // 3),
    "entities": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]>' + XML + b"&c;</Patient>",
    "many elements": XML + b"<a/>" * (MANY // 4) + b"</Patient>",
}  # fmt: skip


def seconds_of(pid: int) -> float:
    """Time that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_bombs_are_refused_cheaply(client: Client, served: Served) -> None:
    token = f"Bearer {client.token()}"
    before = memory_of(served.process.pid)
    dear = {}
    for name, body in BOMBS.items():
        kind = "xml" if body.startswith((XML, b"<!DOCTYPE")) else "json"
        headers = {"authorization": token, "content-type": f"application/fhir+{kind}"}
        begun = seconds_of(served.process.pid)
        path = "/fhir" if b"Bundle" in body[:40] else "/fhir/Patient"
        answer = httpx.post(served.base_url + path, content=body, headers=headers, timeout=60)
        assert answer.status_code in (400, 413, 422), (name, answer.text[:200])
        parse(answer.content, expect="OperationOutcome")
        dear[name] = seconds_of(served.process.pid) - begun
    assert max(dear.values()) < 3, dear
    assert sum(dear.values()) < 10, dear
    assert memory_of(served.process.pid) - before < 300 << 20


def test_a_gzip_bomb_is_unpacked_no_further_than_a_body_may_be_long(client: Client, served: Served) -> None:
    headers = {
        "authorization": f"Bearer {client.token()}",
        "content-type": "application/fhir+json",
        "content-encoding": "gzip",
    }
    most = memory_of(served.process.pid)
    bomb = gzip.compress(b" " * (128 << 20), 1)
    answer = httpx.post(f"{served.base_url}/fhir/Patient", content=bomb, headers=headers, timeout=60)
    assert answer.status_code == 413
    assert memory_of(served.process.pid) - most < 200 << 20


LATER: list[tuple[dict[str, Any], str]] = [
    ({"resourceType": "Encounter", "status": "in-progress", "class": [{"text": "x"}], "actualPeriod": {}}, "Encounter.class"),
    ({"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": {"reference": "Patient/x"},
      "medication": {"concept": {"text": "x"}}}, "MedicationRequest.medication"),
    ({"resourceType": "NutritionIntake", "status": "completed"}, "NutritionIntake"),
    ({"resourceType": "Patient", "virtualService": []}, "Patient.virtualService"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "words"), LATER, ids=[words for _, words in LATER])
def test_a_resource_of_a_later_version_is_refused_at_the_element_that_tells(
    client: Client, body: dict[str, Any], words: str
) -> None:
    answer = client.post(f"/{body['resourceType']}", body)
    assert answer.status_code in (400, 404)
    issue = answer.json()["issue"][0]
    assert words in f"{issue.get('expression', [''])[0]} {issue['diagnostics']}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\x89PNG\r\n\x1a\n",
        b"<Patient xmlns='http://hl7.org/fhir'/>",
        b"name,born\nLan,1980",
        b"[]",
        b"null",
        b"\xff\xfe{}",
    ],
)
def test_what_is_no_resource_is_refused_in_words(client: Client, content: bytes) -> None:
    for path in ("/Patient", ""):
        answer = client.post(path, content=content)
        assert answer.status_code == 400, answer.text
        assert answer.json()["issue"][0]["diagnostics"]
