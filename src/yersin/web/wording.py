"""How dates, times, numbers and waits are written: dd/mm/yyyy and 24 hours in the facility's zone, `1.234,5` in Vietnamese."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal

from yersin.web import language
from yersin.web.language import gettext as _
from yersin.web.language import ngettext

#: zone of the facility the person works at; the middleware sets it for each request
_VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
zone: ContextVar[ZoneInfo] = ContextVar("zone", default=_VIETNAM)


def _local(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment shown on a page must carry its zone")
    return moment.astimezone(zone.get())


def as_date(value: date | datetime | None) -> str:
    """dd/mm/yyyy; a moment becomes the day it is at the facility."""
    if value is None:
        return ""
    day = _local(value) if isinstance(value, datetime) else value
    return f"{day.day:02}/{day.month:02}/{day.year:04}"


def as_time(moment: datetime | None) -> str:
    """24-hour hh:mm at the facility."""
    return "" if moment is None else f"{_local(moment):%H:%M}"


def as_moment(moment: datetime | None) -> str:
    """hh:mm dd/mm/yyyy, in the Vietnamese order."""
    return "" if moment is None else f"{as_time(moment)} {as_date(moment)}"


def as_number(value: Decimal | float | None, digits: int | None = None) -> str:
    """Write a number in the manner of the language; `digits` fixes the decimals, else those it has are kept."""
    if value is None:
        return ""
    exact = Decimal(str(value))
    exponent = exact.as_tuple().exponent
    places = digits if digits is not None else max(0, -exponent) if isinstance(exponent, int) else 0
    pattern = "#,##0" + ("." + "0" * places if places else "")
    return format_decimal(exact, format=pattern, locale=language.current())


def as_wait(span: timedelta) -> str:
    """Write a wait as a clock: `07:32`, `1:05:09`, `2 days`."""
    seconds = max(0, int(span.total_seconds()))
    if seconds >= 2 * 86400:
        return ngettext("%(num)s day", "%(num)s days", seconds // 86400)
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60:02}:{rest % 60:02}"


def as_waited(since: datetime, now: datetime | None = None) -> int:
    """Count the seconds since a moment by this server's clock; pages count on from there, whatever their own clock says."""
    return max(0, int(((now or datetime.now(UTC)) - since).total_seconds()))


def as_ago(moment: datetime | None, now: datetime | None = None) -> str:
    """Write how long ago (or how soon) in rough words; beyond a week the date."""
    if moment is None:
        return ""
    seconds = int(((now or datetime.now(UTC)) - moment).total_seconds())
    if abs(seconds) >= 7 * 86400:
        return as_date(moment)
    if abs(seconds) < 45:
        return _("just now")
    return _past(seconds) if seconds > 0 else _future(-seconds)


def _past(seconds: int) -> str:
    if seconds < 3570:
        return ngettext("%(num)s minute ago", "%(num)s minutes ago", round(seconds / 60))
    if seconds < 86400:
        return ngettext("%(num)s hour ago", "%(num)s hours ago", round(seconds / 3600))
    return ngettext("%(num)s day ago", "%(num)s days ago", seconds // 86400)


def _future(seconds: int) -> str:
    if seconds < 3570:
        return ngettext("in %(num)s minute", "in %(num)s minutes", round(seconds / 60))
    if seconds < 86400:
        return ngettext("in %(num)s hour", "in %(num)s hours", round(seconds / 3600))
    return ngettext("in %(num)s day", "in %(num)s days", seconds // 86400)


def as_age(born: date, on: date) -> str:
    """Write an age as clinicians say it: years, months under six years, days under two months."""
    months = (on.year - born.year) * 12 + on.month - born.month - (on.day < born.day)
    if months < 2:
        return ngettext("%(num)s day old", "%(num)s days old", (on - born).days)
    if months < 72:
        return ngettext("%(num)s month old", "%(num)s months old", months)
    return ngettext("%(num)s year old", "%(num)s years old", months // 12)


def initials(name: str) -> str:
    """Two letters for an avatar: family and given name, as in `Nguyễn Thị Hoa` -> `NH`."""
    parts = name.split()
    return (parts[0][0] + (parts[-1][0] if len(parts) > 1 else "")).upper() if parts else "?"


FILTERS = {
    "date": as_date, "time": as_time, "moment": as_moment, "number": as_number,
    "ago": as_ago, "wait": as_wait, "waited": as_waited, "age": as_age, "initials": initials,
}  # fmt: skip
