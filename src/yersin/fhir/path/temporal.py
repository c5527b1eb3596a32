"""Dates, moments and times of day of the precision they were written in.

Two of them compare by the span of time each may mean: spans that do not meet tell, spans that overlap do not, unless
both are written to the same precision. A moment without a zone may be anywhere on Earth.
Source: https://hl7.org/fhirpath/N1/#date-time-and-datetime, https://hl7.org/fhirpath/N1/#comparison
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache

YEAR, MONTH, DAY, HOUR, MINUTE, SECOND = range(1, 7)
_DATE = r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?"
_CLOCK = r"(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?"
_ZONE = r"(Z|[+-]\d\d:\d\d)?"
_READ_DATE = re.compile(rf"{_DATE}\Z").match
_READ_MOMENT = re.compile(rf"{_DATE}(?:T(?:{_CLOCK})?{_ZONE})?\Z").match
_READ_TIME = re.compile(rf"{_CLOCK}\Z").match
_MILLI = 1_000_000  # in picoseconds of the span arithmetic below: a tick is a billionth of a millisecond
TICK = 1000 * _MILLI  # ticks in a second
_DAY_TICKS = 86400 * TICK
#: no place on Earth is further from Greenwich
_EAST, _WEST = 14 * 3600 * TICK, 12 * 3600 * TICK
_DIGITS = 9


@dataclass(frozen=True)
class Temporal:
    """A Date, DateTime or Time (`type`). `parts` are as many components as were written, seconds without fraction."""

    type: str
    parts: tuple[int, ...]
    fraction: str = ""
    zone: int | None = None  # minutes east of Greenwich

    def __str__(self) -> str:
        day = "-".join(f"{n:0{w}d}" for n, w in zip(self.parts, (4, 2, 2), strict=False))
        clock = ":".join(f"{n:02d}" for n in (self.parts if self.type == "Time" else self.parts[3:]))
        clock += f".{self.fraction}" if self.fraction else ""
        if self.type == "Time":
            return clock
        return f"{day}T{clock}{zone_text(self.zone)}" if clock else day

    @property
    def precision(self) -> int:
        """Components written; a time of day has no days, so its hours count 4."""
        return len(self.parts) + (3 if self.type == "Time" else 0)

    @cached_property
    def span(self) -> tuple[int, int]:
        """First and last tick that may be meant, both included, as if in Greenwich where no zone is written."""
        lo = self._ticks()
        shift = 0 if self.zone is None else self.zone * 60 * TICK
        return lo - shift, lo + self._length() - 1 - shift

    @property
    def vague_zone(self) -> bool:
        """Whether it is a moment of unknown zone."""
        return self.type != "Time" and self.zone is None

    def _ticks(self) -> int:
        if self.type == "Time":
            return _clock_ticks(self.parts, self.fraction)
        year, month, day = (*self.parts[:3], 1, 1)[:3]
        return datetime(year, month, day, tzinfo=UTC).toordinal() * _DAY_TICKS + _clock_ticks(
            self.parts[3:], self.fraction
        )

    def _length(self) -> int:
        match self.precision:
            case 1:
                return (366 if monthrange(self.parts[0], 2)[1] == 29 else 365) * _DAY_TICKS
            case 2:
                return monthrange(*self.parts)[1] * _DAY_TICKS
            case 3:
                return _DAY_TICKS
            case 4:
                return 3600 * TICK
            case 5:
                return 60 * TICK
        return 1


def _clock_ticks(parts: tuple[int, ...], fraction: str) -> int:
    hour, minute, second = (*parts, 0, 0, 0)[:3]
    small = int(fraction[:_DIGITS].ljust(_DIGITS, "0")) if fraction else 0
    return (hour * 3600 + minute * 60 + second) * TICK + small


def zone_text(zone: int | None) -> str:
    """Write an offset; Greenwich is Z."""
    if zone is None:
        return ""
    if zone == 0:
        return "Z"
    return f"{'-' if zone < 0 else '+'}{abs(zone) // 60:02d}:{abs(zone) % 60:02d}"


@lru_cache(maxsize=4096)
def date(text: str) -> Temporal | None:
    """Read YYYY, YYYY-MM or YYYY-MM-DD; None when it is no date."""
    return _made("Date", _READ_DATE(text), 0)


@lru_cache(maxsize=4096)
def moment(text: str) -> Temporal | None:
    """Read a dateTime of any precision; None when it is none."""
    return _made("DateTime", _READ_MOMENT(text), 0)


@lru_cache(maxsize=1024)
def time(text: str) -> Temporal | None:
    """Read hh, hh:mm, hh:mm:ss or with a fraction; None when it is no time of day."""
    return _made("Time", _READ_TIME(text), 3)


def _made(kind: str, match: re.Match[str] | None, before: int) -> Temporal | None:
    if match is None:
        return None
    groups = (*([None] * before), *match.groups(), *([None] * 8))[:8]
    parts = tuple(int(text) for text in groups[before:6] if text is not None)
    found = Temporal(kind, parts, fraction=groups[6] or "", zone=_zone(groups[7]))
    return found if _is_real(found) else None


def _zone(text: str | None) -> int | None:
    if text is None:
        return None
    return 0 if text == "Z" else int(text[0] + "1") * (int(text[1:3]) * 60 + int(text[4:6]))


def _is_real(found: Temporal) -> bool:
    clock = found.parts if found.type == "Time" else found.parts[3:]
    if any(n > most for n, most in zip(clock, (23, 59, 60), strict=False)) or abs(found.zone or 0) > 14 * 60:
        return False
    if found.type == "Time":
        return True
    year, month, day = (*found.parts[:3], 1, 1)[:3]
    return year >= 1 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]


def compared(left: Temporal, right: Temporal) -> int | None:
    """Give -1, 0 or 1; None when the precision or the zone leaves it open. Only for two of a kind."""
    (a, b), (c, d) = left.span, right.span
    if left.vague_zone != right.vague_zone and max(left.precision, right.precision) > DAY:
        if left.vague_zone:
            a, b = a - _EAST, b + _WEST
        else:
            c, d = c - _EAST, d + _WEST
    elif left.precision == right.precision:
        return (a > c) - (a < c)
    return -1 if b < c else 1 if a > d else None


def moved(value: Temporal, months: int, ticks: int) -> Temporal | None:
    """Move by calendar months, then by ticks; None beyond the years 1 to 9999. A time of day goes round."""
    if value.type == "Time":
        return _from_ticks(value, (value._ticks() + ticks) % _DAY_TICKS)  # noqa: SLF001 - of this module
    year, month, day = (*value.parts[:3], 1, 1)[:3]
    year, month = divmod(year * 12 + month - 1 + months, 12)
    if not 1 <= year <= 9999:
        return None
    day = min(day, monthrange(year, month + 1)[1])
    start = replace(value, parts=(year, month + 1, day, *value.parts[3:]))
    if not ticks:
        return replace(start, parts=start.parts[: len(value.parts)])
    return _from_ticks(value, start._ticks() + ticks)  # noqa: SLF001 - of this module


def _from_ticks(value: Temporal, ticks: int) -> Temporal | None:
    days, rest = divmod(ticks, _DAY_TICKS)
    seconds, small = divmod(rest, TICK)
    clock = (seconds // 3600, seconds // 60 % 60, seconds % 60)
    width = len(value.fraction) if not small else max(3, len(value.fraction)) if value.precision == SECOND else 0
    fraction = f"{small:0{_DIGITS}d}"[:width] if width else ""
    if value.type == "Time":
        return replace(value, parts=clock[: len(value.parts)], fraction=fraction)
    try:
        day = datetime.fromordinal(days).timetuple()[:3]
    except (ValueError, OverflowError):
        return None
    return replace(value, parts=(*day, *clock)[: len(value.parts)], fraction=fraction)


def now() -> datetime:
    """Give the present moment with its zone."""
    return datetime.now(UTC).astimezone()


def of_datetime(value: datetime) -> Temporal:
    """Turn a datetime into a moment to the millisecond."""
    offset = value.utcoffset() or timedelta()
    parts = (value.year, value.month, value.day, value.hour, value.minute, value.second)
    return Temporal("DateTime", parts, f"{value.microsecond // 1000:03d}", int(offset.total_seconds()) // 60)


def as_decimal(value: Temporal) -> Decimal:
    """Seconds with their fraction."""
    return Decimal(f"{value.parts[-1]}.{value.fraction or '0'}")
