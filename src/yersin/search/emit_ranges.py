"""What one element means for a parameter found by its extent: dates, numbers, quantities, places.

Source: https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from yersin.fhir import dates, ucum
from yersin.fhir.dates import Span
from yersin.search import tokens
from yersin.search.build import CANONICAL, Build, Range
from yersin.search.extract import Emitter, Slot, emitting

CURRENCY = "urn:iso:std:iso:4217"
_INFINITY = float("inf")


# --- dates ---------------------------------------------------------------------------------------------------------


def _time(b: Build, s: Slot, found: Span | None, parent: Any) -> None:
    if found is None:
        return
    if s.main:
        b.lo = found.lo if b.lo is None else min(b.lo, found.lo)
        b.hi = found.hi if b.hi is None else max(b.hi, found.hi)
        return
    lo, hi = dates.seconds(found.lo), dates.seconds(found.hi)
    b.ranges += [Range(s.number, key, lo, hi, None) for key in _keys(b, s, parent)]


def _date(b: Build, s: Slot, value: str | None, parent: Any = None) -> None:
    if value is not None:
        _time(b, s, dates.day_span(value) if s.calendar else dates.span(value, b.zone), parent)


def _period(b: Build, s: Slot, value: Any, parent: Any = None) -> None:
    _time(b, s, dates.period_span(value, b.zone), parent)


def _timing(b: Build, s: Slot, value: Any, parent: Any = None) -> None:
    _time(b, s, dates.timing_span(value, b.zone), parent)


# --- numbers and quantities ----------------------------------------------------------------------------------------


def _keys(b: Build, s: Slot, parent: Any) -> tuple[int, ...]:
    """Give the keys of a range: the codes beside it where a composite pairs them, else 0."""
    if parent is None or s.parameter.key is None:
        return (0,)
    value = getattr(parent, s.parameter.key[1].steps[0].name)
    codings = value.coding or () if hasattr(value, "coding") else (value,) if value is not None else ()
    codes = [c.code for c in codings if c.code is not None]
    return tuple(dict.fromkeys(_key(b, code) for code in codes)) or (0,)


def _key(b: Build, code: str) -> int:
    found = b.memory.get(("$", code))
    if found is None:
        found = b.memory["$", code] = b.hashes((tokens.key_text(code),))[0]
    return int(found)


def _number(b: Build, s: Slot, value: Any, parent: Any = None) -> None:
    if value is not None:
        b.ranges += [Range(s.number, key, float(value), float(value), None) for key in _keys(b, s, parent)]


def unit_text(quantity: Any) -> str | None:
    """Give a quantity's unit as its raw row names it: `system|code`, else `|unit` as written, else None."""
    if quantity.code is not None:
        return f"{quantity.system or ''}|{quantity.code}"
    return f"|{quantity.unit}" if quantity.unit is not None else None


def _amount(b: Build, s: Slot, lo: Decimal | None, hi: Decimal | None, like: Any, parent: Any) -> None:
    """Add a raw row, and one in base units where the unit is UCUM's and known; None is an open end."""
    rows = [(_float(lo, -_INFINITY), _float(hi, _INFINITY), unit_text(like))]
    unit = ucum.unit(like.code) if like.system == ucum.SYSTEM and like.code is not None else None
    if unit is not None:
        low = _float(unit.canonical(lo) if lo is not None else None, -_INFINITY)
        high = _float(unit.canonical(hi) if hi is not None else None, _INFINITY)
        rows.append((low, high, CANONICAL + unit.base))
    b.ranges += [Range(s.number, key, *row) for key in _keys(b, s, parent) for row in rows]


def _float(value: Decimal | None, otherwise: float) -> float:
    return otherwise if value is None else float(value)


def _quantity(b: Build, s: Slot, value: Any, parent: Any = None) -> None:
    amount = value.value
    if amount is None:
        return
    comparator = value.comparator
    below = comparator in {"<", "<="}
    above = comparator in {">", ">="}
    _amount(b, s, None if below else amount, None if above else amount, value, parent)


def _range(b: Build, s: Slot, value: Any, parent: Any = None) -> None:
    low, high = value.low, value.high
    like = low if low is not None else high
    if like is not None:
        ends = (low.value if low is not None else None, high.value if high is not None else None)
        _amount(b, s, *ends, like, parent)


def _sampled(b: Build, s: Slot, value: Any, parent: Any = None) -> None:
    """Keep the extent of a series of samples: from its lowest to its highest."""
    samples = [_decimal(word) for word in (value.data or "").split()]
    known = [x for x in samples if x is not None]
    if known and value.origin.value is not None:
        factor = value.factor if value.factor is not None else Decimal(1)
        ends = sorted((value.origin.value + min(known) * factor, value.origin.value + max(known) * factor))
        _amount(b, s, ends[0], ends[1], value.origin, parent)


def _decimal(word: str) -> Decimal | None:
    """Read a sample; E, U and L stand for errors and for below or above what the device can tell."""
    try:
        return Decimal(word)
    except InvalidOperation:
        return None


def _money(b: Build, s: Slot, value: Any, parent: Any = None) -> None:
    if value.value is not None:
        unit = f"{CURRENCY}|{value.currency}" if value.currency is not None else None
        amount = float(value.value)
        b.ranges += [Range(s.number, key, amount, amount, unit) for key in _keys(b, s, parent)]


def _position(b: Build, s: Slot, value: Any) -> None:
    """Keep a place for `near`: its latitude as lo and its longitude as hi."""
    b.ranges.append(Range(s.number, 0, float(value.latitude), float(value.longitude), None))


EMITTERS: dict[tuple[str, str], Emitter] = {
    **emitting("date", "date dateTime instant", _date),
    **emitting("date", "Period", _period),
    **emitting("date", "Timing", _timing),
    **emitting("number", "integer decimal positiveInt unsignedInt", _number),
    **emitting("number", "Range", _range),
    **emitting("quantity", "Quantity SimpleQuantity Age Count Distance Duration", _quantity),
    **emitting("quantity", "Range", _range),
    **emitting("quantity", "SampledData", _sampled),
    **emitting("quantity", "Money", _money),
    **emitting("special", "Location.position BackboneElement", _position),
}
