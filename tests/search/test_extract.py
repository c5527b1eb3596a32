"""The walk over a resource: every parameter's elements reach their emitter, once, and no others do."""

from __future__ import annotations

import msgspec

from yersin.fhir import r4
from yersin.fhir.parameters import parameters
from yersin.search.extract import compile_type, slot
from yersin.search.rows import EMITTERS


def seen(type_name, resource):
    calls = []
    spies = {at: lambda _b, s, value, parent=None: calls.append((s.code, value, parent)) for at in EMITTERS}
    compile_type(type_name, spies)(
        msgspec.convert({"resourceType": type_name} | resource, getattr(r4, type_name)), None
    )
    return calls


def test_each_element_reaches_the_parameters_that_name_it_and_no_other():
    found = seen("Patient", {"gender": "male", "telecom": [{"system": "email", "value": "an@e.vn"}]})
    assert sorted(code for code, _, _ in found) == ["deceased", "email", "gender", "telecom"]


def test_a_keyed_range_is_given_the_parent_that_holds_its_code():
    code = {"coding": [{"code": "8480-6"}]}
    part = {"code": code, "valueQuantity": {"value": 120}}
    found = seen("Observation", {"status": "final", "code": {"text": "x"}, "component": [part]})
    parent = next(parent for name, _, parent in found if name == "component-value-quantity")
    assert parent.code.coding[0].code == "8480-6"


def test_covered_parameters_and_own_columns_are_not_visited():
    found = seen("Patient", {"id": "p", "name": [{"family": "Lê"}], "meta": {"lastUpdated": "2020-01-01T00:00:00Z"}})
    assert {"_id", "_lastUpdated", "phonetic"}.isdisjoint(code for code, _, _ in found)


def test_the_subject_ranks_before_the_performer():
    known = parameters("Observation")
    ranks = [slot(known[code], known[code].paths[0]).rank for code in ("subject", "performer", "encounter")]
    assert ranks == [0, 1, -1]


def test_every_leaf_of_every_type_has_an_emitter():
    unhandled = set()
    for type_name in ("Patient", "Observation", "Questionnaire", "Location", "RiskAssessment", "Invoice", "Bundle"):
        for parameter in parameters(type_name).values():
            if parameter.kind != "composite":
                unhandled |= {(parameter.kind, p.type) for p in parameter.paths} - EMITTERS.keys()
    assert unhandled == set()
