"""Worked examples for those who write programs against the API. Every one of them is run by tests/app/test_developers.py.

They are shown on `/developers`, in the order in which they can be run: each goes on with what the one before has set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from yersin.web.language import N_


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What is done, why so, and how in three languages."""

    id: str
    title: str
    words: str
    curl: str
    python: str
    javascript: str


#: what stands before the first example; the page shows its own address
BEFORE: Final = {
    "curl": "",
    "python": """import os, httpx
base, token = os.environ["BASE"], os.environ["TOKEN"]
fhir = httpx.Client(headers={"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"})""",
    "javascript": """const base = process.env.BASE, token = process.env.TOKEN;
const fhir = (path, more = {}) => fetch(path.startsWith("http") ? path : base + path, {...more,
  headers: {Authorization: `Bearer ${token}`, "Content-Type": "application/fhir+json", ...more.headers}});""",
}

EXAMPLES: Final = (
    Example(
        id="token",
        title=N_("Get a token and look around"),
        words=N_(
            "On the server, an administrator makes a token for a program, by the command yersin token (its --help says how). "
            "What the server can do is open to everybody."
        ),
        curl="""curl -sS -o metadata.json "$BASE/metadata"
head -c 300 metadata.json""",
        python="""print(httpx.get(f"{base}/metadata").json()["fhirVersion"])""",
        javascript="""console.log((await (await fetch(`${base}/metadata`)).json()).fhirVersion);""",
    ),
    Example(
        id="create",
        title=N_("Store a person once"),
        words=N_(
            "If-None-Exist names what must not be there yet. Sent again after a broken connection, the request stores "
            "nothing twice: 201 the first time, 200 afterwards."
        ),
        curl="""curl -sS -D headers.txt -o patient.json "$BASE/Patient" -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/fhir+json' -H 'If-None-Exist: identifier=urn:example:chart|A-17' -d '{
  "resourceType": "Patient", "identifier": [{"system": "urn:example:chart", "value": "A-17"}],
  "name": [{"family": "Trần", "given": ["Thị", "Mẫu"]}], "gender": "female", "birthDate": "1980-05-17"}'
PATIENT=$(grep -o '"id":"[^"]*"' patient.json | head -1 | cut -d'"' -f4)""",
        python="""person = {"resourceType": "Patient", "identifier": [{"system": "urn:example:chart", "value": "A-17"}],
          "name": [{"family": "Trần", "given": ["Thị", "Mẫu"]}], "gender": "female", "birthDate": "1980-05-17"}
answer = fhir.post(f"{base}/Patient", json=person, headers={"If-None-Exist": "identifier=urn:example:chart|A-17"})
patient = answer.json()["id"]""",
        javascript="""const person = {resourceType: "Patient", identifier: [{system: "urn:example:chart", value: "A-17"}],
  name: [{family: "Trần", given: ["Thị", "Mẫu"]}], gender: "female", birthDate: "1980-05-17"};
const created = await fhir("/Patient", {method: "POST", body: JSON.stringify(person),
  headers: {"If-None-Exist": "identifier=urn:example:chart|A-17"}});
const patient = (await created.json()).id;""",
    ),
    Example(
        id="read",
        title=N_("Read, and read again only what is new"),
        words=N_(
            "The ETag of an answer says which version it is. Sent back as If-None-Match, it spares the answer: 304."
        ),
        curl="""curl -sS -D read.txt "$BASE/Patient/$PATIENT" -H "Authorization: Bearer $TOKEN"
TAG=$(grep -i '^etag:' read.txt | cut -d' ' -f2- | tr -d '\\r')
curl -sS -o /dev/null -w '%{http_code}\\n' "$BASE/Patient/$PATIENT" \\
  -H "Authorization: Bearer $TOKEN" -H "If-None-Match: $TAG\"""",
        python="""first = fhir.get(f"{base}/Patient/{patient}")
tag = first.headers["ETag"]
print(fhir.get(f"{base}/Patient/{patient}", headers={"If-None-Match": tag}).status_code)""",
        javascript="""const first = await fhir(`/Patient/${patient}`);
const tag = first.headers.get("ETag");
console.log((await fhir(`/Patient/${patient}`, {headers: {"If-None-Match": tag}})).status);""",
    ),
    Example(
        id="patch",
        title=N_("Change a part"),
        words=N_("If-Match makes sure that nobody has changed it since you read it: otherwise 412."),
        curl="""curl -sS -X PATCH "$BASE/Patient/$PATIENT" -H "Authorization: Bearer $TOKEN" -H "If-Match: $TAG" \\
  -H 'Content-Type: application/json-patch+json' -d '[{"op": "add", "path": "/active", "value": true}]'""",
        python="""change = [{"op": "add", "path": "/active", "value": True}]
kind = {"If-Match": tag, "Content-Type": "application/json-patch+json"}
print(fhir.patch(f"{base}/Patient/{patient}", json=change, headers=kind).json()["active"])""",
        javascript="""const changed = await fhir(`/Patient/${patient}`, {method: "PATCH",
  body: JSON.stringify([{op: "add", path: "/active", value: true}]),
  headers: {"If-Match": tag, "Content-Type": "application/json-patch+json"}});
console.log((await changed.json()).active);""",
    ),
    Example(
        id="transaction",
        title=N_("Store several things, all or none"),
        words=N_("Entries refer to one another by the fullUrl they were given; the server puts the new ids in place."),
        curl="""curl -sS "$BASE/" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/fhir+json' -d '{
  "resourceType": "Bundle", "type": "transaction", "entry": [
  {"fullUrl": "urn:uuid:7d0f2d6a-54b1-4f0e-9a53-0d9a3c2b1e01", "request": {"method": "POST", "url": "Encounter"},
   "resource": {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB",
     "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode"}, "subject": {"reference": "Patient/'$PATIENT'"}}},
  {"request": {"method": "POST", "url": "Observation"},
   "resource": {"resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/'$PATIENT'"},
     "encounter": {"reference": "urn:uuid:7d0f2d6a-54b1-4f0e-9a53-0d9a3c2b1e01"}, "effectiveDateTime": "2026-11-20",
     "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
     "valueQuantity": {"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"}}}]}'""",
        python="""visit = "urn:uuid:7d0f2d6a-54b1-4f0e-9a53-0d9a3c2b1e01"
person = {"reference": f"Patient/{patient}"}
ambulatory = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
encounter = {"resourceType": "Encounter", "status": "finished", "class": ambulatory, "subject": person}
pulse = {"resourceType": "Observation", "status": "final", "subject": person, "encounter": {"reference": visit},
         "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}, "effectiveDateTime": "2026-11-20",
         "valueQuantity": {"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"}}
entries = [{"fullUrl": visit, "resource": encounter, "request": {"method": "POST", "url": "Encounter"}},
           {"resource": pulse, "request": {"method": "POST", "url": "Observation"}}]
done = fhir.post(f"{base}/", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
print([each["response"]["status"] for each in done.json()["entry"]])""",
        javascript="""const visit = "urn:uuid:7d0f2d6a-54b1-4f0e-9a53-0d9a3c2b1e01", subject = {reference: `Patient/${patient}`};
const ambulatory = {system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "AMB"};
const encounter = {resourceType: "Encounter", status: "finished", class: ambulatory, subject};
const pulse = {resourceType: "Observation", status: "final", subject, encounter: {reference: visit},
  code: {coding: [{system: "http://loinc.org", code: "8867-4"}]}, effectiveDateTime: "2026-11-20",
  valueQuantity: {value: 72, unit: "/min", system: "http://unitsofmeasure.org", code: "/min"}};
const entry = [{fullUrl: visit, resource: encounter, request: {method: "POST", url: "Encounter"}},
  {resource: pulse, request: {method: "POST", url: "Observation"}}];
const done = await fhir("/", {method: "POST", body: JSON.stringify({resourceType: "Bundle", type: "transaction", entry})});
console.log((await done.json()).entry.map(each => each.response.status));""",
    ),
    Example(
        id="search",
        title=N_("Search, page by page"),
        words=N_(
            "Follow the link next until there is none. Nothing comes twice, and nothing that was stored after the "
            "first page."
        ),
        curl="""curl -sS "$BASE/Observation?patient=$PATIENT&code=http://loinc.org|8867-4&_sort=-date&_count=20" \\
  -H "Authorization: Bearer $TOKEN\"""",
        python="""page = f"{base}/Observation?patient={patient}&code=http://loinc.org|8867-4&_sort=-date&_count=20"
found = []
while page:
    bundle = fhir.get(page).json()
    found += [each["resource"] for each in bundle.get("entry", [])]
    page = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
print(len(found))""",
        javascript="""let page = `/Observation?patient=${patient}&code=http://loinc.org|8867-4&_sort=-date&_count=20`;
const found = [];
while (page) {
  const bundle = await (await fhir(page)).json();
  found.push(...(bundle.entry ?? []).map(each => each.resource));
  page = bundle.link.find(link => link.relation === "next")?.url;
}
console.log(found.length);""",
    ),
    Example(
        id="errors",
        title=N_("Understand a refusal"),
        words=N_(
            "Whatever is refused comes with an OperationOutcome that says what, where and how to mend it. X-Request-Id"
            " names the request in the log. After 429 and 503 wait as long as Retry-After says."
        ),
        curl="""curl -sS -i "$BASE/Patient?birthday=1980-05-17" -H "Authorization: Bearer $TOKEN" -H 'X-Request-Id: my-1'""",
        python="""answer = fhir.get(f"{base}/Patient?birthday=1980-05-17", headers={"X-Request-Id": "my-1"})
print(answer.status_code, answer.json()["issue"][0]["diagnostics"], answer.headers["X-Request-Id"])""",
        javascript="""const refused = await fhir("/Patient?birthday=1980-05-17", {headers: {"X-Request-Id": "my-1"}});
console.log(refused.status, (await refused.json()).issue[0].diagnostics, refused.headers.get("X-Request-Id"));""",
    ),
    Example(
        id="validate",
        title=N_("Ask whether a resource is right"),
        words=N_("$validate says everything that is wrong with a resource and stores nothing."),
        curl="""curl -sS "$BASE/Patient/\\$validate" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/fhir+json' \\
  -d '{"resourceType": "Patient", "birthDate": "1980-02-30"}'""",
        python="""outcome = fhir.post(f"{base}/Patient/$validate", json={"resourceType": "Patient", "birthDate": "1980-02-30"}).json()
print(outcome["issue"][0]["severity"], outcome["issue"][0]["expression"])""",
        javascript="""const judged = await fhir("/Patient/$validate",
  {method: "POST", body: JSON.stringify({resourceType: "Patient", birthDate: "1980-02-30"})});
console.log((await judged.json()).issue[0]);""",
    ),
    Example(
        id="export",
        title=N_("Fetch everything"),
        words=N_(
            "$export makes files in the background. Look at the address in Content-Location until it answers 200, then"
            " fetch its files."
        ),
        curl="""curl -sS -D export.txt -o /dev/null "$BASE/\\$export?_type=Patient" \\
  -H "Authorization: Bearer $TOKEN" -H 'Prefer: respond-async'
JOB=$(grep -i '^content-location:' export.txt | cut -d' ' -f2- | tr -d '\\r')
until curl -sS "$JOB" -o manifest.json -w '%{http_code}' -H "Authorization: Bearer $TOKEN" | grep -q 200
do sleep 1; done
FILE=$(grep -o 'http[^"]*ndjson' manifest.json | head -1)
curl -sS "$FILE" -H "Authorization: Bearer $TOKEN" | head -1""",
        python="""import time
job = fhir.get(f"{base}/$export?_type=Patient", headers={"Prefer": "respond-async"}).headers["Content-Location"]
while (manifest := fhir.get(job)).status_code == 202:
    time.sleep(int(manifest.headers["Retry-After"]))
for file in manifest.json()["output"]:
    print(file["type"], file["count"], len(fhir.get(file["url"]).text.splitlines()))""",
        javascript="""const begun = await fhir("/$export?_type=Patient", {headers: {Prefer: "respond-async"}});
const job = begun.headers.get("Content-Location");
let manifest = await fhir(job);
while (manifest.status === 202) {
  await new Promise(later => setTimeout(later, 1000 * manifest.headers.get("Retry-After")));
  manifest = await fhir(job);
}
for (const file of (await manifest.json()).output)
  console.log(file.type, file.count, (await (await fhir(file.url)).text()).trim().split("\\n").length);""",
    ),
    Example(
        id="subscription",
        title=N_("Be told of changes"),
        words=N_(
            "Every create and update that matches the criteria is sent to the endpoint, at least once. Answer 2xx "
            "quickly and do the work afterwards."
        ),
        curl="""curl -sS "$BASE/Subscription" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/fhir+json' -d '{
  "resourceType": "Subscription", "status": "requested", "reason": "Pulse for the ward",
  "criteria": "Observation?code=8867-4",
  "channel": {"type": "rest-hook", "endpoint": "https://example.org/hook", "payload": "application/fhir+json"}}'""",
        python="""channel = {"type": "rest-hook", "endpoint": "https://example.org/hook", "payload": "application/fhir+json"}
wish = {"resourceType": "Subscription", "status": "requested", "reason": "Pulse for the ward",
        "criteria": "Observation?code=8867-4", "channel": channel}
print(fhir.post(f"{base}/Subscription", json=wish).json()["status"])""",
        javascript="""const channel = {type: "rest-hook", endpoint: "https://example.org/hook", payload: "application/fhir+json"};
const wish = {resourceType: "Subscription", status: "requested", reason: "Pulse for the ward",
  criteria: "Observation?code=8867-4", channel};
console.log((await (await fhir("/Subscription", {method: "POST", body: JSON.stringify(wish)})).json()).status);""",
    ),
    Example(
        id="cors",
        title=N_("Call from a browser"),
        words=N_(
            "A page of another address may call the API once an administrator has registered it: yersin origins add "
            "https://app.example.org. Its questions are answered with 204 and its name, those of a stranger with 403."
        ),
        curl="""for ORIGIN in https://app.example.org https://stranger.example.org; do
  curl -sS -D - -o /dev/null -X OPTIONS "$BASE/Patient" -H "Origin: $ORIGIN" -H 'Access-Control-Request-Method: GET' \\
    -H 'Access-Control-Request-Headers: authorization' | grep -iE '^(HTTP|access-control-allow-origin)'
done""",
        python="""for origin in ("https://app.example.org", "https://stranger.example.org"):
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    answer = httpx.options(f"{base}/Patient", headers=asked)
    print(origin, answer.status_code, answer.headers.get("Access-Control-Allow-Origin"))""",
        javascript="""const seen = await fetch(`${base}/Patient?_count=1`, {headers: {Authorization: `Bearer ${token}`}});
console.log(seen.status, seen.headers.get("X-Request-Id"));""",
    ),
)  # fmt: skip
