"""The demo country: the same bytes again, valid FHIR, references backwards, and histories that make sense."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import date
from hashlib import sha256
from itertools import islice
from statistics import mean, median

import pytest

from yersin.app.demo import places
from yersin.app.demo.cast import demo_people
from yersin.app.demo.country import generate, population, population_by_province
from yersin.fhir import parse
from yersin.fhir.problem import Problem
from yersin.registry import units_data

TODAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def batches():
    return list(generate("small", 1, TODAY))


@pytest.fixture(scope="module")
def resources(batches):
    return [made for batch in batches for made in batch]


@pytest.fixture(scope="module")
def kinds(resources):
    sorted_out = defaultdict(list)
    for made in resources:
        sorted_out[made["resourceType"]].append(made)
    return sorted_out


@pytest.fixture(scope="module")
def born(kinds):
    return {f"Patient/{made['id']}": date.fromisoformat(made["birthDate"]) for made in kinds["Patient"]}


@pytest.fixture(scope="module")
def diagnoses(kinds):
    found = defaultdict(set)
    for made in kinds["Condition"]:
        found[made["subject"]["reference"]].add(made["code"]["coding"][0]["code"])
    return found


def _digest(batches) -> str:
    return sha256(b"".join(json.dumps(batch, ensure_ascii=False).encode() for batch in batches)).hexdigest()


def _references(value):
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


def _code(made):
    return made["code"]["coding"][0]["code"]


def _values(kinds, loinc):
    found = defaultdict(list)
    for made in kinds["Observation"]:
        if _code(made) == loinc:
            found[made["subject"]["reference"]].append(made["valueQuantity"]["value"])
    return found


def _systolic(kinds):
    found = defaultdict(list)
    for made in kinds["Observation"]:
        if _code(made) == "85354-9":
            found[made["subject"]["reference"]].append(made["component"][0]["valueQuantity"]["value"])
    return found


def test_the_same_seed_gives_the_same_bytes():
    first, again = (_digest(islice(generate("small", 7, TODAY), 330)) for _ in range(2))
    assert first == again
    assert first != _digest(islice(generate("small", 8, TODAY), 330))


def test_the_small_country_has_the_promised_size(resources, kinds):
    assert len(kinds["Patient"]) == 1500
    assert 54_000 <= len(resources) <= 66_000


def test_every_resource_is_valid_r4(resources):
    for made in resources[::4]:
        try:
            parse(json.dumps(made).encode())
        except Problem as refused:
            pytest.fail(f"{made['resourceType']}/{made['id']}: {refused}")


def test_every_id_is_unique_and_every_reference_points_backwards(resources):
    seen: set[str] = set()
    for made in resources:
        key = f"{made['resourceType']}/{made['id']}"
        assert key not in seen
        assert [one for one in _references(made) if one not in seen] == []
        seen.add(key)


def test_every_resource_is_marked_as_invented(resources):
    assert all(made["meta"]["tag"][0]["code"] == "HTEST" for made in resources)


def test_identity_numbers_are_unique_and_of_the_test_ranges(kinds):
    numbers: Counter[tuple[str, str]] = Counter()
    for made in kinds["Patient"]:
        for one in made["identifier"]:
            numbers[one["system"], one["value"]] += 1
            if one["system"].endswith("national_id"):
                assert one["value"].startswith("999")
                assert len(one["value"]) == 12
                assert one["value"][4:6] == made["birthDate"][2:4]
            elif one["system"].endswith("insurance_number"):
                assert one["value"][3:7] == "9999"
                assert len(one["value"]) == 15
    assert max(numbers.values()) == 1
    assert all(made["telecom"][0]["value"].startswith("+84 900 00") for made in kinds["Patient"] if "telecom" in made)


def test_addresses_are_in_real_communes(kinds):
    units = units_data.bundled()
    for made in kinds["Patient"]:
        parts = made["address"][0]["extension"][0]["extension"]
        codes = {part["url"]: part["valueCodeableConcept"]["coding"][0]["code"] for part in parts}
        commune = units.find(codes["ward"], TODAY)
        assert commune is not None
        assert commune.parent == codes["state"]
        assert commune.full_name == made["address"][0]["district"]


def test_ages_look_like_those_of_vietnam(born):
    years = [(TODAY - day).days / 365.25 for day in born.values()]
    assert min(years) >= 0
    assert max(years) < 106
    assert 27 < median(years) < 39
    assert 0.17 < mean(age < 15 for age in years) < 0.3
    assert 0.06 < mean(age >= 65 for age in years) < 0.15


def test_nothing_happens_before_birth_after_death_or_tomorrow(resources, born, kinds):
    died = {
        f"Patient/{made['id']}": made["deceasedDateTime"] for made in kinds["Patient"] if "deceasedDateTime" in made
    }
    assert died
    for made in resources:
        who = (made.get("subject") or made.get("patient") or {}).get("reference")
        when = made.get("occurrenceDateTime") or made.get("effectiveDateTime") or made.get("authoredOn")
        when = when or made.get("period", {}).get("start")
        if who in born and when:
            assert born[who].isoformat() <= when[:10] <= TODAY.isoformat(), made
            assert who not in died or when[:10] <= died[who]


def test_no_man_is_pregnant_and_no_child_gives_birth(kinds, born, diagnoses):
    women = {f"Patient/{made['id']}" for made in kinds["Patient"] if made["gender"] == "female"}
    mothers = {who for who, found in diagnoses.items() if found & {"Z34.9", "O80.9", "O82.9"}}
    assert len(mothers) > 10
    assert mothers <= women
    assert all(TODAY.year - born[who].year >= 17 for who in mothers)


def test_hypertensives_have_higher_pressures_and_medicines(kinds, diagnoses):
    pressures = _systolic(kinds)
    ill = [mean(values) for who, values in pressures.items() if "I10" in diagnoses[who]]
    well = [mean(values) for who, values in pressures.items() if "I10" not in diagnoses[who]]
    assert len(ill) > 60
    assert mean(ill) > mean(well) + 10
    treated = {made["subject"]["reference"] for made in kinds["MedicationRequest"]}
    assert {who for who, found in diagnoses.items() if "I10" in found} <= treated


def test_no_diabetic_is_without_laboratory_results(kinds, diagnoses):
    long_sugar, sugar = _values(kinds, "4548-4"), _values(kinds, "14771-0")
    diabetics = {who for who, found in diagnoses.items() if "E11.9" in found}
    assert len(diabetics) > 20
    assert all(long_sugar[who] and sugar[who] for who in diabetics)
    assert mean(mean(long_sugar[who]) for who in diabetics) > 6.5
    assert set(long_sugar) - {who for who in long_sugar if not long_sugar[who]} <= diabetics


def test_nobody_is_given_what_she_is_allergic_to(kinds):
    allergic = {
        made["patient"]["reference"] for made in kinds["AllergyIntolerance"] if made["code"]["text"] == "Penicillin"
    }
    given = [made for made in kinds["MedicationRequest"] if made["subject"]["reference"] in allergic]
    codes = {made["medicationCodeableConcept"]["coding"][0]["code"] for made in given}
    assert len(given) > 20
    assert not {code for code in codes if code.startswith(("J01C", "J01D"))}


def test_flags_agree_with_their_limits(kinds):
    flagged: Counter[str] = Counter()
    for made in kinds["Observation"]:
        limits = made.get("referenceRange", [{}])[0]
        if "valueQuantity" in made and limits:
            flag, value = made["interpretation"][0]["coding"][0]["code"], made["valueQuantity"]["value"]
            flagged[flag] += 1
            if flag == "N":
                assert limits.get("low", {"value": 0})["value"] <= value <= limits.get("high", {"value": 9e9})["value"]
    assert flagged["N"] > flagged["H"] > 50


def test_vital_signs_are_within_what_a_living_body_shows(kinds):
    limits = {"8867-4": (40, 200), "8310-5": (35, 41.5), "9279-1": (8, 70), "59408-5": (80, 100), "29463-7": (2, 140)}
    limits |= {"8302-2": (42, 200), "39156-5": (11, 45), "8339-4": (1800, 5200)}
    for made in kinds["Observation"]:
        if _code(made) in limits:
            low, high = limits[_code(made)]
            assert low <= made["valueQuantity"]["value"] <= high, made


def test_children_grow(kinds, born):
    heights = defaultdict(list)
    for made in kinds["Observation"]:
        if _code(made) == "8302-2":
            heights[made["subject"]["reference"]].append((made["effectiveDateTime"], made["valueQuantity"]["value"]))
    children = [sorted(found) for who, found in heights.items() if TODAY.year - born[who].year < 16 and len(found) > 1]
    assert len(children) > 50
    for found in children:
        tall = [value for _, value in found]
        assert tall == sorted(tall)
        assert tall[0] < tall[-1]


def test_infants_have_the_doses_of_the_schedule_and_measles_waits_for_nine_months(kinds, born):
    given = defaultdict(list)
    for made in kinds["Immunization"]:
        given[made["patient"]["reference"]].append(made)
    toddlers = [who for who, day in born.items() if 3 * 365 > (TODAY - day).days > 2 * 365]
    assert mean(len(given[who]) for who in toddlers) > 11
    for who, doses in given.items():
        for made in doses:
            if made["vaccineCode"]["coding"][0]["code"] == "05":
                assert (date.fromisoformat(made["occurrenceDateTime"][:10]) - born[who]).days >= 270


def test_dengue_is_commoner_in_the_rains(kinds):
    months = Counter(int(one["onsetDateTime"][5:7]) for one in kinds["Condition"] if _code(one).startswith("A97"))
    assert sum(months[month] for month in range(6, 12)) > 2 * sum(months[month] for month in (1, 2, 3, 4, 5, 12))


def test_consultations_were_asked_by_stations_and_met_after_they_were_asked(kinds):
    hubs = {f"HealthcareService/{made['id']}" for made in kinds["HealthcareService"]}
    tasks = {made["focus"]["reference"]: made for made in kinds["Task"]}
    assert len(kinds["ServiceRequest"]) == len(tasks) > 25
    for made in kinds["ServiceRequest"]:
        task = tasks[f"ServiceRequest/{made['id']}"]
        assert made["performer"][0]["reference"] in hubs
        assert made["authoredOn"] < task["executionPeriod"]["start"] < task["executionPeriod"]["end"]
        assert task["executionPeriod"]["end"][:10] <= TODAY.isoformat()


def test_each_commune_has_a_station_and_each_station_three_hubs_in_order(kinds):
    stations = [made for made in kinds["Organization"] if made["name"].startswith("Trạm Y tế")]
    assert len(stations) == len(population("small"))
    for made in stations:
        links = [one for one in kinds["OrganizationAffiliation"] if _spoke(one) == f"Organization/{made['id']}"]
        assert [one["extension"][0]["valuePositiveInt"] for one in links] == [1, 2, 3]


def _spoke(made):
    return made["participatingOrganization"]["reference"]


def test_no_hospital_bears_a_name_without_the_mark_of_a_sample(kinds):
    assert all("(mẫu)" in made["name"] or made["name"].startswith("Trạm Y tế") for made in kinds["Organization"])


def test_the_cast_exists_and_the_two_cardiologists_share_a_pool(kinds):
    ids = {(made["resourceType"], made["id"]): made for group in kinds.values() for made in group}
    cast = {member.login: member for member in demo_people()}
    for member in cast.values():
        if member.patient_id:
            assert ids["Patient", member.patient_id]["name"][0]["text"] == member.name.text
        else:
            assert ids["Practitioner", member.practitioner_id]["name"][0]["text"] == member.name.text
            role = ids["PractitionerRole", member.practitioner_role_id]
            assert role["organization"]["reference"] == f"Organization/{member.organization_id}"
    pools = [
        ids["PractitionerRole", cast[login].practitioner_role_id]["healthcareService"]
        for login in ("chuyengia", "chuyengia2")
    ]
    assert pools[0] == pools[1]


def test_the_patient_of_the_cast_has_a_rich_record_and_a_pressure_above_target(kinds, diagnoses):
    patient = next(f"Patient/{member.patient_id}" for member in demo_people() if member.patient_id)
    assert {"I10", "E11.9", "E78.5"} <= diagnoses[patient]
    assert sum(made["subject"]["reference"] == patient for made in kinds["Observation"]) > 150
    assert mean(_systolic(kinds)[patient][-4:]) >= 135
    active = [made for made in kinds["MedicationRequest"] if made["subject"]["reference"] == patient]
    assert any(made["status"] == "active" for made in active)


def test_the_cast_is_the_same_from_every_seed():
    def cast_of(seed):
        wanted = {member.patient_id for member in demo_people()} - {None}
        found = (one for batch in generate("commune", seed, TODAY) for one in batch if one["resourceType"] == "Patient")
        return next(one for one in found if one["id"] in wanted)

    assert cast_of(1)["name"] == cast_of(99)["name"]
    assert cast_of(1)["birthDate"] == cast_of(99)["birthDate"]


@pytest.mark.parametrize(("size", "people"), [("small", 1500), ("commune", 8000), ("province", 1_000_000)])
def test_the_population_of_each_size_adds_up(size, people):
    assert sum(population(size).values()) == people == sum(population_by_province(size).values())


def test_the_nation_reaches_every_province():
    assert sum(population("nation").values()) == 10_000_000
    assert len(population_by_province("nation")) == 34
    assert len(population("nation")) > 3_300


def test_an_unknown_size_is_refused_with_the_choices():
    with pytest.raises(Problem, match="small, commune, province, nation"):
        places.places("galaxy")
