"""Every search parameter of R4 with every modifier and prefix that fits its kind: run on a database, or on the list of what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.conformance.outcomes import Tally

from yersin.fhir import r4
from yersin.fhir.parameters import Parameter, parameters
from yersin.fhir.problem import Problem
from yersin.guard.access import Access
from yersin.search.page import Query
from yersin.search.run import search

PREFIXES = ("", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
VALUES = {
    "string": "an", "token": "urn:x|y", "reference": "x", "uri": "urn:x", "date": "2026-01", "number": "5", "quantity": "5|http://unitsofmeasure.org|mg",
    "special": "21.02|105.85|3|km",
}  # fmt: skip
MODIFIERS = {
    "string": ("contains", "exact"),
    "token": ("not", "text", "in", "not-in", "above", "below", "of-type"),
    "reference": ("identifier", "above", "below"),
    "uri": ("above", "below"),
}
WORDS = {
    "in": "http://hl7.org/fhir/ValueSet/administrative-gender",
    "not-in": "http://hl7.org/fhir/ValueSet/administrative-gender",
    "above": "http://terminology.hl7.org/CodeSystem/v3-ActCode|IMP",
    "below": "http://terminology.hl7.org/CodeSystem/v3-ActCode|IMP",
    "of-type": "urn:x|y|z",
}
#: what is refused: a kind of parameter or one parameter, and the modifier; "" is the parameter itself
REFUSED = {
    *(("_id", modifier) for modifier in ("above", "below", "in", "not-in", "of-type", "text")),
    ("reference", "above"),
    ("reference", "below"),
}
#: asked once for each type: what it looks up is the same for all
ONCE = ("in", "not-in", "above", "below")


def forms(parameter: Parameter) -> Iterator[tuple[str, str, str]]:
    """Each way to ask of a parameter: its modifier, name and value."""
    code, kind = parameter.code, parameter.kind
    for prefix in PREFIXES if kind in ("date", "number", "quantity") else ("",):
        yield "", code, prefix + value_of(parameter)
    yield "missing", f"{code}:missing", "true"
    for modifier in MODIFIERS.get(kind, ()):
        of_uri = kind == "uri"
        yield modifier, f"{code}:{modifier}", "urn:x" if of_uri else WORDS.get(modifier, value_of(parameter))
    if kind == "reference":
        for target in parameter.targets[:1]:
            yield "type", f"{code}:{target}", "x"


def value_of(parameter: Parameter) -> str:
    if parameter.kind == "composite":
        known = parameters(parameter.type)
        return "$".join(VALUES[known[c.code].kind if c.code in known else c.kind] for c in parameter.components)
    return VALUES[parameter.kind]


def named(parameter: Parameter, modifier: str) -> str:
    """The kind where a modifier of the whole kind is refused, else the parameter."""
    if parameter.code.startswith("_"):
        return parameter.code
    return parameter.kind if modifier else f"{parameter.type}.{parameter.code}"


TYPES = [name for name in r4.TYPE_NUMBER if name != "AuditEvent"]


def test_there_are_all_parameters_of_r4() -> None:
    assert sum(len([c for c in parameters(name) if not c.startswith("_")]) for name in r4.TYPE_NUMBER) > 1_700


@pytest.mark.timeout(120)
def test_every_form_of_every_parameter_is_run_or_refused_by_name(run: Any, system: Access, tally: Tally) -> None:
    asked = datetime.now(UTC)
    refused, failed, done = run(_all(system))
    assert not failed, failed[:10]
    assert refused == REFUSED, (sorted(refused - REFUSED), sorted(REFUSED - refused))
    assert done > 3_000
    tally(done)
    assert (datetime.now(UTC) - asked).total_seconds() < 100


async def _all(system: Access) -> tuple[set[tuple[str, str]], list[str], int]:
    refused: set[tuple[str, str]] = set()
    failed: list[str] = []
    done = 0
    async with system.ground.database.searching() as connection:
        for type_name in TYPES:
            once: set[str] = set()
            for parameter in parameters(type_name).values():
                code = parameter.code
                for modifier, name, value in forms(parameter):
                    if modifier in ONCE and parameter.kind == "token":
                        if modifier in once:
                            continue
                        once.add(modifier)
                    try:
                        query = Query.of(type_name, [(name, value)])
                        await search(connection, system.ground.indexer, query, system.scope)
                        done += 1
                    except Problem as refusal:
                        refused.add((named(parameter, modifier), modifier))
                        if code not in refusal.issues[0].diagnostics:
                            failed.append(f"{type_name}?{name}={value}: refused without its name")
                    except Exception as error:  # noqa: BLE001 - whatever fails is the finding
                        failed.append(f"{type_name}?{name}={value}: {error!r:.120}")
    return refused, failed, done
