r"""Composite parameters: values that stand together, `code$value`. Source: https://hl7.org/fhir/R4/search.html#composite

A number, date or quantity is kept with the code beside it as its key; two codes as one token of the pair; where all
parts stand once in a resource, each is asked for by itself. Composites that were added keep what stands together, up to
one extent, as a token of all its parts, which is the key of the extent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product

from yersin.fhir.parameters import Parameter, parameters
from yersin.fhir.problem import problem

from . import date, number, quantity, reference, string, token, uri
from .missing import has_value, is_absent
from .page import Criterion, plain
from .tokens import hashes, key_text, pair, reference_query, together, token_query
from .tokens import present as present_token
from .where import Where, either, refuse_modifier, refuse_value

_DOLLAR = re.compile(r"(?<!\\)\$")
_KINDS: Mapping[str, Callable[[Criterion, Where], None]] = {
    "token": token.where,
    "date": date.where,
    "number": number.where,
    "quantity": quantity.where,
    "string": string.where,
    "reference": reference.where,
    "uri": uri.where,
}


def can_be_searched(parameter: Parameter) -> bool:
    """Whether a parameter can be searched: all but a pair of which no index keeps the parts together."""
    return parameter.form != "pair" or bool(parameter.covers) or all(part.paths for part in parameter.components)


def where(criterion: Criterion, clause: Where) -> None:
    """Add a composite criterion."""
    if criterion.modifier:
        raise refuse_modifier(criterion, ("missing",))
    parameter = criterion.parameter
    if not can_be_searched(parameter):
        text = f"{parameter.code} cannot be searched: no index keeps its parts together."
        raise problem("not-supported", text, expression=criterion.place)
    clause.add(either([f"({_one(criterion, value, clause)})" for value in criterion.values]))


def missing(criterion: Criterion, clause: Where) -> None:
    """Require that the parts of a composite stand together somewhere, or that they do not."""
    absent = is_absent(criterion)
    together = present(criterion.parameter, clause)
    clause.add(f"NOT ({together})" if absent else together)


def _one(criterion: Criterion, value: str, clause: Where) -> str:
    parameter = criterion.parameter
    parts = _DOLLAR.split(value)
    if len(parts) != len(parameter.components) or not all(parts):
        form = "$".join(part.code for part in parameter.components)
        raise refuse_value(criterion, value, f"write {form}.")
    if parameter.form == "pair" and parameter.covers:
        known = parameters(parameter.type)
        return either([f"({_one(replace(criterion, parameter=known[c]), value, clause)})" for c in parameter.covers])
    if parameter.form == "together":
        return _together(criterion, parts, clause)
    inner = apart(clause)
    if parameter.form == "pair":
        if any(part.endswith("|") and not part.endswith("\\|") for part in parts):
            raise refuse_value(criterion, value, "name a code, not a system alone.")
        lefts, rights = (_forms(parameter, n, part, clause) for n, part in enumerate(parts))
        inner.any_token([pair(parameter.code, left, right) for left in lefts for right in rights])
    elif parameter.form == "rows":
        _beside(criterion, parts[0], parts[1], inner)
    else:
        for component, part in zip(parameter.components, parts, strict=True):
            _alone(parameters(parameter.type)[component.code], part, inner)
    return inner.text()


def _alone(parameter: Parameter, value: str, clause: Where) -> None:
    _KINDS[parameter.kind](Criterion(parameter=parameter, modifier="", values=(value,)), clause)


def _beside(criterion: Criterion, code: str, value: str, clause: Where) -> None:
    """Ask for a range row by the code beside it; its key knows no system, so the system is asked of the resource."""
    known = parameters(criterion.parameter.type)
    left, right = (known[part.code] for part in criterion.parameter.components)
    _alone(left, code, clause)
    plain = code.rpartition("|")[2]
    if not plain:
        raise refuse_value(criterion, f"{code}${value}", "name a code, not a system alone.")
    clause.beside = hashes((key_text(plain),), clause.key)[0]
    _alone(replace(right, rows=criterion.parameter.rows), value, clause)
    clause.beside = None


def _together(criterion: Criterion, parts: Sequence[str], clause: Where) -> str:
    """Ask for a token of all parts, or for a range row that has it as its key."""
    parameter, words, extent = criterion.parameter, [], None
    for component, text in zip(parameter.components, parts, strict=True):
        assert component.own is not None  # noqa: S101 - a composite that was added has its parts' own parameters
        if component.own.rows:
            extent = (replace(component.own, code=parameter.code), text)
        else:
            words.append(hashes(_texts(component.own, text, clause.base), clause.key))
    texts = [together(parameter.code, each) for each in product(*words)]
    inner = apart(clause)
    if extent is None:
        inner.any_token(texts)
        return inner.text()
    ways = []
    for key in hashes(texts, clause.key):
        inner = replace(apart(clause), beside=key)
        _alone(*extent, inner)
        ways.append(f"({inner.text()})")
    return either(ways)


def _texts(parameter: Parameter, text: str, base: str) -> list[str]:
    """Give the texts, any of which a part's value has."""
    if parameter.kind == "reference":
        return reference_query(parameter, plain(text), base=base)
    return token_query(parameter, plain(text)) if parameter.kind == "token" else [f"{parameter.code}={plain(text)}"]


def apart(clause: Where) -> Where:
    """Give a clause of its own for a part of another: its conditions can be joined and negated as a whole."""
    return replace(clause, required=[], groups=[], names_few=False, parts=[], since=[], before=[])


def present(parameter: Parameter, clause: Where) -> str:
    """Return the condition that all parts of a composite stand together somewhere."""
    known = parameters(parameter.type)
    if parameter.form == "pair" and parameter.covers:
        return either([f"({present(known[code], clause)})" for code in parameter.covers])
    inner = apart(clause)
    if parameter.form in ("pair", "together"):
        inner.any_token([present_token(parameter.code)])
    elif parameter.form == "rows":
        inner.in_ranges((*parameter.rows, *(-n for n in parameter.rows)), "x.key <> 0")
    else:
        for component in parameter.components:
            has_value(known[component.code], inner)
    return inner.text()


def _forms(parameter: Parameter, place: int, text: str, clause: Where) -> list[str]:
    """Give the texts that one side of a pair may have, as the index has them."""
    component = parameter.components[place]
    if component.kind == "reference":
        asked = reference_query(parameters(parameter.type)[component.code], text, base=clause.base)
        return [each.partition(">")[2] for each in asked]
    system, bar, code = text.replace("\\|", "|").rpartition("|")
    return [f"{system}|{code.lower()}" if bar else f"*|{text.lower()}"]
