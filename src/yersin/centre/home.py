"""What the centre shows on the first page: the last thirty days of the nation, each number with its way on."""

from __future__ import annotations

from typing import Any

from yersin.guard.access import Access
from yersin.web import language
from yersin.web.shell import AnyRequest

from . import figures, rules, wording
from .figures import Filters
from .indicators import INDICATORS
from .pages import filters_of

#: provinces a card names
SHOWN = 5


async def nation(request: AnyRequest, access: Access) -> dict[str, Any]:
    """The figures of the last thirty days beside the thirty before."""
    filters: Filters = filters_of(
        request, {"period": "30", "compare": "before", "province": "", "activity": "", "facility": ""}
    )
    found = await figures.gather(access, filters)
    return {
        "f": found,
        "now": found.now.whole,
        "then": found.then.whole,
        "provinces": wording.by_asked(found.now.provinces)[:SHOWN],
        "words": wording,
        "rules": rules,
        "indicators": INDICATORS,
        "lang": language.current(),
        "lists": access.may("figures.list"),
    }
