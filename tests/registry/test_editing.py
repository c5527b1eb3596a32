"""Two people correct one person at once: what one alone changed is kept, the rest is asked about, nothing is lost."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from tests.running import House

from yersin.fhir import parse, r4
from yersin.registry import editing
from yersin.registry.registration import Registration

FORM = {"family": "Giàng", "middle": "A", "given": "Thử", "born": "03/04/1988", "sex": "male", "ethnicity": "01",
        "relation": "MTH", "line": "Thôn Một", "phone": "0900000123"}  # fmt: skip


def test_what_one_side_alone_changed_is_kept_and_the_rest_is_asked_about() -> None:
    was = {"given": "Thu", "phone": "1", "line": "a", "born": "1988"}
    theirs = {**was, "phone": "2", "line": "b", "born": "1989"}
    mine = {**was, "given": "Thư", "line": "c", "born": "1989"}
    found = editing.merged(was, theirs, mine)
    assert {name: found.values[name] for name in was} == {"given": "Thư", "phone": "2", "line": "c", "born": "1989"}
    assert [(c.name, c.was, c.theirs, c.mine) for c in found.clashes] == [("line", "a", "b", "c")]
    assert found.taken == ["phone"]


def test_a_correction_leaves_everything_else_of_the_resource_as_it_was() -> None:
    body = b"""{"resourceType":"Patient","id":"p","active":true,"extension":[{"url":"urn:x","valueString":"kept"}],
      "identifier":[{"system":"urn:other","value":"7"}],"name":[{"use":"nickname","text":"T\xc3\xa8o"},
      {"use":"official","family":"Gi\xc3\xa0ng","given":["A","Th\xe1\xbb\xad"]}],
      "telecom":[{"system":"email","value":"x@example.org"},{"system":"phone","value":"0900000123"}],
      "gender":"unknown","birthDate":"1988","generalPractitioner":[{"display":"D"}]}"""
    person = parse(body)
    assert isinstance(person, r4.Patient)
    was = editing.values_of(person)
    changed = editing.changed(person, Registration(**{**was, "sex": "male", "phone": "0900000124"}), was)  # type: ignore[arg-type] # as typed
    assert [t.value for t in changed.telecom or ()] == ["x@example.org", "0900000124"]
    assert changed.gender == "male"
    for part in ("extension", "identifier", "name", "birthDate", "generalPractitioner", "active"):
        assert getattr(changed, part) == getattr(person, part)


@pytest.fixture
def someone(house: House) -> tuple[httpx.Client, str]:
    worker = house.signed_in("tram")
    sent = {**FORM, "given": f"Thử{id(worker) % 9973}", "idempotency_key": f"edit-{id(worker)}"}
    made = worker.post("/people", data=sent)
    if made.status_code == 422:
        answered = " ".join(re.findall(r'name="answered" value="([^"]*)"', made.text))
        made = worker.post("/people", data={**sent, "answered": answered})
    assert made.status_code == 303, made.text
    return worker, made.headers["location"].partition("?")[0].rpartition("/")[2]


def _opened(browser: httpx.Client, person: str) -> dict[str, Any]:
    """The form as a browser would send it back unchanged."""
    text = browser.get(f"/people/{person}/edit").text
    version = re.search(r'name="version" value="(\d+)"', text)
    assert version is not None
    return {**FORM, "given": _value(text, "given"), "version": version[1]}


def _value(text: str, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]*? value="([^"]*)"', text)
    assert found is not None
    return found[1]


def test_two_who_correct_different_things_lose_nothing(house: House, someone: tuple[httpx.Client, str]) -> None:
    worker, person = someone
    first, second = _opened(worker, person), _opened(worker, person)
    assert worker.post(f"/people/{person}/edit", data={**first, "phone": "0900000777"}).status_code == 303
    assert worker.post(f"/people/{person}/edit", data={**second, "line": "Thôn Hai"}).status_code == 303
    now = house.machine().get(f"/fhir/Patient/{person}").json()
    assert now["telecom"][0]["value"] == "0900000777"
    assert now["address"][0]["line"] == ["Thôn Hai"]


def test_two_who_correct_the_same_thing_are_asked_which_is_right(
    house: House, someone: tuple[httpx.Client, str]
) -> None:
    worker, person = someone
    first, second = _opened(worker, person), _opened(worker, person)
    assert worker.post(f"/people/{person}/edit", data={**first, "phone": "0900000778"}).status_code == 303
    asked = worker.post(f"/people/{person}/edit", data={**second, "phone": "0900000779", "line": "Thôn Ba"})
    assert asked.status_code == 422
    for value in ("0900000123", "0900000778", "0900000779", "Thôn Ba"):
        assert value in asked.text
    answer = {**second, "phone": "0900000779", "line": "Thôn Ba", "version": _value(asked.text, "version")}
    assert worker.post(f"/people/{person}/edit", data={**answer, "take": "phone"}).status_code == 303
    now = house.machine().get(f"/fhir/Patient/{person}").json()
    assert (now["telecom"][0]["value"], now["address"][0]["line"]) == ("0900000778", ["Thôn Ba"])


def test_saving_twice_writes_once(house: House, someone: tuple[httpx.Client, str]) -> None:
    worker, person = someone
    form = {**_opened(worker, person), "phone": "0900000780"}
    for _again in range(2):
        assert worker.post(f"/people/{person}/edit", data=form).status_code == 303
    assert house.machine().get(f"/fhir/Patient/{person}").json()["meta"]["versionId"] == "2"


def test_a_number_that_is_somebody_elses_is_refused(someone: tuple[httpx.Client, str], house: House) -> None:
    worker, person = someone
    son = house.machine().get(f"/fhir/Patient/{house.cast['benhnhan'].patient_id}").json()
    number = next(i["value"] for i in son["identifier"] if i["system"].endswith("national_id"))
    refused = worker.post(f"/people/{person}/edit", data={**_opened(worker, person), "personal": number})
    assert refused.status_code == 422
    assert "người khác" in refused.text


def test_a_stranger_cannot_correct(house: House, someone: tuple[httpx.Client, str]) -> None:
    _worker, person = someone
    stranger = house.signed_in("chuyengia2")
    assert stranger.get(f"/people/{person}/edit").status_code == 404
    assert stranger.post(f"/people/{person}/edit", data={**FORM, "version": "1"}).status_code == 404
