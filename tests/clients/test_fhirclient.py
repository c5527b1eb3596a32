"""SMART's fhirclient (https://github.com/smart-on-fhir/client-py), as it comes, does its whole job here.

A token of its own making: the client reads the CapabilityStatement first and signs with whatever session it is given.
"""

from __future__ import annotations

import pytest
import requests
from fhirclient import client as smart
from fhirclient.models.bundle import Bundle
from fhirclient.models.capabilitystatement import CapabilityStatement
from fhirclient.models.fhirreference import FHIRReference
from fhirclient.models.observation import Observation
from fhirclient.models.parameters import Parameters
from fhirclient.models.patient import Patient
from fhirclient.models.valueset import ValueSet
from fhirclient.server import FHIRNotFoundException, FHIRServer, FHIRUnauthorizedException
from tests.clients.conftest import MARK


@pytest.fixture(scope="module")
def server(seat):
    made = smart.FHIRClient(settings={"app_id": "tests", "api_base": seat.base}).server
    made.session.headers["Authorization"] = f"Bearer {seat.token}"
    yield made
    made.session.close()


def patient_of(server, seat, value, **more):
    made = Patient(seat.patient(value) | more).create(server)
    read = Patient(made)
    read.origin_server = server
    return read


def weighed(server, patient, value):
    code = {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]}
    subject = {"reference": patient.relativePath()}
    quantity = {"value": value, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}
    made = Observation({"status": "final", "code": code, "subject": subject, "valueQuantity": quantity})
    return Observation(made.create(server))


def test_the_capability_statement_is_one_for_its_models(server):
    statement = server.capabilityStatement
    assert isinstance(statement, CapabilityStatement)
    assert statement.fhirVersion == "4.0.1"
    assert {"create", "read", "update", "delete"} <= {each.code for each in statement.rest[0].resource[0].interaction}


def test_a_resource_is_created_read_changed_and_deleted(server, seat):
    patient = patient_of(server, seat, "one")
    read = Patient.read(patient.id, server)
    assert read.as_json() == patient.as_json()
    read.name[0].family = "Lý"
    changed = Patient(read.update(server))
    assert (changed.name[0].family, changed.meta.versionId) == ("Lý", "2")
    read.delete(server)
    with pytest.raises(requests.HTTPError) as gone:
        Patient.read(patient.id, server)
    assert gone.value.response is not None
    assert gone.value.response.status_code == 410
    with pytest.raises(FHIRNotFoundException):
        Patient.read("nobody-at-all", server)


def test_nobody_is_let_in_without_a_token(seat):
    with pytest.raises(FHIRUnauthorizedException):
        Patient.read("x", FHIRServer(None, base_uri=seat.base))


def test_pages_and_includes_come_as_its_models(server, seat):
    patient = patient_of(server, seat, "weighed")
    for value in (51, 52.5, 53, 54, 55):
        weighed(server, patient, value)
    search = Observation.where({"subject": patient.relativePath(), "_count": "2", "_sort": "_lastUpdated"})
    pages = list(search.perform_iter(server))
    assert [len(page.entry) for page in pages] == [2, 2, 1]
    found = list(
        Observation.where({"subject": patient.relativePath()}).include("subject").perform_resources_iter(server)
    )
    assert sorted(each.resource_type for each in found) == ["Observation"] * 5 + ["Patient"]
    assert sorted(each.valueQuantity.value for each in found if isinstance(each, Observation)) == [51, 52.5, 53, 54, 55]
    both = Patient.where({"identifier": f"{MARK}|{seat.mark}-weighed"}).include("subject", Observation, reverse=True)
    assert len(list(both.perform_resources_iter(server))) == 6
    (of_reference,) = [each for each in found if isinstance(each, Patient)]
    assert of_reference.id == patient.id


def test_a_reference_is_followed(server, seat):
    patient = patient_of(server, seat, "meant")
    reference = FHIRReference({"reference": patient.relativePath()})
    reference._owner = patient
    assert reference.resolved(Patient).birthDate.isostring == "1984-05-06"


def test_a_transaction_is_done_whole_or_not_at_all(server, seat):
    def bundle(status):
        about = {"reference": "urn:uuid:7a1f5f5c-24d7-4e35-8c04-9d6c0f4a2f10"}
        pulse = {"resourceType": "Observation", "status": status, "code": {"text": "pulse"}, "subject": about}
        return Bundle({"type": "transaction", "entry": [
            {"fullUrl": about["reference"], "resource": seat.patient("bundled"), "request": {"method": "POST", "url": "Patient"}},
            {"resource": pulse, "request": {"method": "POST", "url": "Observation"}},
        ]}, strict=False)  # fmt: skip

    def count():
        return len(list(Patient.where({"identifier": f"{MARK}|{seat.mark}-bundled"}).perform_resources_iter(server)))

    with pytest.raises(requests.HTTPError):
        server.post_json("", bundle("nonsense").as_json())
    assert count() == 0
    answer = Bundle(bundle("final").create(server))
    assert [each.response.status[:3] for each in answer.entry] == ["201", "201"]
    assert count() == 1


def test_history_operations_and_a_patch(server, seat):
    patient = patient_of(server, seat, "more")
    patch = Parameters({"parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": "replace"}, {"name": "path", "valueString": "Patient.gender"},
        {"name": "value", "valueCode": "other"}]}]})  # fmt: skip
    address = f"{server.base_uri}{patient.relativePath()}"
    headers = {"content-type": "application/fhir+json"}
    assert server.session.patch(address, json=patch.as_json(), headers=headers).status_code == 200
    history = Bundle.read_from(f"{patient.relativePath()}/_history", server)
    assert [(each.resource.meta.versionId, each.resource.gender) for each in history.entry] == [
        ("2", "other"),
        ("1", "female"),
    ]
    expanded = ValueSet.read_from("ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender", server)
    assert {each.code for each in expanded.expansion.contains} == {"male", "female", "other", "unknown"}
    chart = Bundle.read_from(f"{patient.relativePath()}/$everything", server)
    assert [each.resource.resource_type for each in chart.entry] == ["Patient"]


def test_criteria_keep_a_second_create_from_happening(server, seat):
    headers = {"If-None-Exist": f"identifier={MARK}|{seat.mark}-once"}
    answers = []
    for _ in range(2):
        patient = Patient(seat.patient("once"))
        answers.append(server.session.post(f"{server.base_uri}Patient", json=patient.as_json(), headers=headers))
    assert [answer.status_code for answer in answers] == [201, 200]
    assert len({Patient(answer.json()).id for answer in answers}) == 1
