"""Date parameters: a value and a target are both spans of time. Source: https://hl7.org/fhir/R4/search.html#date"""

from __future__ import annotations

from collections.abc import Sequence

from yersin.fhir.dates import Comparison, approximate, comparison, seconds
from yersin.fhir.parameters import Parameter

from .page import Criterion
from .where import Where, either, refuse_modifier


def where(criterion: Criterion, clause: Where) -> None:
    """Add a date criterion, on the row's own columns when it is the type's main date."""
    if criterion.modifier:
        raise refuse_modifier(criterion, ("missing",))
    parameter = criterion.parameter
    values = [comparison(value, clause.zone, calendar=parameter.calendar) for value in criterion.values]
    if parameter.code == "_lastUpdated":
        clause.add(either([_instant(v, clause) for v in values]))
    elif parameter.main:
        clause.add(either([f"({_compare(v, 'r.d_lo', 'r.d_hi', clause, 'timestamptz')})" for v in values]))
        _bound(values, parameter, clause)
    else:
        conditions = [_compare(v, "x.lo", "x.hi", clause, "float8") for v in values]
        clause.in_ranges(parameter.rows, either([f"({condition})" for condition in conditions]))


def _bound(values: Sequence[Comparison], parameter: Parameter, clause: Where) -> None:
    """Say between which moments every match reaches, so that the index on the main date is entered from both sides."""
    spans = [Comparison("ap", *approximate(v, clause.now)) if v.prefix == "ap" else v for v in values]
    clause.calendar = parameter.calendar
    if all(v.prefix in _REACHES for v in spans):
        clause.since.append(min(v.lo for v in spans))
    if all(v.prefix in _BEGINS_BEFORE for v in spans):
        clause.before.append(max(v.lo if v.prefix in ("lt", "eb") else v.hi for v in spans))


#: what matches these ends after the beginning of what is asked, or begins before its end
_REACHES = frozenset({"eq", "gt", "ge", "sa", "ap"})
_BEGINS_BEFORE = frozenset({"eq", "lt", "le", "eb", "ap"})
_SQL = {
    "eq": "{low} >= {lo} AND {high} <= {hi}",
    "ne": "NOT ({low} >= {lo} AND {high} <= {hi})",
    "gt": "{high} > {hi}",
    "lt": "{low} < {lo}",
    "ge": "({low} >= {lo} OR {high} > {hi})",
    "le": "({high} <= {hi} OR {low} < {lo})",
    "sa": "{low} >= {hi}",
    "eb": "{high} <= {lo}",
    "ap": "{low} < {hi} AND {high} > {lo}",
}


def _compare(value: Comparison, low: str, high: str, clause: Where, cast: str) -> str:
    """Return the SQL of `yersin.fhir.dates.matches`."""
    if value.prefix == "ap":
        value = Comparison("ap", *approximate(value, clause.now))
    template = _SQL[value.prefix]
    ends = {
        name: clause.sql.arg(seconds(end) if cast == "float8" else end, cast)
        for name, end in (("lo", value.lo), ("hi", value.hi))
        if f"{{{name}}}" in template
    }
    return template.format(low=low, high=high, **ends)


def _instant(value: Comparison, clause: Where) -> str:
    return f"({_compare(value, 'r.upd', _NEXT, clause, 'timestamptz')})"


_NEXT = "(r.upd + interval '1 millisecond')"
