"""A consultation by FHIR calls alone: who takes part, and each move as src/yersin/telehealth/README.md describes it."""

from __future__ import annotations

import base64
import csv
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from tests.running import House

from yersin.app.demo.cast import demo_people

JSON = dict[str, Any]
CAST = {member.login: member for member in demo_people()}
CARDIOLOGY = "394579002"
NATIONAL_ID = "http://fhir.ehealth.gov.vn/core/sid/national_id"
LOINC, ICD10, TERMS = "http://loinc.org", "http://hl7.org/fhir/sid/icd-10", "http://terminology.hl7.org/CodeSystem/"
YERSIN = "urn:yersin:code-system:"
SIGNED = {"tag": [{"system": YERSIN + "state", "code": "signed"}]}
PDF = base64.b64encode(b"%PDF-1.7\n% signed elsewhere, by software that holds the key\n").decode()
QUESTION, ANSWER, ADVICE = "Có cần đổi thuốc không?", "Thêm amlodipin 5 mg buổi sáng.", "Uống thuốc đều, giảm muối."


def concept(system: str, code: str, text: str = "") -> JSON:
    return {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class Person:
    """Someone signed in who sends FHIR requests and never opens a page."""

    http: httpx.Client

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {"content-type": "application/fhir+json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.http.request(method, f"/fhir{path}", json=body, headers=sent)

    def get(self, path: str) -> JSON:
        answer = self.send("GET", path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
        read: JSON = answer.json()
        return read

    def found(self, path: str) -> list[JSON]:
        """Matches and what came with them."""
        return [entry["resource"] for entry in self.get(path).get("entry", ())]

    def make(self, resource: JSON, **headers: str) -> JSON:
        answer = self.send("POST", f"/{resource['resourceType']}", resource, **headers)
        assert answer.status_code in (200, 201), (answer.status_code, answer.text[:500])
        made: JSON = answer.json()
        return made

    def change(self, resource: JSON) -> httpx.Response:
        """Replace a resource on condition that it is still the version that was read."""
        path = f"/{resource['resourceType']}/{resource['id']}"
        return self.send("PUT", path, resource, if_match=f'W/"{resource["meta"]["versionId"]}"')

    def transaction(self, *resources: JSON) -> httpx.Response:
        """Create resources without an id, replace the others if nobody has changed them; all or nothing."""
        return self.send(
            "POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": list(map(entry, resources))}
        )


def entry(resource: JSON) -> JSON:
    kind, content = resource["resourceType"], dict(resource)
    if "meta" in resource and "versionId" in resource["meta"]:
        tag = f'W/"{resource["meta"]["versionId"]}"'
        return {"resource": content, "request": {"method": "PUT", "url": f"{kind}/{resource['id']}", "ifMatch": tag}}
    full_url = content.pop("fullUrl", f"urn:uuid:{uuid4()}")
    return {"fullUrl": full_url, "resource": content, "request": {"method": "POST", "url": kind}}


@dataclass
class Story:
    """One patient's consultation and everybody who has a part in it, or none."""

    house: House
    patient: str
    station: Person
    hospital: Person
    colleague: Person
    stranger: Person
    citizen: Person
    task: str = ""
    request: str = ""
    outcome: str = ""
    documents: list[str] = field(default_factory=list)

    @property
    def subject(self) -> JSON:
        return {"reference": f"Patient/{self.patient}"}

    def read_task(self, person: Person) -> JSON:
        return person.get(f"/Task/{self.task}")


def role(login: str) -> JSON:
    return {"reference": f"PractitionerRole/{CAST[login].practitioner_role_id}", "display": CAST[login].name.text}


def place(login: str) -> JSON:
    return {"reference": f"Organization/{CAST[login].organization_id}"}


# --- the moves, as the README has them ------------------------------------------------------------------------------


def fill_chart(story: Story) -> None:
    story.station.make({
        "resourceType": "AllergyIntolerance", "patient": story.subject, "code": {"text": "Penicillin"},
        "clinicalStatus": concept(TERMS + "allergyintolerance-clinical", "active"),
    })  # fmt: skip
    story.station.make({
        "resourceType": "Observation", "status": "final", "subject": story.subject, "effectiveDateTime": now(),
        "code": concept(LOINC, "8480-6", "Huyết áp tâm thu"),
        "valueQuantity": {"value": 160, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
    })  # fmt: skip


def pool(person: Person) -> tuple[str, str]:
    """Hub and service to ask: the affiliation with the lowest rank whose service has the specialty."""
    spoke = CAST["tram"].organization_id
    listed = person.found(f"/OrganizationAffiliation?participating-organization=Organization/{spoke}&active=true"
                          "&_include=OrganizationAffiliation:service&_count=100")  # fmt: skip
    services = {
        f"HealthcareService/{r['id']}"
        for r in listed
        if r["resourceType"] == "HealthcareService"
        and any(c["code"] == CARDIOLOGY for s in r["specialty"] for c in s["coding"])
    }
    ranked = sorted(
        (e["valuePositiveInt"], r["organization"]["reference"], s["reference"])
        for r in listed
        if r["resourceType"] == "OrganizationAffiliation"
        for e in r.get("extension", ())
        if e["url"] == "urn:yersin:extension:hub-rank"
        for s in r.get("healthcareService", ())
        if s["reference"] in services
    )
    return ranked[0][1], ranked[0][2]


def asking(story: Story) -> list[JSON]:
    """What asking writes: the request, its Task at the first hub, and what the patient agreed to."""
    hub, service = pool(story.station)
    assert hub == place("chuyengia")["reference"], "the cast's specialists work at the first hub of the cast's station"
    code, at, request = concept(YERSIN + "telehealth-activity", "CONSULT_CARE"), now(), f"urn:uuid:{uuid4()}"
    return [
        {
            "fullUrl": request, "resourceType": "ServiceRequest", "status": "active", "intent": "order", "priority": "urgent",
            "extension": [{"url": "urn:yersin:extension:remote-mode", "valueCode": "INTER_FACILITY_SUPPORT"}],
            "category": [concept("http://snomed.info/sct", "448337001")], "code": code, "subject": story.subject, "authoredOn": at,
            "requester": role("tram"), "performerType": concept("http://snomed.info/sct", CARDIOLOGY),
            "performer": [{"reference": service}], "reasonCode": [concept(ICD10, "I10", "Tăng huyết áp")],
            "note": [{"text": "Đau đầu ba ngày."}],
        },
        {
            "resourceType": "Task", "status": "requested", "intent": "order", "priority": "urgent", "code": code,
            "businessStatus": concept(YERSIN + "consultation-state", "asked"), "focus": {"reference": request},
            "for": story.subject, "authoredOn": at, "lastModified": at, "requester": place("tram"), "owner": {"reference": hub},
            "extension": [{"url": "urn:yersin:extension:access-days", "valuePositiveInt": 7}, {
                "url": "urn:yersin:extension:asked-hub", "extension": [
                    {"url": "hub", "valueReference": {"reference": hub}}, {"url": "asked", "valueDateTime": at},
                    {"url": "round", "valuePositiveInt": 1}],
            }],
            "restriction": {"period": {"start": at}},
            "input": [{"type": concept(YERSIN + "consultation-part", "question"), "valueString": QUESTION}],
        },
        _consent(story, "consultation", at, given=True),
        _consent(story, "recording", at, given=False),
    ]  # fmt: skip


def ask(story: Story) -> None:
    answer = story.station.transaction(*asking(story))
    assert answer.status_code == 200, answer.text[:800]
    made = [e["resource"] for e in answer.json()["entry"]]
    story.request, story.task = made[0]["id"], made[1]["id"]
    assert made[1]["focus"] == {"reference": f"ServiceRequest/{story.request}"}


def _consent(story: Story, kind: str, at: str, *, given: bool) -> JSON:
    return {
        "resourceType": "Consent", "status": "active" if given else "rejected", "patient": story.subject, "dateTime": at,
        "scope": concept(TERMS + "consentscope", "treatment"), "performer": [story.subject], "organization": [place("tram")],
        "category": [concept(LOINC, "59284-0"), concept(YERSIN + "consent-kind", kind)],
        "policyRule": concept(TERMS + "v3-ActCode", "OPTIN"), "provision": {"type": "permit" if given else "deny"},
    }  # fmt: skip


def queue(person: Person) -> dict[str, JSON]:
    hub = CAST["chuyengia"].organization_id
    listed = person.found(f"/Task?owner=Organization/{hub}&status=requested,received&_count=1000"
                          "&_include=Task:focus&_include=Task:patient")  # fmt: skip
    return {f"{r['resourceType']}/{r['id']}": r for r in listed}


def taken(task: JSON) -> JSON:
    return {
        **task,
        "status": "accepted",
        "businessStatus": concept(YERSIN + "consultation-state", "accepted"),
        "lastModified": now(),
    }


def acceptance(story: Story, person: Person, login: str) -> list[JSON]:
    """What accepting writes: the state, who accepted, and the place of the meeting."""
    task, request = story.read_task(person), person.get(f"/ServiceRequest/{story.request}")
    meeting = {
        "fullUrl": f"urn:uuid:{uuid4()}", "resourceType": "Encounter", "status": "planned", "subject": story.subject,
        "class": {"system": TERMS + "v3-ActCode", "code": "VR"}, "basedOn": [{"reference": f"ServiceRequest/{story.request}"}],
        "participant": [{"individual": role("tram")}, {"individual": role(login)}], "serviceProvider": place("tram"),
    }  # fmt: skip
    output = {
        "type": concept(YERSIN + "consultation-output", "meeting"),
        "valueReference": {"reference": meeting["fullUrl"]},
    }
    performer = [*request["performer"], role(login)]
    return [{**taken(task), "output": [output]}, {**request, "performer": performer}, meeting]


def accept(story: Story) -> None:
    answer = story.hospital.transaction(*acceptance(story, story.hospital, "chuyengia"))
    assert answer.status_code == 200, answer.text[:800]


def ask_back(story: Story) -> None:
    """A question back and its answer, each with the Task's state."""
    parts = ((story.hospital, "chuyengia", "question", "on-hold"), (story.station, "tram", "answer", "accepted"))
    for person, login, kind, status in parts:
        person.make({
            "resourceType": "Communication", "status": "completed", "subject": story.subject, "sent": now(), "sender": role(login),
            "basedOn": [{"reference": f"ServiceRequest/{story.request}"}], "about": [{"reference": f"Task/{story.task}"}],
            "category": [concept(YERSIN + "consultation-message", kind)], "payload": [{"contentString": f"{kind} 150/90"}],
        })  # fmt: skip
        assert person.change({**story.read_task(person), "status": status}).status_code == 200


def conclusion(story: Story) -> list[JSON]:
    """What concluding writes, made from what is there now: sent twice, the second time it is out of date."""
    at, person = datetime.now(UTC), story.hospital
    task, request = story.read_task(person), person.get(f"/ServiceRequest/{story.request}")
    (meeting,) = person.found(f"/Encounter?based-on=ServiceRequest/{story.request}")
    minutes, document = f"urn:uuid:{uuid4()}", f"urn:uuid:{uuid4()}"
    part = YERSIN + "consultation-output"
    outputs = [
        {"type": concept(part, "conclusion", QUESTION), "valueString": ANSWER},
        {"type": concept(part, "diagnosis"), "valueCodeableConcept": concept(ICD10, "I10", "Tăng huyết áp")},
        {"type": concept(part, "advice"), "valueString": ADVICE},
        {"type": concept(part, "minutes"), "valueReference": {"reference": minutes}},
        {"type": concept(part, "document"), "valueReference": {"reference": document}},
    ]
    period = {"start": (at - timedelta(minutes=20)).isoformat(), "end": at.isoformat()}
    access = {"start": task["restriction"]["period"]["start"], "end": (at + timedelta(days=7)).isoformat()}
    composition = {
        "fullUrl": minutes, "resourceType": "Composition", "meta": SIGNED, "status": "final", "subject": story.subject,
        "type": concept(LOINC, "11488-4", "Biên bản hội chẩn từ xa"), "title": "Biên bản hội chẩn từ xa", "date": at.isoformat(),
        "encounter": {"reference": f"Encounter/{meeting['id']}"}, "author": [role("chuyengia")],
        "attester": [{"mode": "professional", "time": at.isoformat(), "party": role("chuyengia")}],
        "section": [{"title": QUESTION, "text": {
            "status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{ANSWER}</p></div>'}}],
    }  # fmt: skip
    state = concept(YERSIN + "consultation-state", "signed-by-hub")
    return [
        composition,
        {**meeting, "status": "finished", "period": period},
        paper(story, document, minutes, "chuyengia"),
        provenance(story, [minutes, document], "chuyengia", "1.2.840.10065.1.12.1.1"),
        {**task, "status": "completed", "businessStatus": state, "lastModified": at.isoformat(), "executionPeriod": period,
         "output": [*task["output"], *outputs], "restriction": {"period": access}},
        {**request, "status": "completed"},
        {"resourceType": "Task", "status": "ready", "intent": "order", "code": concept(YERSIN + "consultation-outcome", "report"),
         "focus": task["focus"], "basedOn": [{"reference": f"Task/{story.task}"}], "for": story.subject,
         "authoredOn": at.isoformat(), "lastModified": at.isoformat(), "requester": place("chuyengia"), "owner": place("tram")},
    ]  # fmt: skip


def paper(story: Story, full_url: str, minutes: str, login: str) -> JSON:
    attachment = {"contentType": "application/pdf", "data": PDF}
    related = [{"reference": minutes}, {"reference": f"ServiceRequest/{story.request}"}]
    return {
        "fullUrl": full_url, "resourceType": "DocumentReference", "meta": SIGNED, "status": "current", "docStatus": "final",
        "type": concept(LOINC, "11488-4"), "subject": story.subject, "date": now(), "author": [role(login)],
        "content": [{"attachment": attachment}], "context": {"related": related},
    }  # fmt: skip


def provenance(story: Story, targets: list[str], login: str, purpose: str) -> JSON:
    signature = {"type": [{"system": "urn:iso-astm:E1762-95:2013", "code": purpose}], "when": now(), "who": role(login)}
    return {
        "resourceType": "Provenance", "meta": SIGNED, "recorded": now(), "agent": [{"who": role(login), "onBehalfOf": place(login)}],
        "target": [{"reference": t} for t in [*targets, story.subject["reference"]]], "signature": [signature],
    }  # fmt: skip


def conclude(story: Story) -> None:
    answer = story.hospital.transaction(*conclusion(story))
    assert answer.status_code == 200, answer.text[:800]
    made = {e["resource"]["resourceType"]: e["resource"]["id"] for e in answer.json()["entry"]}
    story.documents, story.outcome = [made["Composition"], made["DocumentReference"]], made["Task"]


def countersign(story: Story) -> httpx.Response:
    """The station's signature: a new DocumentReference that signs the first, and the Task says so once."""
    composition, first = story.documents
    task, document = story.read_task(story.station), f"urn:uuid:{uuid4()}"
    signed = paper(story, document, f"Composition/{composition}", "tram")
    signed["relatesTo"] = [{"code": "signs", "target": {"reference": f"DocumentReference/{first}"}}]
    output = {"type": concept(YERSIN + "consultation-output", "document"), "valueReference": {"reference": document}}
    state = concept(YERSIN + "consultation-state", "signed-by-both")
    return story.station.transaction(
        signed,
        provenance(story, [f"Composition/{composition}", document], "tram", "1.2.840.10065.1.12.1.5"),
        {**task, "businessStatus": state, "output": [*task["output"], output]},
    )


def close(story: Story) -> None:
    task = story.station.get(f"/Task/{story.outcome}")
    kind = YERSIN + "consultation-outcome"
    outputs = [
        {"type": concept(kind, "followed"), "valueCode": "followed"},
        {"type": concept(kind, "patient"), "valueCode": "better"},
    ]
    done = {**task, "status": "completed", "note": [{"text": "Đã cấp thuốc"}], "output": outputs}
    assert story.station.change(done).status_code == 200


def answered_today(ministry: httpx.Client) -> tuple[int, int]:
    """Asked and answered over the last days, as the table for download has them."""
    answer = ministry.get("/centre/export.csv?table=days&period=30")
    assert answer.status_code == 200
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    return sum(int(row[1] or 0) for row in rows[1:]), sum(int(row[2] or 0) for row in rows[1:])
