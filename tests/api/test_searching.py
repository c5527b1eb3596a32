"""Search over HTTP: pages, links, forms, totals, and the CapabilityStatement. Source: https://hl7.org/fhir/R4/search.html"""

from __future__ import annotations

import re
import time
from typing import Any
from uuid import uuid4

import pytest
from tests.running import Client

from yersin.fhir import parse, r4
from yersin.fhir.parameters import parameters


def make(client: Client, count: int, **more: Any) -> str:
    """Make patients who share one mark; returns the search that finds them."""
    mark = str(uuid4())
    for n in range(count):
        body = {"resourceType": "Patient", "identifier": [{"system": "urn:m", "value": mark}], **more}
        born = {} if n % 3 == 0 else {"birthDate": f"19{10 + n}-01-01"}
        assert client.post("/Patient", {**body, **born}).status_code == 201
    return f"identifier=urn:m|{mark}"


def link(page: Any, relation: str) -> str | None:
    return next((x["url"] for x in page["link"] if x["relation"] == relation), None)


@pytest.mark.parametrize(
    "sort", ["", "birthdate", "-birthdate", "_lastUpdated", "-_lastUpdated", "_id", "family,-birthdate", "death-date"]
)
def test_pages_follow_each_other_without_a_gap_or_a_repeat(client: Client, sort: str) -> None:
    found = client.search(f"/Patient?{make(client, 11)}&_count=2" + (f"&_sort={sort}" if sort else ""))
    assert len(found) == 11
    assert len({p["id"] for p in found}) == 11
    if sort in ("birthdate", "-birthdate"):
        dates = [p.get("birthDate") for p in found]
        known = [d for d in dates if d]
        assert dates[: len(known)] == sorted(known, reverse=sort.startswith("-")), "those without a date come last"


def test_too_many_parameters_are_refused(client):
    answer = client.get("/Patient?" + "&".join(["active=true"] * 1001))
    assert answer.status_code == 400
    assert "1000 parameters" in answer.json()["issue"][0]["diagnostics"]


def test_pages_show_nothing_made_after_the_first_and_what_was_deleted_is_gone(client: Client) -> None:
    criteria = make(client, 6)
    mark = criteria.rpartition("|")[2]
    first = client.get(f"/Patient?{criteria}&_count=2&_total=accurate").json()
    shown = [e["resource"]["id"] for e in first["entry"]]
    everyone = {p["id"] for p in client.search(f"/Patient?{criteria}")}
    rest = sorted(everyone - set(shown))
    late = {
        client.post("/Patient", p).json()["id"]
        for p in 3 * [{"resourceType": "Patient", "identifier": [{"system": "urn:m", "value": mark}]}]
    }
    client.delete(f"/Patient/{rest[0]}")
    changed = client.get(f"/Patient/{rest[1]}").json()
    client.put(f"/Patient/{rest[1]}", {**changed, "active": True})
    client.put(f"/Patient/{rest[2]}", {**changed, "id": rest[2], "identifier": [{"value": "other"}]})
    second = client.get(str(link(first, "next"))).json()
    later = client.search(str(link(first, "next")))
    assert second["total"] == 6
    assert {p["id"] for p in later} == {rest[1], *rest[3:]}
    assert not {p["id"] for p in later} & (late | set(shown))
    assert next(p for p in later if p["id"] == rest[1])["active"] is True


@pytest.mark.parametrize("descending", [False, True])
def test_an_entry_that_changes_its_place_in_the_order_is_shown_once(client: Client, *, descending: bool) -> None:
    criteria = make(client, 6)
    sort = "-_lastUpdated" if descending else "_lastUpdated"
    first = client.get(f"/Patient?{criteria}&_count=2&_sort={sort}").json()
    shown = [e["resource"] for e in first["entry"]]
    everyone = {p["id"] for p in client.search(f"/Patient?{criteria}")}
    unseen = min(everyone - {p["id"] for p in shown})
    client.put(f"/Patient/{shown[0]['id']}", {**shown[0], "active": True})
    client.put(f"/Patient/{unseen}", {**client.get(f"/Patient/{unseen}").json(), "active": True})
    later = [p["id"] for p in client.search(str(link(first, "next")))]
    assert sorted([*later, *(p["id"] for p in shown)]) == sorted(everyone)


def birth(n: int) -> str:
    return f"{1950 + n}-01-01"


SORTS = ["birthdate", "-birthdate", "family,-birthdate", "-family,_id", "death-date", "-death-date,family", ""]


