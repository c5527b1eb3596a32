"""The public page on which anybody checks a signed document. The file is checked in a limited process and kept nowhere.

Who asked for what code is recorded; the file's content is not. Source: Law 20/2023/QH15 (electronic transactions).
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Meta

from yersin.documents import checking
from yersin.documents.checking import Checked
from yersin.documents.public_routes import Offered
from yersin.documents.seats import Seats
from yersin.guard import audit
from yersin.guard.access import Access
from yersin.guard.who import nobody, system
from yersin.telehealth.documents import verification
from yersin.telehealth.documents.verification import Kept, Signature
from yersin.web import forms
from yersin.web.forms import Bound
from yersin.web.language import N_
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, page, redirect

_OPEN: Final[dict[str, Any]] = {"public": True}
#: the file and what a form puts around it
_LARGEST = checking.LARGEST + (64 << 10)
_REMEMBERED: Final = 500
_found: dict[bytes, Checked] = {}
_seats = Seats(at_once=2, waiting=10)
REFUSALS: Final = {
    "no-pdf": N_("This is not a PDF file."),
    "encrypted": N_("The file is protected by a password, so its signatures cannot be checked."),
    "damaged": N_("The file is damaged, so its signatures cannot be checked."),
    "too-costly": N_("Checking this file takes too much time or memory. A signed document of this system never does."),
}
VERDICTS: Final = {
    "unchanged": ("ok", N_("Unchanged since it was signed"), N_("Every signature is valid and nothing was changed after it.")),
    "changed": ("danger", N_("Changed after it was signed"), N_("The file is not what was signed. Do not rely on it.")),
    "revoked": ("danger", N_("Signed with a revoked certificate"),
                N_("A certificate had been revoked before it was used. Do not rely on this file.")),
    "untrusted": ("warn", N_("Signed by an authority unknown here"),
                  N_("The file may be unchanged, but this server cannot say who signed it.")),
    "doubtful": ("warn", N_("Not all signatures could be confirmed"), N_("Ask the facility that issued the document.")),
    "unsigned": ("warn", N_("Not signed"), N_("The file carries no digital signature. A printed signature is only a picture.")),
}  # fmt: skip
SIDES: Final = {"consulted": N_("Consulting side"), "requesting": N_("Asking side")}
PLACES: Final = {
    "other": ("danger", N_("This is not the document of this code, as far as this server knows.")),
    "earlier": ("info", N_("A later revision exists: another side has signed since.")),
    "newest": ("ok", N_("It is the newest revision kept by this server.")),
}
REASONS: Final = {
    "keyCompromise": N_("the key was compromised"),
    "cACompromise": N_("the authority was compromised"),
    "affiliationChanged": N_("the signer's post changed"),
    "superseded": N_("replaced by a new certificate"),
    "cessationOfOperation": N_("no longer used"),
    "privilegeWithdrawn": N_("the right to sign was withdrawn"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """The file somebody holds."""

    file: Annotated[UploadFile, Meta(title=N_("Signed PDF file"))]


def offered_of(request: AnyRequest) -> Offered:
    """The authority of this installation."""
    offered: Offered = request.app.state.authority
    return offered


@get("/verify", opt=_OPEN)
async def begin(request: AnyRequest) -> Response[bytes] | Redirect:
    """Show where a file is put or a code is typed; a code that was typed leads to its page."""
    typed = request.query_params.get("code", "")
    code = verification.readable_code(typed)
    if code:
        return redirect(f"/verify/{code}")
    return _page(request, status=404 if typed else 200, sought=typed[:40])


@get("/verify/{code:str}", opt=_OPEN)
async def about(request: AnyRequest, code: FromPath[str]) -> Response[bytes]:
    """Tell of the document of a code: that it exists, when and for whose side it was signed."""
    document = await _kept(request, code)
    if document is None:
        return _page(request, status=404, sought=code[:40])
    signatures = await _with_status(request, await _remembered(request, document.revisions[-1]))
    return _page(request, document=document, known=signatures)


@post(["/verify", "/verify/{code:str}"], opt=_OPEN, status_code=200, request_max_body_size=_LARGEST)
async def check(request: AnyRequest) -> Response[bytes]:
    """Check the file that somebody brings."""
    code = str(request.path_params.get("code", ""))
    bound = await forms.read(request, Brought)
    if bound.value is None:
        return _page(request, status=422, bound=bound, document=await _kept(request, code))
    pdf = await bound.value.file.read()
    checked = await _checked(request, pdf)
    document = await _kept(request, code or checked.code)
    if checked.refused:
        refused = bound.with_error("file", _(REFUSALS[checked.refused]))
        return _page(request, status=422, bound=refused, document=document)
    signatures = await _with_status(request, checked)
    found = verification.verdict(signatures)
    place = verification.place_among(pdf, document) if found == "unchanged" or code else "unknown"
    shown = document if code or place in {"earlier", "newest"} else None
    return _page(request, document=shown, verdict=found, signatures=signatures, place=place)


async def _kept(request: AnyRequest, code: str) -> Kept | None:
    readable = verification.readable_code(code)
    return await verification.kept(_as_system(request), readable) if readable else None


async def _remembered(request: AnyRequest, pdf: bytes) -> Checked:
    """What was found in a document kept here, which never changes: checked once in a while, not for every visitor."""
    key = hashlib.sha256(pdf).digest()
    if key not in _found:
        if len(_found) >= _REMEMBERED:
            _found.clear()
        _found[key] = await _checked(request, pdf)
    return _found[key]


async def _checked(request: AnyRequest, pdf: bytes) -> Checked:
    """Check in a process of its own; that somebody had a file checked is recorded first."""
    await offered_of(request).ground.access(nobody(_address(request))).record(audit.Entry(interaction="verify"))
    root = (await offered_of(request).authority()).trust_root()
    async with _seats.one():
        return await asyncio.to_thread(checking.check, pdf, [root])


async def _with_status(request: AnyRequest, checked: Checked) -> tuple[Signature, ...]:
    authority = await offered_of(request).authority()
    return await asyncio.to_thread(verification.with_status, checked, authority)


def _as_system(request: AnyRequest) -> Access:
    """The system reads for the visitor, so the record of accesses names the visitor's address."""
    who = replace(system("HOPERAT"), display="Yersin (/verify)", address=_address(request))
    return offered_of(request).ground.access(who)


def _address(request: AnyRequest) -> str:
    return request.client.host if request.client else ""


def _page(
    request: AnyRequest, *, status: int = 200, bound: Bound[Brought] | None = None, **more: Any
) -> Response[bytes]:
    context = {"document": None, "known": (), "verdict": "", "signatures": (), "place": "unknown", "sought": "", **more}
    return page(
        request,
        "telehealth/verify.html",
        status=status,
        title=_("Check a signed document"),
        styles=["telehealth/verify"],
        bound=bound or forms.blank(Brought),
        verdicts=VERDICTS,
        places=PLACES,
        sides=SIDES,
        reasons=REASONS,
        megabytes=checking.LARGEST >> 20,
        **context,
    )


HANDLERS: list[Any] = [begin, about, check]
