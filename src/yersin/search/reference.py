"""Reference parameters. Source: https://hl7.org/fhir/R4/search.html#reference"""

from __future__ import annotations

from collections.abc import Iterable

from yersin.fhir import r4

from .page import Criterion
from .tokens import reference_query
from .where import Where, refuse_modifier


def where(criterion: Criterion, clause: Where) -> None:
    """Add a reference criterion: `param=Type/id`, `param=id`, `param:Type=id`, `param=url`, `param:identifier=system|value`."""
    parameter, modifier = criterion.parameter, criterion.modifier
    codes = parameter.covers or (parameter.code,)
    if modifier == "identifier":
        clause.any_token([f"{code}:identifier|{_identifier(value)}" for code in codes for value in criterion.values])
    elif modifier == "" or modifier in r4.TYPE_NUMBER:
        asked = [reference_query(parameter, value, modifier, clause.base) for value in criterion.values]
        clause.any_token([text for texts in asked for text in texts], names_few=all(map(_may_be_a_patient, asked)))
    else:
        raise refuse_modifier(criterion, ("identifier", "missing", *parameter.targets))


def _may_be_a_patient(texts: Iterable[str]) -> bool:
    return any(">Patient/" in text for text in texts)


def _identifier(value: str) -> str:
    return value if "|" in value else f"*|{value}"
