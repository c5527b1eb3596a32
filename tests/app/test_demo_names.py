"""Names of the demo country: shares of family names, middle names by sex and generation, names of other peoples."""

from __future__ import annotations

from collections import Counter

import pytest

from yersin.app.demo import names, peoples
from yersin.app.demo.chance import stream, uid, weighted

DRAWS = 20_000


@pytest.mark.parametrize(("family", "share"), [("Nguyễn", 0.38), ("Trần", 0.11), ("Lê", 0.095), ("Phạm", 0.07)])
def test_family_names_have_their_known_shares(family, share):
    rng = stream(3, "families")
    drawn = Counter(names.kinh_family(rng, south=number % 2 == 0) for number in range(DRAWS))
    assert abs(drawn[family] / DRAWS - share) < 0.015


def test_huynh_and_vo_are_southern_hoang_and_vu_northern():
    rng = stream(3, "south")
    south = Counter(names.kinh_family(rng, south=True) for _ in range(DRAWS))
    north = Counter(names.kinh_family(rng, south=False) for _ in range(DRAWS))
    assert south["Huỳnh"] > 4 * south["Hoàng"]
    assert north["Hoàng"] > 4 * north["Huỳnh"]
    assert south["Võ"] > south["Vũ"]
    assert north["Vũ"] > north["Võ"]


@pytest.mark.parametrize(("sex", "word"), [("female", "Thị"), ("male", "Văn")])
def test_thi_and_van_fade_with_the_generations(sex, word):
    rng = stream(3, "middles", sex)
    shares = [
        sum(names.kinh(rng, "Nguyễn", sex, year).given[0] == word for _ in range(2000))
        for year in (1950, 1975, 1998, 2018)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 1000
    assert shares[3] < 300


def test_a_name_is_its_parts_in_written_order():
    rng = stream(3, "order")
    for year in range(1940, 2026):
        name = names.kinh(rng, "Lê", "female", year)
        assert name.text == " ".join((name.family, *name.given))
        assert len(set(name.given)) == len(name.given)


def test_each_people_names_its_own_way():
    rng = stream(3, "peoples")
    hmong = peoples.name(rng, peoples.PEOPLES["08"], "Giàng", "male", 1980)
    assert hmong.text.startswith("Giàng ")
    ede = peoples.name(rng, peoples.PEOPLES["12"], "Niê", "male", 1990)
    assert ede.text.startswith("Y ")
    assert ede.text.endswith(" Niê")
    assert ede.family == "Niê"


def test_highland_communes_are_mixed_and_the_delta_is_not():
    rng = stream(3, "mix")
    highland = Counter(peoples.draw(rng, "15", rural=True).name for _ in range(2000))
    assert {"Kinh", "Tày", "HMông", "Dao"} <= set(highland)
    assert Counter(peoples.draw(rng, "33", rural=True).name for _ in range(100)) == {"Kinh": 100}


def test_weights_are_read_with_and_without_numbers():
    rng = stream(3, "weights")
    drawn = Counter(weighted("A B 3, C").pick(rng) for _ in range(4000))
    assert set(drawn) == {"A B", "C"}
    assert 2.5 < drawn["A B"] / drawn["C"] < 3.6


def test_ids_are_uuids_of_version_five():
    made = uid("person/1")
    assert made == uid("person/1") != uid("person/2")
    assert made[14] == "5"
    assert made[19] in "89ab"
