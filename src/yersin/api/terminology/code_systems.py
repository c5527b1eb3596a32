"""`CodeSystem/$lookup`, `CodeSystem/$validate-code` and `CodeSystem/$subsumes`.

Source: https://hl7.org/fhir/R4/codesystem-operations.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from yersin.api.messages import Response
from yersin.api.operations import Asked, Input, Operation
from yersin.fhir.problem import problem
from yersin.guard.who import Grant
from yersin.terminology import judging, relating, supplements
from yersin.terminology.finding import Concept, Finder, System, lent, shown, split, unknown_system
from yersin.terminology.grammars import GRAMMARS
from yersin.terminology.judging import Coding

from .asking import codings, finder, flag, language, named, parameters, plain
from .value_sets import JUDGED, NO_DATE, VERDICT, verdict

_DEFINITION = "http://hl7.org/fhir/OperationDefinition/CodeSystem-"
#: what is told without being asked for by name
_ANY = Input(name="value", type="Element")
_KNOWN = (
    Input(name="name", required=True),
    Input(name="version"),
    Input(name="display", required=True),
    Input(
        name="designation",
        repeats=True,
        parts=(
            Input(name="language", type="code"),
            Input(name="use", type="Coding"),
            Input(name="value", required=True),
        ),
    ),
    Input(
        name="property",
        repeats=True,
        parts=(Input(name="code", type="code", required=True), _ANY, Input(name="description")),
    ),
)
_ALWAYS = frozenset({"system", "name", "version", "display"})
Part = Mapping[str, Any]


async def lookup(asked: Asked) -> Response:
    """GET or POST [base]/CodeSystem/$lookup?system=…&code=…&property=…"""
    coding = _one(codings(asked, *split(asked.given.text("system"))), asked.given.text("version"))
    wanted = frozenset(asked.given.texts("property"))
    async with finder(asked) as at:
        system = await at.system(coding.system, coding.version)
        concept = await at.concept(system, coding.code) if system else None
        known = await supplements.find(at, asked.given.texts("useSupplement"))
        if system and concept:
            added = await supplements.added(at, known, [(system.url, system.version, concept.code)])
            concept = _with(concept, added.get((system.url, concept.code), {}))
            return parameters(*await _told(at, system, concept, wanted, language(asked)))
    if coding.system in GRAMMARS and GRAMMARS[coding.system](coding.code):
        return parameters(
            {"name": "name", "valueString": coding.system}, {"name": "display", "valueString": coding.code}
        )
    if system is None and coding.system not in GRAMMARS:
        raise unknown_system(coding.system, coding.version)
    raise problem("not-found", f"The code {coding.code!r} is not in {coding.system}.", expression="code", status=404)


def _one(given: Sequence[Coding], version: str) -> Coding:
    coding = given[0]
    if not coding.system:
        raise problem(
            "required", "Say of which code system: system=http://loinc.org, for example.", expression="system"
        )
    return Coding(code=coding.code, system=coding.system, version=version or coding.version)


def _with(concept: Concept, more: Mapping[str, Any]) -> Concept:
    """A concept with what supplements add to it."""
    joined = {name: [*concept.more.get(name, ()), *found] for name, found in more.items()}
    return replace(concept, more={**concept.more, **joined})


async def _told(at: Finder, system: System, concept: Concept, wanted: frozenset[str], spoken: str) -> list[Part]:
    """All that is known of a concept, or the properties that were asked for."""
    told: list[Part] = [
        {"name": "name", "valueString": system.title},
        {"name": "version", "valueString": system.version},
        {"name": "display", "valueString": shown(concept.display, concept.designations, spoken, system.language)},
    ]
    if not wanted or "designation" in wanted or any(name.startswith("lang.") for name in wanted):
        told += [_designation(d) for d in concept.designations if _is_wanted(d, wanted)]
    found = [
        *([("definition", {"valueString": concept.more["definition"]})] if concept.more.get("definition") else []),
        *([("inactive", {"valueBoolean": True})] if concept.inactive else []),
        *[("parent", {"valueCode": code, "described": display}) for code, display in await at.codes(concept.parents)],
        *[("child", {"valueCode": code, "described": display}) for code, display in await at.children(concept.id)],
        *[(str(p["code"]), {k: v for k, v in p.items() if k.startswith("value")}) for p in concept.properties],
    ]
    own = {name for name, _ in found[: len(found) - len(concept.properties)]}
    for n, (name, value) in enumerate(found):
        repeats = n >= len(found) - len(concept.properties) and name in own
        if not repeats and (not wanted or name in wanted):
            told.append(_property(name, value))
    return told


def _is_wanted(designation: Mapping[str, Any], wanted: frozenset[str]) -> bool:
    return not wanted or "designation" in wanted or f"lang.{designation.get('language')}" in wanted


def _designation(designation: Mapping[str, Any]) -> Part:
    parts: list[Part] = []
    if designation.get("language"):
        parts.append({"name": "language", "valueCode": designation["language"]})
    if designation.get("use"):
        parts.append({"name": "use", "valueCoding": designation["use"]})
    return {"name": "designation", "part": [*parts, {"name": "value", "valueString": designation.get("value", "")}]}


def _property(name: str, value: Mapping[str, Any]) -> Part:
    parts: list[Part] = [{"name": "code", "valueCode": name}]
    parts += [{"name": "value", key: each} for key, each in value.items() if key.startswith("value")]
    if value.get("described"):
        parts.append({"name": "description", "valueString": value["described"]})
    return {"name": "property", "part": parts}


async def validate_code(asked: Asked) -> Response:
    """GET or POST [base]/CodeSystem/$validate-code?url=…&code=…, or [base]/CodeSystem/[id]/$validate-code"""
    circumstances = judging.Circumstances(abstract=flag(asked, "abstract"), language=language(asked))
    async with finder(asked) as at:
        url, version = await _address(asked, at)
        given = [_of(url, version, coding) for coding in codings(asked, url, version)]
        kept = [coding for coding in given if coding.system == url or not url]
        if not kept:
            text = f"None of the codings is of {url}: {', '.join(str(c) for c in given)}."
            return verdict(judging.Verdict(result=False, message=text))
        return verdict(await judging.any_in_system(at, kept, circumstances))


async def _address(asked: Asked, at: Finder) -> tuple[str, str]:
    """Address and version of the system that is asked about; empty where only a coding says it."""
    if asked.id:
        system = await named(asked, at, "CodeSystem", "")
        return str(system.get("url", "")), str(system.get("version", ""))
    url, version = split(asked.given.text("url"))
    if (sent := asked.given.value("codeSystem")) is not None:
        return _lent(at, plain(sent), url), ""
    if not url and not asked.given.values.get("coding"):
        raise problem("required", "Say of which code system: give its url.", expression="url")
    return url, asked.given.text("version") or version


def _lent(at: Finder, sent: Mapping[str, Any], url: str) -> str:
    """Judge by a code system that was sent; returns its address."""
    system, concepts = lent(sent)
    if not system.url or url not in ("", system.url):
        said = f"and url says {url}" if system.url else "and has no url"
        raise problem(
            "invalid", f"The codeSystem that was sent is {system.url or 'unnamed'}, {said}.", expression="codeSystem"
        )
    at.lent[system.url] = system, concepts
    return system.url


def _of(url: str, version: str, coding: Coding) -> Coding:
    return Coding(
        code=coding.code, system=coding.system or url, version=version or coding.version, display=coding.display
    )


async def subsumes(asked: Asked) -> Response:
    """GET or POST [base]/CodeSystem/$subsumes?system=…&codeA=…&codeB=…, or [base]/CodeSystem/[id]/$subsumes"""
    a, b = _compared(asked, "codeA", "codingA"), _compared(asked, "codeB", "codingB")
    async with finder(asked) as at:
        url, version = split(asked.given.text("system"))
        if asked.id:
            system = await named(asked, at, "CodeSystem", "")
            url, version = str(system.get("url", "")), str(system.get("version", ""))
        url = url or a.system or b.system
        if not url:
            raise problem("required", "Say of which code system: give system.", expression="system")
        for name, one in (("codingA", a), ("codingB", b)):
            if one.system not in ("", url):
                text = f"{one} is not of {url}: codes of two systems cannot be compared."
                raise problem("invalid", text, expression=name)
        outcome = await relating.subsumes(at, url, asked.given.text("version") or version or a.version, a.code, b.code)
    return parameters({"name": "outcome", "valueCode": outcome})


def _compared(asked: Asked, code: str, coding: str) -> Coding:
    sent = asked.given.value(coding)
    if sent is not None and sent.code:
        return Coding(code=str(sent.code), system=str(sent.system or ""), version=str(sent.version or ""))
    if not asked.given.text(code):
        raise problem("required", f"Give both codes: {code} (with system) or {coding}.", expression=code)
    return Coding(code=asked.given.text(code))


OPERATIONS: Sequence[Operation] = (
    Operation(
        name="lookup",
        definition=f"{_DEFINITION}lookup",
        narrower=True,
        title="What is known of a code",
        outputs=_KNOWN,
        work=lookup,
        levels=frozenset({"type"}),
        types=("CodeSystem",),
        grant=Grant("CodeSystem", "r"),
        inputs=(
            Input(name="code", type="code"),
            Input(name="system", type="uri"),
            Input(name="version"),
            Input(name="coding", type="Coding"),
            Input(name="displayLanguage", type="code"),
            Input(name="property", type="code", repeats=True),
            Input(name="useSupplement", type="canonical", repeats=True),
        ),
        refused=NO_DATE,
    ),
    Operation(
        name="validate-code",
        definition=f"{_DEFINITION}validate-code",
        narrower=True,
        title="Whether a code is in a code system",
        outputs=VERDICT,
        work=validate_code,
        levels=frozenset({"type", "instance"}),
        types=("CodeSystem",),
        grant=Grant("CodeSystem", "r"),
        inputs=(
            Input(name="url", type="uri"),
            Input(name="codeSystem", type="CodeSystem"),
            Input(name="version"),
            *JUDGED,
        ),
        refused=NO_DATE,
    ),
    Operation(
        name="subsumes",
        definition=f"{_DEFINITION}subsumes",
        title="Which of two codes means more",
        outputs=(Input(name="outcome", type="code", required=True),),
        work=subsumes,
        levels=frozenset({"type", "instance"}),
        types=("CodeSystem",),
        grant=Grant("CodeSystem", "r"),
        inputs=(
            Input(name="codeA", type="code"),
            Input(name="codeB", type="code"),
            Input(name="system", type="uri"),
            Input(name="version"),
            Input(name="codingA", type="Coding"),
            Input(name="codingB", type="Coding"),
        ),
    ),
)
