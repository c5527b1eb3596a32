"""Periods, suppression of small counts, and cells that no spreadsheet runs."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yersin.centre import charts, rules
from yersin.centre.figures import Count
from yersin.centre.rules import Period


def test_small_counts_are_hidden_and_zero_is_not():
    assert rules.suppressed({"a": 0, "b": 3, "c": 4, "d": 9}) == {"a": 0, "b": None, "c": None, "d": 9}


def test_a_single_hidden_count_takes_the_next_smallest_with_it():
    assert rules.suppressed({"a": 2, "b": 7, "c": 90}) == {"a": None, "b": None, "c": 90}


@given(st.dictionaries(st.integers(), st.integers(0, 40), max_size=8))
def test_no_hidden_count_can_be_worked_out_from_the_total(counts):
    shown = rules.suppressed(counts)
    hidden = [key for key, count in shown.items() if count is None]
    assert all(count is None or count == counts[key] for key, count in shown.items())
    assert all(count is None or count == 0 or count >= rules.SMALLEST for count in shown.values())
    assert len(hidden) != 1 or not any(shown.values())


@pytest.mark.parametrize("text", ["=1+1", "+84900", "-2", "@SUM(A1)", "\t=1", " =cmd", "|calc", "\r=1"])
def test_no_cell_is_a_formula(text):
    assert rules.cell(text).startswith("'")


def test_numbers_and_names_stay_as_they_are():
    assert [rules.cell(value) for value in (12, 2.5, None, "Lào Cai", -3)] == ["12", "2.5", "", "Lào Cai", "-3"]


def test_the_same_period_last_year_is_found_on_a_leap_day_too():
    asked = Period(since=date(2024, 2, 1), until=date(2024, 2, 29))
    assert rules.compared(asked, "year") == Period(since=date(2023, 2, 1), until=date(2023, 2, 28))


@given(st.sampled_from(rules.PERIODS), st.dates(date(2000, 1, 1), date(2099, 1, 1)))
def test_the_period_before_ends_the_day_before_and_is_as_long(name, today):
    period = rules.period(name, today)
    before = rules.compared(period, "before")
    assert period.until == today
    assert (period.since - before.until).days == 1
    assert before.days == period.days


def test_the_map_shows_every_province_and_both_archipelagos():
    squares = charts.squares({"48": Count(asked=9), "56": Count(asked=3)})
    assert len({s.code for s in squares}) == 34
    labels = {s.label: s.shade for s in squares if s.label}
    assert labels == {"Quần đảo Hoàng Sa": 5, "Quần đảo Trường Sa": 2}


def test_a_chart_is_never_taller_than_its_frame():
    period = rules.period("30", date(2026, 11, 22))
    now = {day: Count(asked=n, answered=n // 2) for n, day in enumerate(period.all_days())}
    columns = charts.by_day(period, now, {}, rules.compared(period, "before"))
    assert len(columns.bars) == 30
    assert all(bar.y >= 0 and bar.answered_height <= bar.height for bar in columns.bars)
    assert columns.bars[0].then is None
