"""Administrative units: both generations, their look-ups, their FHIR form, the official list, the map, the figures."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import pytest

from yersin.fhir import parse
from yersin.fhir.problem import Problem
from yersin.registry import units_data, units_fhir, units_map
from yersin.registry.units import Unit, Units, fold
from yersin.registry.units_population import POPULATION, invented

NOW = date(2026, 11, 22)
BEFORE = date(2025, 6, 30)
CHECKOUT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("YERSIN_SHARED", CHECKOUT.parent / "shared")) / "data" / "vietnam"
official = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no official lists at {SHARED}; set YERSIN_SHARED")


@pytest.fixture(scope="module")
def units() -> Units:
    return units_data.bundled()


def _count(units: Units, day: date) -> dict[str, int]:
    levels = [unit.level for unit in units.at(day)]
    return {level: levels.count(level) for level in ("province", "district", "commune")}


def test_the_reform_left_34_provinces_3321_communes_and_no_district(units):
    assert _count(units, NOW) == {"province": 34, "district": 0, "commune": 3321}
    assert _count(units, date(2025, 7, 1)) == _count(units, NOW)


def test_before_the_reform_there_were_63_provinces_with_districts(units):
    assert _count(units, BEFORE) == {"province": 63, "district": 696, "commune": 10035}


def test_a_code_used_again_means_another_unit_on_another_day(units):
    assert units.find("08", BEFORE).id != units.find("08", NOW).id
    assert units.find("02", BEFORE).name == "Hà Giang"
    assert units.find("02", NOW) is None


def test_a_name_is_found_with_or_without_kind_and_accents(units):
    assert [unit.code for unit in units.named("xa bac ha", NOW)] == ["02839"]
    assert {unit.level for unit in units.named("Lào Cai", NOW)} == {"province", "commune"}
    assert [unit.code for unit in units.named("lao cai", NOW, level="province")] == ["15"]


def test_every_unit_hangs_under_a_province_of_its_own_generation(units):
    for unit in units.all:
        path = units.path(unit)
        assert path[-1].level == "province"
        assert len({above.valid_to for above in path}) == 1


def test_every_old_unit_has_a_successor_and_every_new_one_a_predecessor(units):
    old = [unit for unit in units.all if unit.valid_to and unit.level != "district"]
    assert all(units.successors(unit.code) for unit in old)
    assert all(units.find(step.new, NOW) for unit in old for step in units.successors(unit.code))
    assert all(units.predecessors(unit.code) for unit in units.at(NOW))
    assert {step.old for step in units.predecessors("15")} == {"10", "15"}


def test_a_divided_commune_says_that_it_was_divided(units):
    divided = [unit for unit in units.all if any(not step.whole for step in units.successors(unit.code))]
    assert len(divided) > 100
    assert all(len(units.successors(unit.code)) > 1 for unit in divided[:50])


def test_the_archipelagos_are_there_in_both_generations(units):
    assert units.path(units.find("20333", NOW))[-1].name == "Đà Nẵng"
    assert units.path(units.find("22736", NOW))[-1].name == "Khánh Hòa"
    hoang_sa = units.find("498", BEFORE)
    assert 15 < hoang_sa.lat < 18
    assert 111 < hoang_sa.lon < 113


def test_locations_are_valid_fhir_and_refer_only_backwards(units):
    seen: set[str] = set()
    for made in units_fhir.locations(units):
        referred = [made.get("partOf", {}).get("reference")]
        referred += [part["valueReference"]["reference"] for part in made["extension"] if "valueReference" in part]
        assert all(one in seen for one in referred if one), made["id"]
        seen.add(f"Location/{made['id']}")
        if made["id"].endswith(("39", "48", "8")):
            parse(json.dumps(made).encode(), expect="Location")
    assert len(seen) == len(units.all)


def test_old_units_are_inactive_and_end_on_the_eve_of_the_reform(units):
    made = units_fhir.location(units.find("02", BEFORE), units)
    assert made["status"] == "inactive"
    assert made["identifier"][0]["period"] == {"end": "2025-06-30"}


@official
def test_the_official_list_replaces_the_present_and_keeps_the_past():
    loaded = units_data.load(SHARED / "admin-units")
    assert _count(loaded, NOW) == {"province": 34, "district": 0, "commune": 3321}
    assert _count(loaded, BEFORE)["commune"] == 10035
    assert [unit.kind for unit in loaded.at(NOW) if unit.code == "75"] == ["Thành phố"]
    assert all(unit.lat for unit in loaded.at(NOW))


@official
def test_a_corrected_code_keeps_its_place_and_its_predecessors():
    loaded = units_data.load(SHARED / "admin-units")
    assert [unit.full_name for unit in loaded.at(NOW) if unit.code == "06978"] == ["Xã Ba Chẽ"]
    assert loaded.predecessors("06978")
    assert not loaded.predecessors("06970")


@official
def test_boundaries_are_read_by_province_code():
    shapes = units_data.boundaries(SHARED / "boundaries-provinces")
    assert len(shapes) == 34
    assert shapes["48"]["type"] == "MultiPolygon"


@pytest.mark.parametrize("text", ["{}", "[1]", "not json", '[{"Name": "x"}]'])
def test_a_wrong_list_is_refused_with_its_path(tmp_path, text):
    wrong = tmp_path / "units.json"
    wrong.write_text(text, encoding="utf-8")
    with pytest.raises(Problem, match=r"units\.json"):
        units_data.load(wrong)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(Problem, match=r"no \.json"):
        units_data.load(tmp_path)
    with pytest.raises(Problem, match="geojson"):
        units_data.boundaries(tmp_path)


def test_the_map_shows_every_province_once_and_both_archipelagos(units):
    provinces = {unit.code for unit in units.children("", NOW)}
    assert sorted(tile.code for tile in units_map.TILES if not tile.label) == sorted(provinces)
    assert {tile.code for tile in units_map.TILES if tile.label} == {"48", "56"}
    assert len({(tile.col, tile.row) for tile in units_map.TILES}) == len(units_map.TILES)
    drawn = units_map.svg(lambda tile: tile.label or tile.code, lambda _tile: "red")
    assert "Hoàng" in drawn
    assert "Trường" in drawn


def test_the_map_keeps_north_above_south_along_the_coast():
    rows = {tile.code: tile.row for tile in units_map.TILES if not tile.label}
    coast = ["01", "37", "38", "40", "42", "44", "46", "48", "51", "52", "66", "56", "75", "86", "96"]
    assert [rows[code] for code in coast] == sorted(rows[code] for code in coast)


def test_each_population_figure_has_a_date_and_a_source(units):
    assert set(POPULATION) == {unit.code for unit in units.children("", NOW)}
    assert all(row.source and row.as_of and not row.invented for row in POPULATION.values())
    assert 95_000_000 < sum(row.people for row in POPULATION.values()) < 115_000_000


def test_invented_figures_say_so():
    assert all(row.invented for row in invented({"15": 400}, NOW).values())


def test_names_fold_to_plain_letters():
    assert fold("  Đắk  LẮK ") == "dak lak"


def test_a_unit_knows_its_names():
    unit = Unit(code="15", level="province", kind="Tỉnh", name="Lào Cai", name_en="Lao Cai")
    assert (unit.full_name, unit.full_name_en) == ("Tỉnh Lào Cai", "Lao Cai Province")
