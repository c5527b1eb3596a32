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
    ({"type": "composite"}, "component", "two to 4"),
    ({"component": [{"definition": "urn:x", "expression": "code"}]}, "component", "Only a composite"),
    ({"type": "special"}, "type", "special"),
    ({"base": ["AuditEvent"], "expression": "AuditEvent.action"}, "base[0]", "audit"),
    ({"expression": None}, "expression", "FHIRPath"),
    ({"expression": "Patient.name.("}, "expression", "no FHIRPath"),
    ({"expression": "Patient.nothing"}, "expression", "Patient.nothing"),
    ({"expression": "Patient.name"}, "expression", "HumanName"),
    ({"expression": "Patient.name.given" + " | Patient.name.given" * 60}, "expression", "1000"),
]


R4 = "http://hl7.org/fhir/SearchParameter/"


def composite(name: str, expression: str, *parts: tuple[str, str], base: str = "Observation") -> JSON:
    components = [{"definition": of if ":" in of else R4 + of, "expression": where} for of, where in parts]
    return definition(name, base, "composite", expression, component=components)


def reading(code: str, value: JSON, system: str = "urn:a") -> JSON:
    return {"code": {"coding": [{"system": system, "code": code}]}, **value}


def blood(*components: JSON, **more: Any) -> JSON:
    head = reading("bp", {}, "urn:c")
    parts = {"component": list(components)} if components else {}
    return {"resourceType": "Observation", "status": "final", **head, **parts, **more}


CODE, AMOUNT = ("clinical-code", "code"), ("Observation-value-quantity", "value.ofType(Quantity)")
SAID = ("Observation-value-concept", "value.ofType(CodeableConcept)")
DAY, SUBJECT = ("clinical-date", "effective"), ("Observation-subject", "subject")
STATUS = ("Observation-status", "status")
#: expression, parts, what the resource has, what finds it, what does not
TOGETHER: list[tuple[str, list[tuple[str, str]], JSON, list[str], list[str]]] = [
    ("Observation.component", [CODE, AMOUNT],
     blood(reading("Sys", {"valueQuantity": {**MG, "value": 120}}), reading("dia", {"valueQuantity": MG}, "urn:b")),
     ["sys$120", "urn:a|SYS$gt119", "urn:b|dia$0.005|http://unitsofmeasure.org|g", "sys$lt3,dia$lt6"],
     ["sys$5", "urn:b|sys$120", "|sys$120", "dia$gt100", "urn:c|bp$5"]),
    ("Observation | Observation.component", [CODE, SAID],
     blood(reading("k", {"valueCodeableConcept": {"coding": [{"system": "urn:v", "code": "Low"}]}}),
           valueCodeableConcept={"coding": [{"system": "urn:v", "code": "high"}]}),
     ["k$low", "urn:a|k$urn:v|low", "bp$high", "k$low,bp$low", "urn:a|$low"], ["k$high", "bp$low", "k$urn:w|low"]),
    ("Observation", [CODE, STATUS, DAY], blood(effectiveDateTime="2020-02-03"),
     ["bp$final$2020-02", "urn:c|bp$final$ge2020-02-03"], ["bp$amended$2020-02", "bp$final$2021"]),
    ("Observation", [SUBJECT, CODE], blood(subject={"reference": "Group/g"}),
     ["Group/g$bp", "g$urn:c|bp"], ["Group/h$bp", "Patient/g$bp"]),
    ("Observation", [SUBJECT, DAY], blood(subject={"reference": "Group/g2"}, effectiveDateTime="2020-02-03"),
     ["Group/g2$2020", "g2$lt2021"], ["g2$gt2021"]),
]  # fmt: skip


def test_composites_find_what_stands_together(run: Any, client: Client) -> None:
    names = [code() for _ in TOGETHER]
    for group in ("g", "g2"):
        body = {"resourceType": "Group", "id": group, "type": "person", "actual": True}
        assert client.put(f"/Group/{group}", body).status_code in (200, 201)
    answers = [client.post("/Observation", body) for _, _, body, _, _ in TOGETHER]
    assert {a.status_code for a in answers} == {201}, [a.text for a in answers]
    made = [a.json()["id"] for a in answers]
    for name, (expression, parts, *_) in zip(names, TOGETHER, strict=True):
        answer = client.post("/SearchParameter", composite(name, expression, *parts))
        assert answer.status_code == 201, answer.json()
    indexed(run, client)
    made_later = [client.post("/Observation", body).json()["id"] for _, _, body, _, _ in TOGETHER]
    among = f"&_id={','.join(made + made_later)}"
    for name, one, later, (_, _, _, found, lost) in zip(names, made, made_later, TOGETHER, strict=True):
        for value in found:
            assert {one, later} <= ids(client, f"/Observation?{name}={value}{among}"), value
        for value in lost:
            assert not {one, later} & ids(client, f"/Observation?{name}={value}{among}"), value
        assert not {one, later} & ids(client, f"/Observation?{name}:missing=true{among}")
    name = names[0]
    assert ids(client, f"/Observation?{name}:missing=false{among}") == {made[0], made_later[0]}
    for wrong in ("sys", "sys$5$6", "sys$", "sys$abc"):
        issue = client.get(f"/Observation?{name}={wrong}").json()["issue"][0]
        assert issue["expression"] == [name], issue


