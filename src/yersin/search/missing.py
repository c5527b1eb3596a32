"""The modifier `:missing`. Source: https://hl7.org/fhir/R4/search.html#modifiers"""

from __future__ import annotations

from yersin.fhir.parameters import Parameter

from .page import Criterion
from .tokens import present
from .where import Where, refuse_modifier, refuse_value

_IN_TOKENS = frozenset({"token", "reference", "string", "uri"})
_IN_RANGES = frozenset({"date", "number", "quantity"})
#: what every resource has
_ALWAYS = frozenset({"_id", "_lastUpdated"})


def missing(criterion: Criterion, clause: Where) -> None:
    """Require that a parameter has a value, or that it has none."""
    if not has_value(criterion.parameter, clause, absent=is_absent(criterion)):
        raise refuse_modifier(criterion, ())


def is_absent(criterion: Criterion) -> bool:
    """Whether a criterion asks for what has no value. Raises Problem for what says neither."""
    if criterion.values not in (("true",), ("false",)):
        raise refuse_value(criterion, ",".join(criterion.values), "write true or false.")
    return criterion.values == ("true",)


def has_value(parameter: Parameter, clause: Where, *, absent: bool = False) -> bool:
    """Require that a parameter has a value, or that it is absent; answers false where no index says it."""
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
        return False
    return True
