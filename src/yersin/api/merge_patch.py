"""JSON Merge Patch: members that stand in the patch take the place of those of the document, `null` takes them away.

FHIR R4 names no such patch; clients such as fhirpy send it, as `application/json` too. Arrays are replaced whole.
Source: RFC 7396.
"""

from __future__ import annotations

from typing import Any

from yersin.fhir.problem import problem

from . import json_patch


def is_one(raw: bytes) -> bool:
    """Whether JSON that names no kind of patch is a merge patch: an object, and no resource."""
    try:
        found = json_patch.read(raw)
    except ValueError:
        return False
    return isinstance(found, dict) and "resourceType" not in found


def read(raw: bytes) -> dict[str, Any]:
    """Read a patch. Raises Problem (400) for what is no JSON object."""
    try:
        found = json_patch.read(raw)
    except ValueError as error:
        raise problem("structure", f"The patch is not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise problem("structure", "A JSON Merge Patch is an object with the members to change.")
    return found


def apply(document: Any, patch: Any) -> Any:
    """Answer the patched document; the one given may be used up. Raises Problem (422) for a patch that nests too deep."""
    try:
        return _merged(document, patch)
    except RecursionError as error:
        raise problem("structure", "The patch nests too deep.", status=422) from error


def _merged(document: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = document if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged
