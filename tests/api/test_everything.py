"""`$everything` page by page, `$lastn` and labels: what comes, what does not, and for whom."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from tests.running import Client

from yersin.guard.who import Who
from yersin.store.identity import row_id

JSON = dict[str, Any]


def make(client: Client, kind: str, **values: Any) -> str:
    answer = client.put(f"/{kind}/{(key := str(uuid4()))}", {"resourceType": kind, "id": key, **values})
    assert answer.status_code == 201, answer.text
    return key


def reference(kind: str, key: str) -> JSON:
    return {"reference": f"{kind}/{key}"}


def observation(client: Client, patient: str, code: str = "1-1", **more: Any) -> str:
    coding = [{"system": "http://loinc.org", "code": code}]
    subject = reference("Patient", patient)
    return make(client, "Observation", **{"status": "final", "code": {"coding": coding}, "subject": subject, **more})


@pytest.fixture
def chart(client: Client) -> dict[str, str]:
    """A patient kept by a facility, a visit, two results of it, one of a year before, and somebody else's result."""
    region = make(client, "Organization", name="Tỉnh")
    facility = make(client, "Organization", name="Trạm", partOf=reference("Organization", region))
    person = make(client, "Practitioner", name=[{"family": "Lan"}])
    other = make(client, "Patient", name=[{"family": "Khác"}])
    patient = make(client, "Patient", birthDate="1980-01-01", managingOrganization=reference("Organization", facility),
                   link=[{"other": reference("Patient", other), "type": "seealso"}])  # fmt: skip
    visit = make(client, "Encounter", status="finished", subject=reference("Patient", patient),
                 **{"class": {"code": "AMB"}}, period={"start": "2026-11-01", "end": "2026-11-01"})  # fmt: skip
    performer = [reference("Practitioner", person)]
    made = [
        observation(client, patient, code, performer=performer, encounter=reference("Encounter", visit), effectiveDateTime=f"2026-11-0{n}")
        for n, code in enumerate(("1-1", "2-2"), 1)
    ]  # fmt: skip
    old = observation(client, patient, effectiveDateTime="2025-01-01", performer=performer)
    foreign = observation(client, other, performer=[reference("Patient", patient)])
    return {"facility": facility, "region": region, "person": person, "other": other, "patient": patient,
            "visit": visit, "first": made[0], "second": made[1], "old": old, "foreign": foreign}  # fmt: skip


def pages(client: Client, path: str) -> list[list[tuple[str, str]]]:
    """Mode and id of each entry, page by page."""
    found, link = [], path
    while link:
        answer = client.get(link)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found.append([(e["search"]["mode"], e["resource"]["id"]) for e in page.get("entry", ())])
        link = next((x["url"] for x in page["link"] if x["relation"] == "next"), "")
    return found


def ids(client: Client, path: str, mode: str = "") -> list[str]:
    return [key for page in pages(client, path) for m, key in page if mode in ("", m)]


def names(chart: dict[str, str], found: list[str]) -> set[str]:
    known = {key: name for name, key in chart.items()}
    assert len(found) == len(set(found)), "told twice"
    return {known.get(key, key) for key in found}


def test_everything_of_a_patient_is_the_chart_and_what_it_refers_to(client: Client, chart: dict[str, str]) -> None:
    path = f"/Patient/{chart['patient']}/$everything"
    # another's result that the patient performed lies in the compartment of both, as the specification has it
    inside = {"patient", "visit", "first", "second", "old", "foreign"}
    assert names(chart, ids(client, path, "match")) == inside
    assert names(chart, ids(client, path, "include")) == {"facility", "region", "person"}
    for count in (1, 2, 3):
        cut = pages(client, f"{path}?_count={count}")
        assert all(len([m for m, _ in page if m == "match"]) <= count for page in cut)
        assert names(chart, [key for page in cut for _, key in page]) == inside | {"facility", "region", "person"}


