"""Search parameters posted at run time: put in force, indexed in the background, searched like R4's own, turned off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from tests.running import Client

from yersin.fhir import parameters as known
from yersin.guard import reindexing
from yersin.guard.who import Who

JSON = dict[str, Any]


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """This process goes on to other databases: what it learnt of this module's is forgotten."""
    yield
    known.learn({})


def definition(code: str, base: str, kind: str, expression: str, **more: Any) -> JSON:
    return {"resourceType": "SearchParameter", "url": f"urn:test:{code}", "name": "Test", "status": "active",
            "description": "A test", "code": code, "base": [base], "type": kind, "expression": expression, **more}  # fmt: skip


def indexed(run: Any, client: Client) -> None:
    """Let the background work be done."""
    for _ in range(500):
        if not run(reindexing.work(client.access.ground)):
            return
    raise AssertionError("there is always more to do")


def ids(client: Client, path: str) -> set[str]:
    return {r["id"] for r in client.search(path)}


def code() -> str:
    return f"x{uuid4().hex[:10]}"


def test_old_and_new_are_found_once_it_is_whole(run: Any, client: Client) -> None:
    name, married = code(), {"coding": [{"system": "urn:m", "code": "M"}]}
    old = client.post("/Patient", {"resourceType": "Patient", "maritalStatus": married}).json()["id"]
    other = client.post("/Patient", {"resourceType": "Patient"}).json()["id"]
    made = client.post("/SearchParameter", definition(name, "Patient", "token", "Patient.maritalStatus"))
    assert made.status_code == 201
    new = client.post("/Patient", {"resourceType": "Patient", "maritalStatus": married}).json()["id"]
    early = client.get(f"/Patient?{name}=M")
    assert early.status_code == 400
    assert "still being indexed" in early.json()["issue"][0]["diagnostics"]
    lenient = client.get(f"/Patient?_id={old}&{name}=nobody", headers={"prefer": "handling=lenient"}).json()
    assert [e["search"]["mode"] for e in lenient["entry"]] == ["match", "outcome"]
    indexed(run, client)
    assert ids(client, f"/Patient?{name}=urn:m|m") == {old, new}
    assert ids(client, f"/Patient?{name}:missing=true&_id={old},{other}") == {other}
    assert ids(client, f"/Patient?{name}:not=M&_id={old},{other}") == {other}
    statement = client.get("/metadata").json()["rest"][0]["resource"]
    listed = next(r for r in statement if r["type"] == "Patient")["searchParam"]
    assert {"name": name, "definition": f"urn:test:{name}", "type": "token"} in listed
    assert client.delete(f"/SearchParameter/{made.json()['id']}").status_code == 204
    assert "has no search parameter" in client.get(f"/Patient?{name}=M").json()["issue"][0]["diagnostics"]


MG = {"value": 5, "system": "http://unitsofmeasure.org", "code": "mg"}
#: kind, expression, what the resource has, what finds it, what does not
CASES: list[tuple[str, str, JSON, list[str], list[str]]] = [
    ("string", "Patient.contact.name.family", {"contact": [{"name": {"family": "Đỗ Quyên"}}]},
     ["do q", ":exact=Đỗ Quyên", ":contains=quy"], ["quyen"]),
    ("token", "Patient.contact.gender", {"contact": [{"name": {"text": "A"}, "gender": "female"}]},
     ["female", "http://hl7.org/fhir/administrative-gender|female"], ["male"]),
    ("token", "Patient.extension('urn:t:e').value", {"extension": [{"url": "urn:t:e", "valueCode": "Q"}]}, ["q"], ["z"]),
    ("reference", "Patient.contact.organization", {"contact": [{"organization": {"reference": "Organization/o1"}}]},
     ["Organization/o1", "o1", ":Organization=o1"], ["o2"]),
    ("date", "Patient.contact.period",
     {"contact": [{"name": {"text": "B"}, "period": {"start": "2020-02", "end": "2020-03-04"}}]},
     ["2020", "ge2020-03-01", "eb2021"], ["2021", "sa2020-03"]),
    ("number", "Patient.multipleBirth.ofType(integer)", {"multipleBirthInteger": 3}, ["3", "gt2"], ["2", "lt3"]),
    ("quantity", "Patient.extension('urn:t:q').value.ofType(Quantity)",
     {"extension": [{"url": "urn:t:q", "valueQuantity": MG}]},
     ["5", "0.005|http://unitsofmeasure.org|g", "gt4|http://unitsofmeasure.org|mg"], ["6"]),
    ("uri", "Patient.extension.url", {"extension": [{"url": "http://a.example/b/c", "valueCode": "q"}]},
     ["http://a.example/b/c", ":below=http://a.example/b"], ["http://a.example/b"]),
]  # fmt: skip


