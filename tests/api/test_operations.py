"""Operations: one registry for every level, what they take, who may ask them, and where the server says that they are there.

Sources: https://hl7.org/fhir/R4/operations.html, https://hl7.org/fhir/R4/capabilitystatement.html
"""

from __future__ import annotations

import pytest
from tests.running import Client

from yersin.api.app import OWN, Api
from yersin.api.operations import EVERY, Input, Operation, Operations, answer
from yersin.fhir import r4
from yersin.guard.who import Grant, Who

DEFINITION = "http://example.org/OperationDefinition/"


async def told(asked):
    """Answer with where it was asked and what was given."""
    given = asked.given
    said = [asked.type, asked.id, given.text("day"), ",".join(given.texts("word")), given.text("sure")]
    coding, resource = given.value("coding"), given.value("resource")
    said += [coding.code if coding else "", resource.id if resource else ""]
    return answer(r4.Basic(code=r4.CodeableConcept(text="|".join(said))))


INPUTS = (
    Input(name="day", type="date"),
    Input(name="word", repeats=True),
    Input(name="sure", type="boolean"),
    Input(name="coding", type="Coding"),
    Input(name="resource", type="Resource"),
)


def operation(name, **more):
    made = {"definition": DEFINITION + name, "work": told, "levels": frozenset({"type"}), "types": ("Patient",)}
    return Operation(name=name, **{**made, "inputs": INPUTS, **more})


ALL = (
    operation("everywhere", levels=frozenset({"system", "type", "instance"}), types=(EVERY,)),
    operation("one", levels=frozenset({"instance"})),
    operation("whole"),
    operation("change", affects_state=True),
    operation("needing", inputs=(Input(name="day", type="date", required=True), Input(name="count", type="integer"))),
    operation("figures", permission="figures.read", grant=Grant("MeasureReport", "r")),
    operation("judging", takes_any_body=True, inputs=()),
)


@pytest.fixture(scope="module")
def api(run, ground, system):
    made = Client(run, lambda asker: Api(asker, ground.indexer.base, ALL), system)
    yield made
    made.close()


def said(response):
    assert response.status_code == 200, response.text
    return response.json()["code"]["text"].split("|")


def refused(response, status, code, *words):
    assert response.status_code == status, response.text
    (issue,) = response.json()["issue"]
    assert issue["code"] == code
    for word in words:
        assert word in issue["diagnostics"], issue["diagnostics"]
    return issue


def parameters(*parts):
    return {"resourceType": "Parameters", "parameter": list(parts)}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/$everywhere", ["", ""]),
        ("/Patient/$everywhere", ["Patient", ""]),
        ("/Patient/p1/$everywhere", ["Patient", "p1"]),
        ("/Measure/%24everywhere", ["Measure", ""]),
        ("/Patient/$whole", ["Patient", ""]),
        ("/Patient/p1/$one", ["Patient", "p1"]),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_operation_is_asked_at_its_levels(api, method, path, place):
    assert said(api.request(method, path))[:2] == place


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/Patient/$nothing", ["$nothing", "$change", "$everywhere"]),
        ("/Patient/p1/$nothing", ["$nothing", "$one"]),
        ("/Observation/$one", ["/Observation", "$everywhere"]),
        ("/Patient/$one", ["one resource"]),
        ("/Patient/p1/$whole", ["whole type"]),
        ("/$whole", ["the server itself", "$everywhere"]),
        ("/Nothing/$everywhere", ["Nothing is no resource type"]),
        ("/Patient/p1/_history/1/$everywhere", ["/Patient"]),
        ("/$", ["the server itself"]),
    ],
)
def test_what_is_no_operation_is_not_found_and_those_that_are_there_are_named(api, path, words):
    refused(api.get(path), 404, "not-found", *words)


def test_what_changes_something_is_not_asked_by_get(api):
    refused(api.get("/Patient/$change"), 405, "not-supported", "POST")
    assert said(api.post("/Patient/$change"))[0] == "Patient"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_an_operation_is_neither_put_nor_deleted(api, method):
    refused(api.request(method, "/Patient/$whole", json={}), 405, "not-supported", "GET, HEAD, POST")
    assert api.get("/Patient/$whole").status_code == 200


def test_parameters_come_in_the_address_in_a_form_and_in_the_body(api):
    expected = ["Patient", "", "2026-11", "a,b", "true"]
    assert (
        said(api.get("/Patient/$whole?day=2026-11&word=a&word=b&sure=true&_format=json&_pretty=true"))[:5] == expected
    )
    form = {"day": "2026-11", "word": ["a", "b"], "sure": "true"}
    assert said(api.request("POST", "/Patient/$whole", data=form))[:5] == expected
    body = parameters(
        {"name": "day", "valueDate": "2026-11"},
        {"name": "word", "valueString": "a"},
        {"name": "word", "valueString": "b"},
        {"name": "sure", "valueBoolean": True},
        {"name": "coding", "valueCoding": {"code": "c"}},
        {"name": "resource", "resource": {"resourceType": "Patient", "id": "p9"}},
    )
    assert said(api.post("/Patient/$whole", body)) == [*expected, "c", "p9"]
    assert said(api.post("/Patient/$whole?day=2026-11&sure=true", parameters({"name": "word", "valueString": "a"})))[
        2:5
    ] == [
        "2026-11",
        "a",
        "true",
    ]


