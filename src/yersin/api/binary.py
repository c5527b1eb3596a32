"""Content of a Binary as raw bytes, whole or by range, and which Binary may show which file.

A file is shown by a Binary only if this system attached it: naming its digest in a resource of one's own opens nothing.
Sources: https://hl7.org/fhir/R4/binary.html#rest, RFC 9110 section 14 (ranges)
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from yersin import settings
from yersin.blobs import Blob, Blobs, FolderBlobs, Sealer
from yersin.db import Connection
from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.guard.access import Access
from yersin.guard.keys import Keys
from yersin.imaging.resources import blob_of
from yersin.store.identity import row_id
from yersin.store.versions import Version

from . import formats
from . import read as resource
from .errors import Refusal
from .messages import Request, Response, version_headers

DDL = """
CREATE TABLE blob_use (
  address text NOT NULL, binary_id uuid NOT NULL, patient uuid NOT NULL, made timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (address, binary_id));
COMMENT ON TABLE blob_use IS 'Which Binary shows which file: what is not named here is swept, and served to nobody.';
"""
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_CONTEXT = re.compile(r"(^|/)[A-Z][A-Za-z]+/[A-Za-z0-9.\-]{1,64}(/_history/[A-Za-z0-9.\-]{1,64})?$")
_FHIR = ("application/fhir+json", "application/json+fhir", "application/json", "application/fhir+xml")
_SHOWN = ("image/jpeg", "image/png", "application/pdf")


def blobs_in(folder: Path, keys: Keys) -> FolderBlobs:
    """Open the files of an installation; `folder` is its data folder."""
    sealer = Sealer(seal=lambda plain: keys.seal("blobs", plain), open=lambda sealed: keys.open("blobs", sealed))
    return FolderBlobs(folder / "blobs", sealer)


async def use(connection: Connection, address: str, binary: UUID, patient: UUID) -> None:
    """Note, in the transaction that writes a Binary, which file it shows."""
    sql = "INSERT INTO blob_use (address, binary_id, patient) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
    await connection.execute(sql, address, binary, patient)


class Raw(Response, frozen=True, kw_only=True):
    """An answer whose body comes in pieces. `body` stays empty."""

    pieces: AsyncIterator[bytes] | None = None


async def read(request: Request) -> Response:
    """GET [base]/Binary/[id]: the content, or the resource for those who ask for FHIR."""
    version = await request.access.read("Binary", request.path[1])
    if version.deleted:
        return resource.answer(request, version)
    binary = version.resource()
    assert isinstance(binary, r4.Binary)  # noqa: S101 - its type is in the address
    if _wants_resource(request, binary):
        return resource.answer(request, version)
    if resource.is_known(request, version):
        return Response(status=304, headers=version_headers(version))
    # our tags are weak, so none of them proves that a part fits what the client has (RFC 9110, 13.1.5)
    return await content(request.access, version, "" if request.header("if-range") else request.header("range"))


def received(request: Request) -> r4.Binary | None:
    """Binary whose content was sent as it is; None where FHIR was sent (https://hl7.org/fhir/R4/binary.html#rest)."""
    kind = request.header("content-type").strip()
    if formats.kind_of(kind.encode("latin-1")) in ("json", "xml"):
        return None
    context = request.header("x-security-context").strip()
    if context and not _CONTEXT.search(context):
        text = f"X-Security-Context is {context[:80]}; send a reference such as Patient/123."
        raise problem("value", text, expression="Binary.securityContext")
    return r4.Binary(
        contentType=" ".join(kind.split()),
        data=b64encode(request.body).decode(),
        securityContext=r4.Reference(reference=context) if context else None,
    )


def _wants_resource(request: Request, binary: r4.Binary) -> bool:
    """Decide what to send: what was asked for, else the resource where it holds its content itself."""
    accept = request.header("accept").lower()
    if any(kind in accept for kind in _FHIR):
        return True
    family = (binary.contentType or "").split("/", maxsplit=1)[0] + "/"
    return blob_of(binary) is None and not (len(family) > 1 and family in accept)


async def content(access: Access, version: Version, asked: str = "", blobs: Blobs | None = None) -> Raw:
    """Give the content of a Binary that was read through the guard. `asked` is the header Range."""
    binary = version.resource()
    assert isinstance(binary, r4.Binary)  # noqa: S101 - callers read a Binary
    blob, inside = await shown(access, version), b""
    if blob is None:
        inside = inline(binary)
    size = blob.size if blob else len(inside)
    start, end = span(asked, size)
    if blob:
        pieces = (blobs or blobs_in(settings.read().data_dir, access.ground.keys)).read(blob.address, start, end)
    else:
        pieces = _whole(inside[start:end])
    headers = [*_headers(binary, version), (b"content-length", str(end - start).encode())]
    if not _RANGE.fullmatch(asked.replace(" ", "")):
        return Raw(headers=headers, pieces=pieces)
    return Raw(
        status=206, headers=[*headers, (b"content-range", f"bytes {start}-{end - 1}/{size}".encode())], pieces=pieces
    )


async def shown(access: Access, version: Version) -> Blob | None:
    """File that a Binary shows; None where it holds its content itself. Raises Problem when the file is not its own."""
    binary = version.resource()
    blob = blob_of(binary) if isinstance(binary, r4.Binary) else None
    if blob is None:
        return None
    sql = "SELECT 1 FROM blob_use WHERE address = $1 AND binary_id = $2"
    async with access.own_tables() as connection:
        if await connection.fetchval(sql, blob.address, row_id("Binary", version.id).id) is None:
            raise problem("not-found", f"Binary/{version.id} has no content here.", status=404)
    return blob


def inline(binary: r4.Binary) -> bytes:
    """Content that lies in the resource itself."""
    try:
        return b64decode(binary.data or "")
    except Error as error:
        raise problem("value", "The content of this Binary is not base64.", expression="Binary.data") from error


async def _whole(inside: bytes) -> AsyncIterator[bytes]:
    yield inside


def span(asked: str, size: int) -> tuple[int, int]:
    """Beginning and end of the one range asked for; all of it for several, which a server need not serve."""
    found = _RANGE.fullmatch(asked.replace(" ", ""))
    if found is None or not any(found.groups()):
        return 0, size
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= end:
        outside = problem("value", f"The range {asked} is outside the {size} bytes of the content.", status=416)
        raise Refusal(outside, b"content-range", f"bytes */{size}")
    return start, end


def _headers(binary: r4.Binary, version: Version) -> Sequence[tuple[bytes, bytes]]:
    """Headers that keep foreign content from doing anything. A PDF cannot be sandboxed: browsers then show nothing."""
    kind = binary.contentType or "application/octet-stream"
    way = "inline" if kind in _SHOWN else "attachment"
    sandbox = "" if kind == "application/pdf" else "; sandbox"
    return [
        (b"content-type", kind.encode("ascii", "replace").replace(b"\n", b"").replace(b"\r", b"")),
        (b"content-disposition", way.encode()),
        (b"content-security-policy", f"default-src 'none'; frame-ancestors 'none'{sandbox}".encode()),
        (b"accept-ranges", b"bytes"),
        (b"etag", version.etag.encode()),
    ]


async def send(raw: Raw, method: str, sending: Callable[[Any], Awaitable[None]]) -> None:
    """Send an answer piece by piece."""
    fixed = [(b"cache-control", b"private, no-store"), (b"x-content-type-options", b"nosniff")]
    await sending({"type": "http.response.start", "status": raw.status, "headers": [*raw.headers, *fixed]})
    if method != "HEAD" and raw.pieces is not None:
        async for piece in raw.pieces:
            await sending({"type": "http.response.body", "body": piece, "more_body": True})
    await sending({"type": "http.response.body", "body": b""})
