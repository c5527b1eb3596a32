"""`$validate` over HTTP, profiles on write, and VN Core as it is published.

Sources: https://hl7.org/fhir/R4/resource-operation-validate.html, github.com/hl7vn/vn-core-ig
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from yersin.api.importing import Importer
from yersin.guard import profiling

SHARED = Path(os.environ.get("YERSIN_SHARED", Path(__file__).parents[3] / "shared"))
GUIDE = SHARED / "data" / "vietnam" / "vn-core-ig"
BASE = "http://hl7.org/fhir/StructureDefinition/"
URL = "http://example.org/StructureDefinition/dated-{}"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(profiling, "FRESH", 0.0)


def errors(answer):
    assert answer.status_code == 200, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"
    found = answer.json()["issue"]
    return [(issue["code"], *issue.get("expression", [])) for issue in found if issue["severity"] == "error"]


def stored(client, name):
    """Store a profile of patients with a date of birth; answer its address."""
    definition = {
        "resourceType": "StructureDefinition", "url": URL.format(name), "name": "Dated", "status": "active",
        "kind": "resource", "abstract": False, "type": "Patient", "baseDefinition": f"{BASE}Patient",
        "derivation": "constraint",
        "differential": {"element": [{"id": "Patient.birthDate", "path": "Patient.birthDate", "min": 1}]},
    }  # fmt: skip
    assert client.post("/StructureDefinition", definition).status_code == 201
    return URL.format(name)


def test_a_good_resource_has_no_errors_and_is_not_stored(client):
    assert errors(client.post("/Patient/$validate", {"resourceType": "Patient", "id": "kept-nowhere"})) == []
    assert client.get("/Patient/kept-nowhere").status_code == 404


def test_every_finding_is_told_with_its_place(client):
    bad = {"resourceType": "Patient", "gender": "man", "birthDate": "2024-02-30", "name": []}
    assert errors(client.post("/Patient/$validate", bad)) == [
        ("code-invalid", "Patient.gender"),
        ("value", "Patient.birthDate"),
        ("structure", "Patient.name"),
    ]


def test_what_is_no_fhir_is_answered_like_the_rest(client):
    assert errors(client.post("/Patient/$validate", content=b'{"resourceType": "Patient",}'))
    xml = {"content-type": "application/fhir+xml"}
    broken = b'<Patient xmlns="http://hl7.org/fhir"><gender value="male"/><active value="true"/></Patient>'
    assert errors(client.post("/$validate", content=broken, headers=xml))
    whole = b'<Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>'
    assert errors(client.post("/$validate", content=whole, headers=xml)) == []
    assert errors(client.post("/Patient/$validate", {"resourceType": "Group"})) == [("invalid", "Group")]


def test_rules_and_bindings_are_judged(client):
    allergy = {"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/x"}}
    assert errors(client.post("/$validate", allergy)) == [("invariant", "AllergyIntolerance")]
    wrong = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "no"}]}
    found = errors(client.post("/$validate", {**allergy, "clinicalStatus": wrong}))
    assert ("code-invalid", "AllergyIntolerance.clinicalStatus") in found


def test_a_profile_may_be_asked_for_in_the_address_or_in_parameters(client):
    url = stored(client, "asked")
    sent = {"resourceType": "Patient", "active": True}
    wanted = [("required", "Patient.birthDate")]
    assert errors(client.post(f"/Patient/$validate?profile={url}", sent)) == wanted
    parameters = [{"name": "resource", "resource": sent}, {"name": "profile", "valueUri": url}]
    body = {"resourceType": "Parameters", "parameter": parameters}
    assert errors(client.post("/Patient/$validate", body)) == wanted
    assert errors(client.post("/Patient/$validate?profile=http://example.org/none", sent)) == [("not-found", "Patient")]


def test_what_is_stored_can_be_judged_where_it_is(client):
    url = stored(client, "instance")
    (made,) = [client.post("/Patient", {"resourceType": "Patient", "active": True}).json()["id"]]
    assert errors(client.get(f"/Patient/{made}/$validate")) == []
    assert errors(client.get(f"/Patient/{made}/$validate?profile={url}")) == [("required", "Patient.birthDate")]
    assert client.get("/Patient/is-not-here/$validate").status_code == 404


def test_what_claims_a_known_profile_must_meet_it_by_every_door(client):
    url = stored(client, "claimed")
    sent = {"resourceType": "Patient", "meta": {"profile": [url]}}
    answer = client.post("/Patient", sent)
    assert answer.status_code == 422
    assert "Patient.birthDate" in answer.text
    assert client.put("/Patient/claims-too-much", {**sent, "id": "claims-too-much"}).status_code == 422
    entry = [{"resource": sent, "request": {"method": "POST", "url": "Patient"}}]
    assert client.post("/", {"resourceType": "Bundle", "type": "transaction", "entry": entry}).status_code == 422
    batch = client.post("/", {"resourceType": "Bundle", "type": "batch", "entry": entry})
    assert batch.json()["entry"][0]["response"]["status"].startswith("422")
    assert client.post("/Patient", {**sent, "birthDate": "1990-01-01"}).status_code == 201
    assert client.post("/Patient", {**sent, "meta": {"profile": [f"{url}-unknown"]}}).status_code == 201


CITIZEN = {
    "use": "official",
    "type": {
        "coding": [
            {
                "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                "code": "NI",
                "display": "National unique individual identifier",
            }
        ]
    },
    "system": "http://fhir.ehealth.gov.vn/core/sid/national_id",
    "value": "999085000017",
}


@pytest.mark.skipif(not GUIDE.is_dir(), reason=f"the VN Core guide is not in {GUIDE} (YERSIN_SHARED)")
@pytest.mark.parametrize("host", ["fhir.ehealth.gov.vn", "fhir.hl7.org.vn"])
def test_vn_core_judges_vietnamese_patients_under_both_its_addresses(run, client, system, host):
    report = run(Importer(system.ground.access(system.who), drafts=True).run([GUIDE]))
    assert not [finding for finding in report.findings if finding.file.name.startswith("StructureDefinition")]
    claims = {"profile": [f"http://{host}/core/StructureDefinition/vn-core-patient"]}
    good = {
        "resourceType": "Patient", "meta": claims, "identifier": [CITIZEN], "gender": "female",
        "name": [{"family": "Nguyễn", "given": ["An"], "text": "Nguyễn An"}], "birthDate": "1985-03-02",
    }  # fmt: skip
    assert errors(client.post("/Patient/$validate", good)) == []
    bad = {**good, "identifier": [{**CITIZEN, "use": "usual"}]}
    assert errors(client.post("/Patient/$validate", bad)) == [("value", "Patient.identifier[0].use")]
    twice = {**good, "identifier": [CITIZEN, CITIZEN]}
    assert errors(client.post("/Patient/$validate", twice)) == [("structure", "Patient.identifier")]


def test_a_full_import_names_what_breaks_a_rule_and_loses_nothing_else(run, client, system, tmp_path):
    bad = '{"resourceType": "AllergyIntolerance", "id": "full-bad", "patient": {"reference": "Patient/full-good"}}'
    (tmp_path / "some.ndjson").write_text(f'{{"resourceType": "Patient", "id": "full-good"}}\n{bad}\n')
    report = run(Importer(system.ground.access(system.who), full=True).run([tmp_path]))
    assert report.resources == 1
    assert [(f.file.name, f.place, f.issue.expression) for f in report.findings] == [
        ("some.ndjson", 1, "AllergyIntolerance")
    ]
    assert client.get("/Patient/full-good").status_code == 200
    assert client.get("/AllergyIntolerance/full-bad").status_code == 404


def test_answers_must_fit_their_questionnaire_where_it_is_known(client):
    form = {"resourceType": "Questionnaire", "status": "active", "url": "http://example.org/form-of-writes",
            "item": [{"linkId": "1", "type": "boolean", "required": True}]}  # fmt: skip
    told = {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": form["url"],
            "item": [{"linkId": "1", "answer": [{"valueString": "yes"}]}]}  # fmt: skip
    assert client.post("/QuestionnaireResponse", told).status_code == 201, "nobody knows the questionnaire yet"
    made = client.post("/Questionnaire", form).json()["id"]
    wanted = [("structure", "QuestionnaireResponse.item[0].answer[0]")]
    assert errors(client.post("/$validate", told)) == wanted
    for canonical in (form["url"], f"Questionnaire/{made}", f"{client.base}/Questionnaire/{made}"):
        answer = client.post("/QuestionnaireResponse", {**told, "questionnaire": canonical})
        assert answer.status_code == 422, canonical
        assert "QuestionnaireResponse.item[0].answer[0]" in answer.text
    right = {**told, "item": [{"linkId": "1", "answer": [{"valueBoolean": True}]}]}
    assert client.post("/QuestionnaireResponse", right).status_code == 201
    inside = {**told, "questionnaire": "#q", "contained": [{**form, "id": "q"}]}
    assert client.post("/QuestionnaireResponse", inside).status_code == 422
    changed = {**form, "id": made, "item": [{"linkId": "1", "type": "string"}]}
    assert client.put(f"/Questionnaire/{made}", changed).status_code == 200
    assert client.post("/QuestionnaireResponse", told).status_code == 201


def test_what_was_deleted_is_not_judged(client):
    made = client.post("/Patient", {"resourceType": "Patient"}).json()["id"]
    assert client.delete(f"/Patient/{made}").status_code == 204
    assert client.get(f"/Patient/{made}/$validate").status_code == 410
