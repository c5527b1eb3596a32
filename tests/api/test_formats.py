"""Forms of bodies: media types, `_format`, `_pretty`, gzip, HEAD, request ids; and parts: `_summary`, `_elements`.

Source: https://hl7.org/fhir/R4/http.html#mime-type, https://hl7.org/fhir/R4/search.html#summary
"""

from __future__ import annotations

import gzip
import json
import zlib
from base64 import b64encode
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from lxml import etree
from tests.running import Client

from yersin.api import app as api_app
from yersin.fhir import parse, xml

SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
OBSERVATION = {
    "resourceType": "Observation",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'},
    "identifier": [{"system": "urn:f", "value": "1", "assigner": {"display": "x"}}],
    "status": "final",
    "code": {"text": "weight"},
    "issued": "2026-01-01T00:00:00Z",
    "valueQuantity": {"value": 1.50, "unit": "kg"},
    "note": [{"text": "not for a summary"}],
    "method": {"text": "scale"},
    "component": [{"code": {"text": "c"}, "valueString": "v", "interpretation": [{"text": "i"}]}],
}
PATIENT = {
    "resourceType": "Patient",
    "name": [{"family": "Trần"}],
    "birthDate": "1990-01-01",
    "_birthDate": {"extension": [{"url": "urn:x", "valueString": "y"}]},
    "contact": [{"name": {"family": "Lê"}}],
    "link": [{"other": {"display": "x"}, "type": "seealso"}],
}


def made(client: Client, body: dict[str, Any]) -> str:
    answer = client.post(f"/{body['resourceType']}", body)
    assert answer.status_code == 201, answer.text
    return f"/{body['resourceType']}/{answer.json()['id']}"


