"""FHIR dates as half-open ranges of instants, and the comparison prefixes of search.

A text covers the time its precision leaves open: `2020-05` is [1 May, 1 June). Without a zone, a given one is used.
Source: https://hl7.org/fhir/R4/search.html#date, https://hl7.org/fhir/R4/search.html#prefix
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from yersin.fhir.problem import problem

FAR_PAST = datetime(1, 1, 1, tzinfo=UTC)
FAR_FUTURE = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_FORM = re.compile(
    r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])"
    r"(T([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d+)?)?(Z|[+-](0\d|1[0-4]):[0-5]\d)?)?)?)?"
)
_WHOLE_SECONDS = 19  # YYYY-MM-DDThh:mm:ss


class Span(NamedTuple):
    """From `lo` up to but without `hi`, both aware."""

    lo: datetime
    hi: datetime


def span(text: str, zone: tzinfo) -> Span:
    """Give the time a date, dateTime or instant covers."""
    try:
        found = _days(text, zone) if len(text) <= 10 else _moment(text, zone)
    except ValueError:
        raise _refuse(text) from None
    except OverflowError:
        found = _at_the_edge(text, zone)
    return found if "0002" <= text < "9999" else Span(_named(found.lo), _named(found.hi))


def day_span(text: str) -> Span:
    """Give the calendar days a text covers, as days of UTC whatever zone it is written in: a birthday has no zone."""
    return span(text[:10], UTC)


def _days(text: str, zone: tzinfo) -> Span:
    if len(text) == 10:
        lo = datetime.fromisoformat(text).replace(tzinfo=zone)
        return Span(lo, lo + _DAY)
    if len(text) == 7 and text[4] == "-":
        return _months(int(text[:4]), int(text[5:]), 1, zone)
    if len(text) == 4:
        return _months(int(text), 1, 12, zone)
    raise ValueError(text)


def _months(year: int, month: int, count: int, zone: tzinfo) -> Span:
    lo = datetime(year, month, 1, tzinfo=zone)
    year, month = divmod(year * 12 + month - 1 + count, 12)
    return Span(lo, datetime(year, month + 1, 1, tzinfo=zone) if year < 10000 else FAR_FUTURE)


def _moment(text: str, zone: tzinfo) -> Span:
    lo = _begin(text, zone)
    if text[16:17] != ":":
        return Span(lo, lo + _MINUTE)
    if text[19:20] != ".":
        return Span(lo, lo + _SECOND)
    digits = len(text[20:].rstrip("Z").partition("+")[0].partition("-")[0])
    return Span(lo, lo + timedelta(microseconds=10 ** max(0, 6 - digits)))


def _begin(text: str, zone: tzinfo) -> datetime:
    if text[16:19] == ":60":  # a leap second is counted as the last second of its minute
        text = text[:17] + "59" + text[19:]
    lo = datetime.fromisoformat(text)
    return lo if lo.tzinfo else lo.replace(tzinfo=zone)


def _at_the_edge(text: str, zone: tzinfo) -> Span:
    """Keep the last day of the year 9999, whose end has no name, inside what can be stored."""
    return Span(_begin(text, zone), FAR_FUTURE)


def _named(moment: datetime) -> datetime:
    """Keep a moment inside what UTC has a name for."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return FAR_PAST if moment.year == 1 else FAR_FUTURE


def shifted(moment: datetime, by: timedelta) -> datetime:
    """Move a moment, at most to the ends of time."""
    try:
        return moment + by
    except OverflowError:
        return FAR_PAST if by < timedelta(0) else FAR_FUTURE


def _refuse(text: str) -> Exception:
    return problem(
        "value", f"«{text[:40]}» is not a date: write YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+07:00"
    )


def period_span(period: Any, zone: tzinfo) -> Span | None:
    """Give the time a Period covers; a missing start or end is open, a Period with neither covers nothing."""
    start, end = period.start, period.end
    if start is None and end is None:
        return None
    return Span(
        span(start, zone).lo if start is not None else FAR_PAST,
        span(end, zone).hi if end is not None else FAR_FUTURE,
    )


def timing_span(timing: Any, zone: tzinfo) -> Span | None:
    """Give the outer limits of a Timing, its events and bounds; the schedule between them does not count."""
    spans = [span(event, zone) for event in timing.event or () if event is not None]
    bounds = timing.repeat.boundsPeriod if timing.repeat is not None else None
    if bounds is not None and (limits := period_span(bounds, zone)):
        spans.append(limits)
    return Span(min(s.lo for s in spans), max(s.hi for s in spans)) if spans else None


def seconds(moment: datetime) -> float:
    """Give seconds since the epoch; the far ends of open periods are infinite."""
    if moment is FAR_FUTURE:
        return float("inf")
    if moment is FAR_PAST:
        return float("-inf")
    return (moment - _EPOCH).total_seconds()


class Comparison(NamedTuple):
    """A value of a date search: how to compare, and with what time."""

    prefix: str
    lo: datetime
    hi: datetime


def comparison(text: str, zone: tzinfo, *, calendar: bool = False) -> Comparison:
    """Read `ge2020-05` as a comparison; bad dates are refused."""
    prefix = text[:2] if text[:2] in PREFIXES else "eq"
    value = text.removeprefix(prefix).replace(" ", "+")  # a plus sign arrives as a blank from a careless URL
    if not _FORM.fullmatch(value):
        raise _refuse(value)
    return Comparison(prefix, *(day_span(value) if calendar else span(value, zone)))


def approximate(value: Comparison, now: datetime) -> Span:
    """Widen by a tenth of the gap between now and the value, as `ap` asks."""
    middle = min(max(now, value.lo), value.hi)
    gap = abs(now - middle) / 10
    lo = value.lo - gap if value.lo - FAR_PAST > gap else FAR_PAST
    hi = value.hi + gap if FAR_FUTURE - value.hi > gap else FAR_FUTURE
    return Span(lo, hi)


def matches(value: Comparison, target: Span, now: datetime) -> bool:
    """Compare a target's time with a search value: the rule that the SQL must agree with."""
    lo, hi = target
    wide = approximate(value, now) if value.prefix == "ap" else value
    inside = value.lo <= lo and hi <= value.hi
    return {
        "eq": inside,
        "ne": not inside,
        "gt": hi > value.hi,
        "lt": lo < value.lo,
        "ge": inside or hi > value.hi,
        "le": inside or lo < value.lo,
        "sa": lo >= value.hi,
        "eb": hi <= value.lo,
        "ap": lo < wide[-1] and wide[-2] < hi,
    }[value.prefix]
