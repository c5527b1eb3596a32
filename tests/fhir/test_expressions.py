"""Search expressions: parsed, resolved, compiled. Source: https://hl7.org/fhir/R4/searchparameter-registry.html"""

from __future__ import annotations

from types import SimpleNamespace as Of

import pytest

from yersin.fhir import r4
from yersin.fhir.expressions import extractor, path, resolve
from yersin.fhir.parameters import parameters, resource_types
from yersin.fhir.problem import Problem

ELEMENTS = {
    ("Patient", "telecom"): [("telecom", "ContactPoint", True, "")],
    ("ContactPoint", "system"): [("system", "code", False, "")],
    ("Patient", "class"): [("class", "code", False, "")],
    ("Patient", "link"): [("link", "Reference", True, "")],
    ("Patient", "deceased"): [
        ("deceasedBoolean", "boolean", False, ""),
        ("deceasedDateTime", "dateTime", False, ""),
    ],
    ("Patient", "extension"): [("extension", "Extension", True, "")],
}


class Small:
    """A schema of a few elements."""

    def children(self, type_name, name):
        return ELEMENTS.get((type_name, name), [])


def texts(expression):
    return [str(p) for p in resolve(expression, "Patient", Small())]


RESOLVED = """
Patient.telecom                                         => telecom[]:ContactPoint
Person.telecom | Patient.telecom                        => telecom[]:ContactPoint
Patient.telecom.where(system='phone')                   => telecom[]{system=phone}:ContactPoint
Patient.link.where(resolve() is Patient)                => link[]{is Patient}:Reference
Patient.class                                           => class_:code
(Patient.deceased as dateTime)                          => deceasedDateTime:dateTime
Patient.deceased.as(DateTime)                           => deceasedDateTime:dateTime
Patient.deceased.ofType(boolean)                        => deceasedBoolean:boolean
Patient.link[0]                                         => link[]{0}:Reference
Patient.extension('http://e.org/x')                     => extension[]{extension http://e.org/x}:Extension
Patient.deceased.exists() and Patient.deceased != false => ?deceasedBoolean,deceasedDateTime!=false:boolean
"""


@pytest.mark.parametrize("line", RESOLVED.strip().splitlines())
def test_an_expression_resolves_to_its_path_and_the_path_reads_back(line):
    expression, wanted = (part.strip() for part in line.split("=>"))
    assert texts(expression) == [wanted]
    assert str(path(wanted)) == wanted


@pytest.mark.parametrize(
    "bad", ["Patient.nothing", "Patient.telecom.first()", "Patient.", "Patient.telecom.where(1 > 2)", "§"]
)
def test_what_lies_outside_the_subset_is_refused(bad):
    with pytest.raises(Problem):
        texts(bad)


def values(text, resource):
    return extractor((path(text),))(resource)


def test_a_condition_keeps_what_it_names_and_drops_the_rest():
    phone, mail = Of(system="phone"), Of(system="email")
    assert values("telecom[]{system=phone}:ContactPoint", Of(telecom=[phone, mail])) == [phone]
    assert values("telecom[]:ContactPoint", Of(telecom=None)) == []


def test_a_reference_is_told_by_its_text():
    rows = [
        Of(reference="Patient/1", type=None),
        Of(reference="http://e.org/fhir/Patient/2", type=None),
        Of(reference="Practitioner/3", type=None),
        Of(reference=None, type="Patient"),
        Of(reference=None, type=None),
    ]
    assert values("link[]{is Patient}:Reference", Of(link=rows)) == [rows[0], rows[1], rows[3]]


def test_the_first_is_the_first_alone():
    assert values("link[]{0}:Reference", Of(link=["a", "b"])) == ["a"]


@pytest.mark.parametrize(
    ("flag", "when", "dead"), [(True, None, True), (False, None, False), (None, "2020", True), (None, None, False)]
)
def test_deceased_is_true_for_a_date_or_true_and_false_otherwise(flag, when, dead):
    patient = Of(deceasedBoolean=flag, deceasedDateTime=when)
    assert values("?deceasedBoolean,deceasedDateTime!=false:boolean", patient) == [dead]


def test_an_extension_is_found_by_its_url():
    one, other = Of(url="http://e.org/x", valueString="a"), Of(url="http://e.org/y", valueString="b")
    found = values("extension[]{extension http://e.org/x}.valueString:string", Of(extension=[other, one]))
    assert found == ["a"]


@pytest.mark.parametrize("type_name", resource_types())
def test_every_parameter_of_the_type_compiles_and_names_elements_that_exist(type_name):
    struct = getattr(r4, type_name)
    for parameter in parameters(type_name).values():
        assert parameter.paths
        extractor(parameter.paths)
        for one in parameter.paths:
            names = [s.name for s in one.steps[:1]] + list(one.either)
            assert set(names) <= set(struct.__struct_fields__)
