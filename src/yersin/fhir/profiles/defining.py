"""What FHIR says in words of profiles, search parameters and statements of what a server can do.

Sources: https://hl7.org/fhir/R4/structuredefinition.html, https://hl7.org/fhir/R4/searchparameter.html,
https://hl7.org/fhir/R4/capabilitystatement.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from yersin.fhir import r4
from yersin.fhir.parameters import built_in
from yersin.fhir.path import CannotEvaluate, NotFHIRPath, compiled

from .findings import Findings
from .library import Library, split

JSON = Mapping[str, Any]
_ROOT = re.compile(r"(?<![\w.'/])([A-Z][A-Za-z]+)(?=\.)")
#: addresses of R4's own parameters: the type, or what several types have in common, then the code
_PARAMETERS = "http://hl7.org/fhir/SearchParameter/"
#: kinds of parameters that are asked with a text as it stands; R4's own statements name one for the other
_OF_WORDS = frozenset({"token", "string", "uri", "reference"})
#: what these elements hold is of another type each time
_ABSTRACT = frozenset({"Resource", "DomainResource", "Element", "BackboneElement"})


def judge_structure(value: JSON, place: str, found: Findings, library: Library) -> None:
    """Judge a profile: its paths, the kinds of its extensions, the profiles of its types."""
    differential = value.get("differential") or {}
    if value.get("derivation") != "constraint" or not value.get("baseDefinition"):
        return
    kind = str(value.get("type", ""))
    for number, element in enumerate(differential.get("element") or ()):
        where = f"{place}.differential.element[{number}]"
        if str(element.get("path", "")).partition(".")[0] != kind:
            found.add("invalid", where, f"The path {element.get('path')} does not begin with {kind}")
            return
    _extension_kinds(value, place, found, library)
    _type_profiles(value, place, found, library)
    tree = library.made({**value, "snapshot": {}})
    if tree is None:
        return
    for flaw in tree.flaws:
        found.add("invalid", f"{place}.differential.element[{flaw.number}]", f"Nothing can be said of it: {flaw.words}")


def _extension_kinds(value: JSON, place: str, found: Findings, library: Library) -> None:
    """An extension is named where extensions of its kind, modifiers or others, stand."""
    for part in ("differential", "snapshot"):
        for number, element in enumerate((value.get(part) or {}).get("element") or ()):
            last = str(element.get("path", "")).rpartition(".")[2]
            if last not in ("extension", "modifierExtension"):
                continue
            for url in (url for each in element.get("type") or () for url in each.get("profile") or ()):
                tree = library.tree(url)
                if tree and bool(tree.part.own.get("isModifier")) != (last == "modifierExtension"):
                    found.add(
                        "invalid", f"{place}.{part}.element[{number}]", f"The extension {url} does not belong in {last}"
                    )


def judge_parameter(value: JSON, place: str, found: Findings) -> None:
    """Judge a search parameter: its expression, and what it keeps of the one that it is derived from."""
    _derived(value, place, found)
    text, bases = value.get("expression"), set(value.get("base") or ())
    if not isinstance(text, str):
        return
    try:
        compiled(text)
    except (NotFHIRPath, CannotEvaluate) as reason:
        found.add("invalid", f"{place}.expression", str(reason))
        return
    for name in sorted({each for each in _ROOT.findall(text) if each in r4.TYPE_NUMBER}):
        if bases and name not in bases and not bases & {"Resource", "DomainResource"}:
            found.add(
                "invalid", f"{place}.expression", f"The expression begins at {name}, which is not among the bases"
            )


def _derived(value: JSON, place: str, found: Findings) -> None:
    """What is derived from a parameter of R4 is consistent with it: of its type, and of its bases."""
    url = split(str(value.get("derivedFrom", "")))[0]
    bases = [str(each) for each in value.get("base") or ()]
    stem, kinds = _published(url, bases)
    if not kinds:
        return
    if value.get("type") not in kinds:
        words = (
            f"{url} is of type {' or '.join(sorted(kinds))}; what is derived from it is not of type {value.get('type')}"
        )
        found.add("business-rule", f"{place}.type", words)
    for number, base in enumerate(bases):
        if stem in r4.TYPE_NUMBER and base != stem:
            words = f"{url} is a parameter of {stem}; what is derived from it has no base {base}"
            found.add("business-rule", f"{place}.base[{number}]", words)


def _published(url: str, types: Sequence[str]) -> tuple[str, set[str]]:
    """Type, or what several types have in common, of a parameter of R4 by its address, and of which kinds it is for `types`."""
    stem, _, code = url.removeprefix(_PARAMETERS).partition("-")
    if not url.startswith(_PARAMETERS):
        return "", set()
    owners = [stem] if stem in r4.TYPE_NUMBER else types
    return stem, {known.kind for each in owners if (known := built_in(each).get(code))}


def judge_capabilities(value: JSON, place: str, found: Findings) -> None:
    """Judge what a server can do: parameters to search by are of the kind that R4 defines."""
    for number, rest in enumerate(value.get("rest") or ()):
        for n, resource in enumerate(rest.get("resource") or ()):
            _kinds_of_parameters(resource, [str(resource.get("type"))], f"{place}.rest[{number}].resource[{n}]", found)
        _kinds_of_parameters(rest, [], f"{place}.rest[{number}]", found)


def _kinds_of_parameters(value: JSON, types: Sequence[str], place: str, found: Findings) -> None:
    for number, each in enumerate(value.get("searchParam") or ()):
        url, kind = split(str(each.get("definition", "")))[0], each.get("type")
        kinds = _published(url, types)[1]
        if kinds and kind not in (kinds | _OF_WORDS if kinds & _OF_WORDS else kinds):
            words = f"{url} is of type {' or '.join(sorted(kinds))}, not {kind}"
            found.add("business-rule", f"{place}.searchParam[{number}].type", words)


def _type_profiles(value: JSON, place: str, found: Findings, library: Library) -> None:
    """What an element of a type is asked to be is a profile of that type."""
    for number, element in enumerate((value.get("differential") or {}).get("element") or ()):
        for each in element.get("type") or ():
            code, where = each.get("code"), f"{place}.differential.element[{number}]"
            for url in each.get("profile") or () if code not in _ABSTRACT else ():
                if (tree := library.tree(url)) and tree.type != code:
                    found.add("invalid", where, f"{url} is a profile of {tree.type}; the element is {code}")
