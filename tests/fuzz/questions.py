"""Makes questions that are nearly right: searches by the parameters of a type, and operations with what they take.

Every function takes its chances from the `random.Random` it is given.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from tests.fuzz.mutations import VALUES, WORDS, places, spoil

from yersin.api.operations import Input, Operation
from yersin.fhir import r4
from yersin.fhir.parameters import Parameter, built_in

#: what stands in the address of a search, as it is sent
ODD = [
    "_count=-1", "_count=x", "_sort=foo", "_include=*", "_include=Patient:", "foo=bar", "_id=", "_lastUpdated=zz2020",
    "identifier=a|b|c", "date=ge2020&date=lt", "_elements=id,,", "_summary=maybe", "_has:Observation:patient:code=x",
    "subject:Patient.name=x", "name:nonsense=x", "_total=some", "birthdate=2020-02-30", "value-quantity=lt5|x|y|z",
    "_format=xml", "_format=foo", "_pretty=true", "%ff=%fe", "a=%zz", "_page=x", "near=1|2|3", "_text=%22", "code:in=x",
    "_type=Foo", "_tag=%7C", "_revinclude=Foo:bar", "_filter=x", "_content=%00", "_since=x", "_at=zz", "_security=a,b\\,c",
    "_list=x", "_query=x", "_count=0", "_total=accurate", "_summary=count", "_summary=data", "_include:iterate=*:*",
    "_elements=" + "a," * 500, "_has:" * 12 + "x=y", "_type=Patient,Observation", "_since=9999-12-31T23:59:59Z", "_at=ge0001",
    "_page=AAAA", "_sort=" + "-_id," * 30, "_lastUpdated=9999-12-31T23:59:59.999-14:00", "_text=(a or b) and not", "&&=&?",
]  # fmt: skip
MODIFIERS = [
    "missing", "exact", "contains", "not", "text", "in", "not-in", "above", "below", "identifier", "of-type", "iterate",
    "Patient", "x",
]  # fmt: skip
_PREFIXES = ("", "", "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap", "-", "x")
_SOUGHT = {
    "date": ["2021", "2021-02", "0000", "9999-12-31", "2021-01-01T00:00:00+14:00", "9999-12-31T23:59:60Z", "0001-01-01"],
    "number": ["0", "-1", "1e400", "1e-400", "1.50", "9" * 40, "1e9999999", ".5", "NaN", "--1"],
    "quantity": ["5", "5||mg", "5|http://unitsofmeasure.org|mg", "1e99|http://unitsofmeasure.org|[degF]", "|||", "5.4|x", "1|a|"],
    "token": ["a", "|a", "a|", "|", "http://loinc.org|8867-4", "true", "male", "a|b|c", "\\|", "\\,|"],
    "reference": ["Patient/an", "an", "http://x/Patient/1", "Patient/1/_history/1", "urn:uuid:1", "#a", "a/b/c", "http://x|1", "Patient/"],
    "string": ["an", "Nguyễn", "%", "_", "\\", "a" * 3000, "\u0301", "ﬃ", "\U0001f600"],
    "uri": ["http://example.org/set", "urn:oid:1.2", "http://", "x|1"],
    "special": ["10|106|5|km", "90|180|1e9|m", "-91|0", "10|106|5|x", "", "1|2|3|km,4|5"],
    "composite": ["a$b", "$", "a", "8867-4$gt5", "a$b$c", "|$|"],
}  # fmt: skip
#: inputs that are given together
_TOGETHER = {
    "expand": ["url", "url filter", "valueSet", "valueSet count offset", "url excludeNested activeOnly displayLanguage", "valueSet filter"],
    "lookup": ["code system", "coding", "code system property displayLanguage"],
    "validate-code": ["url code system", "url coding", "valueSet coding", "valueSet code system", "url codeableConcept", "url code"],
    "subsumes": ["codeA codeB system", "codingA codingB"],
    "translate": ["url code system", "conceptMap coding", "code system source target", "url coding reverse", "conceptMap codeableConcept"],
    "meta-add": ["meta"], "meta-delete": ["meta"], "validate": ["resource", "resource profile", "resource mode"],
}  # fmt: skip
#: what primitives of operations may be: some by their names, the others by their types
_SAID = {
    "system": ["http://example.org/system", "http://loinc.org", "http://hl7.org/fhir/administrative-gender", "http://x|1"],
    "periodStart": ["2020", "2020-02", "9999-12-31"], "periodEnd": ["2021", "9999-12", "0001-01-01"],
    "uri": ["http://example.org/set", "http://example.org/all", "http://example.org/map", "http://example.org/system",
            "http://hl7.org/fhir/ValueSet/administrative-gender", "urn:x"],
    "code": ["a", "b", "male", "8867-4", "en", "vi", "preferred"],
    "boolean": ["true", "false", "1"],
    "integer": ["0", "1", "-1", "2147483647", "99999999999"],
    "date": ["2020", "2021-02-30", "9999-12-31", "0001"],
    "dateTime": ["2020", "9999-12-31T23:59:59Z", "0001-01-01"],
    "instant": ["2020-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2016-12-31T23:59:60Z"],
    "string": ["an", "nhịp tim", "%", "*", "Patient", "Patient,Observation", "heart rate", "is-a"],
}  # fmt: skip


def criteria(kind: str, resource: Any, chance: random.Random) -> str:
    """One to three parameters of an address."""
    pairs = [_asked(kind, resource, chance) for _ in range(chance.choice((1, 1, 2, 3)))]
    if chance.random() < 0.2:
        return "&".join(
            [chance.choice(ODD), *(f"{name}={value}" for name, value in pairs[1:] if "\ud83d" not in value)]
        )
    return urlencode(pairs, errors="replace", safe=chance.choice(("", ":|,$*/")))


def of_history(chance: random.Random) -> str:
    """One or two parameters of a history."""
    moment = chance.choice([*_SAID["instant"], *_SOUGHT["date"], *WORDS[:12]])
    pairs = [("_since", moment), ("_at", f"{chance.choice(_PREFIXES)}{moment}"), ("_count", chance.choice(("1", "0", "-1", "9" * 30))),
             ("_sort", chance.choice(("_lastUpdated", "-_lastUpdated", "none", "x")))]  # fmt: skip
    return urlencode(chance.sample(pairs, chance.choice((1, 1, 2))), errors="replace")


def _asked(kind: str, resource: Any, chance: random.Random) -> tuple[str, str]:
    known = _known(kind)
    one = chance.choice(known)
    roll = chance.random()
    if roll < 0.08:
        return "_sort", ",".join(chance.choice(("", "-")) + each.code for each in chance.choices(known, k=2))
    if roll < 0.16:
        return _included(kind, known, chance)
    name, end = _way(kind, one, chance) if roll < 0.36 else (one.code, one)
    if chance.random() < 0.25:
        name += f":{chance.choice(MODIFIERS)}"
    return name, ",".join(_value(end, resource, chance) for _ in range(chance.choice((1, 1, 1, 2))))


def _known(kind: str) -> list[Parameter]:
    """Search parameters of a type; those of Patient where it is none."""
    return list((built_in(kind) or built_in("Patient")).values())


def _included(kind: str, known: Sequence[Parameter], chance: random.Random) -> tuple[str, str]:
    references = [each for each in known if each.kind == "reference"] or known
    one = chance.choice(references)
    name = chance.choice(("_include", "_include:iterate", "_revinclude", "_revinclude:iterate"))
    source = kind if name.startswith("_include") else chance.choice(list(r4.TYPE_NUMBER))
    return name, chance.choice(
        (f"{source}:{one.code}", f"{source}:*", f"{source}:subject", f"{source}:{one.code}:Patient")
    )


def _way(kind: str, one: Parameter, chance: random.Random) -> tuple[str, Parameter]:
    """A chain, or a `_has`, of one to four steps, and the parameter at its end."""
    if chance.random() < 0.4:
        source = chance.choice(("Observation", "Encounter", "Provenance", "Group", kind))
        end = chance.choice(_known(source))
        codes = [each.code for each in _known(source) if each.kind == "reference"] or ["x"]
        return f"_has:{source}:{chance.choice(codes)}:{end.code}", end
    name = ""
    for _ in range(chance.choice((1, 1, 2, 4))):
        if one.kind != "reference":
            break
        target = chance.choice(one.targets or ("Patient", "Observation"))
        name += f"{one.code}{chance.choice(('', f':{target}'))}."
        one = chance.choice(_known(target))
    return name + one.code, one


def _value(parameter: Parameter, resource: Any, chance: random.Random) -> str:
    """Something like a value of the parameter: one that is looked for, a word of the resource, or an odd word."""
    prefix = chance.choice(_PREFIXES) if parameter.kind in ("date", "number", "quantity") else ""
    roll = chance.random()
    if roll < 0.6:
        return prefix + chance.choice(_SOUGHT[parameter.kind])
    if roll < 0.8 and isinstance(resource, dict):
        texts = [str(value) for value in _leaves(resource)]
        return prefix + chance.choice(texts or ["x"])[:300]
    return prefix + chance.choice(WORDS)[:5000]


def _leaves(resource: Any) -> list[Any]:
    found = []
    for way in places(resource):
        value = resource
        for key in way:
            value = value[key]
        if isinstance(value, (str, int, float)):
            found.append(value)
    return found


# --- operations ------------------------------------------------------------------------------------------------------


def one_of(operations: Sequence[Operation], chance: random.Random) -> Operation:
    """An operation; those that take the most the most often."""
    return chance.choices(operations, [4 if each.name in _TOGETHER or each.takes_search else 1 for each in operations])[
        0
    ]


def address(operation: Operation, there: Mapping[str, str], chance: random.Random) -> str:
    """An address where the operation is asked."""
    level, kind = chance.choice(list(operation.places()))
    kind = chance.choice(("Patient", "ValueSet", "Basic")) if kind == "*" else kind
    heads = {"system": "", "type": f"/{kind}", "instance": f"/{kind}/{there.get(kind, 'none')}"}
    return f"{heads[level]}/${operation.name}"


def _taken(operation: Operation, chance: random.Random) -> list[Input]:
    """Inputs that make sense together, and sometimes others."""
    usual = chance.choice(_TOGETHER.get(operation.name, [""])).split()
    return [each for each in operation.inputs if each.required or each.name in usual or chance.random() < 0.1]


def simple(operation: Operation, chance: random.Random) -> str:
    """Parameters of an operation as an address or a form has them."""
    taken = [each for each in _taken(operation, chance) if each.is_primitive or chance.random() < 0.1]
    return "&".join(f"{each.name}={quote(_said(each, chance), errors='replace')}" for each in taken)


def given(operation: Operation, examples: Sequence[Any], chance: random.Random) -> Any:
    """Parameters of an operation as a resource, or the one resource it takes, sometimes spoilt."""
    resources = [each for each in operation.inputs if each.is_resource]
    if resources and chance.random() < 0.2:
        return _resource(resources[0], examples, chance)
    parts = [_part(each, examples, chance) for each in _taken(operation, chance)]
    made: Any = {"resourceType": "Parameters", "parameter": parts}
    if not made["parameter"]:
        del made["parameter"]
    if chance.random() < 0.3:
        spoil(made, chance)
    return made


def _part(wanted: Input, examples: Sequence[Any], chance: random.Random) -> dict[str, Any]:
    if wanted.is_resource:
        return {"name": wanted.name, "resource": _resource(wanted, examples, chance)}
    name = f"value{wanted.type[0].upper()}{wanted.type[1:]}"
    if not wanted.is_primitive:
        return {"name": wanted.name, name: _datatype(wanted.type, chance)}
    text = _said(wanted, chance)
    if wanted.type in ("boolean", "integer"):
        return {"name": wanted.name, name: {"true": True, "false": False, "0": 0, "1": 1, "-1": -1}.get(text, text)}
    return {"name": wanted.name, name: text}


def _datatype(kind: str, chance: random.Random) -> Any:
    coding = {"system": chance.choice(_SAID["system"]), "code": chance.choice(_SAID["code"])}
    usual = {"Coding": coding, "CodeableConcept": {"coding": [coding, {"code": "x"}]}, "Reference": {"reference": "Patient/an"},
             "Meta": {"tag": [coding], "profile": ["http://example.org/profile"]}}.get(kind, {})  # fmt: skip
    return copy.deepcopy(chance.choice([usual, usual, usual, *(each for each in VALUES if isinstance(each, dict))]))


def _resource(wanted: Input, examples: Sequence[Any], chance: random.Random) -> Any:
    fitting = [each for each in examples if wanted.type in ("Resource", each["resourceType"])] or list(examples)
    resource = copy.deepcopy(chance.choice(fitting))
    for _ in range(chance.choice((0, 1, 1, 2))):
        spoil(resource, chance)
    return resource


def _said(wanted: Input, chance: random.Random) -> str:
    usual = _SAID.get(wanted.name) or _SAID.get(wanted.type, _SAID["string"])
    return chance.choice(usual) if chance.random() < 0.9 else chance.choice(WORDS)[:3000]
