"""`ConceptMap/$translate`. Source: https://hl7.org/fhir/R4/conceptmap-operation-translate.html"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yersin.api.messages import Response
from yersin.api.operations import Asked, Input, Operation
from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.guard.who import Grant
from yersin.terminology import translating
from yersin.terminology.concepts import JSON
from yersin.terminology.finding import Finder, split
from yersin.terminology.translating import Match, Wish

from .asking import codings, finder, flag, named, parameters


async def translate(asked: Asked) -> Response:
    """GET or POST [base]/ConceptMap/$translate?url=…&system=…&code=…, or [base]/ConceptMap/[id]/$translate"""
    given = codings(asked, *split(asked.given.text("system")))
    dependencies = [each for part in asked.given.values.get("dependency", ()) for each in _dependency(part)]
    found: list[Match] = []
    async with finder(asked) as at:
        maps = await _maps(asked, at)
        for coding in given:
            wish = Wish(
                code=coding.code,
                system=coding.system,
                version=asked.given.text("version") or coding.version,
                dependencies=dependencies,
                target_system=asked.given.text("targetsystem"),
                reverse=flag(asked, "reverse"),
            )
            found += await translating.translate(at, maps, wish)
    good = any(match.is_good for match in found)
    message = "" if good else _message(given[0].code, len(maps))
    return parameters(
        {"name": "result", "valueBoolean": good},
        {"name": "message", "valueString": message},
        *[{"name": "match", "part": _parts(match)} for match in found],
    )


async def _maps(asked: Asked, at: Finder) -> Sequence[JSON]:
    """Maps that are asked: the one that is named, or all between two value sets."""
    if asked.id or asked.given.text("url") or asked.given.value("conceptMap") is not None:
        return [await named(asked, at, "ConceptMap", "conceptMap")]
    source, target = (_scope(asked, name) for name in ("source", "target"))
    if flag(asked, "reverse"):
        source, target = target, source
    if not (source or target or asked.given.text("targetsystem")):
        text = "Say which map: give its url, source and target value sets, or targetsystem."
        raise problem("required", text, expression="url")
    return await at.maps(source, target)


def _scope(asked: Asked, name: str) -> str:
    """Read the address of a value set. Raises Problem for a relative one, which no map names."""
    url = split(asked.given.text(name))[0]
    if url and ":" not in url:
        raise problem("value", f"{name}={url}: write the canonical address (url) of the value set.", expression=name)
    return url


def _dependency(given: r4.ParametersParameter) -> list[tuple[str, str, str]]:
    """Read another element that is known: its address, and each of its codes. Raises Problem where either is missing."""
    parts = {part.name or "": part for part in given.part or ()}
    element = parts["element"].valueUri if "element" in parts else None
    concept = parts["concept"].valueCodeableConcept if "concept" in parts else None
    if not element or concept is None:
        text = "A dependency has two parts: element (valueUri) and concept (valueCodeableConcept)."
        raise problem("required", text, expression="dependency")
    return [(str(element), str(c.system or ""), str(c.code or "")) for c in concept.coding or ()]


def _message(code: str, maps: int) -> str:
    return f"{code} has no translation in " + ("this map." if maps == 1 else f"the {maps} maps that fit.")


def _parts(match: Match) -> list[Mapping[str, Any]]:
    coding = {"system": match.system, "version": match.version, "code": match.code, "display": match.display}
    concept = {name: value for name, value in coding.items() if value}
    parts: list[Mapping[str, Any]] = [{"name": "equivalence", "valueCode": match.equivalence}]
    if match.code:
        parts.append({"name": "concept", "valueCoding": concept})
    parts += [_product(product) for product in match.products]
    return [*parts, {"name": "source", "valueUri": match.source}] if match.source else parts


def _product(product: JSON) -> Mapping[str, Any]:
    coding = {
        "system": product.get("system", ""),
        "code": product.get("value", ""),
        "display": product.get("display", ""),
    }
    concept = {name: value for name, value in coding.items() if value}
    parts = [{"name": "element", "valueUri": product.get("property", "")}, {"name": "concept", "valueCoding": concept}]
    return {"name": "product", "part": parts}


_CONCEPT = Input(name="concept", type="Coding")
_FOUND = (
    Input(name="result", type="boolean", required=True),
    Input(name="message"),
    Input(
        name="match",
        repeats=True,
        parts=(
            Input(name="equivalence", type="code"),
            _CONCEPT,
            Input(name="product", repeats=True, parts=(Input(name="element", type="uri"), _CONCEPT)),
            Input(name="source", type="uri"),
        ),
    ),
)

OPERATIONS: Sequence[Operation] = (
    Operation(
        name="translate",
        definition="http://hl7.org/fhir/OperationDefinition/ConceptMap-translate",
        title="What a code is in another code system",
        outputs=_FOUND,
        work=translate,
        levels=frozenset({"type", "instance"}),
        types=("ConceptMap",),
        grant=Grant("ConceptMap", "r"),
        inputs=(
            Input(name="url", type="uri"),
            Input(name="conceptMap", type="ConceptMap"),
            Input(name="conceptMapVersion"),
            Input(name="code", type="code"),
            Input(name="system", type="uri"),
            Input(name="source", type="uri"),
            Input(name="coding", type="Coding"),
            Input(name="codeableConcept", type="CodeableConcept"),
            Input(name="target", type="uri"),
            Input(name="targetsystem", type="uri"),
            Input(name="version"),
            Input(
                name="dependency",
                type="BackboneElement",
                repeats=True,
                parts=(Input(name="element", type="uri"), Input(name="concept", type="CodeableConcept")),
            ),
            Input(name="reverse", type="boolean"),
        ),
    ),
)
