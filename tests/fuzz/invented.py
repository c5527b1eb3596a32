"""Resources of ours, for those who do not have HL7's examples: some of every kind of element, all good FHIR R4."""

from __future__ import annotations

import json

_CODE = {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}], "text": "Nhịp tim"}
_NARRATIVE = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>Nguyễn Thị An</p></div>'}
_ACTIVE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
_RESOURCES = [
    {"resourceType": "Patient", "id": "an", "text": _NARRATIVE, "gender": "female", "birthDate": "1985-03-02",
     "name": [{"use": "official", "family": "Nguyễn", "given": ["Thị", "An"]}], "active": True,
     "identifier": [{"system": "http://example.org/id", "value": "1", "period": {"start": "2020-01-01", "end": "2021"}}],
     "telecom": [{"system": "phone", "value": "0900000000"}], "maritalStatus":
     {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M"}]},
     "contact": [{"name": {"text": "Bình"}}], "generalPractitioner": [{"reference": "Practitioner/x"}],
     "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "vi"}]}}],
     "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"city": "Huế"}}]},
    {"resourceType": "Observation", "id": "rate", "status": "final", "code": _CODE, "subject": {"reference": "Patient/an"},
     "effectiveDateTime": "2026-01-02T03:04:05+07:00", "valueQuantity":
     {"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
     "referenceRange": [{"low": {"value": 50}, "high": {"value": 100}}], "category": [{"coding": [
         {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}]},
    {"resourceType": "Condition", "id": "cough", "clinicalStatus": _ACTIVE, "code": {"text": "Ho"},
     "subject": {"reference": "Patient/an"}, "onsetAge": {"value": 30, "code": "a", "system": "http://unitsofmeasure.org"}},
    {"resourceType": "Encounter", "id": "visit", "status": "finished", "subject": {"reference": "Patient/an"},
     "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
     "period": {"start": "2026-01-02T03:00:00Z", "end": "2026-01-02T04:00:00Z"}},
    {"resourceType": "MedicationRequest", "id": "drug", "status": "active", "intent": "order",
     "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "Paracetamol"}}],
     "medicationReference": {"reference": "#m"}, "subject": {"reference": "Patient/an"}, "dosageInstruction": [
         {"text": "2", "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}, "asNeededBoolean": False}]},
    {"resourceType": "Questionnaire", "id": "form", "status": "active", "url": "http://example.org/form", "item": [
        {"linkId": "1", "type": "choice", "text": "?", "answerOption": [{"valueCoding": {"code": "a"}}]},
        {"linkId": "2", "type": "group", "item": [{"linkId": "2.1", "type": "string", "required": True}]}]},
    {"resourceType": "QuestionnaireResponse", "id": "told", "status": "completed", "item": [
        {"linkId": "1", "answer": [{"valueCoding": {"code": "a"}}]},
        {"linkId": "2", "item": [{"linkId": "2.1", "answer": [{"valueString": "x"}]}]}]},
    {"resourceType": "ValueSet", "id": "set", "status": "draft", "url": "http://example.org/set", "compose": {"include": [
        {"system": "http://loinc.org", "concept": [{"code": "8867-4"}]}]}},
    {"resourceType": "ValueSet", "id": "all", "status": "draft", "url": "http://example.org/all", "compose": {"include": [
        {"system": "http://example.org/system", "filter": [{"property": "concept", "op": "is-a", "value": "a"}]},
        {"system": "http://hl7.org/fhir/administrative-gender"}, {"valueSet": ["http://example.org/set"]}], "exclude": [
        {"system": "http://example.org/system", "filter": [{"property": "rank", "op": "=", "value": "2"}]}]}},
    {"resourceType": "CodeSystem", "id": "system", "status": "draft", "url": "http://example.org/system", "content": "complete",
     "hierarchyMeaning": "is-a", "property": [{"code": "rank", "type": "integer"}], "concept": [
        {"code": "a", "display": "Nhịp tim", "concept": [{"code": "b", "designation": [{"language": "en", "value": "Rate"}],
                                                         "property": [{"code": "rank", "valueInteger": 2}]}]}]},
    {"resourceType": "ConceptMap", "id": "map", "status": "draft", "url": "http://example.org/map", "group": [
        {"source": "http://example.org/system", "target": "http://hl7.org/fhir/administrative-gender", "element": [
            {"code": "a", "target": [{"code": "male", "equivalence": "equivalent"}]}], "unmapped": {"mode": "provided"}}]},
    {"resourceType": "SearchParameter", "id": "own", "url": "http://example.org/own", "name": "Own", "status": "active",
     "description": "x", "code": "own", "base": ["Patient", "Basic"], "type": "string",
     "expression": "Patient.extension('http://example.org/own').value | Basic.code.text"},
    {"resourceType": "Subscription", "id": "told", "status": "requested", "reason": "x", "criteria": "Observation?code=x",
     "channel": {"type": "rest-hook", "endpoint": "https://example.org/told", "payload": "application/fhir+json",
                 "header": ["Authorization: x"]}},
    {"resourceType": "Group", "id": "some", "type": "person", "actual": True, "member": [{"entity": {"reference": "Patient/an"}}]},
    {"resourceType": "DocumentReference", "id": "letter", "status": "current", "content": [
        {"attachment": {"contentType": "text/plain", "data": "eGlu", "size": 3, "language": "vi"}}]},
    {"resourceType": "Bundle", "id": "many", "type": "collection", "entry": [
        {"fullUrl": "http://example.org/fhir/Patient/p", "resource": {"resourceType": "Patient", "id": "p"}}]},
    {"resourceType": "StructureDefinition", "id": "profile", "url": "http://example.org/profile", "name": "Named",
     "status": "draft", "kind": "resource", "abstract": False, "type": "Patient", "derivation": "constraint",
     "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
     "differential": {"element": [{"id": "Patient.name", "path": "Patient.name", "max": "5"}]}},
    {"resourceType": "Organization", "id": "station", "name": "Trạm y tế", "address": [{"use": "work", "city": "Huế"}]},
]  # fmt: skip
EXAMPLES = [json.dumps(each).encode() for each in _RESOURCES]
