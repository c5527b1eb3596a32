"""Token parameters. Source: https://hl7.org/fhir/R4/search.html#token"""

from __future__ import annotations

from yersin.store.identity import row_id

from .page import Criterion, plain
from .tokens import of_type_query, token_query
from .where import Where, refuse_modifier

MODIFIERS = ("missing", "not", "of-type")


def where(criterion: Criterion, clause: Where) -> None:
    """Add a token criterion."""
    parameter = criterion.parameter
    if parameter.code == "_id":
        _ids(criterion, clause)
        return
    if criterion.modifier not in ("", *MODIFIERS):
        raise refuse_modifier(criterion, MODIFIERS)
    codes = parameter.covers or (parameter.code,)
    if criterion.modifier == "of-type":
        texts = [t for value in criterion.values for t in of_type_query(parameter, value)]
    else:
        texts = [t for value in criterion.values for code in codes for t in token_query(parameter, plain(value), code)]
    names_few = parameter.exact and not any(text.endswith("|") for text in texts)
    clause.any_token(texts, negated=criterion.modifier == "not", names_few=names_few)


def _ids(criterion: Criterion, clause: Where) -> None:
    if criterion.modifier not in ("", "not"):
        raise refuse_modifier(criterion, ("missing", "not"))
    ids = [row_id(clause.type, value).id for value in criterion.values]
    found = f"r.id = ANY({clause.sql.arg(ids, 'uuid[]')})"
    clause.add(f"NOT {found}" if criterion.modifier else found)
