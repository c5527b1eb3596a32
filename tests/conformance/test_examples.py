"""The examples HL7 publishes with R4 (4.0.1), written and served back. Source: https://hl7.org/fhir/R4/downloads.html"""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.outcomes import Tally, exclusions
from tests.running import Client

#: examples that break R4's own rules, each with its reason
REFUSED = set(exclusions("examples"))


class Digits(Decimal):
    """A number as it was written: 1.0 is not 1.00."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decimal) and self.as_tuple() == other.as_tuple()

    def __hash__(self) -> int:
        return hash(self.as_tuple())


def exactly(raw: str | bytes) -> Any:
    """JSON with every digit kept."""
    return json.loads(raw, parse_float=Digits, parse_int=Digits)


@pytest.fixture(scope="module")
def examples(shared: Path) -> list[bytes]:
    lines = gzip.decompress((shared / "fhir-r4/examples/r4-examples.ndjson.gz").read_bytes()).splitlines()
    assert len(lines) == 371
    return lines


def without_server_meta(resource: Any) -> Any:
    meta = {k: v for k, v in resource.get("meta", {}).items() if k not in ("versionId", "lastUpdated")}
    rest = {k: v for k, v in resource.items() if k != "meta"}
    if resource["resourceType"] == "Subscription" and "header" in resource["channel"]:  # kept sealed, shown to nobody
        names = [header.partition(":")[0] for header in resource["channel"]["header"]]
        rest["channel"] = {**resource["channel"], "header": names}
    return {**rest, "meta": meta} if meta else rest


def is_refused(resource: Any) -> bool:
    return f"{resource['resourceType']}/{resource['id']}" in REFUSED


def test_examples_that_break_rules_are_refused_and_are_few(client: Client, examples: list[bytes]) -> None:
    broken = [raw for raw in examples if is_refused(json.loads(raw))]
    assert len(broken) == len(REFUSED) <= len(examples) // 35
    for raw in broken:
        sent = json.loads(raw)
        answer = client.put(f"/{sent['resourceType']}/{sent['id']}", content=raw)
        assert answer.status_code == 422, answer.text
        assert any(issue["severity"] == "error" and issue["expression"] for issue in answer.json()["issue"])


def test_every_example_is_served_back_as_it_came(client: Client, examples: list[bytes], tally: Tally) -> None:
    wrong = []
    for raw in examples:
        sent = exactly(raw)
        if is_refused(sent):
            continue
        address = f"/{sent['resourceType']}/{sent['id']}"
        answer = client.put(address, content=raw)
        if answer.status_code not in (200, 201):
            wrong.append((address, answer.status_code, answer.text[:300]))
            continue
        read = client.get(address)
        for text in (answer.text, read.text):
            got = exactly(text)
            assert f'W/"{got["meta"]["versionId"]}"' == read.headers["etag"], address
            assert got["meta"]["lastUpdated"], address
            if without_server_meta(got) != without_server_meta(sent):
                wrong.append((address, read.status_code, read.text[:300]))
    assert not wrong
    tally(len(examples))


def test_every_example_is_found_by_its_id_and_in_its_history(client: Client, examples: list[bytes]) -> None:
    for raw in examples[::7]:
        sent = json.loads(raw)
        if is_refused(sent):
            continue
        client.put(f"/{sent['resourceType']}/{sent['id']}", content=raw)
        history = client.get(f"/{sent['resourceType']}/{sent['id']}/_history").json()
        assert history["entry"][0]["resource"]["id"] == sent["id"]
        if sent["resourceType"] != "AuditEvent":  # searched in the audit
            (found,) = client.search(f"/{sent['resourceType']}?_id={sent['id']}")
            assert found["id"] == sent["id"]
