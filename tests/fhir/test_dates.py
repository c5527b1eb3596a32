"""Dates as ranges, and the prefixes. Source: https://hl7.org/fhir/R4/search.html#date"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yersin.fhir import dates
from yersin.fhir.problem import Problem

HERE = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = datetime(2024, 6, 1, tzinfo=UTC)

SPANS = """
text                              | lo                            | hi
2020                              | 2020-01-01T00:00:00+07:00     | 2021-01-01T00:00:00+07:00
2020-02                           | 2020-02-01T00:00:00+07:00     | 2020-03-01T00:00:00+07:00
2020-12                           | 2020-12-01T00:00:00+07:00     | 2021-01-01T00:00:00+07:00
2020-02-29                        | 2020-02-29T00:00:00+07:00     | 2020-03-01T00:00:00+07:00
2020-02-29T10:30Z                 | 2020-02-29T10:30:00+00:00     | 2020-02-29T10:31:00+00:00
2020-02-29T10:30:15               | 2020-02-29T10:30:15+07:00     | 2020-02-29T10:30:16+07:00
2020-02-29T10:30:15.5+01:00       | 2020-02-29T10:30:15.5+01:00   | 2020-02-29T10:30:15.6+01:00
2020-02-29T10:30:15.123Z          | 2020-02-29T10:30:15.123+00:00 | 2020-02-29T10:30:15.124+00:00
2016-12-31T23:59:60Z              | 2016-12-31T23:59:59+00:00     | 2017-01-01T00:00:00+00:00
"""

# A search value, a target, and the prefixes under which the target matches; under all others it does not.
PREFIXES = """
value      | target     | matches
2020-05    | 2020-05    | eq ge le ap
2020-05    | 2020-05-10 | eq ge le ap
2020-05-10 | 2020-05    | ne gt lt ge le ap
2020-05    | 2020-06    | ne gt ge sa ap
2020-05    | 2020-04    | ne lt le eb ap
2023-01-01 | 2020-01-01 | ne lt le eb
2020       | 2020-12-31 | eq ge le ap
2024-05-31 | 2024-07-31 | ne gt ge sa
"""


def table(text):
    return [tuple(cell.strip() for cell in line.split("|")) for line in text.strip().splitlines()[1:]]


@pytest.mark.parametrize(("text", "lo", "hi"), table(SPANS))
def test_a_text_covers_what_its_precision_leaves_open(text, lo, hi):
    assert dates.span(text, HERE) == (datetime.fromisoformat(lo), datetime.fromisoformat(hi))


@pytest.mark.parametrize(("value", "target", "matching"), table(PREFIXES))
def test_each_prefix_matches_these_and_no_others(value, target, matching):
    found = {
        p for p in dates.PREFIXES if dates.matches(dates.comparison(p + value, HERE), dates.span(target, HERE), NOW)
    }
    assert found == set(matching.split())


@pytest.mark.parametrize(
    "bad", ["", "20", "2020-13", "2020-02-30", "2020-1-1", "01/02/2020", "2020-01-01T25:00", "now"]
)
def test_what_is_no_date_is_refused_with_the_forms_that_are(bad):
    with pytest.raises(Problem, match="YYYY-MM-DD"):
        dates.comparison("ge" + bad, HERE)


def test_a_birthday_is_the_same_day_in_every_zone():
    assert dates.comparison("eq1980-05-01", ZoneInfo("America/Los_Angeles"), calendar=True)[1:] == dates.day_span(
        "1980-05-01"
    )
    assert dates.day_span("1980-05-01").lo == datetime(1980, 5, 1, tzinfo=UTC)


def test_a_date_with_no_zone_lies_in_the_zone_given_and_not_in_another():
    assert dates.span("2020-01-01", HERE) != dates.span("2020-01-01", UTC)


def test_an_open_period_has_no_end_and_an_empty_one_no_time():
    period = SimpleNamespace(start="2020", end=None)
    assert dates.period_span(period, UTC) == (datetime(2020, 1, 1, tzinfo=UTC), dates.FAR_FUTURE)
    assert dates.seconds(dates.FAR_FUTURE) == float("inf")
    assert dates.seconds(dates.FAR_PAST) == float("-inf")
    assert dates.period_span(SimpleNamespace(start=None, end=None), UTC) is None


def test_a_timing_counts_from_its_first_event_to_its_last():
    timing = SimpleNamespace(event=["2020-03-01", None, "2020-01-01"], repeat=None)
    assert dates.timing_span(timing, UTC) == (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 3, 2, tzinfo=UTC))
    bounds = SimpleNamespace(boundsPeriod=SimpleNamespace(start=None, end="2020"))
    assert dates.timing_span(SimpleNamespace(event=None, repeat=bounds), UTC) == (
        dates.FAR_PAST,
        datetime(2021, 1, 1, tzinfo=UTC),
    )
    assert dates.timing_span(SimpleNamespace(event=None, repeat=None), UTC) is None


def test_the_last_days_of_the_calendar_stay_storable():
    for text in (
        "9999",
        "9999-12",
        "9999-12-31",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:60-14:00",
    ):
        lo, hi = dates.span(text, UTC)
        assert lo <= hi == dates.FAR_FUTURE


MOMENTS = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - hypothesis wants naive limits
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.just(UTC),
)


@given(MOMENTS)
def test_every_moment_lies_inside_all_its_texts_and_more_precision_is_narrower(moment):
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    full = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    texts = [full[:4], full[:7], full[:10], full[:16] + "Z", full[:19] + "Z", full]
    spans = [dates.span(text, UTC) for text in texts]
    for lo, hi in spans:
        assert lo <= moment < hi
    for wide, narrow in pairwise(spans):
        assert wide.lo <= narrow.lo < narrow.hi <= wide.hi


@given(MOMENTS, st.integers(0, 3000), MOMENTS, st.integers(1, 3000))
def test_prefixes_agree_with_each_other(start, days, other, length):
    target = dates.Span(start, start + timedelta(days=days, seconds=1))
    said = {
        p: dates.matches(dates.Comparison(p, other, other + timedelta(days=length)), target, NOW)
        for p in dates.PREFIXES
    }
    assert said["eq"] != said["ne"]
    assert said["ge"] == (said["eq"] or said["gt"])
    assert said["le"] == (said["eq"] or said["lt"])
    assert not (said["sa"] and said["eb"])
    assert said["gt"] or not said["sa"]
    assert said["ap"] or not said["eq"]