def test_every_kind_and_its_modifiers_work_as_with_those_built_in(run: Any, client: Client) -> None:
    names = [code() for _ in CASES]
    made = [client.post("/Patient", {"resourceType": "Patient", **body}).json()["id"] for _, _, body, _, _ in CASES]
    for name, (kind, expression, *_) in zip(names, CASES, strict=True):
        more = {"target": ["Organization"]} if kind == "reference" else {}
        assert client.post("/SearchParameter", definition(name, "Patient", kind, expression, **more)).status_code == 201
    indexed(run, client)
    among = f"&_id={','.join(made)}"
    for name, one, (kind, _, _, found, lost) in zip(names, made, CASES, strict=True):
        for value in found:
            modifier, _, text = value.partition("=") if value.startswith(":") else ("", "", value)
            assert ids(client, f"/Patient?{name}{modifier}={text}{among}") == {one}, (kind, value)
        for value in lost:
            assert ids(client, f"/Patient?{name}={value}{among}") == set(), (kind, value)
        assert one not in ids(client, f"/Patient?{name}:missing=true{among}")
        if kind not in ("reference", "uri"):
            assert client.search(f"/Patient?_sort=-{name}{among}")[0]["id"] == one


REFUSED: list[tuple[JSON, str, str]] = [
    ({"code": "gender"}, "code", "FHIR's own"),
    ({"code": "a.b"}, "code", "letters"),
    ({"code": "x" * 65}, "code", "64"),
    ({"type": "composite"}, "type", "composite"),
    ({"type": "special"}, "type", "special"),
    ({"base": ["AuditEvent"], "expression": "AuditEvent.action"}, "base[0]", "audit"),
    ({"expression": None}, "expression", "FHIRPath"),
    ({"expression": "Patient.name.("}, "expression", "no FHIRPath"),
    ({"expression": "Patient.nothing"}, "expression", "Patient.nothing"),
    ({"expression": "Patient.name"}, "expression", "HumanName"),
    ({"expression": "Patient.name.given" + " | Patient.name.given" * 60}, "expression", "1000"),
]


def test_what_cannot_be_searched_is_refused_with_place_and_cure(client: Client) -> None:
    for change, place, words in REFUSED:
        body = definition(code(), "Patient", "token", "Patient.maritalStatus") | change
        answer = client.post("/SearchParameter", {k: v for k, v in body.items() if v is not None})
        issue = answer.json()["issue"][0]
        assert (answer.status_code, issue["expression"]) == (422, [f"SearchParameter.{place}"]), (change, issue)
        assert words in issue["diagnostics"]
    first = definition(code(), "Patient", "token", "Patient.maritalStatus")
    assert client.post("/SearchParameter", first).status_code == 201
    assert client.post("/SearchParameter", first).status_code == 422
    assert client.post("/SearchParameter", {**first, "status": "draft"}).status_code == 201


def test_only_those_entitled_change_what_is_searched_by(client: Client) -> None:
    body = definition(code(), "Patient", "token", "Patient.maritalStatus")
    made = client.post("/SearchParameter", body).json()["id"]
    for role in ("facility-administrator", "doctor"):
        asker = client.bound(client.access.ground.access(Who(role=role, purpose="HOPERAT")))
        assert asker.post("/SearchParameter", body).status_code == 403
        assert asker.put(f"/SearchParameter/{made}", {**body, "id": made}).status_code == 403
        assert asker.delete(f"/SearchParameter/{made}").status_code == 403
    administrator = client.bound(client.access.ground.access(Who(role="administrator", purpose="HOPERAT")))
    assert administrator.put(f"/SearchParameter/{made}", {**body, "id": made, "status": "retired"}).status_code == 200
    assert administrator.delete(f"/SearchParameter/{made}").status_code == 204


