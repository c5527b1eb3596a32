"""Uri parameters compare whole and exactly. Source: https://hl7.org/fhir/R4/search.html#uri"""

from __future__ import annotations

from .page import Criterion
from .where import Where, refuse_modifier


def where(criterion: Criterion, clause: Where) -> None:
    """Add a uri criterion; `:below` finds what lies under a path."""
    if criterion.modifier not in ("", "below"):
        raise refuse_modifier(criterion, ("below", "missing"))
    sign = "<" if criterion.modifier == "below" else "="
    clause.any_token([f"{criterion.parameter.code}{sign}{value}" for value in criterion.values])
