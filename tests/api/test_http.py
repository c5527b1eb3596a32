"""What HTTP asks of every answer, whatever was asked. Sources: RFC 9110, https://hl7.org/fhir/R4/http.html"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from tests.running import Client

PATIENT = {"resourceType": "Patient", "active": True}


def issue(answer: Any) -> Any:
    (found,) = answer.json()["issue"]
    return found


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "", "GET, HEAD, POST"),
        ("POST", "/metadata", "GET, HEAD"),
        ("GET", "/Patient/_search", "POST"),
        ("DELETE", "/Patient/x/_history/1", "GET, HEAD"),
        ("POST", "/Patient/x", "GET, HEAD, PUT, PATCH, DELETE"),
        ("GET", "/Patient/x/$meta-add", "POST"),
        ("PUT", "/bulkdata/x", "GET, HEAD, DELETE"),
        ("OPTIONS", "/Patient", "GET, HEAD, POST, PUT, PATCH, DELETE"),
    ],
)
def test_a_method_that_is_not_possible_is_answered_with_those_that_are(client, method, path, allowed):
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert allowed in issue(answer)["diagnostics"]


def test_preconditions_with_a_star_ask_whether_there_is_a_version(client: Client) -> None:
    path = f"/Patient/{uuid4()}"
    body = {**PATIENT, "id": path.rpartition("/")[2]}
    none, some = {"if-none-match": "*"}, {"if-match": "*"}
    assert client.put(path, body, headers=some).status_code == 412
    assert client.put(path, body, headers=none).status_code == 201
    assert client.put(path, body, headers=none).status_code == 412
    assert client.put(path, body, headers=some).headers["etag"] == 'W/"2"'
    assert client.put(f"/Patient?_id={body['id']}", body, headers=none).status_code == 412
    assert client.delete(path).status_code == 204
    assert client.put(path, body, headers=some).status_code == 412
    assert client.put(path, body, headers=none).headers["etag"] == 'W/"4"'


def test_deleting_what_never_was_changes_nothing(client: Client) -> None:
    path = f"/Patient/{uuid4()}"
    assert client.delete(path).status_code == 204
    assert client.delete(path, headers={"if-match": 'W/"1"'}).status_code == 404
    assert client.get(path).status_code == 404
    told = client.delete(path, headers={"prefer": "return=OperationOutcome"})
    assert issue(told)["diagnostics"] == "0 resources were deleted."


def test_what_was_meant_by_criteria_is_named_by_location(client: Client) -> None:
    mark = str(uuid4())
    body, criteria = {**PATIENT, "identifier": [{"system": "urn:h", "value": mark}]}, f"identifier=urn:h|{mark}"
    minimal = {"prefer": "return=minimal"}
    made = client.post("/Patient", body).headers["location"]
    assert client.post("/Patient", body, headers={**minimal, "if-none-exist": criteria}).headers["location"] == made
    updated = client.put(f"/Patient?{criteria}", {**body, "active": False}, headers=minimal)
    assert (updated.status_code, updated.headers["location"]) == (200, made.replace("_history/1", "_history/2"))


@pytest.mark.parametrize("criteria", ["Observation?identifier=x", "http://example.org/fhir/Observation?identifier=x"])
def test_criteria_of_another_type_are_refused(client, criteria):
    answer = client.post("/Patient", PATIENT, headers={"if-none-exist": criteria})
    assert answer.status_code == 400
    assert "another type" in issue(answer)["diagnostics"]


def test_a_question_mark_in_a_value_divides_no_criteria(client: Client) -> None:
    value = f"http://example.org/{uuid4()}?x=1"
    body = {**PATIENT, "identifier": [{"system": "urn:h", "value": value}]}
    made = client.put(f"/Patient?identifier={value}", body)
    assert made.status_code == 201
    assert client.put(f"/Patient?identifier={value}", body).json()["id"] == made.json()["id"]


def test_headers_of_several_lines_are_one_list(client: Client) -> None:
    lines = [("prefer", "return=minimal"), ("prefer", "handling=strict"), ("content-type", "application/fhir+json")]
    request = client.http.build_request("POST", f"{client.base}/Patient", json=PATIENT, headers=lines)
    assert client._run(client.http.send(request)).content == b""


def test_a_search_by_post_takes_no_resource(client: Client) -> None:
    for kind in ("application/fhir+json", "application/fhir+xml"):
        answer = client.request("POST", "/Patient/_search", content=b'{"family": "x"}', headers={"content-type": kind})
        assert answer.status_code == 415
        assert "application/x-www-form-urlencoded" in issue(answer)["diagnostics"]


@pytest.mark.parametrize("path", ["/Patient/a%00b", "/Patient/a%00b/_history/1", "/Pat%00ient/1"])
def test_a_nul_in_an_address_is_nowhere(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/Patient?_count=0", "application/fhir+json;q=0, */*", "xml"),
        ("/Patient?_count=0", "application/fhir+xml;q=0, */*", "json"),
        ("/Patient?_count=0&_format=", "application/fhir+xml", "xml"),
    ],
)
def test_the_form_is_what_accept_leaves(client, path, accept, kind):
    answer = client.get(path, headers={"accept": accept})
    assert answer.headers["content-type"].startswith(f"application/fhir+{kind}")


def test_a_form_of_another_release_is_refused(client: Client) -> None:
    assert client.get("/Patient?_format=application/fhir%2Bjson;%20fhirVersion=3.0").status_code == 406


def test_what_may_be_kept_says_that_it_varies(client: Client) -> None:
    assert "accept" in client.get("/metadata").headers.get_list("vary", split_commas=True)


def test_a_part_of_content_proves_nothing_by_a_weak_tag(client: Client) -> None:
    made = client.request("POST", "/Binary", content=b"0123456789", headers={"content-type": "text/plain"})
    path, asked = f"/Binary/{made.json()['id']}", {"accept": "text/plain", "range": "bytes=2-3"}
    assert client.get(path, headers=asked).content == b"23"
    assert client.get(path, headers={**asked, "if-range": 'W/"1"'}).content == b"0123456789"
    outside = client.get(path, headers={**asked, "range": "bytes=20-"})
    assert (outside.status_code, outside.headers["content-range"]) == (416, "bytes */10")


def test_a_security_context_that_is_no_reference_is_refused(client: Client) -> None:
    headers = {"content-type": "text/plain", "x-security-context": "everybody"}
    answer = client.request("POST", "/Binary", content=b"x", headers=headers)
    assert answer.status_code == 400
    assert issue(answer)["expression"] == ["Binary.securityContext"]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/Patient?birthdate=soon", "birthdate"),
        ("/Observation?date=ge2020-13", "date"),
        ("/Patient/x/_history?_since=soon", "_since"),
        ("/Patient/_history?_at=gt20", "_at"),
    ],
)
def test_a_date_that_is_none_is_told_with_its_place(client, path, place):
    assert issue(client.get(path))["expression"] == [place]


def test_signs_that_divide_are_protected_in_texts(client: Client) -> None:
    mark = uuid4().hex
    for family in ("a|b", "a$b", "a,b"):
        client.post("/Patient", {**PATIENT, "name": [{"family": family}], "identifier": [{"value": mark}]})
        found = client.search(f"/Patient?identifier={mark}&family=a\\{family[1:]}")
        assert [p["name"][0]["family"] for p in found] == [family]
        assert len(client.search(f"/Patient?identifier={mark}&family:exact=a\\{family[1:]}")) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/Patient?family=%00",
        "/Patient?family:contains=a%00b",
        "/Patient?gender:in=%00",
        "/AuditEvent?address=%00",
        "/Patient?_has:Observation:patient:code=%00",
        "/_history?_count=%00",
    ],
)
def test_a_nul_in_a_parameter_is_refused(client, path):
    answer = client.get(path)
    assert answer.status_code == 400
    assert "U+0000" in issue(answer)["diagnostics"]


@pytest.mark.parametrize("name", ["_count", "_before"])
@pytest.mark.parametrize("number", ["0", "9" * 19, "9" * 5000, "0" * 5000 + "1"])
def test_a_number_may_have_any_number_of_digits(client, name, number):
    assert client.get(f"/AuditEvent?{name}={number}").status_code == 200
    if name == "_count":
        assert client.get(f"/Patient?{name}={number}").status_code == 200
        assert client.get(f"/?_type=Patient&{name}={number}").status_code == 200


@pytest.mark.parametrize("year", ["0001", "9999"])
@pytest.mark.parametrize(
    "path", ["/Patient?birthdate", "/Observation?date", "/Patient?_lastUpdated", "/AuditEvent?date"]
)
def test_the_ends_of_time_can_be_asked_for(client, year, path):
    for prefix in ("", "ge", "sa", "eb"):
        assert client.get(f"{path}={prefix}{year}").status_code == 200
    assert client.get(f"/Patient/_history?_since={year}").status_code == 200


def test_what_happens_at_the_ends_of_time_is_found(client: Client) -> None:
    for day, asked in (("9999-12-31", "9999"), ("9999", "sa9998"), ("0001-01-01", "lt0002")):
        made = client.post("/Patient", {**PATIENT, "birthDate": day}).json()
        assert [p["id"] for p in client.search(f"/Patient?_id={made['id']}&birthdate={asked}")] == [made["id"]]


def test_a_value_set_that_is_not_here_is_told_with_its_parameter(client: Client) -> None:
    assert issue(client.get("/Patient?gender:in=http://example.org/nowhere"))["expression"] == ["gender:in"]


def test_a_name_that_is_half_a_character_is_refused(client: Client) -> None:
    for path in ("/Patient", "/Patient/$validate", "/ValueSet/$expand"):
        answer = client.post(path, content=b'{"resourceType":"Patient","\\ud83d":1,"a\\u0001":2}')
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert {"Patient.\ufffd", "Patient.a\ufffd"} <= {
            each for i in answer.json()["issue"] for each in i.get("expression", ())
        }
