"""What a program asks of the server, by turns with the limit and the floor: requests/s and CPU, database included.

python bench/rates.py [--requests 2000] [--connections 16] [--repeat 3] [--only read,update]

Every answer is checked afterwards. `equivalent` is what the figure is worth on the machine of the goals, by what the floor's
creates (for writes) and reads (for reads and searches) take here; `limit` is the same SQL with no FHIR (`limit.py`).
The neutral load of the goals measures the same: `python fhir_load.py http://127.0.0.1:8000/fhir -c 16 --bearer TOKEN`.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from fhir_server import Client, measured, patient
from floor import REFERENCE, floor
from limit import limit
from running import Running, running

#: requests/s that must be reached, those to aim at, and which of the floor's figures tells what the machine is worth
GOALS = {
    "create": (1200, 1800, "create"),
    "read": (3500, 5000, "read"),
    "vread": (3000, 4000, "read"),
    "update": (1000, 1500, "create"),
    "identifier": (2500, 4000, "read"),
    "name": (1500, 3000, "read"),
    "birth date": (800, 1500, "read"),
    "observation": (1500, 3000, "read"),
    "delete": (1200, 1800, "create"),
    "bundle": (3000, 6000, "create"),
}
_CODES = ("8867-4", "8480-6", "8462-4", "8310-5", "29463-7")
_ENTRIES = 150
_ALIKE = 10
Figures = dict[str, Any]


def observation(subject: str, number: int) -> dict[str, Any]:
    """Return an Observation of about 0.8 KB."""
    day = date(2021, 1, 1) + timedelta(days=number * 37 % 1460)
    return {
        "resourceType": "Observation", "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": _CODES[number % 5], "display": "Dấu hiệu sinh tồn"}]},
        "subject": {"reference": subject},
        "effectiveDateTime": f"{day}T{8 + number % 10:02d}:{number % 60:02d}:00Z",
        "valueQuantity": {"value": 60 + number % 50, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
        "note": [{"text": "Đo lúc nghỉ, ngồi, bởi điều dưỡng tiếp nhận; máy đã kiểm tra tuần này."}],
    }  # fmt: skip


def person(number: int) -> bytes:
    """Return a Patient of about 1.5 KB, one of ten with this family name."""
    return patient(number).replace('"family": "Nguyễn"'.encode(), f'"family": "{family(number)}"'.encode())


def family(number: int) -> str:
    """Return a family name of its own for every ten people."""
    return f"Lê{number // 10:06d}"


def record(number: int) -> bytes:
    """Return a transaction of one patient's record, so many entries."""
    mother = f"urn:uuid:00000000-0000-4000-8000-{number:012d}"
    first = {
        "fullUrl": mother,
        "resource": json.loads(patient(900_000_000 + number)),
        "request": {"method": "POST", "url": "Patient"},
    }
    others = [
        {"resource": observation(mother, n), "request": {"method": "POST", "url": "Observation"}}
        for n in range(_ENTRIES - 1)
    ]
    return json.dumps(
        {"resourceType": "Bundle", "type": "transaction", "entry": [first, *others]}, ensure_ascii=False
    ).encode()


def _ids(found: Any) -> set[str]:
    return {entry["resource"]["id"] for entry in found["entry"]}


