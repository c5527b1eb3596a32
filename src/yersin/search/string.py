"""String parameters: a value starts with the text, whatever its case and accents. Source: https://hl7.org/fhir/R4/search.html#string"""

from __future__ import annotations

import re
from dataclasses import replace

from yersin.fhir.folding import fold
from yersin.fhir.parameters import parameters

from .page import Criterion, plain
from .tokens import string_query
from .where import Where, either, refuse_modifier

_SIGN = re.compile(r"([^\w\s])")


def where(criterion: Criterion, clause: Where) -> None:
    """Add a string criterion; `:exact` compares as written, `:contains` anywhere in the value."""
    criterion = replace(criterion, values=tuple(map(plain, criterion.values)))
    codes = criterion.parameter.covers or (criterion.parameter.code,)
    if criterion.modifier == "exact":
        clause.any_token([f"{code}:exact={value}" for code in codes for value in criterion.values])
    elif criterion.modifier == "contains":
        clause.add(either([_line(clause, code, "[^\\n]*" + _quoted(v)) for code in codes for v in criterion.values]))
    elif criterion.modifier == "":
        _starting(criterion, codes, clause)
    else:
        raise refuse_modifier(criterion, ("contains", "exact", "missing"))


def _starting(criterion: Criterion, codes: tuple[str, ...], clause: Where) -> None:
    asked = [(code, value, *string_query(code, value)) for code in codes for value in criterion.values]
    found = all(text for _, _, text, _ in asked)
    if found:
        clause.any_token([text for _, _, text, _ in asked])
    if not all(settled for _, _, _, settled in asked):
        line = _recheck if found else _line
        clause.add(either([line(clause, code, _quoted(value)) for code, value, _, _ in asked]))


def _line(clause: Where, code: str, pattern: str) -> str:
    """Return a condition on the lines of `txt`: `|number|number=folded value`, the numbers being those of parameters."""
    return f"r.txt ~ {_pattern(clause, code, pattern)}"


def _recheck(clause: Where, code: str, pattern: str) -> str:
    """Return the same for rows that tokens have found: a function, whose planning does not try the pattern on samples."""
    return f"regexp_like(r.txt, {_pattern(clause, code, pattern)})"


def _pattern(clause: Where, code: str, pattern: str) -> str:
    number = parameters(clause.type)[code].number
    return clause.sql.arg(f"[|]{number}([|][0-9]+)*={pattern}", "text")


def _quoted(value: str) -> str:
    return _SIGN.sub(r"\\\1", fold(value))
