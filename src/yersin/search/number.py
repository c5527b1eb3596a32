"""Number parameters, and the comparison that quantities share. Source: https://hl7.org/fhir/R4/search.html#number"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from .page import Criterion
from .where import Where, either, refuse_modifier, refuse_value

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
_LONGEST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A number as searched for: prefix, the number itself, and the span that its digits imply, or `ap` with its tenth."""

    prefix: str
    value: Decimal
    lo: Decimal
    hi: Decimal


def amount(criterion: Criterion, text: str) -> Amount:
    """Read `gt5.40`. Raises Problem when it is no number."""
    prefix = text[:2] if text[:2] in PREFIXES else "eq"
    digits = text.removeprefix(prefix) if text[:2] in PREFIXES else text
    try:
        value = Decimal(digits)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or len(digits) > _LONGEST or abs(value.adjusted()) > 300:
        raise refuse_value(criterion, text, "write a number such as 5.4 or gt5.4.")
    # the tenth is taken here, before a quantity is brought to base units: a tenth of 37 Cel is no tenth of 310 K
    half = abs(value) / 10 if prefix == "ap" else Decimal(5).scaleb(int(value.as_tuple().exponent) - 1)
    return Amount(prefix=prefix, value=value, lo=value - half, hi=value + half)


def compare(wanted: Amount, clause: Where) -> str:
    """Return the SQL that compares the range row `x` with an amount."""

    def number(value: Decimal) -> str:
        return clause.sql.arg(float(value), "float8")

    exact = wanted.value
    match wanted.prefix:
        case "eq" | "ne":
            equal = f"(x.lo >= {number(wanted.lo)} AND (x.hi < {number(wanted.hi)} OR x.hi = {number(exact)}))"
            return f"NOT {equal}" if wanted.prefix == "ne" else equal
        case "gt":
            return f"x.hi > {number(exact)}"
        case "lt":
            return f"x.lo < {number(exact)}"
        case "ge":
            return f"x.hi >= {number(exact)}"
        case "le":
            return f"x.lo <= {number(exact)}"
        case "sa":
            return f"x.lo > {number(exact)}"
        case "eb":
            return f"x.hi < {number(exact)}"
        case _:
            return f"x.lo <= {number(wanted.hi)} AND x.hi >= {number(wanted.lo)}"


def where(criterion: Criterion, clause: Where) -> None:
    """Add a number criterion."""
    if criterion.modifier:
        raise refuse_modifier(criterion, ("missing",))
    amounts = [amount(criterion, value) for value in criterion.values]
    clause.in_ranges(criterion.parameter.rows, either([f"({compare(a, clause)})" for a in amounts]))
