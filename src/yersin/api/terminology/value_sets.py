"""`ValueSet/$expand` and `ValueSet/$validate-code`.

Sources: https://hl7.org/fhir/R4/valueset-operation-expand.html, https://hl7.org/fhir/R4/valueset-operation-validate-code.html
"""

from __future__ import annotations

from collections.abc import Sequence

from yersin.api.messages import Response
from yersin.api.operations import Asked, Input, Operation, returning
from yersin.fhir.problem import problem
from yersin.guard.who import Grant
from yersin.terminology import expanding, judging
from yersin.terminology.finding import Versions, split

from .asking import answered, codings, finder, flag, language, named, parameters

_DEFINITION = "http://hl7.org/fhir/OperationDefinition/"
_KEPT = ("url", "version", "name", "title", "status", "id", "compose")


async def expand(asked: Asked) -> Response:
    """GET or POST [base]/ValueSet/$expand?url=…&filter=…, or [base]/ValueSet/[id]/$expand"""
    designated = tuple(_token(each) for each in asked.given.texts("designation"))
    wanted = expanding.Wanted(
        typed=asked.given.text("filter").strip(),
        offset=_number(asked, "offset") or 0,
        count=_number(asked, "count"),
        active_only=flag(asked, "activeOnly"),
        selectable_only=flag(asked, "excludeNotForUI"),
        precoordinated_only=flag(asked, "excludePostCoordinated"),
        without=tuple(split(each) for each in asked.given.texts("exclude-system")),
        supplements=tuple(asked.given.texts("useSupplement")),
        designations=flag(asked, "includeDesignations") or (bool(designated) and not _is_false(asked)),
        designated=designated,
        definitions=flag(asked, "includeDefinition"),
        flat=flag(asked, "excludeNested"),
        language=language(asked),
    )
    versions = Versions(
        usual=_versions(asked, "system-version"),
        checked=_versions(asked, "check-system-version"),
        forced=_versions(asked, "force-system-version"),
    )
    async with finder(asked, versions) as at:
        value_set = await named(asked, at, "ValueSet", "valueSet")
        expansion = await expanding.expand(at, value_set, wanted)
    told = {name: value_set[name] for name in _KEPT if name in value_set}
    return answered({"resourceType": "ValueSet", "status": "active", **told, "expansion": expansion})


def _is_false(asked: Asked) -> bool:
    return asked.given.text("includeDesignations") == "false"


def _token(text: str) -> tuple[str, str]:
    """Read a token, `system|code` or `code`, of a language or of a use."""
    system, bar, code = text.rpartition("|")
    if not code:
        cure = "write a language or a use, such as designation=vi or designation=urn:ietf:bcp:47|vi"
        raise problem("value", f"designation={text}: {cure}.", expression="designation")
    return (system if bar else "", code)


def _versions(asked: Asked, name: str) -> dict[str, str]:
    """Read versions of code systems. Raises Problem for one that names none, or two of one system."""
    found: dict[str, str] = {}
    for each in asked.given.texts(name):
        url, version = split(each)
        if not (url and version):
            raise problem(
                "value", f"{name}={each}: write address and version, such as http://loinc.org|2.78.", expression=name
            )
        if found.setdefault(url, version) != version:
            raise problem("invalid", f"{name} names two versions of {url}; name one.", expression=name)
    return found


def _number(asked: Asked, name: str) -> int | None:
    text = asked.given.text(name)
    if not text:
        return None
    if int(text) < 0 or int(text) >= 2**31:
        raise problem("value", f"{name}={text}: write a number from 0.", expression=name)
    return int(text)


async def validate_code(asked: Asked) -> Response:
    """GET or POST [base]/ValueSet/$validate-code?url=…&system=…&code=…, or [base]/ValueSet/[id]/$validate-code"""
    given = codings(asked, asked.given.text("system"), asked.given.text("systemVersion"))
    circumstances = judging.Circumstances(abstract=flag(asked, "abstract"), language=language(asked))
    async with finder(asked) as at:
        value_set = await named(asked, at, "ValueSet", "valueSet")
        return verdict(await judging.any_in_set(at, value_set, given, circumstances))


def verdict(found: judging.Verdict) -> Response:
    """Answer with a verdict as both operations give it."""
    return parameters(
        {"name": "result", "valueBoolean": found.result},
        {"name": "message", "valueString": found.message},
        {"name": "display", "valueString": found.display},
    )


VERDICT = (Input(name="result", type="boolean", required=True), Input(name="message"), Input(name="display"))
JUDGED = (
    Input(name="code", type="code"),
    Input(name="display"),
    Input(name="coding", type="Coding"),
    Input(name="codeableConcept", type="CodeableConcept"),
    Input(name="abstract", type="boolean"),
    Input(name="displayLanguage", type="code"),
)
_ELEMENT = "which element a code stands in decides no value set here; name the value set by url, as its binding does."
NO_CONTEXT = {"context": _ELEMENT, "contextDirection": _ELEMENT}
#: why nothing is answered as of a day
NO_DATE = {
    "date": "definitions are not kept as they were on a day; name the version wanted, such as valueSetVersion, "
    "system-version or version, or leave it out."
}
_NAMED = (
    Input(name="url", type="uri"),
    Input(name="valueSet", type="ValueSet"),
    Input(name="valueSetVersion"),
)

OPERATIONS: Sequence[Operation] = (
    Operation(
        name="expand",
        definition=f"{_DEFINITION}ValueSet-expand",
        narrower=True,
        title="The codes of a value set",
        outputs=returning("ValueSet"),
        work=expand,
        levels=frozenset({"type", "instance"}),
        types=("ValueSet",),
        grant=Grant("ValueSet", "r"),
        inputs=(
            *_NAMED,
            Input(name="filter"),
            Input(name="offset", type="integer"),
            Input(name="count", type="integer"),
            Input(name="activeOnly", type="boolean"),
            Input(name="excludeNotForUI", type="boolean"),
            Input(name="includeDesignations", type="boolean"),
            Input(name="includeDefinition", type="boolean"),
            Input(name="excludeNested", type="boolean"),
            Input(name="displayLanguage", type="code"),
            Input(name="designation", repeats=True),
            Input(name="excludePostCoordinated", type="boolean"),
            Input(name="exclude-system", type="canonical", repeats=True),
            Input(name="system-version", type="canonical", repeats=True),
            Input(name="check-system-version", type="canonical", repeats=True),
            Input(name="force-system-version", type="canonical", repeats=True),
            Input(name="useSupplement", type="canonical", repeats=True),
        ),
        refused={**NO_CONTEXT, **NO_DATE},
    ),
    Operation(
        name="validate-code",
        definition=f"{_DEFINITION}ValueSet-validate-code",
        narrower=True,
        title="Whether a code is in a value set",
        outputs=VERDICT,
        work=validate_code,
        levels=frozenset({"type", "instance"}),
        types=("ValueSet",),
        grant=Grant("ValueSet", "r"),
        inputs=(*_NAMED, Input(name="system", type="uri"), Input(name="systemVersion"), *JUDGED),
        refused={**NO_CONTEXT, **NO_DATE},
    ),
)
