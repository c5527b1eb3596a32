"""How long FHIRPath takes: typical invariants on a Patient, over JSON and structs. Prints a table and JSON.

Usage: python bench/path.py
"""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from parse import observation, patient
from yersin import fhir
from yersin.fhir import invariants
from yersin.fhir.path import Environment, compiled
from yersin.fhir.profiles import Glance, Library

EXPRESSIONS = {
    "element": "name.given",
    "pat-1": "contact.all(name.exists() or telecom.exists() or address.exists() or organization.exists())",
    "dom-2": "contained.contained.empty()",
    "dom-6": "text.`div`.exists()",
    "where": "name.where(use = 'official').given.first() = 'Thị'",
    "choice": "extension('http://example.vn/StructureDefinition/ethnic-group').value.ofType(CodeableConcept).coding.code",
    "date": "birthDate <= today()",
    "descendants": "descendants().count() > 0",
}


class _Right:
    """Terminology as it is once the codes of a resource were asked for."""

    def is_surely_code(self, system: str, code: str) -> bool:
        return bool(system and code)

    def is_surely_member(self, system: str, code: str, value_set: str) -> bool:
        return bool(code and value_set and system is not None)


def microseconds(work: Callable[[], Any]) -> float:
    work()
    number = 400
    return round(min(timeit.repeat(work, number=number, repeat=7)) / number * 1e6, 2)


def main() -> None:
    struct = patient(1)
    plain = msgspec.json.Decoder(float_hook=Decimal).decode(fhir.encode(struct))
    rows: dict[str, dict[str, float]] = {}
    for name, text in EXPRESSIONS.items():
        expression = compiled(text)
        assert expression.values(struct) == expression.values(plain) != [False]
        rows[name] = {
            "JSON": microseconds(lambda e=expression: e(plain)),  # type: ignore[misc]
            "struct": microseconds(lambda e=expression: e(struct)),  # type: ignore[misc]
        }
    for name, one in (("all invariants of a Patient", struct), ("all invariants of an Observation", observation(1))):
        assert not [issue for issue in invariants.check(one) if issue.severity == "error"]
        rows[name] = {"struct": microseconds(lambda o=one: invariants.check(o))}  # type: ignore[misc]
    glance = Glance(Library(), _Right())
    for name, one in (("a Patient surely has no error", struct), ("an Observation surely has none", observation(1))):
        assert glance.is_sure(one)
        rows[name] = {"struct": microseconds(lambda o=one: glance.is_sure(o))}  # type: ignore[misc]
    rows["compile pat-1"] = {"text": microseconds(lambda: compiled(EXPRESSIONS["pat-1"], known={"x"}))}
    assert compiled("%resource.name.exists()")(plain, Environment(resource=plain)) == [True]
    for name, found in rows.items():
        print(f"{name:36}", "  ".join(f"{kind} {took:8.2f} us" for kind, took in found.items()))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
