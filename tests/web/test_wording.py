"""Dates, waits, ages and names as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from yersin.web import language, wording

NOON = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)


def test_a_moment_is_shown_at_the_facility_and_its_day_turns_there():
    assert wording.as_moment(NOON) == "12:00 22/11/2026"
    assert wording.as_date(datetime(2026, 11, 22, 17, 30, tzinfo=UTC)) == "23/11/2026"


def test_a_moment_without_a_zone_is_not_shown():
    with pytest.raises(ValueError, match="zone"):
        wording.as_time(datetime(2026, 11, 22, 12))  # noqa: DTZ001 - the mistake under test


@pytest.mark.parametrize(
    ("born", "expected"),
    [(date(2026, 11, 1), "21 ngày tuổi"), (date(2025, 11, 23), "11 tháng tuổi"), (date(1962, 11, 23), "63 tuổi")],
)
def test_ages_are_said_in_days_months_or_years(small_site, born, expected):
    del small_site  # it loads the catalogues
    with language.speaking("vi"):
        assert wording.as_age(born, date(2026, 11, 22)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(5, "00:05"), (754, "12:34"), (7845, "2:10:45"), (-3, "00:00"), (200_000, "2 days")]
)
def test_waits_are_clocks(seconds, expected):
    with language.speaking("en"):
        assert wording.as_wait(timedelta(seconds=seconds)) == expected


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (0, "just now"),
        (-1, "in 1 minute"),
        (5, "5 minutes ago"),
        (60, "1 hour ago"),
        (3000, "2 days ago"),
        (20000, "08/11/2026"),
    ],
)
def test_how_long_ago_is_told_roughly(minutes, expected):
    with language.speaking("en"):
        assert wording.as_ago(NOON - timedelta(minutes=minutes), NOON) == expected


def test_numbers_follow_the_language():
    with language.speaking("vi"):
        assert wording.as_number(1250000.5) == "1.250.000,5"
    with language.speaking("en"):
        assert wording.as_number(37, 1) == "37.0"


def test_initials_are_those_of_family_and_given_name():
    assert [wording.initials(name) for name in ("Nguyễn Thị Hoa", "Đào", "")] == ["NH", "Đ", "?"]
