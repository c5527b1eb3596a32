"""The page where administrators paste a resource: every finding beside its line, nothing kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.running import House, form_token

from yersin.fhir.problem import Issue
from yersin.registry.judged_lines import lines_of

PATH = "/administration/validate"
PATIENT: Any = {
    "resourceType": "Patient",
    "name": [{"given": ["An", "Thị"]}],
    "contact": [{"gender": "male"}],
    "extension": [{"url": "urn:x", "valueQuantity": {"value": 1, "code": "kg"}}],
}


def marked(text: str, *places: str, severity: str = "error") -> list[tuple[str, str]]:
    issues = [Issue(code="invalid", diagnostics="x", expression=place, severity=severity) for place in places]
    return [(line.text.strip(), line.severity) for line in lines_of(text, issues) if line.found]


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("Patient", "{"),
        ("Patient.birthDate", "{"),
        ("Patient.name[0].given[1]", '"Thị"'),
        ("Patient.name[0].given", '"given": ['),
        ("Patient.contact[0]", "{"),
        ("Patient.extension[0].value", '"valueQuantity": {'),
        ("Patient.extension[0].value.code", '"code": "kg"'),
        ("", "{"),
    ],
)
def test_a_finding_stands_at_the_line_it_is_about(place: str, line: str) -> None:
    assert marked(json.dumps(PATIENT), place) == [(line, "error")]


def test_what_is_no_json_is_shown_as_it_is_with_the_line_that_is_told() -> None:
    issues = [Issue(code="structure", diagnostics="The JSON is broken at line 2, column 3")]
    lines = lines_of('{\n"a" 1}', issues)
    assert [(line.number, line.text, line.found) for line in lines] == [(1, "{", []), (2, '"a" 1}', [1])]


XML = """<?xml version="1.0"?>
<Patient xmlns="http://hl7.org/fhir">
  <!-- a remark -->
  <contained>
    <Organization>
      <id value="o"/>
      <name value="x"/>
    </Organization>
  </contained>
  <extension url="urn:x">
    <valueQuantity>
      <code value="kg"/>
    </valueQuantity>
  </extension>
  <name>
    <given value="An"/>
    <given value="Thị"/>
  </name>
  <nonsense value="x"/>
</Patient>"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("Patient", '<Patient xmlns="http://hl7.org/fhir">'),
        ("Patient.birthDate", '<Patient xmlns="http://hl7.org/fhir">'),
        ("Patient.contained[0].name", '<name value="x"/>'),
        ("Patient.contained[0].partOf", "<Organization>"),
        ("Patient.extension[0].value.code", '<code value="kg"/>'),
        ("Patient.extension[0].url", '<extension url="urn:x">'),
        ("Patient.name[0].given[1]", '<given value="Thị"/>'),
        ("Patient.name[0].given[1].extension[0]", '<given value="Thị"/>'),
    ],
)
def test_a_finding_in_xml_stands_at_the_line_it_is_about(place: str, line: str) -> None:
    assert marked(XML, place) == [(line, "error")]
    assert marked("".join(each.strip() for each in XML.splitlines()), place) == [(line, "error")]


def test_what_xml_is_refused_for_stands_at_the_line_that_is_told() -> None:
    issues = [
        Issue(code="structure", diagnostics="At line 19: Patient has no element nonsense.", expression="Patient.x")
    ]
    assert [line.number for line in lines_of(XML, issues) if line.found] == [19]


def test_numbers_keep_their_digits() -> None:
    assert '"value": 1.00' in [line.text.strip() for line in lines_of('{"value": 1.00}', [])]


def test_administrators_see_what_is_wrong_and_where(house: House) -> None:
    browser = house.signed_in("quantri")
    token = form_token(browser, PATH)
    form = {"csrf_token": token, "resource": json.dumps(PATIENT), "profile": ""}
    shown = browser.post(PATH, data=form)
    assert shown.status_code == 200
    assert "Patient.contact[0]" in shown.text
    assert 'class="danger"' in shown.text
    xml = {**form, "resource": '<Patient xmlns="http://hl7.org/fhir">\n<gender value="man"/>\n</Patient>'}
    told = browser.post(PATH, data=xml).text
    assert "Patient.gender" in told
    assert "&lt;gender value=&#34;man&#34;/&gt;" in told
    good = {**form, "resource": '{"resourceType":"Basic","id":"kept-by-nobody","code":{"text":"<b>"}}'}
    page = browser.post(PATH, data=good).text
    assert 'class="note ok"' in page
    assert "<b>&#34;" not in page
    assert browser.get("/fhir/Basic/kept-by-nobody").status_code == 404


def test_others_may_not(house: House) -> None:
    browser = house.signed_in("tram")
    assert browser.get(PATH).status_code == 403
