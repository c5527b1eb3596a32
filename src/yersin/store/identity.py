"""Logical ids and row ids.

A logical id that is a lower-case UUID is its own row id. Any other text is kept beside the row and hashed to a
UUIDv5, so that every key in the database is sixteen bytes. Source: https://hl7.org/fhir/R4/datatypes.html#id
"""

from __future__ import annotations

import os
import re
import time
from typing import NamedTuple
from uuid import UUID, uuid5

_NAMESPACE = UUID("5c1f4a52-93f0-5b8e-8f0c-2a9d1f1e7c60")
_IS_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch


class RowId(NamedTuple):
    """Row id of a resource and, where the logical id is no UUID, its text."""

    id: UUID
    name: str | None


def row_id(type_name: str, logical_id: str) -> RowId:
    """Row id of `type_name/logical_id`."""
    if _IS_UUID(logical_id):
        return RowId(UUID(logical_id), None)
    return RowId(uuid5(_NAMESPACE, f"{type_name}/{logical_id}"), logical_id)


def new_id() -> UUID:
    """Make an id for a new resource: UUIDv7, so that neighbours in time are neighbours in the index (RFC 9562 5.7)."""
    head = time.time_ns() // 1_000_000 << 80
    tail = int.from_bytes(os.urandom(10), "big")
    number = head | tail
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=number)
