"""Least and greatest value that a date, time or decimal of limited precision can mean.

Source: https://build.fhir.org/ig/HL7/FHIRPath/#lowboundaryprecision-integer-decimal--date--datetime--time
"""

from __future__ import annotations

import re
from calendar import monthrange
from decimal import Decimal
from typing import Any

from .paths import Moment

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?").fullmatch
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)(Z|[+-]\d\d:\d\d)?").fullmatch
_TIME = re.compile(r"\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?").fullmatch


def boundary(value: Any, *, upper: bool) -> list[Any]:
    """Least or greatest meaning of a value; nothing for what has no boundaries."""
    if isinstance(value, bool):
        return []
    if isinstance(value, int | Decimal):
        exact = Decimal(value)
        half = Decimal(5).scaleb(int(exact.as_tuple().exponent) - 1)
        return [exact + half if upper else exact - half]
    if not isinstance(value, str):
        return []
    if found := _MOMENT(value):
        return [f"{found[1]}T{_filled(found[2], upper=upper)}{found[3] or _zone(upper=upper)}"]
    if found := _DATE(value):
        if isinstance(value, Moment):
            return [f"{_day(found[1], found[2], found[3], upper=upper)}T{_filled('', upper=upper)}{_zone(upper=upper)}"]
        return [_day(found[1], found[2], found[3], upper=upper)]
    return [_filled(value, upper=upper)] if _TIME(value) else []


def _zone(*, upper: bool) -> str:
    return "-12:00" if upper else "+14:00"


def _filled(text: str, *, upper: bool) -> str:
    whole = "23:59:59.999" if upper else "00:00:00.000"
    return text + whole[len(text) :]


def _day(year: str, month: str | None, day: str | None, *, upper: bool) -> str:
    month = month or ("12" if upper else "01")
    day = day or (f"{monthrange(int(year), int(month))[1]:02d}" if upper else "01")
    return f"{year}-{month}-{day}"
