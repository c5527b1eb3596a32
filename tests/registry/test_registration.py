"""The registration form: what is refused, what a card's code fills in, and the Patient it becomes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from yersin.fhir import encode, parse, r4
from yersin.registry import citizen_card, places, systems
from yersin.registry.registration import Registration, birth, faults, patient, prefilled

TODAY = date(2026, 11, 22)
MAI = Registration(
    family="Lù", middle="Thị", given="Mai", born="14/08/1962", sex="female", personal="999 162 000 123",
    insurance="GD4 99 99012 34567", phone="+84 900 000 123", line="Thôn 3", ethnicity="08",
)  # fmt: skip
CARD = "999061123456|012345678|Hoàng Văn Sơn|12041961|Nam|Thôn 2, Xã Bắc Hà, Tỉnh Lào Cai|01072021"


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("14/08/1962", "1962-08-14"),
        ("4.8.1962", "1962-08-04"),
        ("08/1962", "1962-08"),
        ("1962", "1962"),
        ("31/02/1962", ""),
        ("62", ""),
        ("", ""),
        ("abc", ""),
    ],
)
def test_a_birth_date_is_read_as_far_as_it_is_known(typed: str, written: str) -> None:
    assert birth(typed) == written


def test_a_right_form_has_no_faults() -> None:
    assert list(faults(MAI, TODAY)) == []


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("born", "14/08/2062", "born"),
        ("born", "1850", "born"),
        ("born", "hôm qua", "born"),
        ("personal", "12345", "personal"),
        ("insurance", "XX9 12", "insurance"),
        ("phone", "12", "phone"),
        ("commune", "00000", "commune"),
        ("born", "01/01/2024", "guardian"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(field: str, value: Any, where: str) -> None:
    assert [name for name, _ in faults(replace(MAI, **{field: value}), TODAY)] == [where]


def test_the_patient_carries_every_part_of_the_form() -> None:
    made = patient(replace(MAI, guardian="Lù Văn Páo"), r4.Reference(reference="Organization/x"))
    again = parse(encode(made))
    assert isinstance(again, r4.Patient)
    assert again.birthDate == "1962-08-14"
    assert again.name is not None
    assert again.name[0].text == "Lù Thị Mai"
    assert again.name[0].given == ["Thị", "Mai"]
    numbers = {i.system: i.value for i in again.identifier or ()}
    assert numbers == {systems.NATIONAL_ID: "999162000123", systems.INSURANCE_NUMBER: "GD4999901234567"}
    assert again.telecom is not None
    assert again.telecom[0].value == "0900000123"
    assert again.contact is not None


def test_a_year_only_is_kept_as_a_year() -> None:
    assert patient(replace(MAI, born="1962"), r4.Reference(reference="Organization/x")).birthDate == "1962"


def test_a_card_is_read_and_fills_the_form() -> None:
    card = citizen_card.read(CARD)
    assert card is not None
    assert (card.personal, card.born, card.sex) == ("999061123456", "1961-04-12", "male")
    form = prefilled(CARD)
    assert [form[n].text for n in ("family", "middle", "given")] == ["Hoàng", "Văn", "Sơn"]
    assert form["born"].text == "12/04/1961"


@pytest.mark.parametrize(
    "text", ["", "Hoàng Văn Sơn", "999|a|b|c|d|e|f", CARD.replace("12041961", "31021961"), "|||||||"]
)
def test_what_is_no_card_is_not_read_as_one(text: str) -> None:
    assert citizen_card.read(text) is None


def test_what_was_typed_into_the_search_fills_the_form() -> None:
    form = prefilled("hoàng văn sơn 1961 0900000123")
    assert [form[n].text for n in ("family", "middle", "given", "born", "phone")] == [
        "Hoàng",
        "Văn",
        "Sơn",
        "1961",
        "0900000123",
    ]


def test_a_commune_is_found_without_marks_and_by_its_province() -> None:
    found = places.find("bac ha lao cai")
    assert found
    assert found[0].name.endswith("Bắc Hà")


def test_a_commune_that_is_gone_leads_to_the_one_that_holds_its_land() -> None:
    found = places.find("na hoi bac ha")
    assert found
    assert all(place.was for place in found)
    assert places.commune(found[0].code) is not None
