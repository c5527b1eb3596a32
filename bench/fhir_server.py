"""Creates and reads over HTTP with audit and access on, 16 connections, closed loop; every answer is checked afterwards.

python bench/fhir_server.py [--requests 3000] [--connections 16] [--repeat 3]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from running import Running, running

GOALS = {"create": (1200, 1.0), "read": (3000, 0.5)}


def patient(number: int) -> bytes:
    """Return a Patient of about 1.5 KB."""
    return json.dumps({
        "resourceType": "Patient",
        "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">Người {number}</div>'},
        "identifier": [
            {"use": "official", "system": "urn:bench:national", "value": f"999{number:09d}",
             "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NI"}]}},
            {"use": "usual", "system": "urn:bench:record", "value": f"BA{number:08d}"},
        ],
        "active": True,
        "name": [{"use": "official", "text": f"Nguyễn Văn {number:x}", "family": "Nguyễn", "given": ["Văn", f"An{number:x}"]}],
        "telecom": [{"system": "phone", "value": f"+84 900 00{number % 10} {number % 1000:03d}", "use": "mobile"},
                    {"system": "email", "value": f"nguoi{number}@example.org"}],
        "gender": "female" if number % 2 else "male",
        "birthDate": f"{1940 + number % 80}-{1 + number % 12:02d}-{1 + number % 28:02d}",
        "address": [{"use": "home", "line": [f"Số {number % 200} đường làng"], "city": "Xã Bắc Hà", "state": "Lào Cai", "country": "VN"}],
        "maritalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M"}]},
        "contact": [{"relationship": [{"text": "Vợ/chồng"}], "name": {"text": "Trần Thị Bình"},
                     "telecom": [{"system": "phone", "value": "+84 900 001 000"}]}],
        "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "vi"}]}, "preferred": True}],
        "managingOrganization": {"display": "Trạm Y tế xã"},
    }, ensure_ascii=False).encode()  # fmt: skip


class Client:
    """Keeps some connections busy with one request each, and keeps every answer."""

    def __init__(self, base: str, token: str, connections: int) -> None:
        self.host, _, port = base.removeprefix("http://").partition(":")
        self.port = int(port)
        self.connections = connections
        self.head = f"Host: {self.host}\r\nAuthorization: Bearer {token}\r\n"

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        kind = f"Content-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n" if body else ""
        return f"{method} {path} HTTP/1.1\r\n{self.head}{kind}\r\n".encode() + body

    async def send(self, requests: list[bytes]) -> tuple[list[tuple[int, bytes]], float]:
        answers: list[tuple[int, bytes]] = [(0, b"")] * len(requests)
        numbers = iter(range(len(requests)))

        async def one() -> None:
            reader, writer = await asyncio.open_connection(self.host, self.port)
            for n in numbers:
                writer.write(requests[n])
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                answers[n] = (int(head[9:12]), await reader.readexactly(length))
            writer.close()

        begun = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(self.connections)))
        return answers, time.perf_counter() - begun


def measured(server: Running, client: Client, requests: list[bytes], wanted: int) -> tuple[dict[str, Any], list[bytes]]:
    """Send requests and say how fast and how dear they were. Raises AssertionError on a wrong answer."""
    cpu = server.cpu()
    answers, seconds = asyncio.run(client.send(requests))
    spent = server.cpu() - cpu
    wrong = [status for status, _ in answers if status != wanted]
    assert not wrong, f"{len(wrong)} answers are not {wanted}: {wrong[:3]}"
    figures = {"requests_per_s": round(len(requests) / seconds), "cpu_ms": round(spent / len(requests) * 1000, 3)}
    return figures, [body for _, body in answers]


def asked_for(words: str | None) -> argparse.Namespace:
    """Read what the command line asks for."""
    parser = argparse.ArgumentParser(description=words)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--repeat", type=int, default=3)
    return parser.parse_args()


Rounds = dict[str, list[dict[str, Any]]]


def rounds(server: Running, client: Client, asked: argparse.Namespace, body: Callable[[int], bytes]) -> Rounds:
    """Create and read so many times as asked. Raises AssertionError when a read differs from what was written."""
    runs: Rounds = {"create": [], "read": []}
    for turn in range(asked.repeat + 1):
        bodies = [body(turn * asked.requests + n) for n in range(asked.requests)]
        created, answers = measured(server, client, [client.request("POST", "/fhir/Patient", b) for b in bodies], 201)
        ids = [json.loads(a)["id"] for a in answers]
        read, again = measured(server, client, [client.request("GET", f"/fhir/Patient/{i}") for i in ids], 200)
        assert again == answers, "a read differs from what was written"
        if turn:  # the first warms up
            runs["create"].append(created)
            runs["read"].append(read)
    return runs


def medians(runs: Rounds) -> dict[str, dict[str, float]]:
    """Middle figures of several rounds."""
    return {op: {key: statistics.median(r[key] for r in rs) for key in rs[0]} for op, rs in runs.items()}


def main() -> None:
    """Measure and print."""
    asked = asked_for(__doc__)
    with running() as server:
        report = medians(rounds(server, Client(server.base, server.token(), asked.connections), asked, patient))
    print(f"{'operation':<10}{'req/s':>8}{'goal':>8}{'cpu ms':>9}{'goal':>7}   medians of {asked.repeat}")
    for op, row in report.items():
        print(f"{op:<10}{row['requests_per_s']:>8.0f}{GOALS[op][0]:>8}{row['cpu_ms']:>9.3f}{GOALS[op][1]:>7}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
