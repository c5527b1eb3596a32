"""`$validate`: what is wrong with a resource, every finding with its place. Nothing is stored.

A body that is no FHIR is answered with what is wrong with it, like any other (200).
Source: https://hl7.org/fhir/R4/resource-operation-validate.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from yersin.fhir import encode, outcome, parse, r4, xml
from yersin.fhir.problem import Issue, Problem, problem
from yersin.guard import audit

from .messages import Response
from .operations import EVERY, Asked, Input, Operation, returning
from .read import there

_MODES = ("create", "update", "delete", "profile")
_WRAPPED = re.compile(rb'\A\s*\{\s*"resourceType"\s*:\s*"Parameters"')
_GOOD = Issue(code="informational", severity="information", diagnostics="Nothing was found: this is good FHIR R4.")


async def validate(asked: Asked) -> Response:
    """GET or POST [base]/$validate, [base]/[type]/$validate and [base]/[type]/[id]/$validate"""
    mode = asked.given.text("mode")
    profiles: Sequence[str] = asked.given.texts("profile")
    request = asked.request
    if mode and mode not in _MODES:
        raise problem("value", f"mode={mode}: it is one of {', '.join(_MODES)}.", expression="mode")
    await request.access.record(audit.Entry(interaction="validate", type=asked.type or None))
    try:
        raw, mode, profiles = await _sent(asked, mode, profiles)
        issues = await _judged(asked, raw, mode, profiles)
    except Problem as refusal:
        if refusal.status in (401, 403, 404, 410):
            raise
        issues = list(refusal.issues)
    return Response(body=encode(outcome(issues or [_GOOD])))


async def _sent(asked: Asked, mode: str, profiles: Sequence[str]) -> tuple[bytes, str, Sequence[str]]:
    """What is to be judged: the body, the resource of a Parameters body, or what is stored."""
    body = asked.request.body
    if not body or asked.request.is_form:
        if not asked.id:
            raise problem("required", "Send the resource that is to be judged.", expression="resource")
        return await _stored(asked), mode, profiles
    if body.lstrip()[:1] == b"<" or body[:3] == b"\xef\xbb\xbf":
        body = xml.read(body)
    wrapped = parse(body) if _WRAPPED.match(body) and asked.type != "Parameters" else None
    if not isinstance(wrapped, r4.Parameters) or not _is_call(wrapped):
        return body, mode, profiles
    parts = {str(part.name): part for part in wrapped.parameter or ()}
    mode = str(parts["mode"].valueCode or mode) if "mode" in parts else mode
    more = [p.valueUri or p.valueCanonical or p.valueUrl for p in wrapped.parameter or () if p.name == "profile"]
    resource = parts["resource"].resource if "resource" in parts else None
    if resource is None:
        if mode == "delete" and asked.id:
            return await _stored(asked), mode, profiles
        raise problem(
            "required", "Send the resource that is to be judged as the parameter resource.", expression="resource"
        )
    return encode(resource), mode, [*profiles, *(url for url in more if url)]


async def _stored(asked: Asked) -> bytes:
    """JSON of what stands at an id. Raises Problem: not-found (404), deleted (410)."""
    return there(await asked.request.access.read(asked.type, asked.id)).json()


def _is_call(sent: r4.Parameters) -> bool:
    """Whether Parameters are those of this operation, and not themselves what is to be judged."""
    names = {part.name for part in sent.parameter or ()}
    return bool(names) and names <= {"resource", "mode", "profile"} and ("resource" in names or "mode" in names)


async def _judged(asked: Asked, raw: bytes, mode: str, profiles: Sequence[str]) -> list[Issue]:
    if mode == "delete":
        return []
    resource = parse(raw, expect=asked.type or None)
    issues = await asked.request.access.ground.profiling.judge(raw, profiles)
    if mode == "update" and asked.id and resource.id != asked.id:
        text = f"The address names {asked.type}/{asked.id}, the resource {resource.id or 'no id'}."
        issues.append(Issue(code="invalid", diagnostics=text, expression=f"{asked.type}.id"))
    return issues


def is_asked(path: Sequence[str]) -> bool:
    """Whether an address asks this operation, whose bodies may be anything."""
    return list(path[-1:]) == ["$validate"]


OPERATIONS: Sequence[Operation] = (
    Operation(
        name="validate",
        definition="http://hl7.org/fhir/OperationDefinition/Resource-validate",
        work=validate,
        levels=frozenset({"system", "type", "instance"}),
        types=(EVERY,),
        inputs=(Input(name="mode", type="code"), Input(name="profile", type="uri", repeats=True)),
        takes_any_body=True,
        title="Say what is wrong with a resource",
        outputs=returning("OperationOutcome"),
    ),
)
