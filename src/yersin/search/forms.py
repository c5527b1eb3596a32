"""Every way to ask of a search parameter: each modifier and prefix that fits its kind. Source: https://hl7.org/fhir/R4/search.html"""

from __future__ import annotations

from collections.abc import Iterator

from yersin.fhir.parameters import Parameter, parameters

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
    """Return a value that a parameter can be asked."""
    if parameter.kind == "composite":
        known = parameters(parameter.type)
        return "$".join(VALUES[known[c.code].kind if c.code in known else c.kind] for c in parameter.components)
    return VALUES[parameter.kind]
