"""Error pages: what happened, what was kept, what to do next. Fixed words only, so that nothing about a patient can leak."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from litestar import Response
from litestar.exceptions import HTTPException

from yersin.fhir.problem import Problem
from yersin.web.language import gettext as _
from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name
from yersin.web.shell import AnyRequest, page

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What an error page says, in English source strings."""

    title: str
    text: str
    retry: bool = False


EXPLANATIONS: Mapping[int, Explanation] = {
    400: Explanation(
        title=N_("This request could not be understood"),
        text=N_("Something in it is missing or malformed. Go back, check what was entered and send it again."),
    ),
    401: Explanation(
        title=N_("Please sign in"),
        text=N_("You are not signed in, or your session has ended. What you typed is kept as a draft."),
    ),
    403: Explanation(
        title=N_("You may not open this"),
        text=N_("Your role at this facility does not allow it. If you need it for your work, ask your administrator."),
    ),
    404: Explanation(
        title=N_("There is nothing at this address"),
        text=N_("The page may have moved, or the address may be mistyped. Search for it or start from the home page."),
    ),
    405: Explanation(
        title=N_("This page cannot be used in this way"),
        text=N_("Open it from the menu or from a link instead."),
    ),
    409: Explanation(
        title=N_("Somebody else changed this meanwhile"),
        text=N_("Nothing was overwritten, and what you typed is kept as a draft. Load the newest state and compare."),
        retry=True,
    ),
    410: Explanation(
        title=N_("This has been deleted"),
        text=N_("It existed once and was removed. Its history remains with those who are entitled to it."),
    ),
    413: Explanation(
        title=N_("This is too large to send"),
        text=N_("Choose a smaller file, or send the files one at a time."),
    ),
    429: Explanation(
        title=N_("Too many attempts"),
        text=N_("Please wait a little while before you try again."),
        retry=True,
    ),
    500: Explanation(
        title=N_("Something went wrong on our side"),
        text=N_("It has been recorded. Nothing you did caused it; try again, and report the number below if it stays."),
        retry=True,
    ),
    503: Explanation(
        title=N_("The service is pausing for a moment"),
        text=N_("It is being restarted or is very busy. This page tries again by itself."),
        retry=True,
    ),
}


def error_page(request: AnyRequest, status: int) -> Response[bytes]:
    """Answer with the designed page for this status; htmx gets a message to show in place of a page."""
    known = status if status in EXPLANATIONS else 500 if status >= 500 else 400
    explanation = EXPLANATIONS[known]
    headers = {"retry-after": "5"} if status == 503 else {}
    partial = request.headers.get("hx-request") == "true"
    template = "web/error_message.html" if partial else "web/error.html"
    answer = page(request, template, status=status, explanation=explanation, code=status, title=_(explanation.title))
    answer.headers.update(headers)
    return answer


def on_http_exception(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Litestar's own refusals: not found, method not allowed, too large."""
    return error_page(request, error.status_code)


def on_problem(request: AnyRequest, error: Problem) -> Response[bytes]:
    """Our own refusals. Their words may name data, so the page keeps to its own."""
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        codes = [issue.code for issue in error.issues]
        request_id = request.scope["state"].get("request_id", "")
        log.error("page refused in request %s: %s at %s", request_id, codes, _places(error))
    return error_page(request, error.status)


def on_surprise(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Anything else is a fault of ours: recorded with its request id, never shown."""
    request_id = request.scope["state"].get("request_id", "")
    log.error("page failed in request %s: %s at %s", request_id, type(error).__name__, _places(error))
    return error_page(request, HTTPStatus.INTERNAL_SERVER_ERROR)


def _places(error: Exception) -> list[str]:
    """Places only: a message or a local variable could carry a patient's data into the log."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