def test_everything_is_narrowed_by_type_dates_and_change(client: Client, chart: dict[str, str]) -> None:
    path = f"/Patient/{chart['patient']}/$everything"
    assert names(chart, ids(client, f"{path}?_type=Encounter,Practitioner")) == {"visit", "person"}
    assert names(chart, ids(client, f"{path}?_type=Observation")) == {"first", "second", "old", "foreign"}
    dated = names(chart, ids(client, f"{path}?_type=Observation,Patient&start=2026-11-02"))
    assert dated == {"patient", "second", "foreign"}  # without a date it stays
    assert "old" in names(chart, ids(client, f"{path}?_type=Observation&end=2025-01-01"))
    assert "first" not in names(chart, ids(client, f"{path}?_type=Observation&end=2025-01-01"))
    later = client.get(f"/Observation/{chart['foreign']}").json()["meta"]["lastUpdated"]
    assert names(chart, ids(client, f"{path}?_type=Observation&_since={later.replace('+', '%2B')}")) == {"foreign"}
    for wrong in ("_type=Nothing", "_count=0", "start=yesterday", "_page=x", "nonsense=1"):
        assert client.get(f"{path}?{wrong}").status_code == 400, wrong


def test_pages_show_nothing_created_later_nothing_deleted_and_changes_as_they_are(
    client: Client, chart: dict[str, str]
) -> None:
    path = f"/Patient/{chart['patient']}/$everything?_type=Observation&_count=1"
    first = client.get(path).json()
    link = next(x["url"] for x in first["link"] if x["relation"] == "next")
    (seen,) = [e["resource"]["id"] for e in first["entry"]]
    rest = [chart[n] for n in ("first", "second", "old", "foreign") if chart[n] != seen]
    new = observation(client, chart["patient"])
    gone, changed, same = sorted(rest)
    client.delete(f"/Observation/{gone}")
    body = client.get(f"/Observation/{changed}").json()
    client.put(f"/Observation/{changed}", {**body, "status": "amended"})
    found = ids(client, link)
    assert sorted(found) == [changed, same]
    assert new not in found
    assert client.get(link.replace(chart["patient"], chart["other"])).status_code == 400


def test_everything_of_an_encounter_brings_its_patient(client: Client, chart: dict[str, str]) -> None:
    path = f"/Encounter/{chart['visit']}/$everything"
    assert names(chart, ids(client, path, "match")) == {"visit", "first", "second"}
    assert names(chart, ids(client, path, "include")) == {"patient", "person", "facility", "region"}
    assert client.get(f"/Encounter/{uuid4()}/$everything").status_code == 404


def doctor(client: Client, facility: str) -> Client:
    who = Who(
        role="doctor", purpose="TREAT", organization=row_id("Organization", facility).id, organization_id=facility
    )
    return client.bound(client.access.ground.access(who))


def test_everything_stays_within_what_is_open(run: Any, client: Client, chart: dict[str, str]) -> None:
    here, elsewhere = doctor(client, chart["facility"]), doctor(client, chart["region"])
    path = f"/Patient/{chart['patient']}/$everything"
    assert elsewhere.get(path).status_code == 404
    # the other patient's result lies in that one's chart
    assert names(chart, ids(here, path, "match")) == {"patient", "visit", "first", "second", "old"}
    assert names(chart, ids(here, "/Patient/$everything?_count=2", "match")) == {"patient", "visit", "first", "second", "old"}  # fmt: skip
    assert ids(elsewhere, "/Patient/$everything") == []
    rows = run(client.access.ground.database.fetch(
        "SELECT outcome, patients FROM audit WHERE interaction = 'everything' AND entity = $1 ORDER BY seq",
        row_id("Patient", chart["patient"]).id))  # fmt: skip
    assert [row["outcome"] for row in rows] == [4, 0]
    assert rows[1]["patients"] == [row_id("Patient", chart["patient"]).id]


