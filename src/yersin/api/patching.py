"""PATCH: which kind of patch was sent, and the resource it makes of a version.

What is made goes the one way of every write, so a patch can do nothing that an update cannot.
Source: https://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from yersin.fhir import parse, r4
from yersin.fhir.path import Environment
from yersin.fhir.problem import Problem, problem
from yersin.guard.writing import ANY, Update
from yersin.store.versions import Version

from . import fhirpath_patch, formats, json_patch, merge_patch

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
_KINDS = f"A patch is sent as {JSON_PATCH} or {MERGE_PATCH}, or as FHIRPath Patch in a Parameters resource"
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A patch, read and checked: what it makes of the JSON of a resource."""

    apply: Callable[[Any, Environment], Any]

    def of(self, version: Version, expected: int | None, environment: Environment) -> Update:
        """Make the update that this patch of a version is; `environment` is what its FHIRPath may ask.

        Raises Problem: deleted (410), conflict (412, another version is expected), processing (422), and what is wrong
        with the patched resource.
        """
        if version.deleted:
            raise problem("deleted", f"{version.type}/{version.id} was deleted, so it cannot be patched.", status=410)
        if expected not in (None, ANY, version.ver):
            text = f"{version.type}/{version.id} is at version {version.ver} now, not {expected}. Read it again, then patch it."
            raise problem("conflict", text, status=412)
        made = self.apply(json_patch.read(version.json()), environment)
        return Update(resource=_resource(made, version), expected=version.ver)


def of_body(content_type: str, body: bytes) -> Patch:
    """Read the body of a PATCH. Raises Problem: not-supported (415) for other kinds of patches."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON_PATCH:
        listed = json_patch.operations(body)
        return Patch(apply=lambda document, _: json_patch.apply(document, listed))
    if kind == MERGE_PATCH or (kind == "application/json" and merge_patch.is_one(body)):
        merged = merge_patch.read(body)
        return Patch(apply=lambda document, _: merge_patch.apply(document, merged))
    if not kind or formats.kind_of(content_type.encode("latin-1")) not in ("json", "xml"):
        raise problem("not-supported", f"{_KINDS}, not as {kind or 'something unnamed'}.", status=415)
    if not isinstance(parse(body), r4.Parameters):
        raise problem("not-supported", f"{_KINDS}, and this is another resource.", status=415)
    steps = fhirpath_patch.operations(body)
    return Patch(apply=lambda document, environment: fhirpath_patch.apply(document, steps, environment))


def content_of(raw: bytes, place: str) -> tuple[str, bytes]:
    """Content type and bytes of the patch in an entry of a bundle: a Parameters resource, or a Binary with a JSON Patch.

    Source: https://hl7.org/fhir/R4/http.html#patch
    """
    resource = parse(raw)
    if isinstance(resource, r4.Parameters):
        return "application/fhir+json", raw
    if not isinstance(resource, r4.Binary):
        text = f"A patch in a bundle is a Parameters resource or a Binary with a JSON Patch, not a {type(resource).__name__}."
        raise problem("not-supported", text, expression=place, status=415)
    try:
        return resource.contentType or "", b64decode(resource.data or "")
    except Error as error:
        raise problem("value", "The patch in this Binary is not base64.", expression=f"{place}.data") from error


def of_entry(raw: bytes, place: str) -> Patch:
    """Read the patch that an entry of a bundle holds."""
    return of_body(*content_of(raw, place))


def _resource(made: Any, version: Version) -> r4.Resource:
    """Patched JSON as a resource: arrays that a patch left empty are gone, and the id is the one it was."""
    try:
        resource = parse(_encode(_pruned(made)), expect=version.type)
    except Problem as refusal:
        raise Problem(refusal.issues, status=422) from refusal
    except UnicodeEncodeError as error:
        raise problem("value", "The patch holds half a character (a lone surrogate).", status=422) from error
    except RecursionError as error:
        raise problem("structure", "The patch nests too deep.", status=422) from error
    if resource.id != version.id:
        text = f"The patch makes {resource.id or 'nothing'} of the id {version.id}; an id never changes."
        raise problem("processing", text, expression=f"{version.type}.id", status=422)
    return resource


def _pruned(value: Any) -> Any:
    """Leave out members without content, which FHIR does not know."""
    if isinstance(value, dict):
        kept = {key: _pruned(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each not in ([], {})}
    return [_pruned(each) for each in value] if isinstance(value, list) else value