def test_where_one_resource_is_taken_it_may_be_the_body_itself(api):
    assert said(api.post("/Patient/$whole", {"resourceType": "Patient", "id": "p9"}))[6] == "p9"
    refused(api.post("/Patient/$needing", {"resourceType": "Patient"}), 400, "invalid", "Parameters", "Patient")


@pytest.mark.parametrize(
    ("query", "code", "place", "word"),
    [
        ("?nothing=1", "not-supported", "nothing", "day, word, sure, coding, resource"),
        ("?day=2026-02-30", "value", "day", "YYYY-MM-DD"),
        ("?day=", "value", "day", "empty"),
        ("?day=2026&day=2027", "invalid", "day", "2 times"),
        ("?sure=yes", "value", "sure", "true or false"),
        ("?coding=a", "invalid", "coding", "POST"),
        ("?resource=Patient/1", "invalid", "resource", "POST"),
    ],
)
def test_a_bad_parameter_of_the_address_is_named(api, query, code, place, word):
    assert refused(api.get(f"/Patient/$whole{query}"), 400, code, word)["expression"] == [place]


@pytest.mark.parametrize(
    ("part", "code", "word"),
    [
        ({"name": "nothing", "valueString": "1"}, "not-supported", "nothing"),
        ({"name": "day", "valueString": "2026"}, "invalid", "valueDate"),
        ({"name": "day"}, "invalid", "no value"),
        ({"name": "coding", "valueCode": "a"}, "invalid", "valueCoding"),
        ({"name": "resource", "valueString": "a"}, "invalid", "any resource"),
    ],
)
def test_a_bad_parameter_of_the_body_is_named_with_its_place(api, part, code, word):
    issue = refused(
        api.post("/Patient/$whole", parameters({"name": "word", "valueString": "a"}, part)), 400, code, word
    )
    assert issue["expression"] == ["Parameters.parameter[1]"]


def test_what_is_needed_is_asked_for_and_given_once(api):
    assert refused(api.get("/Patient/$needing"), 400, "required", "day", "YYYY")["expression"] == ["day"]
    twice = api.post("/Patient/$needing?day=2026", parameters({"name": "day", "valueDate": "2027"}))
    refused(twice, 400, "invalid", "2 times")
    refused(api.get("/Patient/$needing?day=2026&count=1.5"), 400, "value", "count=1.5")
    assert said(api.get("/Patient/$needing?day=2026&count=15"))[2] == "2026"


def test_a_body_that_is_no_fhir_is_refused_unless_the_operation_judges_it(api):
    broken = api.post("/Patient/$whole", content=b'{"resourceType":"Parameters","parameter":[{}]}')
    assert broken.status_code == 400
    assert "Parameters.parameter[0]" in broken.json()["issue"][0]["expression"][0]
    assert said(api.post("/Patient/$judging", content=b"{"))[0] == "Patient"


def test_permission_and_scope_are_asked_first_and_refusals_are_recorded(api, run, ground):
    def refusals():
        return run(ground.database.fetchval("SELECT count(*) FROM audit WHERE outcome = 4 AND interaction = 'rest'"))

    def bound(who):
        return api.bound(ground.access(who))

    before = refusals()
    doctor = bound(Who(role="doctor", purpose="TREAT"))
    refused(doctor.get("/Patient/$figures?nothing=1"), 403, "forbidden", "figures.read")
    narrow = bound(Who(role="system", purpose="TREAT", scopes=(Grant("Patient", "rs"),)))
    refused(narrow.get("/Patient/$figures"), 403, "forbidden", "system/MeasureReport.r")
    assert refusals() == before + 2
    wide = bound(Who(role="system", purpose="TREAT", scopes=(Grant("MeasureReport", "r"),)))
    assert said(wide.get("/Patient/$figures"))[0] == "Patient"
    assert said(bound(Who(role="analyst", purpose="HOPERAT")).get("/Patient/$figures"))[0] == "Patient"


def test_an_operation_stands_in_a_batch(api):
    entries = [{"request": {"method": "GET", "url": url}} for url in ("Patient/$whole?day=2026", "Patient/$nothing")]
    made = api.post("/", {"resourceType": "Bundle", "type": "batch", "entry": entries}).json()["entry"]
    assert [entry["response"]["status"] for entry in made] == ["200 OK", "404 Not Found"]
    assert "2026" in made[0]["resource"]["code"]["text"]


def test_the_capability_statement_lists_operations_where_they_are_asked(api, client):
    rest = api.get("/metadata").json()["rest"][0]
    by_type = {each["type"]: [op["name"] for op in each["operation"]] for each in rest["resource"]}
    assert {"name": "everywhere", "definition": f"{DEFINITION}everywhere"} in rest["operation"]
    assert set(by_type["Observation"]) - {"lastn"} == set(by_type["AuditEvent"])
    assert "everywhere" in by_type["AuditEvent"]
    assert sorted(set(by_type["Patient"])) == sorted(
        {*(each.name for each in ALL), *(each.name for each in OWN if {"Patient", EVERY} & set(each.types))}
    )
    assert "everywhere" not in [op["name"] for op in client.get("/metadata").json()["rest"][0]["operation"]]
    own = api.post(
        "/", {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": "metadata"}}]}
    )
    assert own.json()["entry"][0]["resource"]["rest"][0]["operation"] == rest["operation"]


def test_two_operations_of_one_address_and_one_of_none_are_refused_at_once():
    with pytest.raises(ValueError, match="two operations"):
        Operations([operation("whole"), operation("whole")])
    with pytest.raises(ValueError, match="no types"):
        Operations([operation("whole", types=())])
