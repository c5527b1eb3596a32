"""The table of parameters and compartments. Source: https://hl7.org/fhir/R4/searchparameter-registry.html"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from yersin.fhir import ucum
from yersin.fhir.parameters import compartment, main_date, parameters, resource_types, sorted_strings

ROOT = Path(__file__).parents[2]
DEFINITIONS = Path(os.environ.get("YERSIN_SHARED", ROOT.parent / "shared")) / "data/fhir-r4/definitions"
needs_definitions = pytest.mark.skipif(not DEFINITIONS.is_dir(), reason="HL7's definitions are not beside the checkout")


@needs_definitions
def test_the_table_is_as_generated():
    done = subprocess.run(
        [sys.executable, ROOT / "tools/generate_search.py", "--check"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout


@needs_definitions
def test_no_usable_parameter_of_the_specification_is_missing():
    missing = []
    with gzip.open(DEFINITIONS / "SearchParameter.ndjson.gz", "rt", encoding="utf-8") as lines:
        for one in map(json.loads, lines):
            if one.get("expression"):
                bases = [b for b in one.get("base", ()) if b in resource_types()]
                missing += [(b, one["code"]) for b in bases if one["code"] not in parameters(b)]
    assert missing == [("Patient", "part-agree")]  # an example whose expression speaks of DocumentReference


def test_numbers_are_unique_in_a_type_and_resource_comes_first():
    for type_name in resource_types():
        numbers = [p.number for p in parameters(type_name).values()]
        assert len(set(numbers)) == len(numbers)
    assert parameters("Patient")["_tag"].number < 16 <= parameters("Patient")["active"].number


@pytest.mark.parametrize(
    ("type_name", "code"),
    [
        ("Observation", "date"),
        ("Encounter", "date"),
        ("Patient", "birthdate"),
        ("Condition", "onset-date"),
        ("Immunization", "date"),
        ("MedicationRequest", "authoredon"),
        ("ServiceRequest", "authored"),
        ("Task", "authored-on"),
    ],
)
def test_the_main_date_of_a_type(type_name, code):
    found = main_date(type_name)
    assert found is not None
    assert found.code == code


def test_types_without_a_date_have_no_main_date():
    assert main_date("Organization") is None


def test_only_dates_without_times_are_calendar_days():
    assert parameters("Patient")["birthdate"].calendar
    assert not parameters("Patient")["death-date"].calendar
    assert not parameters("Observation")["date"].calendar


def test_a_union_of_other_parameters_stores_nothing_of_its_own():
    known = parameters("Observation")
    assert known["combo-code"].covers == ("code", "component-code")
    assert known["code"].covers == ()
    ranges = {known["value-quantity"].number, known["component-value-quantity"].number}
    assert set(known["combo-value-quantity"].rows) == ranges == set(known["combo-code-value-quantity"].rows)


def test_composites_say_how_they_are_answered():
    known = parameters("Observation")
    assert known["code-value-quantity"].form == "rows"
    assert known["component-code-value-concept"].form == "pair"
    assert known["code-value-concept"].form == "and"


def test_compartments_name_the_subject_first_and_this_projects_own_members():
    assert compartment("Patient", "Observation") == ("subject", "performer")
    assert compartment("Patient", "Task") == ("patient",)
    assert compartment("Patient", "Organization") == ()
    assert compartment("Encounter", "Observation") == ("encounter",)


def test_an_unknown_type_has_no_parameters():
    assert parameters("Nothing") == {}
    assert sorted_strings("Patient")[0] == "address"


# value unit => value unit: published conversions (UCUM's table of units, NIST SP 811).
CONVERSIONS = """
1 [lb_av]      => 453.59237 g
98.6 [degF]    => 37 Cel
120 mm[Hg]     => 15.99864 kPa
1 [in_i]       => 2.54 cm
7 mmol/L       => 0.007 mol/L
100 mg/dL      => 1 g/L
5 10*9/L       => 5000 10*6/L
1 10*3/uL      => 1 10*9/L
60 {beats}/min => 1 /s
1 g%           => 10 g/L
1 kcal         => 4184 J
1 kg.m/s2      => 1 N
2 wk           => 14 d
50 %           => 0.5 1
1 [foz_us]     => 29.5735295625 mL
25 kg/m2       => 25000 g/m2
"""


def meaning(text):
    found = ucum.unit(text)
    assert found is not None
    return found


@pytest.mark.parametrize("line", CONVERSIONS.strip().splitlines())
def test_a_quantity_equals_its_published_conversion(line):
    (one, this), (two, that) = (side.split() for side in line.split("=>"))
    left, right = meaning(this), meaning(that)
    assert left.base == right.base
    assert float(left.canonical(Decimal(one))) == pytest.approx(float(right.canonical(Decimal(two))), rel=1e-12)


@pytest.mark.parametrize(
    "unknown", ["", "foo", "mg//L", "(g", "mm Hg", "k[lb_av]", "g99", "((((((((((((((g))))))))))))))", "m" * 200]
)
def test_what_is_no_known_unit_stays_raw(unknown):
    assert ucum.unit(unknown) is None


def test_arbitrary_units_and_moles_convert_to_nothing_else():
    assert len({meaning(text).base for text in ("[iU]/L", "mol/L", "g/L")}) == 3
