"""What the test authority offers the public: status of certificates, revocation lists, its certificates, time-stamps.

Nothing here tells of a patient. Requests are small by their nature; larger ones are refused before they are read.
Sources: RFC 6960 appendix A (OCSP over HTTP), RFC 5280 4.2 (certificates and lists over HTTP), RFC 3161 3.4 (time-stamps).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from typing import Any, Final, Protocol
from urllib.parse import unquote

from litestar import Request, Response, get, post

from yersin.documents import authority
from yersin.documents.authority import TestAuthority
from yersin.documents.seats import Seats
from yersin.guard import audit
from yersin.guard.access import Ground
from yersin.guard.who import nobody

LARGEST: Final = 8192
_OPEN: Final[dict[str, Any]] = {"public": True, "csrf": False}
AnyRequest = Request[Any, Any, Any]
_seats = Seats(at_once=2, waiting=32)


class Offered(Protocol):
    """The authority of this installation, as `app.state.authority`."""

    @property
    def ground(self) -> Ground:
        """Where is recorded who asked."""
        ...

    async def authority(self) -> TestAuthority:
        """Return the authority; it is founded when there is none yet."""
        ...


@post(authority.OCSP, opt=_OPEN, status_code=200, request_max_body_size=LARGEST)
async def ocsp(request: AnyRequest) -> Response[bytes]:
    """Tell the status of a certificate."""
    return await _status(request, await request.body())


@get(authority.OCSP + "/{encoded:path}", opt=_OPEN)
async def ocsp_by_address(request: AnyRequest) -> Response[bytes]:
    """Tell the status of a certificate; the request stands in the address, as base64."""
    raw = request.scope["raw_path"][: 2 * LARGEST].decode("latin-1").partition(f"{authority.OCSP}/")[2]
    try:
        encoded = base64.b64decode(unquote(raw.partition("?")[0]), validate=True)
    except (binascii.Error, ValueError):
        encoded = b""  # the responder answers in its own format that this is no request
    return await _status(request, encoded)


async def _status(request: AnyRequest, asked: bytes) -> Response[bytes]:
    answer = await _answered(request, "ocsp", lambda trust: trust.ocsp_response(asked))
    return Response(answer, media_type="application/ocsp-response")


@post(authority.TIMESTAMPS, opt=_OPEN, status_code=200, request_max_body_size=LARGEST)
async def timestamps(request: AnyRequest) -> Response[bytes]:
    """Stamp the time on a digest."""
    asked = await request.body()
    answer = await _answered(request, "timestamp", lambda trust: trust.timestamp_response(asked))
    return Response(answer, media_type="application/timestamp-reply")


@get(authority.ISSUING_LIST, opt=_OPEN)
async def issuing_list(request: AnyRequest) -> Response[bytes]:
    """Return the list of revoked certificates of people."""
    return _list(await _answered(request, "crl", lambda trust: trust.crls()[0]))


@get(authority.ROOT_LIST, opt=_OPEN)
async def root_list(request: AnyRequest) -> Response[bytes]:
    """Return the root's list, by which the issuing authority itself could be revoked."""
    return _list(await _answered(request, "crl", lambda trust: trust.crls()[1]))


@get(authority.ISSUING_CERTIFICATE, opt=_OPEN)
async def issuing_certificate(request: AnyRequest) -> Response[bytes]:
    """Return the issuing authority's certificate."""
    return _certificate(await _answered(request, "certificate", lambda trust: trust.chain()[0]))


@get(authority.ROOT_CERTIFICATE, opt=_OPEN)
async def root_certificate(request: AnyRequest) -> Response[bytes]:
    """Return the root's certificate. Whoever trusts it decides so by other means than this address."""
    return _certificate(await _answered(request, "certificate", lambda trust: trust.trust_root()))


def _list(der: bytes) -> Response[bytes]:
    return Response(der, media_type="application/pkix-crl")


def _certificate(der: bytes) -> Response[bytes]:
    return Response(der, media_type="application/pkix-cert")


async def _answered(request: AnyRequest, kind: str, answer: Callable[[TestAuthority], bytes]) -> bytes:
    """Let the authority answer in a thread, few at once, and record that it was asked before the answer leaves."""
    offered: Offered = request.app.state.authority
    async with _seats.one():
        made = await asyncio.to_thread(answer, await offered.authority())
    client = request.client
    await offered.ground.access(nobody(client.host if client else "")).record(audit.Entry(interaction=kind))
    return made


ROUTES: Final[list[Any]] = [
    ocsp, ocsp_by_address, timestamps, issuing_list, root_list, issuing_certificate, root_certificate,
]  # fmt: skip