class Round:
    """One turn: each kind of request, on what the ones before it wrote."""

    def __init__(self, server: Running, client: Client, turn: int, requests: int) -> None:
        self.server, self.client, self.count = server, client, requests
        self.random = random.Random(turn)
        self.numbers = range(turn * requests, (turn + 1) * requests)
        self.figures: dict[str, Figures] = {}
        self.ids: list[str] = []

    def run(self, names: list[str]) -> dict[str, Figures]:
        """Measure; creates always run, the rest needs them."""
        bodies = [self.client.request("POST", "/fhir/Patient", person(n)) for n in self.numbers]
        self.ids = [json.loads(body)["id"] for body in self._send("create", bodies, 201)]
        steps: dict[str, Callable[[], None]] = {
            "read": self._reads, "vread": self._vreads, "update": self._updates, "identifier": self._identifiers,
            "name": self._names, "birth date": self._births, "observation": self._observations, "delete": self._deletes,
            "bundle": self._bundles,
        }  # fmt: skip
        for name, step in steps.items():
            if name in names:
                step()
        return self.figures

    def _send(self, name: str, requests: list[bytes], wanted: int) -> list[bytes]:
        self.figures[name], bodies = measured(self.server, self.client, requests, wanted)
        return bodies

    def _get(self, name: str, paths: list[str], hits: Callable[[Any, int], bool]) -> None:
        bodies = self._send(name, [self.client.request("GET", path) for path in paths], 200)
        for number, body in enumerate(bodies):
            assert hits(json.loads(body), number), f"{name}: {paths[number]} answered {body[:300]!r}"

    def _reads(self) -> None:
        self._get("read", [f"/fhir/Patient/{i}" for i in self.ids], lambda found, n: found["id"] == self.ids[n])

    def _vreads(self) -> None:
        paths = [f"/fhir/Patient/{i}/_history/1" for i in self.ids]
        self._get("vread", paths, lambda found, _: found["meta"]["versionId"] == "1")

    def _updates(self) -> None:
        bodies = []
        for number, logical_id in zip(self.numbers, self.ids, strict=True):
            body = {**json.loads(person(number)), "id": logical_id, "active": False}
            bodies.append(self.client.request("PUT", f"/fhir/Patient/{logical_id}", json.dumps(body).encode()))
        for answer in self._send("update", bodies, 200):
            assert json.loads(answer)["meta"]["versionId"] == "2"

    def _identifiers(self) -> None:
        paths = [f"/fhir/Patient?identifier=urn:bench:national%7C999{n:09d}" for n in self.numbers]
        self._get("identifier", paths, lambda found, n: [e["resource"]["id"] for e in found["entry"]] == [self.ids[n]])

    def _names(self) -> None:
        paths = [f"/fhir/Patient?name={quote(family(n))}&_count=50" for n in self.numbers]
        self._get("name", paths, lambda found, n: len(found["entry"]) == _ALIKE and self.ids[n] in _ids(found))

    def _births(self) -> None:
        paths = []
        for _ in range(self.count):
            first = date(1940, 1, 1) + timedelta(days=self.random.randrange(79 * 365))
            paths.append(f"/fhir/Patient?birthdate=ge{first}&birthdate=le{first + timedelta(days=9)}&_count=50")
        self._get("birth date", paths, lambda found, _: found["total"] == len(found.get("entry", ())))

    def _observations(self) -> None:
        people = [f"Patient/{i}" for i in self.ids[:50]]
        bodies = [observation(people[n % 50], n // 50) for n in range(2000)]
        posts = [self.client.request("POST", "/fhir/Observation", json.dumps(body).encode()) for body in bodies]
        self._send("create observation", posts, 201)
        year = "date=ge2022-01-01&date=lt2023-01-01&_sort=-date"
        paths = [
            f"/fhir/Observation?patient={people[n % 50]}&code=http://loinc.org%7C{_CODES[n % 5]}&{year}"
            for n in range(self.count)
        ]

        def sorted_down(found: Any, _: int) -> bool:
            moments = [e["resource"]["effectiveDateTime"] for e in found.get("entry", ())]
            return moments == sorted(moments, reverse=True)

        self._get("observation", paths, sorted_down)

    def _deletes(self) -> None:
        self._send("delete", [self.client.request("DELETE", f"/fhir/Patient/{i}") for i in self.ids], 204)

    def _bundles(self) -> None:
        count = max(self.count // 50, 16)
        bodies = [self.client.request("POST", "/fhir", record(self.numbers[0] + n)) for n in range(count)]
        for body in self._send("bundle", bodies, 200):
            assert all(entry["response"]["status"].startswith("201") for entry in json.loads(body)["entry"])
        each = self.figures["bundle"]
        each.update(requests_per_s=each["requests_per_s"] * _ENTRIES, cpu_ms=round(each["cpu_ms"] / _ENTRIES, 3))


def main() -> None:
    """Measure by turns and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="a multiple of ten")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default=",".join(GOALS))
    asked = parser.parse_args()
    names = asked.only.split(",")
    turns: dict[str, list[dict[str, Figures]]] = {"server": [], "limit": [], "floor": []}
    with running() as server, limit() as bare, floor() as below:
        token = server.token()
        for turn in range(asked.repeat + 1):
            for name, where in (("server", server), ("limit", bare), ("floor", below)):
                client = Client(where.base, token, asked.connections)
                wanted = names if name == "server" else ["read"]
                turns[name].append(Round(where, client, turn, asked.requests).run(wanted))
    report = {op: _line(op, turns) for op in GOALS if op in turns["server"][0]}
    print(f"medians of {asked.repeat}, by turns; bundle: resources/s and ms a resource")
    print(f"{'':>12}" + "".join(f"{title:>14}" for title in report["create"]))
    for op, line in report.items():
        print(f"{op:>12}" + "".join(f"{value:>14}" for value in line.values()))
    print(json.dumps(report))


def _line(op: str, turns: dict[str, list[dict[str, Figures]]]) -> Figures:
    must, aim, like = GOALS[op]

    def middle(whose: str, kind: str, key: str) -> float:
        return float(statistics.median(each[kind][key] for each in turns[whose][1:]))

    rate, cpu = middle("server", op, "requests_per_s"), middle("server", op, "cpu_ms")
    there_rate, there_cpu = REFERENCE[like]
    line: Figures = {
        "requests/s": rate, "cpu ms": cpu,
        "equivalent": round(rate * there_rate / middle("floor", like, "requests_per_s")),
        "equiv. ms": round(cpu * there_cpu / middle("floor", like, "cpu_ms"), 2),
        "must": must, "aim": aim,
    }  # fmt: skip
    bare = op in turns["limit"][0]
    line["of limit"] = f"{rate / middle('limit', op, 'requests_per_s'):.0%}" if bare else "-"
    line["of its cpu"] = f"{middle('limit', op, 'cpu_ms') / cpu:.0%}" if bare else "-"
    return line


if __name__ == "__main__":
    main()
