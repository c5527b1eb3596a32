"""Search parameters posted at run time: compiled as those built in are, and known beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yersin.fhir import parameters, parse, r4
from yersin.fhir.expressions import extractor
from yersin.fhir.indexable import LEAVES
from yersin.fhir.parameters import Learnt, built_in
from yersin.fhir.posted_parameters import Posted, read
from yersin.fhir.problem import Problem
from yersin.fhir.shapes import shape, struct_of


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    parameters.learn({})


def test_every_expression_of_r4_comes_to_the_paths_that_were_generated() -> None:
    compared = 0
    for type_name in r4.TYPE_NUMBER:
        for p in built_in(type_name).values():
            if p.kind not in ("composite", "special") and p.code != "_id":
                posted = Posted(type=type_name, code="x", kind=p.kind, expression=p.expression)
                made = posted.parameter(1_000, -1)
                assert (made.paths, made.calendar) == (p.paths, p.calendar), (type_name, p.code)
                compared += 1
    assert compared > 2_000


def definition(**more: Any) -> r4.SearchParameter:
    given = {"url": "urn:x", "name": "X", "status": "active", "description": "x", "code": "x-tag", "base": ["Resource"],
             "type": "token", "expression": "Resource.meta.tag", **more}  # fmt: skip
    return r4.SearchParameter(**given)


def test_resource_and_domain_resource_stand_for_all_types_but_the_audit() -> None:
    every = {posted.type for posted in read(definition())}
    domain = {
        posted.type for posted in read(definition(base=["DomainResource"], expression="DomainResource.text.status"))
    }
    assert every == set(r4.TYPE_NUMBER) - {"AuditEvent"}
    assert every - domain == {"Binary", "Bundle", "Parameters"}
    assert read(definition(status="draft")) == []


def test_all_findings_are_told_at_once() -> None:
    wrong = definition(code="1 2", type="special", base=["AuditEvent"], expression="a.(")
    with pytest.raises(Problem) as refused:
        read(wrong)
    assert [issue.expression for issue in refused.value.issues] == [
        f"SearchParameter.{name}" for name in ("code", "base[0]", "type", "expression")
    ]


def test_what_is_learnt_stands_beside_what_is_built_in_until_it_is_forgotten() -> None:
    own = parameters.sorted_strings("Patient")
    place = parameters.free_place("Patient", [len(own)])
    added = Posted(type="Patient", code="x-a", kind="string", expression="Patient.contact.name.family").parameter(
        1_000, place
    )
    before = parameters.index_epoch()
    assert parameters.learn({"Patient": Learnt(3, (added,))})
    assert not parameters.learn({"Patient": Learnt(3, (added,))})
    assert parameters.parameters("Patient")["x-a"] is added
    assert set(parameters.parameters("Patient")) - {"x-a"} == set(built_in("Patient"))
    assert (place, parameters.sorted_strings("Patient")) == (len(own) + 1, (*own, "", "x-a"))
    assert (parameters.generation("Patient"), parameters.generation("Group")) == (3, 0)
    assert parameters.index_epoch() == before + 1
    parameters.learn({})
    assert "x-a" not in parameters.parameters("Patient")


def test_progress_alone_does_not_begin_the_index_anew() -> None:
    posted = Posted(type="Patient", code="x-a", kind="token", expression="Patient.gender")
    parameters.learn({"Patient": Learnt(1, (posted.parameter(1_000, -1, "10 %"),))})
    before = parameters.epoch(), parameters.index_epoch()
    parameters.learn({"Patient": Learnt(1, (posted.parameter(1_000, -1, "20 %"),))})
    assert (parameters.epoch(), parameters.index_epoch()) == (before[0] + 1, before[1])


FULL = parse(b"""{"resourceType": "Patient", "id": "p", "active": true, "gender": "female", "birthDate": "1980-01-01",
  "meta": {"tag": [{"system": "urn:s", "code": "t"}]}, "deceasedBoolean": false, "multipleBirthInteger": 2,
  "name": [{"use": "official", "family": "N", "given": ["A", "B"], "period": {"start": "2020"}}, {"text": "x"}],
  "identifier": [{"use": "usual", "system": "urn:i", "value": "1", "assigner": {"reference": "Organization/o"}}],
  "telecom": [{"system": "phone", "value": "1", "rank": 1}], "maritalStatus": {"coding": [{"code": "M"}], "text": "m"},
  "extension": [{"url": "urn:e", "valueCoding": {"code": "c"}}, {"url": "urn:f", "extension": [{"url": "g", "valueString": "s"}]}],
  "contact": [{"name": {"family": "F"}, "gender": "male", "organization": {"reference": "Organization/o"}}],
  "generalPractitioner": [{"reference": "Practitioner/d"}, {"identifier": {"value": "9"}}],
  "managingOrganization": {"reference": "Organization/o"}, "communication": [{"language": {"text": "vi"}}]}""")
FUNCTIONS = [
    "where(use = 'official')", "where(system = 'phone')", "where(nothing = 'x')", "where(value = 'x')", "where(given = 'A')",
    "where(resolve() is Practitioner)", "where(hasExtension('urn:e'))", "extension('urn:e')", "ofType(Coding)", "as(string)",
    "exists()", "first()", "where(is = 'x')", "where(url = 'urn:e')", "where(text = 'm')", "nothing", "name", "value",
]  # fmt: skip


@st.composite
def expressions(draw: Any) -> str:
    """A walk from a Patient, most of whose steps are elements that are there, with a condition here and there."""
    parts, here = ["Patient"], "Patient"
    for _ in range(draw(st.integers(1, 4))):
        known = [] if here[0].islower() else [e for e in shape(struct_of(here)).values() if not e.name.startswith("_")]
        if not known or draw(st.integers(0, 9)) == 0:
            parts.append(draw(st.sampled_from(FUNCTIONS)))
            continue
        element = draw(st.sampled_from(known))
        here = element.type[0].lower() + element.type[1:] if element.primitive else element.type
        parts.append(element.path + draw(st.sampled_from(["", "", "", "", "[0]", "[7]"])))
        if draw(st.integers(0, 3)) == 0:
            parts.append(draw(st.sampled_from(FUNCTIONS)))
    text = ".".join(parts)
    forms = [
        text,
        text,
        text,
        f"({text} as Reference)",
        f"{text} | Patient.gender",
        f"{text}.exists() and {text} != false",
    ]
    return str(draw(st.sampled_from(forms)))


@settings(max_examples=300, deadline=None)
@given(expressions())
def test_what_is_accepted_can_be_run_and_what_is_not_is_refused(expression: str) -> None:
    for kind in LEAVES:
        try:
            (posted,) = read(definition(base=["Patient"], type=kind, expression=expression))
        except Problem:
            continue
        extractor(posted.parameter(1_000, -1).paths)(FULL)


DEEP = ["Patient" + ".extension" * 30 + ".value", "Patient.name.where(use = 'a\\'b').given"]


@pytest.mark.parametrize("expression", DEEP)
def test_what_would_break_the_index_is_refused(expression: str) -> None:
    with pytest.raises(Problem) as refused:
        read(definition(base=["Patient"], expression=expression))
    assert refused.value.status == 422
