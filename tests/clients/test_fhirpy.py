"""fhirpy (https://github.com/beda-software/fhir-py), as it comes, does its whole job here."""

from __future__ import annotations

import asyncio

import pytest
from fhirpy import AsyncFHIRClient, SyncFHIRClient
from fhirpy.base.exceptions import AuthorizationError, MultipleResourcesFound, OperationOutcome, ResourceNotFound
from tests.clients.conftest import MARK

#: its count() asks by `_totalMethod`, which is Aidbox's and no parameter of FHIR: to be passed over, as it says itself
LENIENT = {"Prefer": "handling=lenient"}


@pytest.fixture(scope="module")
def fhir(seat):
    return SyncFHIRClient(seat.base, authorization=f"Bearer {seat.token}")


def patient_of(fhir, seat, value, **more):
    return fhir.resource("Patient", **(seat.patient(value) | more))


def made(fhir, seat, value, **more):
    return patient_of(fhir, seat, value, **more).create()


def observation(fhir, patient, value):
    quantity = {"value": value, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}
    code = {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]}
    return fhir.resource(
        "Observation", status="final", code=code, subject=patient.to_reference(), valueQuantity=quantity
    ).create()


def test_a_resource_is_created_read_changed_refreshed_and_deleted(fhir, seat):
    patient = made(fhir, seat, "one")
    assert patient.meta.versionId == "1"
    read = fhir.reference("Patient", patient.id).to_resource()
    assert read.serialize() == patient.serialize()
    patient.name[0].family = "Lý"
    patient.update()
    assert patient.meta.versionId == "2"
    assert read.refresh().get_by_path(["name", 0, "family"]) == "Lý"
    assert patient.refresh().meta.versionId == "2"
    patient.delete()
    with pytest.raises(ResourceNotFound):
        fhir.reference("Patient", patient.id).to_resource()


def test_parts_of_a_resource_are_saved_alone(fhir, seat):
    patient = made(fhir, seat, "patched")
    patient.patch(gender="other", birthDate=None)
    read = fhir.get("Patient", patient.id)
    assert read["gender"] == "other"
    assert "birthDate" not in read
    assert read["name"] == patient.name
    fhir.resources("Patient").search(identifier=f"{MARK}|{seat.mark}-patched").patch(active=False)
    assert fhir.get("Patient", patient.id)["active"] is False


def test_what_cannot_be_is_told_as_an_outcome(fhir, seat):
    with pytest.raises(OperationOutcome, match="birthDate"):
        made(fhir, seat, "wrong", birthDate="1984-02-30")
    patient = made(fhir, seat, "valid")
    assert patient.is_valid()
    patient["gender"] = "nobody"
    assert not patient.is_valid()
    with pytest.raises(AuthorizationError):
        SyncFHIRClient(seat.base, authorization="Bearer none").resources("Patient").first()


def test_pages_counts_and_sorting_hold(fhir, seat):
    for number in range(7):
        made(fhir, seat, "many", birthDate=f"199{number}-01-02")
    found = fhir.resources("Patient").search(identifier=f"{MARK}|{seat.mark}-many")
    born = [each["birthDate"] for each in found.sort("-birthdate").limit(3)]
    assert born == [f"199{number}-01-02" for number in reversed(range(7))]
    lenient = SyncFHIRClient(seat.base, authorization=fhir.authorization, extra_headers=LENIENT)
    assert lenient.resources("Patient").search(identifier=f"{MARK}|{seat.mark}-many").count() == 7
    with pytest.raises(OperationOutcome, match="_totalMethod"):
        found.count()
    assert len(found.limit(3).fetch()) == 3
    assert found.first().resource_type == "Patient"
    assert {key for each in found.elements("gender") for key in each} == {"resourceType", "id", "meta", "gender"}
    with pytest.raises(MultipleResourcesFound):
        found.get()


def test_includes_chains_and_the_reverse(fhir, seat):
    patient = made(fhir, seat, "weighed")
    for value in (51, 52.5):
        observation(fhir, patient, value)
    mark = f"{MARK}|{seat.mark}-weighed"
    weights = fhir.resources("Observation").search(patient__Patient__identifier=mark)
    assert len(weights.fetch()) == 2
    with_patient = weights.include("Observation", "patient").fetch_raw()
    assert sorted(each.search.mode for each in with_patient.entry) == ["include", "match", "match"]
    back = fhir.resources("Patient").search(identifier=mark).revinclude("Observation", "patient").fetch_raw()
    assert sorted(each.resource.resource_type for each in back.entry) == ["Observation", "Observation", "Patient"]
    heavy = fhir.resources("Patient").has("Observation", "patient", value_quantity__gt=52).search(identifier=mark)
    assert [each.id for each in heavy.fetch_all()] == [patient.id]


def test_criteria_decide_whether_something_is_made_changed_or_deleted(fhir, seat):
    patients = fhir.resources("Patient").search(identifier=f"{MARK}|{seat.mark}-once")
    first, created = patients.get_or_create(patient_of(fhir, seat, "once"))
    again, anew = patients.get_or_create(patient_of(fhir, seat, "once"))
    assert (created, anew, again.id) == (True, False, first.id)
    changed, anew = patients.update(patient_of(fhir, seat, "once", gender="other"))
    assert (anew, changed.id, changed.meta.versionId) == (False, first.id, "2")
    assert patients.delete() == (None, 204)
    assert patients.fetch() == []


def test_a_transaction_an_operation_and_a_history(fhir, seat):
    entries = [
        {"fullUrl": "urn:uuid:0b1e7a52-4a3a-4bc4-9f0b-8f6b9d3f0c11", "resource": seat.patient("bundled"),
         "request": {"method": "POST", "url": "Patient"}},
        {"resource": {"resourceType": "Observation", "status": "final", "code": {"text": "pulse"},
                      "subject": {"reference": "urn:uuid:0b1e7a52-4a3a-4bc4-9f0b-8f6b9d3f0c11"}},
         "request": {"method": "POST", "url": "Observation"}},
    ]  # fmt: skip
    answer = fhir.resource("Bundle", type="transaction", entry=entries).create()
    assert [each.response.status[:3] for each in answer.entry] == ["201", "201"]
    patient = fhir.resources("Patient").search(identifier=f"{MARK}|{seat.mark}-bundled").get()
    chart = patient.execute("$everything", method="get")
    assert {each.resource.resourceType for each in chart.entry} == {"Patient", "Observation"}
    expanded = fhir.execute(
        "ValueSet/$expand", "get", params={"url": "http://hl7.org/fhir/ValueSet/administrative-gender"}
    )
    assert {each.code for each in expanded.expansion.contains} == {"male", "female", "other", "unknown"}
    patient.update()
    history = patient.execute("_history", method="get")
    assert [each.resource.meta.versionId for each in history.entry] == ["2", "1"]
    assert fhir.execute("metadata", "get").fhirVersion == "4.0.1"


def test_many_at_once(seat):
    async def work():
        fhir = AsyncFHIRClient(seat.base, authorization=f"Bearer {seat.token}", extra_headers=LENIENT)
        patients = [patient_of(fhir, seat, "async") for _ in range(12)]
        await asyncio.gather(*(patient.create() for patient in patients))
        found = fhir.resources("Patient").search(identifier=f"{MARK}|{seat.mark}-async").limit(5)
        return {patient.id for patient in patients}, {each.id async for each in found}, await found.count()

    made_ids, found, count = asyncio.run(work())
    assert made_ids == found
    assert count == 12
