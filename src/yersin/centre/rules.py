"""Decisions of the centre, as plain functions: periods, suppression of small counts, cells of a table for download.

Suppression: counts of people by their attributes under 5 are not shown (Law 91/2025/QH15 on personal data; the number
is the house's), nor is a single hidden count that could be worked out from the total.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

SMALLEST = 5
PERIODS = ("7", "30", "90", "month", "year")
COMPARISONS = ("before", "year")
#: the first age of each band
BANDS = (0, 5, 18, 40, 60, 80)

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Days from `since` to `until`, both counted."""

    since: date
    until: date

    @property
    def days(self) -> int:
        return (self.until - self.since).days + 1

    def all_days(self) -> list[date]:
        """Every day, in order."""
        return [self.since + timedelta(days=n) for n in range(self.days)]


def period(name: str, today: date) -> Period:
    """Period of a name: a number of days up to today, this month or this year."""
    if name == "month":
        return Period(since=today.replace(day=1), until=today)
    if name == "year":
        return Period(since=today.replace(month=1, day=1), until=today)
    days = int(name) if name in PERIODS else 30
    return Period(since=today - timedelta(days=days - 1), until=today)


def is_shown(of: Period, today: date) -> bool:
    """Whether the page shows this period today, or showed it on its last day: a whole month or a whole year.

    Counts of people are told for these only: of two periods that differ by a day, one could be taken from the other.
    """
    month_after = (of.since.replace(day=28) + timedelta(days=4)).replace(day=1)
    month = Period(since=of.since.replace(day=1), until=month_after - timedelta(days=1))
    year = Period(since=of.since.replace(month=1, day=1), until=of.since.replace(month=12, day=31))
    return of in (month, year, *(period(name, today) for name in PERIODS))


def compared(of: Period, how: str) -> Period:
    """Period to compare with: as many days just before, or the same days a year ago."""
    if how == "year":
        return Period(since=_year_ago(of.since), until=_year_ago(of.until))
    return Period(since=of.since - timedelta(days=of.days), until=of.since - timedelta(days=1))


def _year_ago(day: date) -> date:
    return day.replace(year=day.year - 1, day=28) if (day.month, day.day) == (2, 29) else day.replace(year=day.year - 1)


def suppressed(counts: Mapping[K, int]) -> dict[K, int | None]:
    """Hide counts from 1 to 4; when only one is hidden, hide the next smallest too, lest the total give it away."""
    shown: dict[K, int | None] = {key: None if 0 < count < SMALLEST else count for key, count in counts.items()}
    hidden = [key for key, count in shown.items() if count is None]
    rest = [key for key, count in shown.items() if count]
    if len(hidden) == 1 and rest:
        shown[min(rest, key=lambda key: counts[key])] = None
    return shown


def share(part: int | None, whole: int | None) -> float | None:
    """Percentage; None where a side is hidden or there is nothing to divide by."""
    return None if part is None or not whole else 100 * part / whole


def change(now: float | None, then: float | None, cases: int) -> float | None:
    """Change against the compared period in percent; None where too few cases make any change look large."""
    if now is None or not then or cases < SMALLEST:
        return None
    percent = 100 * (now - then) / then
    return percent if abs(percent) >= 0.5 else None


def cell(value: object) -> str:
    """Cell of a CSV file. A text that a spreadsheet would run as a formula gets an apostrophe (OWASP, CSV injection)."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    text = str(value)
    return f"'{text}" if text.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%") else text


def shade(value: float | None, most: float) -> int:
    """Class of colour from 0 (nothing) to 5 (most) on the map."""
    if not value or not most:
        return 0
    return 1 + min(int(5 * value / most), 4)