def test_a_process_that_has_not_heard_of_it_loses_nothing(run: Any, client: Client) -> None:
    name, key = code(), str(uuid4())
    patient = {"resourceType": "Patient", "extension": [{"url": "urn:t:key", "valueString": key}]}
    client.post("/SearchParameter", definition(name, "Patient", "token", "Patient.extension('urn:t:key').value"))
    known.learn({})
    made = {client.post("/Patient", patient).json()["id"]}
    assert known.generation("Patient") == 0  # nothing refuses such rows yet
    run(reindexing.work(client.access.ground))
    entry = {"resource": patient, "request": {"method": "POST", "url": "Patient"}}
    for body in (patient, {"resourceType": "Bundle", "type": "transaction", "entry": [entry, entry]}):
        known.learn({})
        answer = client.post("/Patient" if body is patient else "", body).json()
        assert known.generation("Patient") > 0
        made |= {e["response"]["location"].split("/")[-3] for e in answer.get("entry", ())} or {answer["id"]}
    known.learn({})
    moved = min(made)
    assert client.put(f"/Patient/{moved}", {**patient, "id": moved, "active": True}).status_code == 200
    indexed(run, client)
    assert len(made) == 4
    assert ids(client, f"/Patient?{name}={key}") == made


def test_what_says_something_else_is_indexed_anew(run: Any, client: Client) -> None:
    name = code()
    body = {"resourceType": "Patient", "name": [{"family": "Nguyễn", "given": ["Tý"]}]}
    patient = client.post("/Patient", body).json()["id"]
    made = client.post("/SearchParameter", definition(name, "Patient", "string", "Patient.name.family")).json()
    indexed(run, client)
    assert ids(client, f"/Patient?{name}=nguyen&_id={patient}") == {patient}
    before = known.generation("Patient")
    client.put(f"/SearchParameter/{made['id']}", {**made, "description": "Other words"})
    assert known.generation("Patient") == before
    client.put(f"/SearchParameter/{made['id']}", {**made, "expression": "Patient.name.given"})
    assert client.get(f"/Patient?{name}=ty").status_code == 400
    indexed(run, client)
    assert ids(client, f"/Patient?{name}=ty&_id={patient}") == {patient}
    assert ids(client, f"/Patient?{name}=nguyen&_id={patient}") == set()
    client.put(f"/SearchParameter/{made['id']}", {**made, "status": "retired"})
    assert client.get(f"/Patient?{name}=ty").status_code == 400
    assert client.get("/Patient?family=nguyen").status_code == 200


def test_references_are_followed_and_included(run: Any, client: Client) -> None:
    name = code()
    place = client.post("/Organization", {"resourceType": "Organization", "name": "Xưởng gỗ"}).json()["id"]
    contact = {"organization": {"reference": f"Organization/{place}"}}
    patient = client.post("/Patient", {"resourceType": "Patient", "contact": [contact]}).json()["id"]
    more = {"target": ["Organization"]}
    client.post("/SearchParameter", definition(name, "Patient", "reference", "Patient.contact.organization", **more))
    assert client.get(f"/Patient?{name}.name=xuong").status_code == 400
    indexed(run, client)
    assert ids(client, f"/Patient?{name}.name=xuong go") == {patient}
    assert ids(client, f"/Organization?_has:Patient:{name}:_id={patient}") == {place}
    for asked in (
        f"/Patient?_id={patient}&_include=Patient:{name}",
        f"/Organization?_id={place}&_revinclude=Patient:{name}",
    ):
        assert {e["resource"]["id"] for e in client.get(asked).json()["entry"]} == {patient, place}
