"""A version of a resource as the store holds it. Source: https://hl7.org/fhir/R4/resource.html#Meta"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from yersin.fhir import parse, r4

from .content import unpack


def instant(moment: datetime) -> str:
    """FHIR instant in UTC with milliseconds, e.g. `2026-11-22T07:00:00.000Z`."""
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version. `content` is packed (see `content`); a deleted version has none."""

    type: str
    id: str
    ver: int
    upd: datetime
    pat: UUID
    enc: int = 0
    content: bytes | None = None
    #: what `content` holds, where it was just packed
    tail: bytes | None = None

    @property
    def deleted(self) -> bool:
        """Whether this version says that the resource was deleted."""
        return self.content is None

    @property
    def etag(self) -> str:
        """Weak entity tag of this version (https://hl7.org/fhir/R4/http.html#versioning)."""
        return f'W/"{self.ver}"'

    def json(self) -> bytes:
        """Whole resource as JSON. Raises ValueError for a deleted version."""
        if self.content is None:
            raise ValueError("a deleted version has no content")
        return whole(self.type, self.id, self.ver, self.upd, self.tail or unpack(self.enc, self.content))

    def resource(self) -> r4.Resource:
        """Typed resource, parsed again from its bytes."""
        return parse(self.json())


def whole(type_name: str, logical_id: str, ver: int, upd: datetime, tail: bytes) -> bytes:
    """Join what the server owns with stored content."""
    head = (
        f'{{"resourceType":"{type_name}","id":"{logical_id}",'
        f'"meta":{{"versionId":"{ver}","lastUpdated":"{instant(upd)}"'
    ).encode()
    return head + tail if tail.startswith(b"}") else head + b"," + tail
