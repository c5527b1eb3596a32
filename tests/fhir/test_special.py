"""What FHIR says in words: addresses, systems, contained resources, places of extensions, conditions, and the glance at them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from yersin import fhir
from yersin.fhir.profiles import Glance, Judge, Library
from yersin.fhir.profiles.published import BASE

WHOLE = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"
PATIENT: Any = {"resourceType": "Patient"}
CONDITION: Any = {"resourceType": "Condition", "subject": {"reference": "Patient/x"}}
SEEN: Any = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
QUESTIONS: Any = {"resourceType": "Questionnaire", "status": "active"}
XHTML = '<div xmlns="http://www.w3.org/1999/xhtml">'
WARD: Any = {"resourceType": "Organization", "id": "o", "name": "x"}


class Terms:
    """Terminology that knows every code of a system."""

    def is_surely_code(self, system: str, code: str) -> bool:
        return bool(system and code)

    def is_surely_member(self, system: str, code: str, value_set: str) -> bool:
        return bool(code and value_set and system != "urn:x")

    def member_of(self, system: str, code: str, value_set: str) -> bool:
        return self.is_surely_member(system, code, value_set)

    def subsumes(self, system: str, parent: str, child: str) -> bool:
        return bool(system) and parent == child


def condition(**more: Any) -> Any:
    return {**CONDITION, **more}


def refer(address: str, **more: Any) -> Any:
    return condition(subject={"reference": address, **more})


def told(text: str) -> Any:
    return {**PATIENT, "text": {"status": "generated", "div": f"{XHTML}{text}</div>"}}


def extended(name: str, **value: Any) -> Any:
    return {"extension": [{"url": BASE + name, **value}]}


def amount(code: str) -> Any:
    quantity = {"value": 1, "system": "http://unitsofmeasure.org", "code": code}
    return {**PATIENT, "extension": [{"url": "urn:x", "valueQuantity": quantity}]}


def derived(kind: str, *bases: str, origin: str = "Organization-name") -> Any:
    return {
        "resourceType": "SearchParameter", "url": "urn:x", "name": "X", "status": "draft", "description": "x", "code": "x",
        "type": kind, "base": list(bases), "derivedFrom": f"http://hl7.org/fhir/SearchParameter/{origin}",
    }  # fmt: skip


def searched(name: str, kind: str, of: str = "Patient") -> Any:
    asked = {"name": "x", "definition": f"http://hl7.org/fhir/SearchParameter/{name}", "type": kind}
    return {
        "resourceType": "CapabilityStatement", "status": "draft", "date": "2026", "kind": "requirements", "format": ["json"],
        "fhirVersion": "4.0.1", "description": "x",
        "rest": [{"mode": "server", "resource": [{"type": of, "searchParam": [asked]}]}],
    }  # fmt: skip


def bundled(kind: str, **resource: Any) -> Any:
    more = {"batch-response": {"response": {"status": "200"}}, "searchset": {"search": {"mode": "match"}}}
    return {"resourceType": "Bundle", "type": kind, "entry": [{"resource": resource, **more.get(kind, {})}]}


def item(number: str, asked: str = "", *inside: Any) -> Any:
    when = {"enableWhen": [{"question": asked, "operator": "exists", "answerBoolean": True}]} if asked else {}
    return {"linkId": number, "type": "boolean", **when, **({"item": list(inside)} if inside else {})}


def errors(body: Any) -> list[str]:
    return [i.expression for i in Judge(Library(), terms=Terms()).judge(body) if i.severity == "error"]


def is_sure(body: Any) -> bool:
    return Glance(Library(), Terms()).is_sure(fhir.parse(msgspec.json.encode(body)))


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({**PATIENT, "identifier": [{"system": "cccd", "value": "1"}]}, "Patient.identifier[0].system"),
        ({**PATIENT, "maritalStatus": {"coding": [{"system": "Patient/1", "code": "x"}]}}, "Patient.maritalStatus.coding[0].system"),
        ({**PATIENT, "identifier": [{"system": "urn:uuid:zz", "value": "1"}]}, "Patient.identifier[0].system"),
        ({**PATIENT, "identifier": [{"system": WHOLE.upper().replace("URN:UUID", "urn:uuid"), "value": "1"}]},
         "Patient.identifier[0].system"),
        ({**PATIENT, "identifier": [{"system": "urn:oid:1.x", "value": "1"}]}, "Patient.identifier[0].system"),
        ({**PATIENT, "extension": [{"url": "urn:x", "valueQuantity": {"value": 1, "system": "ucum"}}]},
         "Patient.extension[0].value.system"),
        ({**PATIENT, "extension": [{"url": "urn:x", "valueUri": "urn:oid:"}]}, "Patient.extension[0].value"),
        ({**PATIENT, "maritalStatus": {"coding": [{"system": "http://hl7.org/fhir/ValueSet/marital-status", "code": "M"}]}},
         "Patient.maritalStatus.coding[0].system"),
        ({**QUESTIONS, "item": [{"type": "display", "text": "x"}]}, "Questionnaire.item[0].linkId"),
        (refer("Patient/a/b"), "Condition.subject.reference"),
        (refer("Patient/a_b"), "Condition.subject.reference"),
        (refer("Patient/"), "Condition.subject.reference"),
        (refer("http://x.org/Patient/a b"), "Condition.subject.reference"),
        (refer("#"), "Condition.subject"),
        (refer("Patient/x", type="Group"), "Condition.subject"),
        (refer("urn:x", type="Nobody"), "Condition.subject.type"),
        (condition(clinicalStatus={"coding": [{"code": "active"}]}), "Condition.clinicalStatus"),
        ({**PATIENT, "contained": [{"resourceType": "Organization", "name": "x"}]}, "Patient.contained[0].id"),
        ({**PATIENT, "managingOrganization": {"reference": "#o"}, "contained": [WARD, WARD]}, "Patient.contained[1].id"),
        ({**PATIENT, "managingOrganization": {"reference": "#p"}, "contained": [WARD, {**PATIENT, "id": "p"}]},
         "Patient.managingOrganization"),
        ({**PATIENT, "managingOrganization": {"reference": "#o"}, "contained": [{**WARD, "meta": {"versionId": "1"}}]}, "Patient"),
        ({**PATIENT, "managingOrganization": {"reference": "#o"}, "contained": [{**WARD, "partOf": {"reference": "#x"}}]},
         "Patient.contained[0].partOf"),
        (told("&nbsp;x"), "Patient.text.div"),
        (condition(**extended("patient-birthPlace", valueAddress={"city": "x"})), "Condition.extension[0]"),
        ({**PATIENT, "birthDate": "2000", "_gender": extended("patient-birthTime", valueDateTime="2000")}, "Patient._gender.extension[0]"),
        ({**QUESTIONS, "url": "Questionnaire/1"}, "Questionnaire.url"),
        ({**QUESTIONS, "item": [item("1", "9")]}, "Questionnaire.item[0].enableWhen[0].question"),
        ({**QUESTIONS, "item": [item("1", "1")]}, "Questionnaire.item[0].enableWhen[0].question"),
        ({**QUESTIONS, "item": [item("1", "2", item("2"))]}, "Questionnaire.item[0].enableWhen[0].question"),
        ({"resourceType": "ValueSet", "status": "active", "compose": {"include": [{"system": "#c"}]}},
         "ValueSet.compose.include[0].system"),
        ({**PATIENT, "extension": [{"url": "urn:x", "valueCanonical": "nowhere"}]}, "Patient.extension[0].value"),
        ({**QUESTIONS, "derivedFrom": [f"{BASE}x", "Questionnaire/"]}, "Questionnaire.derivedFrom[1]"),
        (amount("mm Hg"), "Patient.extension[0].value.code"),
        (amount("°C"), "Patient.extension[0].value.code"),
        (amount("{nhịp}/min"), "Patient.extension[0].value.code"),
        (amount("#/min"), "Patient.extension[0].value.code"),
        (amount("fmm[Hg]"), "Patient.extension[0].value.code"),
        (amount("10*3.mk[iU]2{x}/mL"), "Patient.extension[0].value.code"),
        (derived("token", "Organization"), "SearchParameter.type"),
        (derived("string", "Organization", "Patient"), "SearchParameter.base[1]"),
        (derived("token", "Observation", origin="clinical-patient"), "SearchParameter.type"),
        (searched("Patient-identifier", "date"), "CapabilityStatement.rest[0].resource[0].searchParam[0].type"),
        (searched("clinical-patient|4.0.1", "number", "Condition"), "CapabilityStatement.rest[0].resource[0].searchParam[0].type"),
        ({**SEEN, "component": [{"code": {"text": "x"}, "referenceRange": [{"age": {"low": {"value": 1}}}]}]},
         "Observation.component[0].referenceRange[0]"),
        ({**QUESTIONS, "item": [item("1", "", {"linkId": "2", "type": "display", "required": True})]},
         "Questionnaire.item[0].item[0]"),
        ({**QUESTIONS, **extended("patient-religion", valueCodeableConcept={"text": "x"})}, "Questionnaire.extension[0]"),
        (bundled("collection", **WARD), "Bundle.entry[0].fullUrl"),
        (bundled("searchset", **WARD), "Bundle.entry[0].fullUrl"),
    ],
    ids=str,
)  # fmt: skip
def test_what_words_forbid_is_found_and_never_sure(body: Any, place: str) -> None:
    found = errors(body)
    assert place.replace("_gender", "gender") in found
    assert not is_sure(body)


@pytest.mark.parametrize(
    "body",
    [
        {**PATIENT, "identifier": [{"system": each, "value": "1"} for each in (WHOLE, "urn:oid:0.1.2", "urn:x")]},
        {**PATIENT, "extension": [{"url": "urn:x", "valueQuantity": {"value": 1, "system": "http://x.org"}}]},
        {**PATIENT, "extension": [{"url": WHOLE, "valueUri": "x"}]},
        refer("Patient/x/_history/2"),
        refer("Patient?identifier=x"),
        refer("http://x.org/fhir/Patient/x"),
        refer(WHOLE),
        refer("Patient/x", type="Patient"),
        {**PATIENT, "managingOrganization": {"reference": "#o"}, "contained": [WARD]},
        told("x &amp; &#160;"),
        {**PATIENT, **extended("patient-birthPlace", valueAddress={"city": "x"})},
        condition(clinicalStatus={"coding": [{"system": "http://x.org", "code": "active"}]}),
        *({**PATIENT, "extension": [{"url": "urn:x", "valueCanonical": each}]}
          for each in (WHOLE, f"{BASE}x|1", "#c", "Questionnaire/gcs", "Library/a|1")),
        *map(amount, ("mm[Hg]", "10*3/uL", "{nhip}/min", "[in_i'Hg]", "10^9/L", "%", "ea", "dam[Hg]", "Gi[iU]/(8.h)", "dB[V]",
                       "cm[H2O]/(L/s)", "m[IU]/mL", "10*6.[iU]", "/m[Hg]")),
    ],
    ids=str,
)  # fmt: skip
def test_what_words_allow_is_told_at_a_glance(body: Any) -> None:
    assert errors(body) == []
    assert is_sure(body)


@pytest.mark.parametrize(
    "body",
    [
        {**PATIENT, "birthDate": "2000-01-01", "_birthDate": extended("patient-birthTime", valueDateTime="2000-01-01")},
        {**QUESTIONS, "item": [item("1", "2"), item("2"), item("3", "2", item("4", "2"))]},
        {**QUESTIONS, **extended("structuredefinition-wg", valueCode="fhir")},
        refer("urn:x", type="Patient"),
        {"resourceType": "Basic", "code": {"text": "x"}, "extension": [{"url": "urn:x", "valueReference": {"reference": "#c"}}],
         "contained": [{**CONDITION, "id": "c", "evidence": [{"detail": [{"reference": "#"}]}]}]},
        *(searched(*each) for each in (
            ("Patient-identifier", "token"), ("Patient-identifier", "string"), ("clinical-patient", "reference", "Condition"),
            ("nothing-known", "date"),
        )),
        derived("string", "Organization"),
        derived("string", "Patient", origin="nothing-known"),
        bundled("collection", resourceType="Organization", name="x"),
        bundled("batch-response", **WARD),
    ],
    ids=str,
)  # fmt: skip
def test_what_words_allow_is_no_error(body: Any) -> None:
    assert errors(body) == []


def test_a_profile_of_another_type_means_nothing() -> None:
    element = {
        "id": "Observation.value[x]",
        "path": "Observation.value[x]",
        "type": [{"code": "Quantity", "profile": [f"{BASE}Count"]}],
    }
    body = {
        "resourceType": "StructureDefinition", "url": "http://x.org/p", "name": "P", "status": "active", "kind": "resource",
        "abstract": False, "type": "Observation", "baseDefinition": f"{BASE}Observation", "derivation": "constraint",
        "differential": {"element": [{"id": "Observation", "path": "Observation"}, element]},
    }  # fmt: skip
    assert errors(body) == ["StructureDefinition.differential.element[1]"]
    element["type"] = [{"code": "Quantity", "profile": [f"{BASE}SimpleQuantity"]}]
    assert errors(body) == []
