"""Uri parameters compare whole and exactly. Source: https://hl7.org/fhir/R4/search.html#uri"""

from __future__ import annotations

from .page import Criterion
from .tokens import ancestors
from .where import Where, refuse_modifier


def where(criterion: Criterion, clause: Where) -> None:
    """Add a uri criterion; `:below` finds what lies under a path, `:above` what a path lies under."""
    code, modifier = criterion.parameter.code, criterion.modifier
    if modifier not in ("", "above", "below"):
        raise refuse_modifier(criterion, ("above", "below", "missing"))
    sign = "<" if modifier == "below" else "="
    values = criterion.values if modifier != "above" else [a for v in criterion.values for a in (v, *ancestors(v))]
    clause.any_token([f"{code}{sign}{value}" for value in values])