def test_a_composite_follows_parameters_that_were_posted(run: Any, client: Client) -> None:
    own, name = code(), code()
    client.post("/SearchParameter", definition(own, "Patient", "token", "Patient.contact.gender"))
    parts = [(f"urn:test:{own}", "gender"), ("individual-telecom", "telecom")]
    answer = client.post("/SearchParameter", composite(name, "Patient.contact", *parts, base="Patient"))
    assert answer.status_code == 201, answer.json()
    contacts = [{"gender": "female", "telecom": [{"system": "phone", "value": "0900 000 123"}]},
                {"gender": "male", "telecom": [{"system": "email", "value": "an@example.org"}]}]  # fmt: skip
    patient = client.post("/Patient", {"resourceType": "Patient", "contact": contacts}).json()["id"]
    indexed(run, client)
    assert ids(client, f"/Patient?{name}=female$%2B84900000123&_id={patient}") == {patient}
    assert ids(client, f"/Patient?{name}=http://hl7.org/fhir/administrative-gender|male$An@example.org") == {patient}
    assert ids(client, f"/Patient?{name}=male$0900000123&_id={patient}") == set()


def test_strings_stand_together_in_the_resource_as_a_whole(run: Any, client: Client) -> None:
    name, parts = code(), [("individual-family", "name.family"), ("individual-birthdate", "birthDate")]
    answer = client.post("/SearchParameter", composite(name, "Patient", *parts, base="Patient"))
    assert answer.status_code == 201, answer.json()
    bodies: list[JSON] = [{"name": [{"family": "Đỗ"}], "birthDate": "2020-02-03"}, {"birthDate": "2020-02-03"}]
    made = [client.post("/Patient", {"resourceType": "Patient", **body}).json()["id"] for body in bodies]
    indexed(run, client)
    among = f"&_id={','.join(made)}"
    assert ids(client, f"/Patient?{name}=do$ge2020{among}") == {made[0]}
    assert ids(client, f"/Patient?{name}=do$2021{among}") == set()
    assert ids(client, f"/Patient?{name}:missing=true{among}") == {made[1]}


NOT_TOGETHER: list[tuple[str, list[tuple[str, str]], str, str]] = [
    ("Observation.component", [CODE, ("Observation-nonsense", "value")], "component[1].definition", "nonsense"),
    ("Observation.component", [CODE, ("Patient-active", "value")], "component[1].definition", "Patient-active"),
    ("Observation.component", [CODE, ("Observation-value-quantity", "nothing")], "component[1].expression", "nothing"),
    ("Observation.component", [CODE, ("Observation-value-quantity", "code")], "component[1].expression", "ObservationComponent"),
    ("Observation.component", [CODE, ("clinical-code", "Observation.code")], "component[1].expression", "from there"),
    ("Observation.component", [CODE, ("Observation-value-string", "value.ofType(string)")], "component[0]", "Strings"),
    ("Observation", [CODE, AMOUNT, DAY], "component[1]", "second"),
    ("Observation.component", [CODE] * 5, "component", "two to 4"),
    ("Observation.component", [CODE, ("clinical-code", "code" + " | code" * 60)], "component[1].expression", "200"),
]  # fmt: skip


def test_parts_that_cannot_be_kept_together_are_refused_with_place_and_cure(client: Client) -> None:
    for expression, parts, place, words in NOT_TOGETHER:
        answer = client.post("/SearchParameter", composite(code(), expression, *parts))
        issue = answer.json()["issue"][0]
        assert (answer.status_code, issue["expression"]) == (422, [f"SearchParameter.{place}"]), issue
        assert words in issue["diagnostics"]


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
    name, key = code(), str(uuid4())  # no other test adds parameters to this type
    doctor = {"resourceType": "Practitioner", "extension": [{"url": "urn:t:key", "valueString": key}]}
    client.post(
        "/SearchParameter", definition(name, "Practitioner", "token", "Practitioner.extension('urn:t:key').value")
    )
    known.learn({})
    made = {client.post("/Practitioner", doctor).json()["id"]}
    assert known.generation("Practitioner") == 0  # nothing refuses such rows yet
    run(reindexing.work(client.access.ground))
    entry = {"resource": doctor, "request": {"method": "POST", "url": "Practitioner"}}
    for body in (doctor, {"resourceType": "Bundle", "type": "transaction", "entry": [entry, entry]}):
        known.learn({})
        answer = client.post("/Practitioner" if body is doctor else "", body).json()
        assert known.generation("Practitioner") > 0
        made |= {e["response"]["location"].split("/")[-3] for e in answer.get("entry", ())} or {answer["id"]}
    known.learn({})
    moved = min(made)
    assert client.put(f"/Practitioner/{moved}", {**doctor, "id": moved, "active": True}).status_code == 200
    indexed(run, client)
    assert len(made) == 4
    assert ids(client, f"/Practitioner?{name}={key}") == made


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
