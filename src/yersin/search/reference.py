"""Reference parameters. Source: https://hl7.org/fhir/R4/search.html#reference"""

from __future__ import annotations

from yersin.fhir import r4

from .page import Criterion
from .tokens import reference_query
from .where import Where, refuse_modifier


def where(criterion: Criterion, clause: Where) -> None:
    """Add a reference criterion: `param=Type/id`, `param=id`, `param:Type=id`, `param=url`, `param:identifier=system|value`."""
    parameter, modifier = criterion.parameter, criterion.modifier
    codes = parameter.covers or (parameter.code,)
    if modifier == "identifier":
        texts = [f"{code}:identifier|{_identifier(value)}" for code in codes for value in criterion.values]
    elif modifier == "" or modifier in r4.TYPE_NUMBER:
        texts = [t for value in criterion.values for t in reference_query(parameter, value, modifier, clause.base)]
    else:
        raise refuse_modifier(criterion, ("identifier", "missing", *parameter.targets))
    clause.any_token(texts)


def _identifier(value: str) -> str:
    return value if "|" in value else f"*|{value}"
