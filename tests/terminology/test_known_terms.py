"""Terminology within a process: what is not known yet is learnt, and what changed is learnt anew."""

from __future__ import annotations

import pytest

from yersin.terminology import terms
from yersin.terminology.terms import Terms

GENDERS, GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender", "http://hl7.org/fhir/administrative-gender"
MEDIA = "http://hl7.org/fhir/ValueSet/mimetypes"
UNITS = "http://hl7.org/fhir/ValueSet/ucum-units"
LANGUAGES = "http://hl7.org/fhir/ValueSet/all-languages"
CURRENCIES = "http://hl7.org/fhir/ValueSet/currencies"
SNOMED = "http://hl7.org/fhir/ValueSet/condition-code"
ROLE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"


@pytest.fixture
def known(ground):
    return Terms(ground.database)


def test_what_is_not_known_yet_is_learnt(run, known):
    assert known.member_of(GENDER, "male", GENDERS) is None
    assert known.has_missed
    run(known.learn())
    assert not known.has_missed
    assert known.member_of(GENDER, "male", GENDERS) is True
    assert known.member_of("", "male", GENDERS) is True
    assert known.member_of(GENDER, "man", GENDERS) is False
    assert known.member_of("urn:other", "male", GENDERS) is False


@pytest.mark.parametrize(
    ("code", "value_set", "answer"),
    [
        ("application/pdf", MEDIA, True),
        ("pdf", MEDIA, False),
        ("mm[Hg]", UNITS, True),
        ("quart!", UNITS, False),
        ("vi", LANGUAGES, True),
        ("VND", CURRENCIES, True),
        ("XXXX", CURRENCIES, False),
        ("73211009", SNOMED, None),
        ("x", "urn:no-such-set", None),
    ],
)
def test_required_bindings_without_a_list_are_judged_too(run, known, code, value_set, answer):
    run(known.learn([value_set]))
    known.member_of("", code, value_set)
    run(known.learn())
    assert known.member_of("", code, value_set) is answer


def test_ancestors_are_learnt(run, known):
    asked = [(ROLE, "FAMMEMB", "MTH"), (ROLE, "MTH", "FAMMEMB"), (ROLE, "MTH", "MTH"), (ROLE, "MTH", "nothing")]
    assert [known.subsumes(*each) for each in asked] == [None] * 4
    run(known.learn())
    assert [known.subsumes(*each) for each in asked] == [True, False, True, None]


def test_a_stored_value_set_counts_once_it_is_looked_at_again(run, client, known, monkeypatch):
    url = "urn:example:few"
    made = {"resourceType": "ValueSet", "id": "few", "url": url, "status": "active",
            "compose": {"include": [{"system": GENDER, "concept": [{"code": "male"}]}]}}  # fmt: skip
    assert client.put("/ValueSet/few", json=made).status_code == 201
    run(known.learn([url]))
    assert (known.member_of(GENDER, "male", url), known.member_of(GENDER, "other", url)) == (True, False)
    made["compose"] = {"include": [{"system": GENDER, "concept": [{"code": "other"}]}]}
    assert client.put("/ValueSet/few", json=made).status_code == 200
    monkeypatch.setattr(terms, "FRESH", 0.0)
    run(known.learn([url]))
    assert (known.member_of(GENDER, "male", url), known.member_of(GENDER, "other", url)) == (False, True)
