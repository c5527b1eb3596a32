"""The binder and the reading of numbers, dates and times."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from yersin.web import form_values, forms, language, wording
from yersin.web.form_values import UnreadableError


class Sex(Enum):
    FEMALE = "female"
    MALE = "male"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    name: Annotated[str, Meta(title="Name", max_length=10, pattern=r"^\w")]
    born: date
    at: time | None = None
    weight: Annotated[Decimal | None, Meta(gt=0, le=400)] = None
    pulse: Annotated[int | None, Meta(ge=20)] = None
    sex: Sex
    urgency: Literal["routine", "stat"] = "routine"
    symptoms: tuple[str, ...] = ()
    agreed: Annotated[bool, Meta(extra={"must": True})]


GOOD = {"name": ["Hoa"], "born": ["14/8/1962"], "sex": ["female"], "agreed": ["yes"]}


def test_a_complete_form_becomes_the_dataclass():
    sent = {**GOOD, "at": ["14h30"], "weight": ["52,4"], "pulse": ["72"], "urgency": ["stat"], "symptoms": ["a", "b"]}
    assert forms.bind(Visit, sent).value == Visit(
        name="Hoa",
        born=date(1962, 8, 14),
        at=time(14, 30),
        weight=Decimal("52.4"),
        pulse=72,
        sex=Sex.FEMALE,
        urgency="stat",
        symptoms=("a", "b"),
        agreed=True,
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ["  "]}, "name"),
        ({"name": ["Nguyễn Thị Hoa"]}, "name"),
        ({"name": ["!"]}, "name"),
        ({"name": ["a\x00b"]}, "name"),
        ({"born": ["1962"]}, "born"),
        ({"at": ["25:00"]}, "at"),
        ({"weight": ["0"]}, "weight"),
        ({"weight": ["401"]}, "weight"),
        ({"weight": ["NaN"]}, "weight"),
        ({"pulse": ["7,5"]}, "pulse"),
        ({"pulse": ["19"]}, "pulse"),
        ({"sex": ["x"]}, "sex"),
        ({"urgency": ["x"]}, "urgency"),
        ({"agreed": []}, "agreed"),
    ],
)
def test_each_wrong_field_is_named_and_what_was_typed_stays(change, field):
    bound = forms.bind(Visit, {**GOOD, **change})
    assert list(bound.errors) == [field]
    assert bound.value is None
    assert bound[field].texts == tuple(change[field])


def test_errors_are_in_the_language_of_the_person(small_site):
    del small_site  # it loads the catalogues
    with language.speaking("vi"):
        assert forms.bind(Visit, {}).errors["name"] == "Cần điền mục này"
    with language.speaking("en"):
        assert forms.bind(Visit, {}).errors["name"] == "This is needed"


def test_a_later_refusal_withdraws_the_value():
    bound = forms.bind(Visit, GOOD).with_error("born", "in the future")
    assert bound.value is None
    assert bound["born"].error == "in the future"


@given(st.dates(min_value=date(1, 1, 1)))
def test_a_date_is_read_as_it_is_written(day):
    assert form_values.read_date(wording.as_date(day)) == day
    assert form_values.read_date(day.isoformat()) == day
    assert form_values.read_date(f"{day:%d%m}{day.year:04}") == day


@given(st.decimals(min_value=-999, max_value=999, places=2), st.sampled_from(["vi", "en"]))
def test_a_number_is_read_as_it_is_written(number, tongue):
    with language.speaking(tongue):
        assert form_values.read_number(wording.as_number(number)) == number


@given(st.integers(min_value=0, max_value=10**12), st.sampled_from(["vi", "en"]))
def test_a_grouped_whole_number_is_read_as_it_is_written(number, tongue):
    with language.speaking(tongue):
        assert form_values.read_whole(wording.as_number(number)) == number


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused_with_words(text):
    for reader in (form_values.read_date, form_values.read_time, form_values.read_whole, form_values.read_number):
        with suppress(UnreadableError):
            assert reader(text) is not None


@pytest.mark.parametrize(("tongue", "typed"), [("vi", "1.234"), ("vi", "-3.250"), ("en", "1,234"), ("en", "12,500")])
def test_a_number_that_could_be_a_thousandfold_wrong_is_asked_back(tongue, typed):
    with language.speaking(tongue), pytest.raises(UnreadableError):
        form_values.read_number(typed)


@pytest.mark.parametrize(
    ("tongue", "typed", "meant"),
    [
        ("vi", "37.5", "37.5"),
        ("vi", "37,5", "37.5"),
        ("en", "37,5", "37.5"),
        ("vi", "0.125", "0.125"),
        ("vi", "1,234", "1.234"),
        ("vi", "1.234,5", "1234.5"),
        ("en", "1,234.5", "1234.5"),
        ("vi", "1.234.567", "1234567"),
    ],
)
def test_clear_numbers_are_read_in_both_manners(tongue, typed, meant):
    with language.speaking(tongue):
        assert form_values.read_number(typed) == Decimal(meant)


def test_values_on_record_are_shown_as_people_write_them():
    with language.speaking("vi"):
        bound = forms.filled(
            Visit, {"born": date(1962, 8, 14), "weight": Decimal("1234.5"), "sex": Sex.MALE, "agreed": True}
        )
    assert [bound[name].text for name in ("born", "weight", "sex", "agreed", "name")] == [
        "14/08/1962",
        "1234,5",
        "male",
        "yes",
        "",
    ]
