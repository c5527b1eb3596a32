"""Searches within a compartment: `Patient/x/Observation`. Source: https://hl7.org/fhir/R4/compartmentdefinition.html"""

from __future__ import annotations

from collections.abc import Sequence

from yersin.fhir import r4
from yersin.fhir.parameters import compartment, parameters
from yersin.fhir.problem import problem
from yersin.store.identity import row_id

from .tokens import member
from .where import Where

NAMES = ("Patient", "Encounter", "RelatedPerson", "Practitioner", "Device")


def types_in(name: str) -> Sequence[str]:
    """List the types that a compartment holds, its own first."""
    return (name, *(t for t in r4.TYPE_NUMBER if t != name and compartment(name, t)))


def where(name: str, logical_id: str, clause: Where) -> None:
    """Require that a row lies in a compartment. Raises Problem (404) for a type that never does."""
    codes = compartment(name, clause.type)
    if clause.type == name and name != "Patient":
        clause.add(f"r.id = {clause.sql.arg(row_id(name, logical_id).id)}")
    elif not codes:
        raise problem("not-found", f"No {clause.type} lies in the compartment of a {name}.", status=404)
    elif name == "Patient":
        clause.any_token([member(logical_id)], names_few=True)
    else:
        known = parameters(clause.type)
        stored = dict.fromkeys(s for code in codes for s in known[code].covers or (code,))
        texts = [f"{code}>{name}/{logical_id}" for code in stored]
        clause.any_token(texts, names_few=name in ("Encounter", "RelatedPerson"))