@pytest.mark.parametrize("sort", SORTS)
def test_everything_may_change_between_pages_and_each_entry_keeps_its_place(client: Client, sort: str) -> None:
    mark = str(uuid4())
    body = {"resourceType": "Patient", "identifier": [{"system": "urn:m", "value": mark}]}
    for n in range(9):
        known = {"birthDate": birth(n), "name": [{"family": "AnBình"[n % 3 :]}], "deceasedDateTime": birth(n + 50)}
        assert client.post("/Patient", {**body, **known}).status_code == 201
    asked = f"/Patient?identifier=urn:m|{mark}&_count=2" + (f"&_sort={sort}" if sort else "")
    expected = [p["id"] for p in client.search(asked)]
    page = client.get(asked).json()
    shown = [e["resource"]["id"] for e in page["entry"]]
    turn = 0
    while url := link(page, "next"):
        for n, key in enumerate(expected):  # the first become the last, and the last the first
            moved = {"birthDate": birth(40 - n - turn), "name": [{"family": f"{9 - n}"}], "deceasedDateTime": "2020"}
            assert client.put(f"/Patient/{key}", {**body, "id": key, **moved}).status_code == 200
        client.post("/Patient", body)
        page = client.get(url).json()
        assert all(e["resource"]["deceasedDateTime"] == "2020" for e in page["entry"])
        shown += [e["resource"]["id"] for e in page["entry"]]
        turn += 1
    assert shown == expected


def test_an_entry_that_is_carried_to_another_patient_keeps_its_place(client: Client) -> None:
    mark, people = str(uuid4()), sorted(str(uuid4()) for _ in range(6))
    ids = []
    for person in people[1:5]:
        client.put(f"/Patient/{person}", {"resourceType": "Patient", "id": person})
        ids.append(client.post("/Flag", _flag(mark, person)).json()["id"])
    for person in (people[0], people[5]):
        client.put(f"/Patient/{person}", {"resourceType": "Patient", "id": person})
    page = client.get(f"/Flag?identifier=urn:m|{mark}&_count=2").json()
    shown = [e["resource"]["id"] for e in page["entry"]]
    assert shown == ids[:2]
    assert client.put(f"/Flag/{ids[0]}", {**_flag(mark, people[5]), "id": ids[0]}).status_code == 200
    assert client.put(f"/Flag/{ids[3]}", {**_flag(mark, people[0]), "id": ids[3]}).status_code == 200
    assert [f["id"] for f in client.search(str(link(page, "next")))] == ids[2:]


def _flag(mark: str, person: str) -> Any:
    return {
        "resourceType": "Flag",
        "identifier": [{"system": "urn:m", "value": mark}],
        "status": "active",
        "code": {"text": "x"},
        "subject": {"reference": f"Patient/{person}"},
    }


def test_links_to_further_pages_tell_nothing_and_cannot_be_altered(client: Client) -> None:
    criteria = make(client, 3, name=[{"family": "Bímật"}])
    page = client.get(f"/Patient?{criteria}&family=Bímật&_count=1").json()
    url = str(link(page, "next"))
    assert "m%C3%AD" not in url.lower()
    assert criteria.rpartition("|")[2] not in url
    token = url.partition("_page=")[2]
    altered = [
        token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB"),
        token[:20],
        "",
        "é",
        token + "A",
        "A" * len(token),
    ]
    for wrong in altered:
        answer = client.get(f"?_page={wrong}")
        assert answer.status_code == 400, wrong
        parse(answer.content, expect="OperationOutcome")


def test_a_search_can_be_posted_as_a_form(client: Client) -> None:
    criteria = make(client, 2)
    name, _, value = criteria.partition("=")
    answer = client.post("/Patient/_search", data={name: value, "_total": "accurate"})
    assert answer.status_code == 200
    assert answer.json()["total"] == 2
    both = client.post(f"/Patient/_search?{criteria}", data={"active": "true"})
    assert both.json().get("entry", []) == []


def test_counting_only_sends_a_number(client: Client) -> None:
    criteria = make(client, 4)
    for asked in ("_summary=count", "_count=0"):
        page = client.get(f"/Patient?{criteria}&{asked}").json()
        assert (page["total"], "entry" in page) == (4, False)
    assert client.get(f"/Patient?{criteria}&_count=2&_total=accurate").json()["total"] == 4
    assert "total" not in client.get(f"/Patient?{criteria}&_count=2").json()


