"""The page of worked examples for those who write programs against the API. It is open to everybody and tells of nobody."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get

from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, page

from .examples import BEFORE, EXAMPLES
from .state import house_of

_OPEN: Final[dict[str, Any]] = {"public": True}
LANGUAGES: Final = (("curl", "curl"), ("python", "Python"), ("javascript", "JavaScript"))


@get("/developers", opt=_OPEN, sync_to_thread=False)
def show(request: AnyRequest) -> Response[bytes]:
    """Show every example in every language."""
    return page(
        request,
        "app/developers.html",
        styles=["app/developers"],
        title=_("For developers"),
        base=f"{house_of(request.app).settings.base_url}/fhir",
        examples=EXAMPLES,
        before=BEFORE,
        languages=LANGUAGES,
    )
