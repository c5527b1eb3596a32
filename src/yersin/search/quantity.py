"""Quantity parameters: `number`, `number|system|code`, `number||unit`; UCUM units are compared in base units.

Source: https://hl7.org/fhir/R4/search.html#quantity
"""

from __future__ import annotations

import re
from dataclasses import replace

from yersin.fhir import ucum

from .build import CANONICAL
from .emit_ranges import CURRENCY
from .number import Amount, amount, compare
from .page import Criterion
from .tokens import hashes
from .where import Where, either, refuse_modifier

_MONEY = re.compile(r"[A-Z]{3}").fullmatch


def where(criterion: Criterion, clause: Where) -> None:
    """Add a quantity criterion."""
    if criterion.modifier:
        raise refuse_modifier(criterion, ("missing",))
    rows = criterion.parameter.rows
    conditions = [f"({_compared(criterion, value, clause)})" for value in criterion.values]
    clause.in_ranges((*rows, *(-n for n in rows)), either(conditions))


def _compared(criterion: Criterion, text: str, clause: Where) -> str:
    number, _, unit = text.partition("|")
    system, bar, code = unit.rpartition("|")
    wanted = amount(criterion, number)
    if not unit.strip("|"):
        return f"x.param > 0 AND {compare(wanted, clause)}"
    return either([f"({sql})" for sql in _with_unit(wanted, system if bar else "", code, clause)])


def _with_unit(wanted: Amount, system: str, code: str, clause: Where) -> list[str]:
    """Return conditions for each way the unit may be stored; base units first, since they settle most."""
    ways = []
    base = ucum.unit(code) if system in ("", ucum.SYSTEM) else None
    if base is not None:
        lo, hi, value = (base.canonical(n) for n in (wanted.lo, wanted.hi, wanted.value))
        scaled = replace(wanted, lo=lo, hi=hi, value=value)
        ways.append(f"x.unit = {_unit(CANONICAL + base.base, clause)} AND {compare(scaled, clause)}")
    if base is None or not system:
        written = [f"{system}|{code}", *([f"{CURRENCY}|{code}"] if not system and _MONEY(code) else [])]
        units = either([f"x.unit = {_unit(raw, clause)}" for raw in written])
        ways.append(f"{units} AND {compare(wanted, clause)}")
    return ways


def _unit(text: str, clause: Where) -> str:
    return clause.sql.arg(unit_number(text, clause.key), "bigint")


def unit_number(text: str, key: bytes) -> int:
    """Number under which a range row keeps its unit."""
    return hashes((f"unit|{text}",), key)[0]
