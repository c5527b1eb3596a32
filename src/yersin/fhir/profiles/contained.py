"""Contained resources: each has an id of its own, by which it is referred to.

Source: https://hl7.org/fhir/R4/references.html#contained
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .findings import Findings


def judge_contained(resource: Mapping[str, Any], place: str, found: Findings) -> None:
    """Judge the ids of what a resource contains."""
    seen: set[str] = set()
    for number, each in enumerate(resource.get("contained") or ()):
        where, own = f"{place}.contained[{number}]", each.get("id")
        if own is None:
            found.add("required", f"{where}.id", "A contained resource has an id, by which it is referred to")
        elif own in seen:
            found.add("duplicate", f"{where}.id", f"Two contained resources have the id {own}")
        seen.add(own)