def test_includes_follow_references_both_ways(client: Client) -> None:
    org = client.post("/Organization", {"resourceType": "Organization", "name": "A"}).json()
    body = {"resourceType": "Patient", "managingOrganization": {"reference": f"Organization/{org['id']}"}}
    person = client.post("/Patient", body).json()
    seen = client.post(
        "/Observation",
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "x"},
            "subject": {"reference": f"Patient/{person['id']}"},
        },
    ).json()
    page = client.get(
        f"/Patient?_id={person['id']}&_include=Patient:organization&_revinclude=Observation:subject"
    ).json()
    parse(client.get(f"/Patient?_id={person['id']}").content, expect="Bundle")
    modes = {(e["search"]["mode"], e["resource"]["id"]) for e in page["entry"]}
    assert modes == {("match", person["id"]), ("include", org["id"]), ("include", seen["id"])}
    assert page["total"] == 1


@pytest.mark.parametrize(
    "query",
    [
        "nonsense=1", "birthdate=yesterday", "birthdate:exact=1980", "name:below=x", "_sort=nonsense", "_count=-1", "_count=x",
        "_total=some", "name=", "_include=Patient", "_include=Nonsense:x", "_include=Patient:name", "_inclusion=x",
        "_sort=", "active:missing=perhaps", "general-practitioner.nonsense=x", "_has:Observation:patient=x", "_filter=x",
        "gender:not-a-modifier=x",
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused_and_named(client: Client, query: str) -> None:
    answer = client.get(f"/Patient?{query}")
    assert answer.status_code == 400, answer.text
    parse(answer.content, expect="OperationOutcome")


def test_the_capability_statement_is_r4_and_names_this_server(client: Client) -> None:
    answer = client.get("/metadata")
    statement = parse(answer.content, expect="CapabilityStatement")
    assert isinstance(statement, r4.CapabilityStatement)
    assert statement.fhirVersion == "4.0.1"
    assert {r["type"] for r in answer.json()["rest"][0]["resource"]} >= {"Patient", "Observation", "AuditEvent"}


_SAMPLE = {
    "string": "an",
    "token": "urn:x|y",
    "reference": "Patient/x",
    "date": "ge2020-01",
    "number": "gt5.4",
    "quantity": "5.4|http://unitsofmeasure.org|mg",
    "uri": "http://example.org/x",
    "special": "21|105|1|km",
}


def sample(type_name: str, code: str, kind: str) -> str:
    """Value that a parameter can be asked for."""
    if kind != "composite":
        return _SAMPLE[kind]
    return "$".join(_SAMPLE[part.kind] for part in parameters(type_name)[code].components)


def test_every_listed_parameter_can_be_searched(client: Client) -> None:
    rest = client.get("/metadata").json()["rest"][0]
    failures, count = [], 0
    for resource in rest["resource"]:
        for parameter in resource.get("searchParam", ()):
            count += 1
            name, kind = parameter["name"], parameter["type"]
            answer = client.get(f"/{resource['type']}?{name}={sample(resource['type'], name, kind)}")
            if answer.status_code != 200:
                failures.append((resource["type"], name, answer.text[:200]))
    assert count > 1390
    assert not failures


def test_every_parameter_of_r4_that_can_be_searched_is_listed(client: Client) -> None:
    listed = {
        r["type"]: {p["name"] for p in r.get("searchParam", ())}
        for r in client.get("/metadata").json()["rest"][0]["resource"]
    }
    for type_name in r4.TYPE_NUMBER:
        if type_name != "AuditEvent":
            assert listed[type_name] == set(parameters(type_name))


def test_every_listed_interaction_is_answered(client: Client) -> None:
    for resource in client.get("/metadata").json()["rest"][0]["resource"]:
        kind = resource["type"]
        codes = {i["code"] for i in resource["interaction"]}
        asked = {
            "read": client.get(f"/{kind}/none"),
            "vread": client.get(f"/{kind}/none/_history/1"),
            "history-instance": client.get(f"/{kind}/none/_history"),
            "search-type": client.get(f"/{kind}?_count=1"),
            "delete": client.delete(f"/{kind}/none"),
            "create": client.post(f"/{kind}", content=b"{}"),
            "update": client.put(f"/{kind}/none", content=b"{}"),
        }
        for code, answer in asked.items():
            assert (answer.status_code == 405) is (code not in codes), (kind, code, answer.status_code)
        for name in resource.get("searchInclude", ())[:2]:
            assert client.get(f"/{kind}?_include={name}&_count=1").status_code == 200


def test_links_carry_the_base_people_use(client: Client) -> None:
    page = client.get(f"/Patient?{make(client, 1)}").json()
    assert re.match(re.escape(client.base) + "/Patient/[0-9a-f-]{36}$", page["entry"][0]["fullUrl"])
    assert str(link(page, "self")).startswith(f"{client.base}/Patient?identifier=")


def people_and_things(client: Client, count: int) -> tuple[str, list[str]]:
    """Patients and Observations by turns, sharing one tag; their ids in the order they were made."""
    mark, made = str(uuid4()), []
    for n in range(count):
        body = (
            {"resourceType": "Patient"}
            if n % 2
            else {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
        )
        tagged = {**body, "meta": {"tag": [{"system": "urn:m", "code": mark}]}}
        made.append(client.post(f"/{body['resourceType']}", tagged).json()["id"])
        time.sleep(0.002)  # each in a millisecond of its own: moments and ids tell no order within one
    return f"_tag=urn:m|{mark}", made


@pytest.mark.parametrize("count", [1, 2, 3, 50])
@pytest.mark.parametrize("sort", ["", "_lastUpdated", "-_lastUpdated", "_id", "-_id"])
def test_several_types_are_searched_and_paged_together(client: Client, sort: str, count: int) -> None:
    tag, made = people_and_things(client, 7)
    asked = f"?_type=Patient,Observation&{tag}&_count={count}" + (f"&_sort={sort}" if sort else "")
    ids = [r["id"] for r in client.search(asked)]
    if sort:
        expected = sorted(made) if sort.endswith("_id") else made
        assert ids == (expected[::-1] if sort.startswith("-") else expected)
    else:
        assert ids == [*made[1::2], *made[0::2]]
    assert client.get(f"{asked}&_total=accurate").json()["total"] == 7
    assert client.get(f"{asked}&_summary=count").json()["total"] == 7


def test_changes_between_pages_of_several_types_move_nothing(client: Client) -> None:
    tag, made = people_and_things(client, 8)
    page = client.get(f"?_type=Observation,Patient&{tag}&_count=3&_sort=_lastUpdated").json()
    shown = [e["resource"]["id"] for e in page["entry"]]
    for key in (made[1], made[5], made[6]):
        kind = "Patient" if made.index(key) % 2 else "Observation"
        body = client.get(f"/{kind}/{key}").json()
        assert client.put(f"/{kind}/{key}", {**body, "language": "vi"}).status_code == 200
    shown += [r["id"] for r in client.search(str(link(page, "next")))]
    assert shown == made


@pytest.mark.parametrize("asked", ["?_tag=x", "?_type=Nonsense", "?_type=Patient&family=x&_type=Observation", "?_type=AuditEvent",
                                   "?_type=Patient,Observation&_sort=birthdate"])  # fmt: skip
def test_a_search_of_several_types_names_them_and_asks_what_all_have(client: Client, asked: str) -> None:
    answer = client.get(asked)
    assert answer.status_code == 400
    parse(answer.content, expect="OperationOutcome")


def test_a_compartment_is_searched_by_type_or_whole(client: Client) -> None:
    mine, other = (client.post("/Patient", {"resourceType": "Patient"}).json()["id"] for _ in "ab")
    doctor = client.post("/Practitioner", {"resourceType": "Practitioner"}).json()["id"]
    made = {}
    for name, patient, more in (
        ("a", mine, {}),
        ("b", mine, {"performer": [{"reference": f"Practitioner/{doctor}"}]}),
        ("c", other, {}),
    ):
        body = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": name},
            "subject": {"reference": f"Patient/{patient}"},
        }
        made[name] = client.post("/Observation", {**body, **more}).json()["id"]
    flag = client.post("/Flag", _flag("x", mine)).json()["id"]
    assert {r["id"] for r in client.search(f"/Patient/{mine}/Observation?_count=1")} == {made["a"], made["b"]}
    assert {r["id"] for r in client.search(f"/Patient/{mine}/Observation?performer=Practitioner/{doctor}")} == {
        made["b"]
    }
    assert {r["id"] for r in client.search(f"/Patient/{mine}/*?_count=2")} == {mine, made["a"], made["b"], flag}
    assert {r["id"] for r in client.search(f"/Patient/{mine}/*?_type=Flag")} == {flag}
    assert {r["id"] for r in client.search(f"/Practitioner/{doctor}/Observation")} == {made["b"]}
    assert client.post(f"/Patient/{mine}/Flag/_search", data={"identifier": "urn:m|x"}).json()["total"] == 1
    assert client.get(f"/Patient/{mine}/Organization").status_code == 404
    assert client.get(f"/Organization/{mine}/Patient").status_code == 404


def test_what_is_not_known_is_refused_or_told_as_the_client_prefers(client: Client) -> None:
    criteria = make(client, 3)
    asked = f"/Patient?{criteria}&nonsense=1&_filter=x&_count=2"
    for strict in ({}, {"prefer": "handling=strict"}):
        assert client.get(asked, headers=strict).status_code == 400
    page = client.get(asked, headers={"prefer": "handling=lenient"}).json()
    told = [e["resource"] for e in page["entry"] if e["search"]["mode"] == "outcome"]
    assert [(i["severity"], i["expression"]) for i in told[0]["issue"]] == [
        ("warning", ["nonsense"]),
        ("warning", ["_filter"]),
    ]
    assert "nonsense" not in str(link(page, "self"))
    rest = client.get(str(link(page, "next"))).json()
    assert len(rest["entry"]) == 1
    wrong = client.get(f"/Patient?{criteria}&birthdate=yesterday", headers={"prefer": "handling=lenient"})
    assert wrong.status_code == 400, "a value that cannot be read is no unknown parameter"


def test_canonical_references_are_included_by_url_and_version(client: Client) -> None:
    url = f"http://example.org/{uuid4()}"
    form = {"resourceType": "Questionnaire", "url": url, "status": "active"}
    one, two = (client.post("/Questionnaire", {**form, "version": each}).json()["id"] for each in "12")
    answer = {"resourceType": "QuestionnaireResponse", "status": "in-progress"}
    client.post("/QuestionnaireResponse", {**answer, "questionnaire": f"{url}|2"})
    library = {"resourceType": "Library", "status": "draft", "type": {"text": "x"}, "url": f"{url}/library"}
    client.post("/Library", {**library, "relatedArtifact": [{"type": "depends-on", "resource": url}]})

    def included(path: str) -> set[str]:
        page = client.get(path).json()
        return {e["resource"]["id"] for e in page["entry"] if e["search"]["mode"] == "include"}

    asked = f"/QuestionnaireResponse?questionnaire={url}&_include=QuestionnaireResponse:questionnaire"
    assert included(asked) == {two}
    assert included(f"/Library?url={url}/library&_include=Library:depends-on") == {one, two}
    assert included(f"/Library?url={url}/library&_include=Library:depends-on:Measure") == set()
    for version, number in ((one, 0), (two, 1)):
        path = f"/Questionnaire?_id={version}&_revinclude=QuestionnaireResponse:questionnaire"
        assert len(included(path)) == number


#: given names and languages of three people; what `_sort` finds them by
SEVERAL = {"A": (["Nga", "Yên"], ["vi", "en"]), "B": (["Ơn"], ["fr"]), "C": (["Bê", "Phú"], ["zh", "vi", "de"])}


@pytest.mark.parametrize(
    ("sort", "found"),
    [("given", "CAB"), ("-given", "ACB"), ("language", "CAB"), ("-language", "CAB"), ("birthdate,given", "CAB"),
     ("birthdate,-language,given", "CAB"), ("-birthdate,-given", "ACB")],
)  # fmt: skip
def test_of_several_values_the_first_in_the_order_asked_for_counts(client: Client, sort: str, found: str) -> None:
    made = {}
    for name, (given, languages) in SEVERAL.items():
        spoken = [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": each}]}} for each in languages]
        body = {
            "resourceType": "Patient",
            "name": [{"given": given}],
            "communication": spoken,
            "birthDate": "1980-01-01",
        }
        made[client.post("/Patient", body).json()["id"]] = name
    for count in (1, 50):
        link, names = f"/Patient?_id={','.join(made)}&_sort={sort}&_count={count}", ""
        while link:
            page = client.get(link).json()
            names += "".join(made[entry["resource"]["id"]] for entry in page["entry"])
            link = next((each["url"] for each in page["link"] if each["relation"] == "next"), "")
        assert names == found


def test_a_value_set_without_an_address_is_not_searched_by_and_the_refusal_says_so(client: Client) -> None:
    include = [{"system": "http://hl7.org/fhir/administrative-gender", "concept": [{"code": "female"}]}]
    value_set = {"resourceType": "ValueSet", "status": "active", "compose": {"include": include}}
    stored = client.post("/ValueSet", value_set).json()["id"]
    issue = client.get(f"/Patient?gender:in=ValueSet/{stored}").json()["issue"][0]
    assert issue["expression"] == ["gender:in"]
    assert "with a url" in issue["diagnostics"]


def test_a_system_alone_is_no_part_of_a_composite(client: Client) -> None:
    for name in ("component-code-value-concept", "combo-code-value-concept", "code-value-quantity"):
        answer = client.get(f"/Observation?{name}=urn:a|$5")
        assert answer.status_code == 400
        assert "not a system alone" in answer.json()["issue"][0]["diagnostics"]