def refused(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    parse(answer.content, expect="OperationOutcome")


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "application/fhir+json", "application/json", "application/json+fhir", "text/json", "application/fhir+json; fhirVersion=4.0",
     "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "text/turtle, application/fhir+json;q=0.1", "APPLICATION/FHIR+JSON"],
)  # fmt: skip
def test_json_is_spoken_to_those_who_take_it(client: Client, accept: str) -> None:
    answer = client.get("/Patient?_id=none", headers={"accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/fhir+json")


@pytest.mark.parametrize(
    "accept", ["text/turtle", "image/png", "application/fhir+json;q=0", "application/fhir+json; fhirVersion=3.0"]
)
def test_what_is_not_spoken_is_refused_with_words(client: Client, accept: str) -> None:
    refused(client.get("/Patient?_id=none", headers={"accept": accept}), 406)
    # the address goes before the header
    assert client.get("/Patient?_id=none&_format=json", headers={"accept": accept}).status_code == 200


@pytest.mark.parametrize("named", ["json", "application/json", "application/fhir+json", "application/fhir%2Bjson"])
def test_the_address_may_name_the_format(client: Client, named: str) -> None:
    address = made(client, PATIENT)
    assert client.get(f"{address}?_format={named}").json()["birthDate"] == "1990-01-01"
    refused(client.get(f"{address}?_format=turtle"), 406)
    assert client.get(f"/AuditEvent?_count=1&_format={named}").status_code == 200


def test_a_body_of_another_kind_is_refused(client: Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/fhir+json; fhirVersion=5.0"):
        refused(client.post("/Patient", PATIENT, headers={"content-type": kind}), 415)
    for kind in ("application/json", "application/fhir+json; charset=utf-8", ""):
        assert client.post("/Patient", PATIENT, headers={"content-type": kind}).status_code == 201


def test_pretty_is_the_same_with_more_lines(client: Client) -> None:
    address = made(client, OBSERVATION)
    plain, pretty = client.get(address), client.get(f"{address}?_pretty=true")
    assert pretty.json() == plain.json()
    assert len(pretty.text.splitlines()) > 20 > len(plain.text.splitlines())
    assert b'"value": 1.50' in pretty.content.replace(b"1.5,", b"1.50,")
    assert client.get(f"{address}?_pretty=false").content == plain.content


def test_long_answers_are_packed_for_those_who_take_it(client: Client) -> None:
    long = made(client, {**PATIENT, "name": [{"family": f"n{n}"} for n in range(2000)]})
    for accepted, is_packed in (
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("br", False),
    ):
        answer = client.get(long, headers={"accept-encoding": accepted})
        assert (answer.headers.get("content-encoding") == "gzip") is is_packed, accepted
        assert len(answer.json()["name"]) == 2000
        if is_packed:
            assert int(answer.headers["content-length"]) < 20_000
    short = made(client, PATIENT)
    assert "content-encoding" not in client.get(short, headers={"accept-encoding": "gzip"}).headers


def test_bodies_of_any_length_are_changed_alike(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_app, "_ASIDE", 10)
    names = [{"family": f"n{n}"} for n in range(2000)]
    body = gzip.compress(xml.write(json.dumps({**PATIENT, "name": names}).encode()))
    headers = {**XML, "content-encoding": "gzip", "accept-encoding": "gzip"}
    answer = client.post("/Patient", content=body, headers=headers)
    assert answer.headers["content-encoding"] == "gzip"
    assert len(values(tree(answer, 201), "f:name/f:family")) == 2000


def test_packed_bodies_are_read_and_bombs_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    body = gzip.compress(json.dumps(PATIENT).encode())

    def sent(content: bytes, coding: str = "gzip") -> httpx.Response:
        return client.post("/Patient", content=content, headers={"content-encoding": coding})

    assert sent(body).status_code == 201
    assert sent(json.dumps(PATIENT).encode(), "identity").status_code == 201
    refused(sent(body[:-9]), 400)
    refused(sent(body + body), 400)
    refused(sent(b"no gzip"), 400)
    refused(sent(zlib.compress(b"{}"), "deflate"), 415)
    monkeypatch.setattr(api_app, "BODY_LIMIT", 100_000)
    refused(sent(gzip.compress(b" " * 50_000_000)), 413)


def test_every_answer_names_its_request(client: Client) -> None:
    mine = client.get("/metadata", headers={"x-request-id": "my-1.2_3"})
    assert mine.headers["x-request-id"] == "my-1.2_3"
    first, second = (client.get(f"/Patient/{uuid4()}").headers["x-request-id"] for _ in range(2))
    assert str(UUID(first)) == first
    assert client.get("/Spaceship").headers["x-request-id"]
    for bad in ("a b", "x" * 200, "<script>"):
        assert client.get("/Patient?_id=x", headers={"x-request-id": bad}).headers["x-request-id"] != bad
    del second


def test_head_says_what_get_would(client: Client) -> None:
    address = made(client, PATIENT)
    for path in (address, "/Patient?_id=none", "/metadata", f"{address}/_history", f"{address}?_summary=true"):
        whole, head = client.get(path), client.request("HEAD", path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-type", "content-length", "etag"):
            assert head.headers.get(name) == whole.headers.get(name), (path, name)
    assert client.request("HEAD", f"/Patient/{uuid4()}").status_code == 404


@pytest.mark.parametrize("preference", ["return=OperationOutcome", "handling=strict, return=OperationOutcome"])
def test_a_write_is_answered_in_words_for_those_who_prefer_it(client: Client, preference: str) -> None:
    headers = {"prefer": preference}
    new = client.post("/Patient", PATIENT, headers=headers)
    assert (new.status_code, "location" in new.headers) == (201, True)
    parse(new.content, expect="OperationOutcome")
    address = new.headers["location"].split("/_history")[0].removeprefix(client.base)
    gone = client.delete(address, headers=headers)
    assert gone.status_code == 200
    parse(gone.content, expect="OperationOutcome")
    entry = {"resource": PATIENT, "request": {"method": "POST", "url": "Patient"}}
    for kind in ("batch", "transaction"):
        answer = client.post("", {"resourceType": "Bundle", "type": kind, "entry": [entry]}, headers=headers)
        parse(answer.content, expect="Bundle")
        (one,) = answer.json()["entry"]
        assert "resource" not in one
        assert one["response"]["outcome"]["issue"][0]["severity"] == "information"
        quiet = client.post(
            "", {"resourceType": "Bundle", "type": kind, "entry": [entry]}, headers={"prefer": "return=minimal"}
        )
        assert set(quiet.json()["entry"][0]) == {"response"}


# --- parts ---------------------------------------------------------------------------------------------------------


def shown(client: Client, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    parse(answer.content)
    return answer.json()


def names(resource: dict[str, Any]) -> set[str]:
    return set(resource) - {"resourceType", "id", "meta"}


def test_a_summary_holds_what_the_definitions_say(client: Client) -> None:
    address = made(client, OBSERVATION)
    found = shown(client, f"{address}?_summary=true")
    assert names(found) == {"identifier", "status", "code", "issued", "valueQuantity", "component"}
    assert found["component"] == [{"code": {"text": "c"}, "valueString": "v"}]
    assert found["identifier"] == OBSERVATION["identifier"]
    assert found["meta"]["tag"] == [SUBSETTED]
    person = shown(client, f"{made(client, PATIENT)}?_summary=true")
    assert names(person) == {"name", "birthDate", "_birthDate", "link"}


def test_text_data_and_elements_keep_what_must_be_there(client: Client) -> None:
    address = made(client, OBSERVATION)
    assert names(shown(client, f"{address}?_summary=text")) == {"text", "status", "code"}
    assert names(shown(client, f"{address}?_summary=data")) == names(OBSERVATION) - {"text"}
    assert names(shown(client, f"{address}?_elements=note,value")) == {"note", "valueQuantity", "status", "code"}
    assert names(shown(client, f"{address}?_elements=Observation.method")) == {"method", "status", "code"}
    assert names(shown(client, f"{address}?_elements=method,id,resourceType")) == {"method", "status", "code"}
    assert shown(client, f"{address}?_summary=false")["note"] == OBSERVATION["note"]
    assert "tag" not in shown(client, f"{address}?_summary=false")["meta"]
    person = made(client, PATIENT)
    assert names(shown(client, f"{person}?_elements=birthDate")) == {"birthDate", "_birthDate"}


def test_parts_work_in_searches_histories_batches_and_on_the_pages_after(client: Client) -> None:
    mark = {"tag": [{"system": "urn:p", "code": str(uuid4())}]}
    for n in range(3):
        made(client, {**OBSERVATION, "meta": mark, "note": [{"text": str(n)}]})
    asked = f"/Observation?_tag=urn:p|{mark['tag'][0]['code']}&_count=2"
    link, seen = f"{asked}&_elements=note", 0
    while link:
        page = shown(client, link)
        for entry in page["entry"]:
            assert names(entry["resource"]) == {"note", "status", "code"}
            assert SUBSETTED in entry["resource"]["meta"]["tag"]
            seen += 1
        link = next((x["url"] for x in page["link"] if x["relation"] == "next"), "")
    assert seen == 3
    form = client.request(
        "POST", "/Observation/_search", data={"_tag": f"urn:p|{mark['tag'][0]['code']}", "_summary": "true"}
    )
    assert {frozenset(names(e["resource"])) for e in form.json()["entry"]} == {
        frozenset({"identifier", "status", "code", "issued", "valueQuantity", "component"})
    }
    assert client.get(f"{asked}&_summary=count").json()["total"] == 3
    assert "entry" not in client.get(f"{asked}&_summary=count").json()
    history = shown(client, "/Observation/_history?_count=1&_elements=note")
    assert names(history["entry"][0]["resource"]) == {"note", "status", "code"}
    entry = {"request": {"method": "GET", "url": f"{asked[1:]}&_summary=text"}}
    batch = client.post("", {"resourceType": "Bundle", "type": "batch", "entry": [entry]}).json()
    assert names(batch["entry"][0]["resource"]["entry"][0]["resource"]) == {"text", "status", "code"}
    assert "rest" not in shown(client, "/metadata?_summary=text")


@pytest.mark.parametrize(
    "asked",
    [
        "_summary=short",
        "_elements=",
        "_elements=nonsense",
        "_elements=name&_summary=true",
        "_summary=true&_summary=text",
    ],
)
def test_what_is_no_part_is_refused(client: Client, asked: str) -> None:
    refused(client.get(f"/Patient?{asked}"), 400)
    refused(client.get(f"{made(client, PATIENT)}?{asked}"), 400)


# --- raw content -----------------------------------------------------------------------------------------------------


def test_content_is_sent_and_read_as_it_is(client: Client) -> None:
    content = bytes(range(256)) * 10
    new = client.post("/Binary", content=content, headers={"content-type": "image/png"})
    assert new.status_code == 201
    assert new.json()["contentType"] == "image/png"
    address = new.headers["location"].split("/_history")[0].removeprefix(client.base)
    raw = client.get(address, headers={"accept": "image/png"})
    assert (raw.content, raw.headers["content-type"], raw.headers["etag"]) == (content, "image/png", 'W/"1"')
    assert client.get(address, headers={"accept": "image/png", "if-none-match": 'W/"1"'}).status_code == 304
    for accept in ("application/fhir+json", "application/json"):
        assert client.get(address, headers={"accept": accept}).json()["data"] == b64encode(content).decode()
    assert client.get(f"{address}?_format=json", headers={"accept": "image/png"}).json()["contentType"] == "image/png"
    part = client.get(address, headers={"accept": "image/png", "range": "bytes=10-19"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, content[10:20], "bytes 10-19/2560")
    assert client.get(address, headers={"accept": "image/png", "range": "bytes=-5"}).content == content[-5:]
    assert client.get(address, headers={"accept": "image/png", "range": "bytes=2555-"}).content == content[-5:]
    refused(client.get(address, headers={"accept": "image/png", "range": "bytes=9999-"}), 416)
    again = client.put(address, content=b"other", headers={"content-type": "text/plain"})
    assert again.status_code == 200
    assert client.get(address, headers={"accept": "text/plain"}).content == b"other"


def test_raw_content_may_name_whom_it_tells_of(client: Client) -> None:
    person = made(client, PATIENT).removeprefix("/")
    headers = {"content-type": "text/plain", "x-security-context": person}
    new = client.post("/Binary", content=b"x", headers=headers)
    assert new.json()["securityContext"] == {"reference": person}
    refused(client.post("/Patient", content=b"x", headers={"content-type": "text/plain"}), 415)


# --- XML -----------------------------------------------------------------------------------------------------------

XML = {"content-type": "application/fhir+xml", "accept": "application/fhir+xml"}
NAMES = {"f": "http://hl7.org/fhir"}


def tree(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/fhir+xml")
    return etree.fromstring(answer.content)


def values(node: Any, path: str) -> list[str]:
    return [str(value) for value in node.xpath(f"{path}/@value", namespaces=NAMES)]


def test_every_interaction_speaks_xml(client: Client) -> None:
    value = str(uuid4())
    person = f'<Patient xmlns="http://hl7.org/fhir"><identifier><system value="urn:m"/><value value="{value}"/></identifier></Patient>'
    made_now = tree(client.post("/Patient", content=person, headers=XML), 201)
    (name,) = values(made_now, "f:id")
    address = f"/Patient/{name}"
    assert values(tree(client.get(address, headers=XML)), "f:identifier/f:value") == [value]
    assert values(tree(client.get(f"{address}?_format=xml")), "f:id") == [name]
    changed = person.replace("<identifier>", f'<id value="{name}"/><identifier>')
    assert values(tree(client.put(address, content=changed, headers=XML)), "f:meta/f:versionId") == ["2"]
    found = tree(client.get(f"/Patient?identifier=urn:m|{value}", headers=XML))
    assert values(found, "f:entry/f:resource/f:Patient/f:id") == [name]
    assert values(tree(client.get(f"{address}/_history", headers=XML)), "f:entry/f:response/f:etag") == [
        'W/"2"',
        'W/"1"',
    ]
    assert values(tree(client.get("/metadata", headers=XML)), "f:fhirVersion") == ["4.0.1"]
    assert client.get(address).json()["identifier"][0]["value"] == value
    refusal = tree(client.post("/Patient", content=person[:-4], headers=XML), 400)
    assert values(refusal, "f:issue/f:code") == ["structure"]
    assert values(tree(client.get(f"/Patient/{uuid4()}", headers=XML), 404), "f:issue/f:code") == ["not-found"]
    summary = tree(client.get(f"{address}?_summary=true&_format=xml&_pretty=true"))
    assert values(summary, "f:meta/f:tag/f:code") == ["SUBSETTED"]
    assert client.delete(address, headers=XML).status_code == 204


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_bundles_come_and_go_in_xml(client: Client, kind: str) -> None:
    entry = '<resource><Patient><active value="true"/></Patient></resource><request><method value="POST"/><url value="Patient"/></request>'
    bundle = f'<Bundle xmlns="http://hl7.org/fhir"><type value="{kind}"/><entry>{entry}</entry></Bundle>'
    answer = tree(client.post("", content=bundle, headers=XML))
    assert values(answer, "f:entry/f:response/f:status")[0].startswith("201")
    assert values(answer, "f:entry/f:resource/f:Patient/f:active") == ["true"]


def test_documents_that_declare_something_are_refused(client: Client) -> None:
    entity = '<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    document = f'{entity}<Patient xmlns="http://hl7.org/fhir"><id value="&x;"/></Patient>'
    answer = client.post("/Patient", content=document, headers={"content-type": "application/fhir+xml"})
    refused(answer, 400)
    assert answer.json()["issue"][0]["code"] == "security"
