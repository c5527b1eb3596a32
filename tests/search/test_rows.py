"""Index rows: what is found by a row, what is not, and every example of the specification."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from yersin.fhir import r4
from yersin.fhir.parameters import parameters, sorted_strings
from yersin.search.folding import sort_key
from yersin.search.rows import Indexer
from yersin.search.tokens import key_text

SHARED = Path(os.environ.get("YERSIN_SHARED", Path(__file__).parents[3] / "shared"))
EXAMPLES = SHARED / "data/fhir-r4/examples/r4-examples.ndjson.gz"
INDEXER = Indexer(bytes(range(16)), ZoneInfo("Asia/Ho_Chi_Minh"), base="http://here/fhir")
UCUM = "http://unitsofmeasure.org"


def row(type_name, **content):
    return INDEXER.index(msgspec.convert({"resourceType": type_name} | content, getattr(r4, type_name)))


def holds(found, *texts):
    return [t for t in texts if INDEXER.hashes([t])[0] in found.tok]


def observation(**content):
    code = {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}
    return row("Observation", **({"status": "final", "code": code} | content))


PATIENT = row(
    "Patient",
    id="p1",
    active=True,
    identifier=[{"system": "urn:cccd", "value": "999-000Ab", "type": {"coding": [{"system": "v2", "code": "NI"}]}}],
    name=[{"family": "Nguyễn", "given": ["Văn", "Đạt"]}],
    telecom=[{"system": "phone", "value": "+84 900 000 123"}],
    gender="male",
    birthDate="1980-05-01",
    contained=[{"resourceType": "Organization", "id": "o", "name": "Ẩn"}],
    managingOrganization={"reference": "#o"},
    generalPractitioner=[{"reference": "http://here/fhir/Practitioner/d/_history/3"}],
)

# Texts the patient's row holds, and beside each one like it that it must not hold.
KEPT = """
gender|*|male                                            gender|*|female
gender|http://hl7.org/fhir/administrative-gender|male    gender|http://e.org|male
identifier|urn:cccd|999-000Ab                            identifier|urn:cccd|999-000ab
identifier|urn:cccd|                                     identifier|urn:other|
identifier|*|999-000Ab                                   identifier||999-000Ab
identifier:of-type|v2|ni|999-000Ab                       identifier:of-type|v2|mr|999-000Ab
family^nguy                                              family^nguyx
given^da                                                 given^ng
name^nguyen                                              name^yen
family:exact=Nguyễn                                      family:exact=nguyễn
phone|*|0900000123                                       email|*|0900000123
telecom|phone|0900000123                                 telecom|email|0900000123
~word^d                                                  ~word^a
~word^dat                                                ~word^at
~phone|0900000123                                        ~phone|900000123
~id|999000ab                                             ~id|999
~year|1980                                               ~year|1981
active|*|true                                            active|*|false
deceased|*|false                                         deceased|*|true
general-practitioner>Practitioner/d                      general-practitioner>Practitioner/d/_history/3
in>Patient/p1                                            in>Patient/p2
active?                                                  link?
organization?                                            link?
"""


@pytest.mark.parametrize("line", KEPT.strip().splitlines())
def test_a_patient_is_found_by_this_and_not_by_that(line):
    kept, other = line.split()
    assert holds(PATIENT, kept, other) == [kept]


def test_tokens_are_sorted_unique_and_fit_a_bigint():
    assert PATIENT.tok == sorted(set(PATIENT.tok))
    assert all(-(2**63) <= t < 2**63 for t in PATIENT.tok)


def test_a_birthday_is_a_day_of_utc_and_no_range_row():
    assert (PATIENT.d_lo, PATIENT.d_hi) == (datetime(1980, 5, 1, tzinfo=UTC), datetime(1980, 5, 2, tzinfo=UTC))
    assert PATIENT.ranges == []


def test_text_lines_name_their_parameters_and_contained_resources_give_nothing():
    known = parameters("Patient")
    lines = PATIENT.txt.split("\n")
    assert f"|{known['name'].number}|{known['family'].number}=nguyen" in lines
    assert "an" not in "".join(lines).replace("van", "")


def test_sort_keys_stand_in_the_fixed_order_of_the_string_parameters():
    place = sorted_strings("Patient").index("family")
    assert PATIENT.srt[place] == sort_key("Nguyễn")
    assert len(PATIENT.srt) == len(sorted_strings("Patient"))


def test_an_exact_quantity_gives_a_raw_and_a_canonical_row_keyed_by_its_code():
    found = observation(valueQuantity={"value": 120, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"})
    number = parameters("Observation")["value-quantity"].number
    key = INDEXER.hashes([key_text("8480-6")])[0]
    assert [tuple(r) for r in found.ranges] == [
        (number, key, 120.0, 120.0, f"{UCUM}|mm[Hg]"),
        (number, key, 15998640.0, 15998640.0, "=g.m-1.s-2"),
    ]


def test_a_comparator_opens_one_end_and_a_free_unit_gives_no_canonical_row():
    [low] = observation(valueQuantity={"value": 5, "comparator": "<", "unit": "viên"}).ranges
    assert (low.lo, low.hi, low.unit) == (float("-inf"), 5.0, "|viên")


def test_components_are_keyed_by_their_own_code():
    part = {"code": {"coding": [{"code": "8462-4"}]}, "valueQuantity": {"value": 80}}
    [found] = observation(component=[part]).ranges
    assert found.key == INDEXER.hashes([key_text("8462-4")])[0] != INDEXER.hashes([key_text("8480-6")])[0]


def test_paired_codes_match_together_only():
    def part(code, value):
        return {"code": {"coding": [{"code": code}]}, "valueCodeableConcept": {"coding": [{"code": value}]}}

    found = observation(component=[part("a", "x"), part("b", "y")])
    name = "component-code-value-concept$*|"
    assert holds(found, f"{name}a$*|x", f"{name}a$*|y", f"{name}b$*|y") == [f"{name}a$*|x", f"{name}b$*|y"]


def test_every_patient_named_is_in_the_compartment_the_subject_first():
    found = observation(performer=[{"reference": "Patient/mother"}], subject={"reference": "Patient/child"})
    assert found.patients == ["child", "mother"]
    assert holds(found, "in>Patient/child", "in>Patient/mother", "in>Patient/other") == [
        "in>Patient/child",
        "in>Patient/mother",
    ]


def test_a_task_lies_in_its_patients_compartment_and_an_organization_in_none():
    task = row("Task", status="requested", intent="order", **{"for": {"reference": "Patient/p1"}})
    assert task.patients == ["p1"]
    assert row("Organization", name="Trạm y tế").patients == []


def test_a_date_without_zone_is_read_in_the_zone_given_and_open_periods_reach_to_infinity():
    assert observation(effectiveDateTime="2020-01-01").d_lo == datetime(2019, 12, 31, 17, tzinfo=UTC)
    found = row(
        "Encounter",
        status="finished",
        **{"class": {"code": "AMB"}},
        location=[{"location": {"reference": "Location/1"}, "period": {"start": "2020-01-01T00:00:00Z"}}],
    )
    [found_range] = found.ranges
    assert (found_range.lo, found_range.hi) == (1577836800.0, float("inf"))


def test_a_reference_by_identifier_alone_is_found_by_it():
    found = observation(subject={"identifier": {"system": "urn:cccd", "value": "9"}})
    assert holds(found, "subject:identifier|urn:cccd|9", "subject:identifier|urn:other|9", "subject?") == [
        "subject:identifier|urn:cccd|9",
        "subject?",
    ]


def test_sampled_data_spans_its_samples():
    data = {"origin": {"value": 10}, "period": 1, "factor": 2, "dimensions": 1, "data": "1 E 5 -1"}
    [found] = observation(valueSampledData=data).ranges
    assert (found.lo, found.hi) == (8.0, 20.0)


def test_the_same_resource_gives_the_same_row_twice():
    one = observation(subject={"reference": "Patient/p1"})
    assert one == observation(subject={"reference": "Patient/p1"})
    assert one != observation(subject={"reference": "Patient/p2"})


@pytest.mark.skipif(not EXAMPLES.is_file(), reason="HL7's examples are not beside the checkout")
def test_every_example_of_the_specification_is_indexed():
    count = 0
    with gzip.open(EXAMPLES) as lines:
        for line in lines:
            resource = msgspec.json.decode(line, type=r4.AnyResource)
            found = INDEXER.index(resource)
            count += 1
            assert len(found.srt) == len(sorted_strings(type(resource).__name__))
            assert all(r.lo <= r.hi or r.param < 0 for r in found.ranges if type(resource).__name__ != "Location")
    assert count == 371
