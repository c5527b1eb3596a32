"""Middleware that refuses unsafe requests which do not come from our own pages. Runs after guard has set the session."""

from __future__ import annotations

from litestar.enums import RequestEncodingType, ScopeType
from litestar.exceptions import PermissionDeniedException
from litestar.types import ASGIApp, Receive, Scope, Send

from yersin.web import csrf
from yersin.web.shell import AnyRequest, site_of

_FORMS = {RequestEncodingType.URL_ENCODED, RequestEncodingType.MULTI_PART}


class CsrfMiddleware:
    """Litestar middleware. A route opts out with `opt={"csrf": False}` if it is not used from pages (webhooks)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and str(scope.get("method")) not in csrf.SAFE and _is_protected(scope):
            request: AnyRequest = AnyRequest(scope, receive=receive)
            if not await _is_ours(request):
                raise PermissionDeniedException
        await self.app(scope, receive, send)


def _is_protected(scope: Scope) -> bool:
    return scope["route_handler"].opt.get("csrf", True) is not False


async def _is_ours(request: AnyRequest) -> bool:
    if csrf.is_foreign(request.headers.get("sec-fetch-site")):
        return False
    state = request.scope["state"]
    sent = request.headers.get(csrf.HEADER) or await _sent_in_form(request)
    return csrf.is_valid(site_of(request).secret, state["csrf_seed"], state.get("session_id", ""), sent)


async def _sent_in_form(request: AnyRequest) -> str:
    if request.content_type[0] not in _FORMS:
        return ""
    return str((await request.form()).get(csrf.FIELD, ""))
