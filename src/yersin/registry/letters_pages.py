"""The page of notifications that could not be delivered: administrators see them, and send them again."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post

from yersin.api.subscriptions.letters import Letter, dead, revive
from yersin.guard import audit
from yersin.guard.access import Access
from yersin.web.language import N_
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, page, redirect

PERMISSION: Final = "subscriptions.watch"
_FAILURES: Final = {
    "no answer in time": N_("No answer in time"),
    "no such host": N_("The host of the address does not exist"),
    "the address is not public": N_("The address is not public, and not opened by a setting"),
}


@get("/administration/notifications", opt={"permission": PERMISSION})
async def show(request: AnyRequest) -> Response[bytes]:
    """What could not be delivered, the oldest first."""
    access = _access(request)
    letters = await dead(access.ground.database)
    await access.record(audit.Entry(interaction="list", type="Subscription"))
    rows = [(letter, _failure(letter)) for letter in letters]
    return page(request, "registry/letters.html", title=_("Undelivered notifications"), rows=rows)


@post("/administration/notifications/again", opt={"permission": PERMISSION}, status_code=200)
async def again(request: AnyRequest) -> Response[Any]:
    """Send them again, as their records now stand."""
    access = _access(request)
    await revive(access.ground.database)
    await access.record(audit.Entry(interaction="write", type="Subscription"))
    return redirect("/administration/notifications")


def _access(request: AnyRequest) -> Access:
    access: Access = request.state.access
    return access


def _failure(letter: Letter) -> str:
    """Say how the last call failed."""
    if letter.note in _FAILURES:
        return _(_FAILURES[letter.note])
    if letter.note.startswith("answered "):
        return _("The other side answered %(status)s", status=letter.note.removeprefix("answered "))
    return _("No connection")


HANDLERS = (show, again)
