"""PATCH: which kind of patch was sent, and the resource it makes of a version.

What is made goes the one way of every write, so a patch can do nothing that an update cannot.
Source: https://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from yersin.fhir import parse, r4
from yersin.fhir.problem import Problem, problem
from yersin.guard.writing import Update
from yersin.store.versions import Version

from . import json_patch

JSON_PATCH = "application/json-patch+json"
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A patch, read and checked."""

    operations: Sequence[Mapping[str, Any]]

    def of(self, version: Version, expected: int | None) -> Update:
        """Make the update that this patch of a version is.

        Raises Problem: deleted (410), conflict (412, another version is expected), processing (422), and what is wrong
        with the patched resource.
        """
        if version.deleted:
            raise problem("deleted", f"{version.type}/{version.id} was deleted, so it cannot be patched.", status=410)
        if expected not in (None, version.ver):
            text = f"{version.type}/{version.id} is at version {version.ver} now, not {expected}. Read it again, then patch it."
            raise problem("conflict", text, status=412)
        made = json_patch.apply(json_patch.read(version.json()), self.operations)
        return Update(resource=_resource(made, version), expected=version.ver)


def of_body(content_type: str, body: bytes) -> Patch:
    """Read the body of a PATCH. Raises Problem: not-supported (415) for other kinds of patches."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind != JSON_PATCH:
        text = f"A patch is sent as {JSON_PATCH}, not as {kind or 'something without a Content-Type'}."
        raise problem("not-supported", text, status=415)
    return Patch(operations=json_patch.operations(body))


def of_entry(raw: bytes, place: str) -> Patch:
    """Read the patch that an entry of a bundle holds: a Binary with the JSON Patch as its content.

    Source: https://hl7.org/fhir/R4/http.html#jsonpatch
    """
    return of_body(*content_of(raw, place))


def content_of(raw: bytes, place: str) -> tuple[str, bytes]:
    """Content type and bytes of the patch in an entry."""
    resource = parse(raw)
    if not isinstance(resource, r4.Binary):
        text = f"A patch in a bundle is a Binary whose content is a JSON Patch, not a {type(resource).__name__}."
        raise problem("not-supported", text, expression=place, status=415)
    try:
        return resource.contentType or "", b64decode(resource.data or "")
    except Error as error:
        raise problem("value", "The patch in this Binary is not base64.", expression=f"{place}.data") from error


def _resource(made: Any, version: Version) -> r4.Resource:
    """Patched JSON as a resource: arrays that a patch left empty are gone, and the id is the one it was."""
    try:
        resource = parse(_encode(_pruned(made)), expect=version.type)
    except Problem as refusal:
        raise Problem(refusal.issues, status=422) from refusal
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
