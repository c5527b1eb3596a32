"""What FHIR says of some types in words only: code systems, value sets, vital signs, attachments and other data types.

Sources: https://hl7.org/fhir/R4/codesystem.html, https://hl7.org/fhir/R4/valueset.html, https://hl7.org/fhir/R4/datatypes.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Container, Iterator, Mapping
from functools import lru_cache
from typing import Any

from yersin.fhir import ucum
from yersin.fhir.path import CannotEvaluate, Node, NotFHIRPath, compiled

from .addresses import is_absolute, is_system, judge_system
from .bundles import judge_bundle
from .conditions import judge_conditions
from .defining import judge_capabilities, judge_parameter, judge_structure
from .findings import Findings
from .library import Library
from .snomed import is_expression, is_snomed

JSON = Mapping[str, Any]
Surely = Callable[[Any], bool]
#: systems whose codes FHIR itself publishes
PUBLISHED = ("http://hl7.org/fhir/", "http://terminology.hl7.org/CodeSystem/")
#: types of which so much is said in words that only the judge can tell
IN_WORDS = frozenset({
    "Bundle", "CapabilityStatement", "CodeSystem", "ValueSet", "StructureDefinition", "SearchParameter", "Questionnaire",
})  # fmt: skip
SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
#: vital signs by their codes of SNOMED CT, and the codes of LOINC that R4 asks for
_VITAL = {
    "27113001": "29463-7", "50373000": "8302-2", "60621009": "39156-5", "75367002": "85354-9", "86290005": "9279-1",
    "276885007": "8310-5", "364075005": "8867-4", "386725007": "8310-5", "363812007": "9843-4",
}  # fmt: skip
PARAMETER = "http://hl7.org/fhir/tools/StructureDefinition/valueset-parameter"
_CQF = "http://hl7.org/fhir/StructureDefinition/cqf-expression"
_PROPERTIES = "http://hl7.org/fhir/concept-properties#"
_KNOWN = {
    "inactive": "boolean", "deprecated": "dateTime", "deprecationDate": "dateTime", "retirementDate": "dateTime",
    "notSelectable": "boolean", "parent": "code", "child": "code", "status": "code", "synonym": "code",
}  # fmt: skip
_CODE_FILTERS = frozenset({"is-a", "descendent-of", "is-not-a", "generalizes"})
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;|quot;|apos;)[A-Za-z]\w*;").search
_VARIABLE = re.compile(r"%([A-Za-z][\w-]*)")
_BUILT_IN = frozenset({"resource", "rootResource", "context", "ucum", "sct", "loinc"})


def judge_special(node: Node, place: str, found: Findings, library: Library) -> None:
    """Judge a resource by what is said of its type in words."""
    url = node.value.get("url")
    if isinstance(url, str) and is_definition(node.kind.steps) and not is_absolute(url):
        words = f"A definition is known everywhere by its url, an absolute URI; {url!r} is none"
        found.add("value", f"{place}.url", words)
    match node.kind.name:
        case "Bundle":
            judge_bundle(node, place, found)
        case "CapabilityStatement":
            judge_capabilities(node.value, place, found)
        case "CodeSystem":
            _code_system(node.value, place, found)
        case "ValueSet":
            _value_set(node.value, place, found)
        case "StructureDefinition":
            judge_structure(node.value, place, found, library)
        case "SearchParameter":
            judge_parameter(node.value, place, found)
        case "Observation":
            _vital_sign(node.value, place, found)
        case "Questionnaire":
            judge_conditions(node.value, place, found)


def is_definition(elements: Container[str]) -> bool:
    """Whether a type with these elements is one of definitions, which somebody publishes under a url."""
    return "publisher" in elements and "url" in elements


def is_told(resource: JSON) -> bool:
    """Whether narratives show every contained resource that nothing refers to (dom-3 counts references only)."""
    told = str([resource.get("text"), resource.get("section")])
    return all(f'"#{each.get("id")}"' in told for each in resource.get("contained") or ())


# --- code systems --------------------------------------------------------------------------------------------------


def _code_system(value: JSON, place: str, found: Findings) -> None:
    content, concepts = value.get("content"), value.get("concept") or ()
    if content == "not-present" and concepts:
        found.add("invalid", f"{place}.concept", "The content is said not to be present, and concepts are here")
    if value.get("supplements") and content != "supplement":
        found.add(
            "business-rule", f"{place}.content", "A code system that supplements another says so: content is supplement"
        )
    defined = _properties(value, place, found)
    seen: set[str] = set()
    for concept, where in _concepts(concepts, f"{place}.concept"):
        if (code := str(concept.get("code", ""))) in seen:
            found.add("business-rule", where, f"The code {code} stands here twice")
        seen.add(code)
        for number, each in enumerate(concept.get("property") or ()):
            _property(each, defined, f"{where}.property[{number}]", found)


def _concepts(concepts: Any, place: str) -> Iterator[tuple[JSON, str]]:
    waiting = [(each, f"{place}[{number}]") for number, each in enumerate(concepts)]
    while waiting:
        concept, where = waiting.pop()
        yield concept, where
        waiting += [(each, f"{where}.concept[{n}]") for n, each in enumerate(concept.get("concept") or ())]


def _properties(value: JSON, place: str, found: Findings) -> dict[str, str]:
    defined: dict[str, str] = {}
    uris: set[str] = set()
    for number, each in enumerate(value.get("property") or ()):
        where = f"{place}.property[{number}]"
        code, uri, kind = str(each.get("code", "")), str(each.get("uri", "")), str(each.get("type", ""))
        if code in defined:
            found.add("business-rule", where, f"A property with the code {code} is defined already")
        if uri and uri in uris:
            found.add("business-rule", where, f"A property with the uri {uri} is defined already")
        known = _KNOWN.get(uri.removeprefix(_PROPERTIES)) if uri.startswith(_PROPERTIES) else None
        if known and kind != known:
            found.add("business-rule", where, f"{uri} is of type {known}, not {kind}")
        defined.setdefault(code, kind)
        uris.add(uri)
    return defined


def _property(each: JSON, defined: Mapping[str, str], place: str, found: Findings) -> None:
    wanted = defined.get(str(each.get("code")))
    given = next((name[5:] for name in each if name.startswith("value")), "")
    if wanted and given and given[0].lower() + given[1:] != wanted:
        found.add("business-rule", place, f"The property {each['code']} is of type {wanted}; this is {given}")


# --- value sets ----------------------------------------------------------------------------------------------------


def _value_set(value: JSON, place: str, found: Findings) -> None:
    parameters = {
        part.get("valueCode") or part.get("valueString")
        for extension in value.get("extension") or () if extension.get("url") == PARAMETER
        for part in extension.get("extension") or () if part.get("url") == "name"
    }  # fmt: skip
    for kind in ("include", "exclude"):
        for number, part in enumerate((value.get("compose") or {}).get(kind) or ()):
            where = f"{place}.compose.{kind}[{number}]"
            judge_system(part.get("system"), where, found)
            if part.get("system") == SNOMED:
                for n, concept in enumerate(part.get("concept") or ()):
                    if not is_snomed(str(concept.get("code", ""))):
                        found.add(
                            "code-invalid", f"{where}.concept[{n}]", f"{concept.get('code')} is no code of SNOMED CT"
                        )
            for n, each in enumerate(part.get("filter") or ()):
                _filter(each, str(part.get("system", "")), parameters, f"{where}.filter[{n}]", found)


def _filter(each: JSON, system: str, parameters: set[Any], place: str, found: Findings) -> None:
    written, operator, name = each.get("value"), each.get("op"), each.get("property")
    for extension in (each.get("_value") or {}).get("extension") or each.get("extension") or ():
        if extension.get("url") == _CQF:
            _expression(extension.get("valueExpression") or {}, parameters, f"{place}.value", found)
    if not isinstance(written, str):
        return
    if system == SNOMED and name == "constraint" and not is_expression(written):
        found.add("invalid", place, f"{written!r} is no expression of SNOMED CT's constraint language")
    if system == SNOMED and name == "concept" and operator in _CODE_FILTERS and not is_snomed(written):
        found.add("invalid", place, f"{written!r} is no code of SNOMED CT")
    if _KNOWN.get(str(name)) == "boolean" and written not in ("true", "false"):
        found.add("invalid", place, f"{name} is true or false, not {written!r}")
    if operator == "exists" and written not in ("true", "false"):
        found.add("invalid", place, f"exists asks for true or false, not {written!r}")
    if operator == "regex":
        try:
            re.compile(written)
        except re.error:
            found.add("invalid", place, f"{written!r} is no regular expression")


def _expression(expression: JSON, parameters: set[Any], place: str, found: Findings) -> None:
    language, text = expression.get("language"), str(expression.get("expression", ""))
    if language != "text/fhirpath":
        found.add("invalid", place, f"An expression here is written in text/fhirpath, not {language}")
        return
    unknown = [name for name in _VARIABLE.findall(text) if name not in parameters and name not in _BUILT_IN]
    for name in unknown:
        found.add("invalid", place, f"The parameter {name} is not declared")
    try:
        compiled(_VARIABLE.sub("true", text))
    except (NotFHIRPath, CannotEvaluate) as reason:
        found.add("invalid", place, str(reason))


# --- vital signs ---------------------------------------------------------------------------------------------------


def _vital_sign(value: JSON, place: str, found: Findings) -> None:
    """A vital sign that is coded otherwise carries its LOINC code as well (https://hl7.org/fhir/R4/observation-vitalsigns.html)."""
    codings = (value.get("code") or {}).get("coding") or ()
    here = {(each.get("system"), each.get("code")) for each in codings}
    for system, code in sorted(here, key=str):
        wanted = _VITAL.get(str(code)) if system == SNOMED else None
        if wanted and (LOINC, wanted) not in here:
            found.add("structure", f"{place}.code", f"A vital sign carries its LOINC code too: {wanted}")


# --- elements ------------------------------------------------------------------------------------------------------


def _attachment(value: JSON, place: str, found: Findings) -> None:
    data, size = value.get("data"), value.get("size")
    if isinstance(data, str) and isinstance(size, int):
        actual = len(base64.b64decode("".join(data.split())))
        if actual != size:
            found.add("structure", f"{place}.size", f"The size is said to be {size}; the data have {actual} bytes")


def _quantity(value: JSON, place: str, found: Findings) -> None:
    judge_system(value.get("system"), place, found)
    code = value.get("code")
    if value.get("system") != ucum.SYSTEM or not isinstance(code, str):
        return
    if flaw := ucum.flaw(code):
        found.add("code-invalid", f"{place}.code", f"{code[:80]!r} {flaw}")
    elif ucum.unit(code) is None:
        found.add("code-invalid", f"{place}.code", f"{code[:80]!r} is no unit of UCUM that is known here", "warning")


def _identifier(value: JSON, place: str, found: Findings) -> None:
    judge_system(value.get("system"), place, found)
    if (
        value.get("system") == "urn:ietf:rfc:3986"
        and isinstance(value.get("value"), str)
        and not is_absolute(value["value"])
    ):
        found.add(
            "value", f"{place}.value", f"An identifier of urn:ietf:rfc:3986 is a whole URI; {value['value']!r} is none"
        )


def _narrative(value: JSON, place: str, found: Findings) -> None:
    div = str(value.get("div", ""))
    if not re.sub(r"<[^>]*>|&nbsp;|&#160;|\s", "", re.sub(r"<img[^>]*>", "picture", div)):
        found.add("invariant", f"{place}.div", "txt-2: a narrative has some content")
    if entity := _ENTITY(div):
        words = f"{entity[0]} is an entity of HTML, which XML does not know: write the character itself"
        found.add("invalid", f"{place}.div", words)


def _coding(value: JSON, place: str, found: Findings) -> None:
    code = value.get("code")
    judge_system(value.get("system"), place, found)
    if (
        value.get("system") == SNOMED
        and isinstance(code, str)
        and not is_snomed(code.partition(":")[0].strip())
        and not is_expression(code)
    ):
        found.add("code-invalid", f"{place}.code", f"{code!r} is no code of SNOMED CT")


ELEMENTS: Mapping[str, Callable[[JSON, str, Findings], None]] = {
    "Attachment": _attachment,
    "Coding": _coding,
    "Identifier": _identifier,
    "Narrative": _narrative,
    **dict.fromkeys(("Quantity", "Age", "Count", "Distance", "Duration"), _quantity),
}


# --- the same at a glance: what is surely right ----------------------------------------------------------------------

#: a character behind a tag that is neither a blank nor the beginning of a tag or entity
_SHOWN = re.compile(r">\s*[^<\s&]").search
_is_snomed = lru_cache(4096)(is_snomed)


def surely_special(type_name: str) -> Surely | None:
    """Give what tells at a glance that nothing is found above in a struct of a type; None where nothing is looked for."""
    return _SURELY.get(type_name)


def _surely_vital_sign(observation: Any) -> bool:
    codings = (observation.code and observation.code.coding) or ()
    return not any(each.system == SNOMED and each.code in _VITAL for each in codings)


def _surely_coding(coding: Any) -> bool:
    system = coding.system
    if system is None:
        return True
    return is_system(system) and (system != SNOMED or coding.code is None or _is_snomed(coding.code))


def _surely_identifier(identifier: Any) -> bool:
    system, value = identifier.system, identifier.value
    if system is None:
        return True
    return is_system(system) and (system != "urn:ietf:rfc:3986" or value is None or is_absolute(value))


def _surely_quantity(quantity: Any) -> bool:
    system, code = quantity.system, quantity.code
    if system is None:
        return True
    return is_system(system) and (system != ucum.SYSTEM or code is None or not ucum.flaw(code))


_SURELY: Mapping[str, Surely] = {
    "Attachment": lambda s: s.data is None or s.size is None,
    "Coding": _surely_coding,
    "Identifier": _surely_identifier,
    "Narrative": lambda s: _SHOWN(s.div) is not None and ("&" not in s.div or _ENTITY(s.div) is None),
    **dict.fromkeys(("Quantity", "Age", "Count", "Distance", "Duration"), _surely_quantity),
    "Observation": _surely_vital_sign,
}
