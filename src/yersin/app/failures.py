"""The page when the database cannot do its work: away, overloaded or without room. It says what was stored, and what to do."""

from __future__ import annotations

from litestar import Response

from yersin.db import DatabaseFailure
from yersin.web import language
from yersin.web.errors import EXPLANATIONS, Explanation
from yersin.web.language import gettext as _
from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name
from yersin.web.shell import AnyRequest, page

_TITLES = {503: EXPLANATIONS[503].title, 507: N_("There is no room left to save")}


def on_failure(request: AnyRequest, failure: DatabaseFailure) -> Response[bytes]:
    """Answer with the failure's own words, which name no data, and when to come again."""
    words = failure.vi if language.current() == "vi" else failure.diagnostics
    title = _TITLES.get(failure.status, EXPLANATIONS[500].title)
    explanation = Explanation(title=title, text=words, retry=not failure.permanent)
    partial = request.headers.get("hx-request") == "true"
    template = "web/error_message.html" if partial else "web/error.html"
    answer = page(
        request, template, status=failure.status, explanation=explanation, code=failure.status, title=_(title)
    )
    if failure.retry_after:
        answer.headers["retry-after"] = str(failure.retry_after)
    return answer
