"""Batch and transaction. Source: https://hl7.org/fhir/R4/http.html#transaction"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.running import Client

from yersin.fhir import parse


def entry(method: str, url: str, resource: Any = None, full_url: str = "", **more: str) -> dict[str, Any]:
    made: dict[str, Any] = {"request": {"method": method, "url": url, **more}}
    if resource is not None:
        made["resource"] = resource
    if full_url:
        made["fullUrl"] = full_url
    return made


def send(client: Client, kind: str, *entries: Any) -> httpx.Response:
    answer = client.post("", {"resourceType": "Bundle", "type": kind, "entry": list(entries)})
    parse(answer.content)
    return answer


def statuses(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [e["response"]["status"][:3] for e in answer.json()["entry"]]


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **more}


def observation(subject: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": subject},
        **more,
    }


def marked(value: str) -> dict[str, Any]:
    return {"identifier": [{"system": "urn:x", "value": value}]}


def test_references_between_entries_become_the_ids_they_get(client: Client) -> None:
    urn = f"urn:uuid:{uuid4()}"
    file = f"urn:uuid:{uuid4()}"
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": urn},
        "content": [{"attachment": {"url": file}}],
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": file},
    }
    binary = {"resourceType": "Binary", "contentType": "text/plain", "data": "aGk="}
    answer = send(
        client,
        "transaction",
        entry("POST", "Observation", observation(urn)),
        entry("POST", "Patient", patient(), urn),
        entry("POST", "DocumentReference", document),
        entry("POST", "Binary", binary, file),
    )
    assert statuses(answer) == ["201"] * 4
    seen, person, paper, page = (e["resource"] for e in answer.json()["entry"])
    assert seen["subject"]["reference"] == f"Patient/{person['id']}"
    assert paper["content"][0]["attachment"]["url"] == f"Binary/{page['id']}"
    assert paper["masterIdentifier"]["value"] == file
    assert answer.json()["entry"][1]["response"]["location"].endswith(f"Patient/{person['id']}/_history/1")
    assert client.search(f"/Observation?subject=Patient/{person['id']}")[0]["id"] == seen["id"]


def test_a_reference_relative_to_another_server_follows_its_entry(client: Client) -> None:
    elsewhere = "http://elsewhere.example/fhir/Patient/17"
    answer = send(
        client,
        "transaction",
        entry("POST", "Patient", patient(), elsewhere),
        entry("POST", "Observation", observation("Patient/17"), "http://elsewhere.example/fhir/Observation/3"),
        entry("POST", "Observation", observation(elsewhere)),
    )
    person, one, two = (e["resource"] for e in answer.json()["entry"])
    assert one["subject"]["reference"] == two["subject"]["reference"] == f"Patient/{person['id']}"


def test_entries_are_done_in_the_order_of_the_rules(client: Client) -> None:
    old, kept = (client.post("/Patient", patient(**marked(str(uuid4())))).json() for _ in range(2))
    value = str(uuid4())
    answer = send(
        client,
        "transaction",
        entry("GET", f"Patient?identifier=urn:x|{value}"),
        entry("PUT", f"Patient/{kept['id']}", patient(id=kept["id"], **marked(value))),
        entry("POST", "Patient", patient(**marked(value))),
        entry("DELETE", f"Patient/{old['id']}"),
    )
    assert statuses(answer) == ["200", "200", "201", "204"]
    assert len(answer.json()["entry"][0]["resource"]["entry"]) == 2


def test_a_delete_of_what_is_gone_leaves_the_other_answers_in_their_places(client: Client) -> None:
    old = client.post("/Patient", patient()).json()
    client.delete(f"/Patient/{old['id']}")
    answer = send(
        client,
        "transaction",
        entry("POST", "Patient", patient(active=True)),
        entry("DELETE", f"Patient/{old['id']}"),
        entry("PUT", "Patient/in-its-place", patient(id="in-its-place", active=False)),
    )
    assert statuses(answer) == ["201", "204", "201"]
    assert answer.json()["entry"][0]["resource"]["active"] is True
    assert answer.json()["entry"][2]["resource"]["id"] == "in-its-place"


def test_a_transaction_that_fails_leaves_nothing(client: Client) -> None:
    value = str(uuid4())
    good = entry("POST", "Patient", patient(**marked(value)))
    bad = {
        "Bundle.entry[1].resource.gender": entry("POST", "Patient", patient(gender="neither")),
        "Bundle.entry[1].request.url": entry("POST", "Spaceship", patient()),
        "Bundle.entry[1].request.method": entry("OPTIONS", "Patient/x", patient()),
        "Bundle.entry[1].resource": entry("PUT", "Patient/x"),
        "Bundle.entry[1].resource.id": entry("PUT", "Patient/x", patient(id="y")),
        "Bundle.entry[1].request": {"resource": patient()},
    }
    for place, wrong in bad.items():
        answer = send(client, "transaction", good, wrong)
        assert answer.status_code == 400, place
        assert place in [x for issue in answer.json()["issue"] for x in issue.get("expression", ())]
    for wrong in (
        entry("DELETE", f"Patient/{uuid4()}", ifMatch='W/"1"'),
        entry("PUT", "Patient/z", patient(id="z"), ifMatch='W/"7"'),
        entry("POST", "Observation", observation(f"Patient?identifier=urn:x|{uuid4()}")),
    ):
        assert send(client, "transaction", good, wrong).status_code in (400, 404, 412)
    assert client.search(f"/Patient?identifier=urn:x|{value}") == []


def test_one_resource_stands_in_a_transaction_once(client: Client) -> None:
    urn = f"urn:uuid:{uuid4()}"
    twice = [
        [entry("PUT", "Patient/twice", patient(id="twice")), entry("DELETE", "Patient/twice")],
        [entry("POST", "Patient", patient(), urn), entry("POST", "Patient", patient(), urn)],
        [entry("PUT", "Patient/twice", patient(id="twice")), entry("PUT", "/Patient/twice", patient(id="twice"))],
    ]
    for entries in twice:
        answer = send(client, "transaction", *entries)
        assert answer.status_code == 400
        assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1]"]


def test_conditional_creates_and_references_find_what_is_there(client: Client) -> None:
    value = str(uuid4())
    there = client.post("/Patient", patient(**marked(value))).json()
    urn = f"urn:uuid:{uuid4()}"
    answer = send(
        client,
        "transaction",
        entry("POST", "Patient", patient(**marked(value)), urn, ifNoneExist=f"identifier=urn:x|{value}"),
        entry("POST", "Observation", observation(urn)),
        entry("POST", "Observation", observation(f"Patient?identifier=urn:x|{value}")),
    )
    assert statuses(answer) == ["200", "201", "201"]
    for number in (1, 2):
        assert answer.json()["entry"][number]["resource"]["subject"]["reference"] == f"Patient/{there['id']}"


def test_each_entry_of_a_batch_stands_alone(client: Client) -> None:
    made = client.post("/Patient", patient()).json()
    answer = send(
        client,
        "batch",
        entry("POST", "Patient", patient(gender="neither")),
        entry("POST", "Patient", patient()),
        entry("GET", f"Patient/{made['id']}"),
        entry("GET", f"Patient/{uuid4()}"),
        entry("GET", f"Patient?_id={made['id']}"),
        entry("PATCH", f"Patient/{made['id']}"),
        entry("OPTIONS", f"Patient/{made['id']}"),
        entry("PUT", f"Patient/{made['id']}", made, ifMatch='W/"9"'),
        {"resource": patient()},
        entry("POST", "", patient()),
        entry("DELETE", f"Patient/{made['id']}"),
    )
    assert statuses(answer) == ["400", "201", "200", "404", "200", "400", "400", "412", "400", "400", "204"]
    refused = answer.json()["entry"][0]["response"]["outcome"]
    assert refused["issue"][0]["expression"] == ["Bundle.entry[0].resource.gender"]


def test_what_is_no_bundle_of_work_is_refused(client: Client) -> None:
    for body in (
        b"{",
        b"[]",
        b'{"resourceType":"Patient"}',
        b'{"resourceType":"Bundle","type":"collection"}',
        b'{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"GET"}}]}',
        b'{"resourceType":"Bundle","type":"transaction","entry":{}}',
        b'{"resourceType":"Bundle","type":"transaction","entry":[]}',
        b'{"resourceType":"Bundle","type":"transaction","entries":[]}',
    ):
        answer = client.post("", content=body)
        assert answer.status_code == 400, body
        parse(answer.content, expect="OperationOutcome")
    assert client.post("", {"resourceType": "Bundle", "type": "transaction"}).status_code == 200


def test_an_entry_that_is_wrong_beside_its_resource_is_refused_alone_in_a_batch_only(client: Client) -> None:
    good = entry("POST", "Patient", patient())
    wrong = [
        {**good, "fullUrl": "Patient/1"},
        {**good, "search": {"mode": "match"}},
        {**entry("POST", "Patient", patient(id="a")), "fullUrl": "http://example.org/fhir/Patient/b"},
        {**entry("GET", "Patient?_count=1"), "resource": patient(gender="neither")},
    ]
    for one in wrong:
        assert send(client, "transaction", good, one).status_code in (400, 422)
    assert statuses(send(client, "batch", good, wrong[3], good)) == ["201", "400", "201"]
    aside = {**entry("GET", "Patient?_count=1"), "resource": patient(contact=[{"gender": "male"}])}
    assert statuses(send(client, "batch", wrong[3], aside, good, wrong[0])) == ["400", "422", "201", "422"]
    assert statuses(send(client, "batch", good, wrong[0], wrong[2])) == ["201", "422", "422"]
    assert send(client, "batch", good, wrong[1]).status_code == 422


def test_addresses_of_entries_change_in_links_and_addresses_but_not_in_canonicals(client: Client) -> None:
    urn, other = f"urn:uuid:{uuid4()}", f"urn:uuid:{uuid4()}"
    plan = {
        "resourceType": "PlanDefinition",
        "url": urn,
        "status": "draft",
        "library": [urn],
        "text": {
            "status": "generated",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{urn}">{urn}</a><img src=\'{urn}\' alt="x"/></div>',
        },
        "extension": [
            {"url": "urn:e", "valueUri": urn},
            {"url": "urn:e", "valueUri": other},
            {"url": "urn:e", "valueReference": {"reference": "#b"}},
        ],
        "relatedArtifact": [{"type": "citation", "url": urn, "resource": urn, "display": urn}],
        "contained": [{"resourceType": "Basic", "id": "b", "code": {"text": "x"}, "subject": {"reference": urn}}],
    }
    answer = send(
        client, "transaction", entry("POST", "PlanDefinition", plan), entry("POST", "Patient", patient(), urn)
    )
    assert statuses(answer) == ["201", "201"]
    made, person = (e["resource"] for e in answer.json()["entry"])
    here = f"Patient/{person['id']}"
    assert [made["url"], *made["library"]] == [urn, urn]
    assert made["relatedArtifact"] == [{"type": "citation", "url": here, "resource": urn, "display": urn}]
    assert [e["valueUri"] for e in made["extension"][:2]] == [here, other]
    assert f'<a href="{here}">{urn}</a>' in made["text"]["div"]
    assert f"src='{here}'" in made["text"]["div"]
    assert made["contained"][0]["subject"]["reference"] == here


def test_definitions_keep_the_addresses_by_which_others_name_them(client: Client) -> None:
    system, kind = f"urn:uuid:{uuid4()}", f"urn:uuid:{uuid4()}"
    codes = {"resourceType": "CodeSystem", "url": system, "status": "draft", "content": "complete"}
    chosen: dict[str, Any] = {
        "resourceType": "ValueSet",
        "url": f"urn:uuid:{uuid4()}",
        "status": "draft",
        "compose": {"include": [{"system": system}]},
    }
    extended = patient(
        maritalStatus={"coding": [{"system": system, "code": "a"}]}, extension=[{"url": kind, "valueString": "b"}]
    )
    extension = {
        "resourceType": "StructureDefinition",
        "url": kind,
        "name": "Kind",
        "status": "draft",
        "kind": "complex-type",
        "abstract": False,
        "context": [{"type": "element", "expression": "Patient"}],
        "type": "Extension",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
        "derivation": "constraint",
        "differential": {"element": [{"id": "Extension.url", "path": "Extension.url", "fixedUri": kind}]},
    }
    answer = send(
        client,
        "transaction",
        entry("POST", "CodeSystem", codes, system),
        entry("POST", "ValueSet", chosen, chosen["url"]),
        entry("POST", "StructureDefinition", extension, kind),
        entry("POST", "Patient", extended),
    )
    assert statuses(answer) == ["201"] * 4, answer.text
    written = [{k: v for k, v in e["resource"].items() if k not in ("id", "meta")} for e in answer.json()["entry"]]
    assert written == [codes, chosen, extension, extended]


def test_a_bundle_that_is_too_large_is_refused_before_it_is_read(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yersin.api.transaction.BUNDLE_LIMIT", 1 << 20)
    entry = {
        "request": {"method": "POST", "url": "Basic"},
        "resource": {"resourceType": "Basic", "code": {"text": "x" * (1 << 20)}},
    }
    answer = client.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    assert answer.status_code == 413
    assert "split it" in answer.json()["issue"][0]["diagnostics"]


def test_a_conditional_reference_may_mean_what_the_transaction_makes(client: Client) -> None:
    doctor, one = str(uuid4()), f"urn:uuid:{uuid4()}"
    answer = send(
        client,
        "transaction",
        entry("POST", "Observation", observation(one, performer=[{"reference": f"Practitioner?identifier={doctor}"}])),
        entry(
            "POST", "Patient", patient(generalPractitioner=[{"reference": f"Practitioner?identifier={doctor}"}]), one
        ),
        entry("POST", "Practitioner", {"resourceType": "Practitioner", "identifier": [{"value": doctor}]}),
    )
    assert statuses(answer) == ["201", "201", "201"]
    seen, person, made = (e["resource"] for e in answer.json()["entry"])
    assert seen["performer"] == person["generalPractitioner"] == [{"reference": f"Practitioner/{made['id']}"}]
    assert seen["subject"]["reference"] == f"Patient/{person['id']}"


def test_a_conditional_reference_that_nothing_meets_undoes_what_was_written_before_it(client: Client) -> None:
    mark = str(uuid4())
    answer = send(
        client,
        "transaction",
        entry("POST", "Patient", patient(generalPractitioner=[{"reference": f"Practitioner?identifier={uuid4()}"}])),
        entry("POST", "Practitioner", {"resourceType": "Practitioner", "identifier": [{"value": mark}]}),
    )
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[0].resource"]
    assert client.search(f"/Practitioner?identifier={mark}") == []


def test_a_head_in_a_bundle_tells_of_the_version_without_it(client: Client) -> None:
    made = client.post("/Patient", patient(active=True)).json()
    for kind in ("batch", "transaction"):
        (found,) = send(client, kind, entry("HEAD", f"Patient/{made['id']}")).json()["entry"]
        assert found["response"]["status"] == "200 OK"
        assert found["response"]["etag"] == 'W/"1"'
        assert "resource" not in found
