"""Uri parameters compare whole and exactly. Source: https://hl7.org/fhir/R4/search.html#uri"""

from __future__ import annotations

from collections.abc import Sequence

from .page import Criterion, plain
from .tokens import ancestors
from .where import Where, refuse_modifier


def where(criterion: Criterion, clause: Where) -> None:
    """Add a uri criterion; `:below` finds what lies under a path, `:above` what a path lies under."""
    code, modifier = criterion.parameter.code, criterion.modifier
    if modifier not in ("", "above", "below"):
        raise refuse_modifier(criterion, ("above", "below", "missing"))
    sign = "<" if modifier == "below" else "="
    values: Sequence[str] = [plain(value) for value in criterion.values]
    if modifier == "above":
        values = [a for v in values for a in (v, *ancestors(v))]
    elif modifier == "below":  # a path is the same with a slash at its end
        values = [v.rstrip("/") if "://" in v else v for v in values]
    clause.any_token([f"{code}{sign}{value}" for value in values])