def test_the_last_of_each_code_come_newest_first(client: Client, chart: dict[str, str]) -> None:
    patient = chart["patient"]
    both = [{"system": "http://loinc.org", "code": "2-2"}, {"system": "urn:own", "code": "b"}]
    alias = observation(client, patient, code="x", effectiveDateTime="2026-11-09")
    joined = make(client, "Observation", status="final", code={"coding": both}, subject=reference("Patient", patient),
                  effectiveDateTime="2026-11-08")  # fmt: skip
    path = f"/Observation/$lastn?patient=Patient/{patient}&code=1-1,2-2,x"

    def found(query: str) -> list[str]:
        answer = client.get(path + query)
        assert answer.status_code == 200, answer.text
        return [e["resource"]["id"] for e in answer.json().get("entry", ())]

    assert found("") == [alias, joined, chart["first"]]
    assert found("&max=2") == [alias, joined, chart["second"], chart["first"], chart["old"]]
    assert found("&date=lt2026&max=9") == [chart["old"]]
    sent = {"resourceType": "Parameters", "parameter": [{"name": "max", "valuePositiveInt": 1},
            {"name": "patient", "valueString": f"Patient/{patient}"}, {"name": "code", "valueString": "1-1"}]}  # fmt: skip
    assert [e["resource"]["id"] for e in client.post("/Observation/$lastn", sent).json()["entry"]] == [chart["first"]]
    for wrong in ("?code=1-1", f"?patient={patient}", f"?patient={patient}&code=1&max=0", f"?patient={patient}&code=1&_sort=date",
                  f"?patient={patient}&code=1&nonsense=1"):  # fmt: skip
        assert client.get(f"/Observation/$lastn{wrong}").status_code == 400, wrong
    assert doctor(client, chart["region"]).get(path).json()["total"] == 0


def labels(answer: Any) -> JSON:
    assert answer.status_code == 200, answer.text
    (part,) = answer.json()["parameter"]
    assert part["name"] == "return"
    found: JSON = part["valueMeta"]
    return found


def sent(**meta: Any) -> JSON:
    return {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}


def test_labels_are_added_and_taken_away_by_new_versions(client: Client) -> None:
    mark, profile = str(uuid4()), f"urn:profile:{uuid4()}"
    tag, other = {"system": "urn:tags", "code": mark}, {"system": "urn:tags", "code": f"{mark}-2"}
    key = make(client, "Basic", code={"text": "x"}, meta={"tag": [tag]})
    path = f"/Basic/{key}"
    added = labels(client.post(f"{path}/$meta-add", sent(tag=[tag, other], profile=[profile], security=[other])))
    assert (added["tag"], added["profile"], added["security"]) == ([tag, other], [profile], [other])
    assert added["versionId"] == "2"
    assert labels(client.post(f"{path}/$meta-add", sent(tag=[other])))["versionId"] == "2"
    assert len(client.search(f"/Basic?_tag=urn:tags|{mark}-2")) == 1
    for at, expected in (("/Basic/$meta", [tag, other]), ("/$meta", [tag, other]), (f"{path}/_history/1/$meta", [tag])):
        assert [t for t in labels(client.get(at))["tag"] if t["code"].startswith(mark)] == expected, at
    assert profile in labels(client.get("/Basic/$meta"))["profile"]
    left = labels(client.post(f"{path}/$meta-delete", sent(tag=[other], profile=[profile], security=[other])))
    assert (left["versionId"], left["tag"], "profile" in left, "security" in left) == ("3", [tag], False, False)
    assert client.search(f"/Basic?_tag=urn:tags|{mark}-2") == []
    assert client.get(f"{path}/$meta-add").status_code == 405
    assert client.post(f"{path}/$meta-add").status_code == 400
    assert client.post(f"{path}/_history/1/$meta-add", sent(tag=[tag])).status_code == 404
    client.delete(path)
    assert client.get(f"{path}/$meta").status_code == 410
    assert client.post(f"{path}/$meta-add", sent(tag=[tag])).status_code == 410


def test_labels_of_what_is_closed_are_not_told(client: Client, chart: dict[str, str]) -> None:
    mark = {"system": "urn:tags", "code": str(uuid4())}
    labels(client.post(f"/Observation/{chart['first']}/$meta-add", sent(tag=[mark])))
    here, elsewhere = doctor(client, chart["facility"]), doctor(client, chart["region"])
    assert mark in labels(here.get("/Observation/$meta"))["tag"]
    assert mark not in labels(elsewhere.get("/Observation/$meta")).get("tag", [])
    assert elsewhere.get(f"/Observation/{chart['first']}/$meta").status_code == 404
    assert elsewhere.post(f"/Observation/{chart['first']}/$meta-add", sent(tag=[mark])).status_code == 404
