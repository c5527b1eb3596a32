"""What expressions give: a table to read as documentation, the ports, and the words of refusals."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from yersin import fhir
from yersin.fhir import r4
from yersin.fhir.path import CannotEvaluate, Environment, NotFHIRPath, compiled
from yersin.fhir.path.conversion import to_text
from yersin.fhir.path.items import data

PATIENT = {
    "resourceType": "Patient",
    "id": "example",
    "active": True,
    "gender": "male",
    "deceasedBoolean": False,
    "birthDate": "1974-12-25",
    "_birthDate": {
        "extension": [{"url": "http://example.vn/birth-time", "valueDateTime": "1974-12-25T14:35:45-05:00"}]
    },
    "name": [
        {"use": "official", "family": "Chalmers", "given": ["Peter", "James"]},
        {"use": "usual", "given": ["Jim"]},
        {"use": "maiden", "family": "Windsor", "given": ["Peter", "James"]},
    ],
    "contained": [{"resourceType": "Organization", "id": "o", "name": "Trạm"}],
    "managingOrganization": {"reference": "#o"},
}
OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
    "valueQuantity": {"value": 185, "unit": "lbs", "system": "http://unitsofmeasure.org", "code": "[lb_av]"},
}
#: an expression and what it gives, items apart by |; ERR where it is refused
TABLE = r"""
1 + 2 * 3                                                                 7
2 + 2 / 4 - 1 * 3                                                         -0.5
5 mod 2 + 7 div 2                                                         4
1.0 / 0
2147483647 + 1
-(1 | 2)                                                                  ERR
0.lowBoundary()                                                           -0.50000000
0.0.highBoundary()                                                        0.05000000
0.004.lowBoundary(1)                                                      0.0
3 '1' + 2                                                                 5 '1'
3 - 0.5 '1'                                                               2.5 '1'
2 * 6 months                                                              12 month
2 * 1 year = 24 months                                                    true
@2024-01-31 + 1 * 1 month                                                 2024-02-29
1.100 ~ 1.101                                                             true
1.101 ~ 1.112                                                             false
10 ~ 13                                                                   false
'a  b' ~ 'a b'                                                            false
'A\tb' ~ 'a B'                                                            true
'\p\3\u005'                                                               p3u005
1.comparable(2 '1')                                                       true
1.comparable(1 'm')                                                       false
'a'.comparable(1)                                                         false
name.given.getValue()
active.getValue()                                                         true
(1 | 2.5 | 3).sum()                                                       6.5
(1 'cm').combine(1 'm').sum() = 101 'cm'                                  true
(2 | 3).avg()                                                             2.5
(2 | 1 | 3).min()                                                         1
('b' | 'c' | 'a').max()                                                   c
(1 | 'a').max()                                                           ERR
(1 'm' | 1 'g').max()
{}.sum()
1 & 'b'                                                                   ERR
'abc' & {} & 'd'                                                          abcd
'a' + {}
true xor true                                                             false
1 = 1 and 2 = 2                                                           true
{} in (1|2)
1 in {}                                                                   false
(1 | 2).subsetOf(1 | 2 | 3)                                               true
1.combine(1).combine(2)                                                   1|1|2
name.given | name.family                                                  Peter|James|Jim|Chalmers|Windsor
name.select(given.first() & ' ' & family).first()                         Peter Chalmers
name.where($index = 1).use                                                usual
name.given.select($index)                                                 0|1|2|3|4
name.exists(given = 'Jim')                                                true
name.sort(-family, -given.first()).first().use                            usual
Patient.ofType(Bundle)
Patient is DomainResource                                                 true
Patient is System.Patient                                                 false
active.is(FHIR.boolean)                                                   true
active is Boolean                                                         false
gender.is(string)                                                         true
gender.as(code)                                                           male
gender.ofType(string)
deceased is boolean                                                       true
deceased.ofType(boolean)                                                  false
deceased.ofType(dateTime)
birthDate.substring(0, 4).toInteger()                                     1974
birthDate.extension('http://example.vn/birth-time').value                 1974-12-25T14:35:45-05:00
birthDate.extension('http://example.vn/other').empty()                    true
birthDate.hasValue()                                                      true
managingOrganization.resolve().name                                       Trạm
contained.is(Organization)                                                true
id.type().name                                                            id
1.type().namespace                                                        System
@1973-12-25 + 1 'd'                                                       1973-12-26
@1973-12-25 + 1 'mo'                                                      ERR
@1973-12-25 + 7.7 days                                                    1974-01-01
@1973-12-25T00:00:00.000+10:00 + 0.1 's'                                  1973-12-25T00:00:00.100+10:00
@2016-02-29 + 1 year                                                      2017-02-28
@2014 + 24 months                                                         2016
@2014 + 23 months                                                         2015
@2016 + 365 days                                                          2017
@T23:00:00 + 50 hours                                                     01:00:00
@T23:00:00 + 1 day                                                        ERR
@2018-03-01T10:30:00 = @2018-03-01T10:30:00.000                           true
@2017-11-05T01:30:00.0-04:00 = @2017-11-05T00:30:00.0-05:00               true
@2012-04-15T15:00:00Z = @2012-04-15T10:00:00
@2012-04-15T15:00:00Z > @2012-04-12T10:00:00                              true
@2018-03 < @2018-03-01
@2018-02 < @2018-03-01                                                    true
2.0 'cm' * 2.0 'm' = 0.040 'm2'                                           true
3 'm' + 3 'cm' = 303 'cm'                                                 true
12 'cm' * 3 'cm'                                                          36 'cm2'
12 'cm2' / 3 'cm' = 4 'cm'                                                true
2 * 3 'mg'                                                                6 'mg'
10 'mg' > 1 'g'                                                           false
5 'mg' = 0.005 'g'                                                        true
4 'g' ~ 4040 'mg'                                                         true
7 days = 1 'wk'                                                           true
1 year = 1 'a'
1 year ~ 1 'a'                                                            true
1 year = 12 months                                                        true
1 'cm' = 1 's'
1 'cm' ~ 1 's'                                                            false
37 'Cel' = 310.15 'K'                                                     true
'y'.toBoolean()                                                           true
'2.5'.toInteger()
'T12:00'.toTime()                                                         12:00
@2014-01.toDateTime()                                                     2014-01
1 'g'.toQuantity('mg')                                                    1000 'mg'
'1 wk'.toQuantity()
'12345'.substring(1, 1)                                                   2
'12345'.substring(-1)
'ABC'.toChars()                                                           A|B|C
'<a>'.escape('html')                                                      &lt;a&gt;
'a'.encode('hex')                                                         61
'\ud83d\ude00'.encode('hex')                                              f09f9880
'\\ud83d'.unescape('json').encode('hex')                                  5c7564383364
'123'.replaceMatches('(\\d)', '$1-')                                      1-2-3-
81.sqrt() = 9                                                             true
(-1).sqrt()
16.log(2)                                                                 4
2.power(0.5).round(2)                                                     1.41
1.587.lowBoundary(2)                                                      1.58
(-1.587).highBoundary(0)                                                  -1
@T10:30.highBoundary(9)                                                   10:30:59.999
@2014.lowBoundary(6)                                                      2014-01
(1|2|3).aggregate($total + $this, 0)                                      6
defineVariable('n', name.first()).select(%n.given)                        Peter|James
defineVariable('n', 1).select(%n) | select(%n)                            ERR
defineVariable('n').defineVariable('n')                                   ERR
defineVariable('context', 1)                                              ERR
%sct                                                                      http://snomed.info/sct
%`ext-birth`                                                              http://hl7.org/fhir/StructureDefinition/birth
%foo                                                                      ERR
name.foo()                                                                ERR
name.nothing
"""
ROWS = [(line[:74].strip(), line[74:]) for line in TABLE.strip().splitlines()]


def given(text: str, resource: Any) -> str:
    try:
        return "|".join(to_text(data(item)) or repr(item) for item in compiled(text)(resource))
    except (NotFHIRPath, CannotEvaluate):
        return "ERR"


@pytest.mark.parametrize(("text", "expected"), ROWS, ids=[text for text, _ in ROWS])
def test_an_expression_gives_the_same_over_json_and_structs(text: str, expected: str) -> None:
    assert given(text, PATIENT) == expected
    assert given(text, fhir.parse(fhir.encode(struct(PATIENT)))) == expected


def struct(resource: dict[str, Any]) -> Any:
    return msgspec.convert(resource, r4.AnyResource)


def test_a_quantity_of_fhir_compares_with_one_of_the_expression() -> None:
    assert compiled("Observation.value > 180.0 '[lb_av]'").holds(OBSERVATION)
    assert compiled("Observation.value ~ 83.9 'kg'").holds(OBSERVATION)
    assert not compiled("Observation.value = 185 'kg'").holds(OBSERVATION)
    assert compiled("(Observation.value as Quantity).unit").values(OBSERVATION) == ["lbs"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name.given.", "not complete (line 1, column 12, at its end"),
        ("1 +\n  * 2", "missing before this (line 2, column 3, near '* 2'"),
        ("name.where(use = 'x'", "«)» is missing (line 1, column 21, at its end"),
        ("'never", "not closed (line 1, column 1"),
        ("@2015-02-30", "no such day or time (line 1, column 1"),
        ("a is Nothing", "no type Nothing (line 1, column 6"),
        ("'\\ud83d'.encode('hex')", "half a character"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(NotFHIRPath, match="of the expression") as refused:
        compiled(text)
    assert words in refused.value.issues[0].diagnostics


class Known:
    """Terminology, resources and profiles of this test."""

    def member_of(self, system: str, code: str, value_set: str) -> bool | None:
        return None if value_set == "http://example.vn/unknown" else (system, code) == ("http://loinc.org", "29463-7")

    def subsumes(self, system: str, parent: str, child: str) -> bool | None:
        return parent == child or (parent == "any" and system == "http://loinc.org")

    def resolve(self, reference: str) -> Any:
        return PATIENT if reference == "Patient/example" else None

    def conforms(self, _resource: Any, profile: str) -> bool | None:
        return True if profile == "http://example.vn/profile" else None


def test_ports_answer_what_only_upper_floors_know() -> None:
    known = Known()
    all_of_it = Environment(terms=known, resolver=known, profiles=known)
    observation = {**OBSERVATION, "subject": {"reference": "Patient/example"}, "focus": [{"reference": "Patient/gone"}]}
    for text, expected in {
        "code.memberOf('http://example.vn/vs')": [True],
        "code.coding.memberOf('http://example.vn/unknown')": [],
        "status.memberOf('http://example.vn/vs')": [False],
        "code.subsumes(code)": [True],
        "subject.resolve().name.first().family": ["Chalmers"],
        "focus.resolve()": [],
        "conformsTo('http://example.vn/profile')": [True],
        "conformsTo('http://hl7.org/fhir/StructureDefinition/Patient')": [False],
    }.items():
        assert compiled(text).values(observation, all_of_it) == expected, text
    with pytest.raises(CannotEvaluate, match="not known"):
        compiled("conformsTo('http://example.vn/other')")(observation, all_of_it)
    with pytest.raises(CannotEvaluate, match="profiles are not at hand"):
        compiled("conformsTo('http://example.vn/profile')")(observation)
    with pytest.raises(CannotEvaluate, match="terminology"):
        compiled("code.memberOf('http://example.vn/vs')")(observation)


def test_references_inside_a_bundle_are_found_there() -> None:
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": PATIENT},
        {"resource": {**OBSERVATION, "subject": {"reference": "urn:uuid:1"}}},
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    assert compiled("entry.resource.ofType(Observation).subject.resolve().id").values(bundle) == ["example"]


def test_trace_tells_and_never_prints(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[str, int]] = []
    environment = Environment(trace=lambda name, items: seen.append((name, len(items))))
    assert len(compiled("name.trace('names', given)")(PATIENT, environment)) == 3
    assert seen == [("names", 5)]
    assert capsys.readouterr() == ("", "")


def test_time_stands_still_in_one_evaluation() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    environment = Environment(now=moment)
    assert compiled("now() | today() | timeOfDay()").values(None, environment) == [
        "2026-01-02T03:04:05.678Z", "2026-01-02", "03:04:05.678",
    ]  # fmt: skip
    assert compiled("now() = now()").holds(None)


def test_a_strict_expression_refuses_what_a_type_does_not_have() -> None:
    for text in ("name.given1", "Encounter.status", "deceasedBoolean", "children().first()"):
        assert len(compiled(text)(PATIENT)) < 2
        with pytest.raises(CannotEvaluate):
            compiled(text, strict=True)(PATIENT)


def test_only_variables_that_will_be_there_are_compiled() -> None:
    assert compiled("%a + 1", known={"a"})(None, Environment(variables={"a": 1})) == [2]
    with pytest.raises(CannotEvaluate, match="%b"):
        compiled("%b + 1", known={"a"})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("name.given", ["a", None, None]),
        ("name.given.id", ["x", "y"]),
        ("name.given.join(',')", ["a"]),
        ("name.given.getValue()", []),
    ],
)
def test_what_stands_beside_values_may_be_more_than_they(path: str, expected: list[Any]) -> None:
    name = {"given": ["a"], "_given": [None, {"id": "x"}, {"id": "y"}]}
    assert compiled(path).values({"resourceType": "Patient", "name": [name]}) == expected
