"""The modifier `:missing`. Source: https://hl7.org/fhir/R4/search.html#modifiers"""

from __future__ import annotations

from .page import Criterion
from .tokens import present
from .where import Where, refuse_modifier, refuse_value

_IN_TOKENS = frozenset({"token", "reference", "string", "uri"})
_IN_RANGES = frozenset({"date", "number", "quantity"})
#: what every resource has
_ALWAYS = frozenset({"_id", "_lastUpdated"})


def missing(criterion: Criterion, clause: Where) -> None:
    """Require that a parameter has a value, or that it has none."""
    parameter = criterion.parameter
    if criterion.values not in (("true",), ("false",)):
        raise refuse_value(criterion, ",".join(criterion.values), "write true or false.")
    absent = criterion.values == ("true",)
    if parameter.code in _ALWAYS:
        clause.add("false" if absent else "true")
    elif parameter.main:
        clause.add(f"r.d_lo IS {'' if absent else 'NOT '}NULL")
    elif parameter.kind in _IN_TOKENS:
        clause.any_token([present(code) for code in parameter.covers or (parameter.code,)], negated=absent)
    elif parameter.kind in _IN_RANGES:
        clause.in_ranges((*parameter.rows, *(-n for n in parameter.rows)), "true", negated=absent)
    elif parameter.kind == "special":
        clause.in_ranges((parameter.number,), "true", negated=absent)
    else:
        raise refuse_modifier(criterion, ())
