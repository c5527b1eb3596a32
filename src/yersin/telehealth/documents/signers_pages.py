"""The page of certificates: who signs here, and revoking a certificate when its key or its holder is no longer to be trusted.

Source: RFC 5280 5.3.1 (reasons), Law 20/2023/QH15 on electronic transactions.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from yersin.fhir.problem import problem
from yersin.guard import audit
from yersin.telehealth.pens import AuthorityPen
from yersin.telehealth.reading import access_of
from yersin.web.language import N_
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, page, redirect

PERMISSION: Final = "certificate.revoke"
REASONS: Final = {
    "keyCompromise": N_("The key may be in other hands"),
    "affiliationChanged": N_("The person has left the facility"),
    "superseded": N_("A new certificate takes its place"),
    "cessationOfOperation": N_("The person no longer signs"),
}


@get("/telehealth/signers", opt={"permission": PERMISSION})
async def show(request: AnyRequest) -> Response[bytes]:
    """Every certificate, the newest first."""
    held = await _pen(request).held()
    return page(
        request,
        "telehealth/signers.html",
        title=_("Signing certificates"),
        styles=["telehealth/room"],
        held=held,
        reasons=[(code, _(words)) for code, words in REASONS.items()],
        words={code: _(words) for code, words in REASONS.items()},
    )


@post("/telehealth/signers/{serial:str}/revoke", opt={"permission": PERMISSION}, status_code=200)
async def revoke(request: AnyRequest, serial: FromPath[str]) -> Response[Any]:
    """Revoke one; pressed twice, the first counts."""
    reason = str((await request.form()).get("reason", ""))
    if reason not in REASONS:
        raise problem("value", "Choose why the certificate is revoked.", status=422)
    pen, access = _pen(request), access_of(request)
    await pen.revoke(serial, reason)
    person = next(UUID(one.person) for one in await pen.held() if one.serial == serial)
    await access.record(audit.Entry(interaction="revoke", type="Practitioner", entity=person))
    return redirect("/telehealth/signers")


def _pen(request: AnyRequest) -> AuthorityPen:
    pen: AuthorityPen = request.app.state.pen
    return pen


HANDLERS = (show, revoke)
