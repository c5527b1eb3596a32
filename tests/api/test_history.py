"""History of a resource, a type and the server. Source: https://hl7.org/fhir/R4/http.html#history"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from tests.running import PATIENCE, Client, House

from yersin.fhir import parse
from yersin.guard.who import Who
from yersin.store import histories
from yersin.store.identity import row_id

ORGANIZATION = {"resourceType": "Organization", "name": "Trạm"}


def versions(client: Client, path: str) -> list[dict[str, Any]]:
    """Entries of all pages; each page is good FHIR."""
    found: list[dict[str, Any]] = []
    link: str | None = path
    while link:
        answer = client.get(link)
        assert answer.status_code == 200, answer.text
        parse(answer.content, expect="Bundle")
        page = answer.json()
        assert page["type"] == "history"
        found += page.get("entry", [])
        link = next((x["url"] for x in page["link"] if x["relation"] == "next"), None)
    return found


def settled(client: Client, path: str, number: int) -> list[dict[str, Any]]:
    """Oldest first, what was just written is told when nothing older runs any more."""
    until = time.monotonic() + PATIENCE
    while len(found := versions(client, path)) < number and time.monotonic() < until:
        time.sleep(0.05)
    return found


def told(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(e["request"]["method"], e["response"]["etag"]) for e in entries]


def at(entry: dict[str, Any]) -> str:
    moment: str = entry["response"]["lastModified"]
    return quote(moment)


def a_life(client: Client) -> str:
    """Created, changed twice, deleted, made again: five versions."""
    made = client.post("/Organization", ORGANIZATION).json()
    address = f"/Organization/{made['id']}"
    for alias in ("one", "two"):
        client.put(address, {**made, "alias": [alias]})
    client.delete(address)
    client.put(address, made)
    return address


LIFE = [("PUT", 'W/"5"'), ("DELETE", 'W/"4"'), ("PUT", 'W/"3"'), ("PUT", 'W/"2"'), ("POST", 'W/"1"')]


@pytest.mark.parametrize("count", ["", "?_count=1", "?_count=2", "?_count=5"])
def test_every_version_of_a_resource_newest_first(client: Client, count: str) -> None:
    address = a_life(client)
    found = versions(client, f"{address}/_history{count}")
    assert told(found) == LIFE
    assert "resource" not in found[1]
    assert found[2]["resource"]["alias"] == ["two"]
    assert all(later["response"]["lastModified"] > e["response"]["lastModified"] for later, e in pairwise(found))
    assert client.get(f"{address}/_history{count}").json()["total"] == 5


@pytest.mark.parametrize("page", ["", "&_count=2"])
def test_oldest_first_when_asked(client: Client, page: str) -> None:
    address = a_life(client)
    assert told(versions(client, f"{address}/_history?_sort=_lastUpdated{page}")) == LIFE[::-1]


@pytest.mark.parametrize("level", ["instance", "type", "system"])
def test_since_and_at_choose_by_time(client: Client, level: str) -> None:
    address = a_life(client)
    whole = versions(client, f"{address}/_history")
    path = {"instance": f"{address}/_history", "type": "/Organization/_history", "system": "/_history"}[level]

    def chosen(asked: str) -> list[tuple[str, str]]:
        return told([e for e in versions(client, f"{path}?{asked}") if e["fullUrl"].endswith(address)])

    assert chosen(f"_since={at(whole[2])}") == LIFE[:3]
    assert chosen("_since=2200-01-01T00:00:00Z") == []
    assert chosen(f"_at={at(whole[2])}") == [LIFE[2]]
    assert chosen(f"_at={at(whole[1])}") == [LIFE[1]]
    assert chosen(f"_at=ge{at(whole[2])}") == LIFE[:3]
    assert chosen(f"_at=lt{at(whole[3])}") == [LIFE[4]]
    assert chosen(f"_at=2200&_since={at(whole[3])}") == [LIFE[0]]
    assert chosen("_at=1999") == []


@pytest.mark.parametrize("path", ["/Organization/_history", "/_history"])
@pytest.mark.parametrize("order", ["", "&_sort=_lastUpdated"])
def test_types_and_the_server_tell_what_happened_to_each(client: Client, path: str, order: str) -> None:
    before = client.post("/Organization", ORGANIZATION)
    since = quote(before.json()["meta"]["lastUpdated"])
    one, two = a_life(client), a_life(client)
    other = client.post("/Location", {"resourceType": "Location", "name": "x"}).json()
    for count in (1000, 3):
        found = settled(client, f"{path}?_since={since}&_count={count}{order}", 11 + (path == "/_history"))
        expected = LIFE[::-1] if order else LIFE
        for address in (one, two):
            assert told([e for e in found if e["fullUrl"].endswith(address)]) == expected
        assert any(e["fullUrl"].endswith(other["id"]) for e in found) is (path == "/_history")
        moments = [e["response"]["lastModified"] for e in found]
        assert moments == sorted(moments, reverse=not order)


def test_a_version_is_shown_as_it_was(client: Client) -> None:
    address = a_life(client)
    for path in (f"{address}/_history", "/Organization/_history?_count=10"):
        for entry in versions(client, path):
            if "resource" in entry and entry["fullUrl"].endswith(address):
                read = client.get(f"{address}/_history/{entry['resource']['meta']['versionId']}")
                assert read.json() == entry["resource"]


def test_what_is_written_later_moves_no_page(client: Client) -> None:
    address = a_life(client)
    first = client.get("/Organization/_history?_count=2").json()
    a_life(client)
    link = next(x["url"] for x in first["link"] if x["relation"] == "next")
    second = client.get(link).json()["entry"]
    assert told(first["entry"]) == LIFE[:2]
    assert told(second) == LIFE[2:4]
    assert all(e["fullUrl"].endswith(address) for e in second)


def test_bad_questions_are_refused_by_name(client: Client) -> None:
    address = a_life(client)
    wrong = ["_count=0", "_count=x", "_sort=name", "_since=yesterday", "_at=ne2020", "_at=2020-13", "_list=x", "name=x"]
    for asked in (*wrong, "_page=x", "_count=1&_count=2"):
        for path in (address, "/Organization", ""):
            answer = client.get(f"{path}/_history?{asked}")
            assert answer.status_code == 400, asked
            parse(answer.content, expect="OperationOutcome")
    page = client.get("/Organization/_history?_count=1").json()["link"][-1]["url"].partition("?")[2]
    assert client.get(f"/Location/_history?{page}").status_code == 400
    assert client.get(f"/Organization/{uuid4()}/_history").status_code == 404
    assert client.post("/Organization/_history", {}).status_code == 405
    assert client.get("/Spaceship/_history").status_code == 404
    assert client.get(f"{address}/_history?_since=2200").json()["total"] == 0


def test_a_token_sees_the_history_of_what_it_covers_only(house: House) -> None:
    def asked(scope: str, path: str) -> Any:
        headers = {"authorization": f"Bearer {house.token(scope)}"}
        return httpx.get(f"{house.base_url}/fhir{path}", headers=headers, timeout=60)

    assert asked("system/Patient.s", "/Organization/_history").status_code == 403
    assert asked("system/Patient.r", "/Patient/_history").status_code == 403
    found = asked("system/Patient.s", "/_history?_count=20").json()["entry"]
    assert {e["resource"]["resourceType"] for e in found if "resource" in e} == {"Patient"}


def test_who_sees_little_of_the_log_is_led_through_it_page_by_page(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page ends after so many lines, whatever it holds; the pages together hold all that is open, deleted or not."""
    monkeypatch.setattr(histories, "FIRST_LOOK", 3)
    monkeypatch.setattr(histories, "LARGEST_LOOK", 3)
    monkeypatch.setattr(histories, "LOOKED_LIMIT", 3)
    own = client.post("/Patient", {"resourceType": "Patient"}).json()["id"]
    note = {"resourceType": "Basic", "code": {"text": "ghi chú"}, "subject": {"reference": f"Patient/{own}"}}
    gone = client.post("/Basic", note).json()["id"]
    client.delete(f"/Basic/{gone}")
    for _ in range(7):
        client.post("/Patient", {"resourceType": "Patient"})
    who = Who(role="citizen", purpose="PATRQT", patient=row_id("Patient", own).id, patient_id=own)
    citizen = client.bound(client.access.ground.access(who))
    assert "entry" not in citizen.get("/_history?_count=2").json()
    addresses = [
        (e["fullUrl"].rpartition("/fhir/")[2], e["request"]["method"]) for e in versions(citizen, "/_history?_count=2")
    ]
    seen = [each for each in addresses if each[0].startswith(("Patient/", "Basic/"))]
    assert seen == [(f"Basic/{gone}", "DELETE"), (f"Basic/{gone}", "POST"), (f"Patient/{own}", "POST")]


def test_who_works_at_a_facility_sees_the_history_of_charts_in_care_only(house: House) -> None:
    """Every entry of the histories is of a resource the asker may read; a stranger's chart is not among them."""
    browser = house.signed_in("tram")
    browser.headers["accept"] = "application/fhir+json"
    for path in ("/Patient/_history?_count=100", "/_history?_count=100"):
        answer = browser.get(f"{house.base_url}/fhir{path}")
        assert answer.status_code == 200, answer.text
        entries = answer.json().get("entry", [])
        assert entries
        for entry in entries[:30]:
            kind, name = entry["fullUrl"].split("/")[-2:]
            # what was deleted is gone for who may know of it, and 404 for others
            assert browser.get(f"{house.base_url}/fhir/{kind}/{name}").status_code in (200, 410), entry["fullUrl"]
    total = browser.get(f"{house.base_url}/fhir/Patient?_summary=count").json()["total"]
    seen: set[str] = set()
    link: str | None = f"{house.base_url}/fhir/Patient/_history?_count=1000"
    while link:
        page = browser.get(link).json()
        seen |= {e["fullUrl"] for e in page.get("entry", [])}
        link = next((x["url"] for x in page["link"] if x["relation"] == "next"), None)
    assert len(seen) == total
