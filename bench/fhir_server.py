"""Creates and reads over HTTP with audit and access on, 16 connections, closed loop; every answer is checked afterwards.

python bench/fhir_server.py [--requests 3000] [--connections 16] [--repeat 3]

Machines differ, and this one from hour to hour: a bare program (`floor.py`) is measured by turns with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from typing import Any

from floor import REFERENCE, floor
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


def round_of(server: Running, client: Client, bodies: list[bytes]) -> dict[str, dict[str, Any]]:
    """Create and read once. Raises AssertionError when a read differs from what was written."""
    created, answers = measured(server, client, [client.request("POST", "/fhir/Patient", b) for b in bodies], 201)
    ids = [json.loads(a)["id"] for a in answers]
    read, again = measured(server, client, [client.request("GET", f"/fhir/Patient/{i}") for i in ids], 200)
    assert again == answers, "a read differs from what was written"
    return {"create": created, "read": read}


def median(rounds: list[dict[str, dict[str, Any]]], op: str, key: str) -> float:
    """Middle figure of several rounds, without the first, which warms up."""
    return float(statistics.median(r[op][key] for r in rounds[1:]))


def slowness() -> float:
    """How much slower this machine is just now than the one of the goals, by the CPU time of the floor's creates."""
    with floor() as below:
        client = Client(below.base, "", 16)
        rounds = [round_of(below, client, [patient(n) for n in range(2000)]) for _ in range(3)]
    return median(rounds, "create", "cpu_ms") / REFERENCE["create"][1]


def main() -> None:
    """Measure server and floor by turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    ours: list[dict[str, dict[str, Any]]] = []
    bare: list[dict[str, dict[str, Any]]] = []
    with running() as server, floor() as below:
        client, beneath = (
            Client(server.base, server.token(), asked.connections),
            Client(below.base, "", asked.connections),
        )
        for turn in range(asked.repeat + 1):
            bodies = [patient(turn * asked.requests + n) for n in range(asked.requests)]
            ours.append(round_of(server, client, bodies))
            bare.append(round_of(below, beneath, bodies))
    report = {op: _line(op, ours, bare) for op in GOALS}
    print(
        f"medians of {asked.repeat}, floor and server by turns; equivalent = on the machine of the goals, by the floor"
    )
    print("".join(f"{title:>17}" for title in ("", *report["create"])))
    for op, line in report.items():
        print("".join(f"{value:>17}" for value in (op, *line.values())))
    print(json.dumps(report))


def _line(op: str, ours: list[dict[str, dict[str, Any]]], bare: list[dict[str, dict[str, Any]]]) -> dict[str, float]:
    rate, cpu = median(ours, op, "requests_per_s"), median(ours, op, "cpu_ms")
    floor_rate, floor_cpu = median(bare, op, "requests_per_s"), median(bare, op, "cpu_ms")
    there_rate, there_cpu = REFERENCE[op]
    goal_rate, goal_cpu = GOALS[op]
    return {
        "requests/s": rate, "floor here": floor_rate, "equivalent": round(rate * there_rate / floor_rate), "goal": goal_rate,
        "cpu ms": cpu, "floor ms here": floor_cpu, "equivalent ms": round(cpu * there_cpu / floor_cpu, 2), "goal ms": goal_cpu,
    }  # fmt: skip


if __name__ == "__main__":
    main()
