"""Reading what people type: numbers and dates in the Vietnamese and the English manner. Never guesses where it could harm."""

from __future__ import annotations

import re
from datetime import date, time
from decimal import Decimal

from yersin.web import language
from yersin.web.language import gettext as _

_DAY = re.compile(r"(\d{1,2})[/.\-\s](\d{1,2})[/.\-\s](\d{4})|(\d{2})(\d{2})(\d{4})")
_ISO_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_CLOCK = re.compile(r"(\d{1,2})(?:[:hHg.]\s?(\d{2})?|(\d{2}))?")
_GROUPS = re.compile(r"[+-]?\d{1,3}(?:([.,  ])\d{3})(?:\1\d{3})*(?:(?!\1)[.,]\d+)?")
_PLAIN = re.compile(r"[+-]?\d+(?:[.,]\d+)?|[+-]?[.,]\d+")


class UnreadableError(ValueError):
    """What was typed cannot be read; the message says how to write it, in the person's language."""


def read_date(text: str) -> date:
    """Read dd/mm/yyyy, dd-mm-yyyy, ddmmyyyy or yyyy-mm-dd."""
    typed = text.strip()
    try:
        if iso := _ISO_DAY.fullmatch(typed):
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        if day := _DAY.fullmatch(typed):
            found = [int(part) for part in day.groups() if part is not None]
            return date(found[2], found[1], found[0])
    except ValueError as error:
        raise UnreadableError(_("There is no such day in the calendar")) from error
    raise UnreadableError(_("Write the date as dd/mm/yyyy, for example 05/09/1987"))


def read_time(text: str) -> time:
    """Read hh:mm on the 24-hour clock; also 14h30, 1430 and 8h."""
    match = _CLOCK.fullmatch(text.strip())
    try:
        if match:
            return time(int(match[1]), int(match[2] or match[3] or 0))
    except ValueError:
        pass
    raise UnreadableError(_("Write the time as hh:mm, for example 14:30"))


def read_whole(text: str) -> int:
    """Read a whole number; groups of three may be set apart by point, comma or space."""
    typed = text.strip()
    if re.fullmatch(r"[+-]?\d+", typed) or re.fullmatch(r"[+-]?\d{1,3}([.,  ]\d{3})+", typed):
        return int(re.sub(r"[.,  ]", "", typed))
    raise UnreadableError(_("Write a whole number"))


def read_number(text: str) -> Decimal:
    """Read a decimal number. `37.5` and `37,5` are clear everywhere; `1.234` in Vietnamese is not and is asked back."""
    typed = text.strip()
    if _PLAIN.fullmatch(typed) and not _is_unclear(typed):
        return Decimal(typed.replace(",", "."))
    grouped = _GROUPS.fullmatch(typed)
    if grouped is None:
        raise UnreadableError(_("Write a number, for example %(example)s", example=_example()))
    if _is_unclear(typed):
        raise UnreadableError(_("Is this %(whole)s? Then write it without separator", whole=re.sub(r"[.,]", "", typed)))
    return Decimal(typed.replace(grouped[1], "").replace(",", "."))


def _example() -> str:
    return "36,8" if language.current() == "vi" else "36.8"


def _is_unclear(typed: str) -> bool:
    """A single grouping sign with three digits behind it may be meant as a decimal sign, a thousandfold error."""
    grouping = "." if language.current() == "vi" else ","
    whole, sign, rest = typed.lstrip("+-").partition(grouping)
    return (
        bool(sign)
        and len(rest) == 3
        and rest.isdecimal()
        and whole.isdecimal()
        and 1 <= len(whole) <= 3
        and whole[0] != "0"
    )
