"""What telehealth shows on the first page: requests that wait for this person, and requests that need the asking side."""

from __future__ import annotations

from typing import Any

from yersin.guard.access import Access
from yersin.search.page import Query
from yersin.web.shell import AnyRequest

from . import showing
from .codes import OUTCOME
from .queue_pages import _listed, _queue, is_late, needs_asker
from .reading import now
from .staff import post_of

#: requests a card names
SHOWN = 5
_WAITING = ("requested", "received")
_CLOSED = ("completed", "cancelled")


async def to_answer(_request: AnyRequest, access: Access) -> dict[str, Any]:
    """Requests at this hub in one's own specialty: how many wait, how many are late, and the next ones."""
    found = await _queue(access, "", "", whole=False)
    rows, at = found["rows"], found["at"]
    waiting = [r for r in rows if r.it.status in _WAITING]
    mine = [r for r in rows if r.mine]
    return {
        "rows": [*mine, *(r for r in waiting if not r.mine)][:SHOWN],
        "waiting": len(waiting),
        "late": sum(is_late(r.it, at) for r in waiting),
        "mine": len(mine),
        "state_of": showing.state,
    }


async def asked(_request: AnyRequest, access: Access) -> dict[str, Any]:
    """Requests this facility has sent: what needs an answer or a signature, what is open, and outcomes to be told."""
    who = await post_of(access)
    rows = await _listed(access, who, [("requester", f"Organization/{who.organization}"), ("_sort", "-authored-on")])
    needing = [r for r in rows if needs_asker(r.it)]
    going = [r for r in rows if r.it.status not in _CLOSED and not needs_asker(r.it)]
    return {
        "rows": [*needing, *going][:SHOWN],
        "needing": len(needing),
        "going": len(going),
        "outcomes": await _outcomes(access, who.organization),
        "state_of": showing.state,
        "needs": needs_asker,
        "at": await now(access),
    }


async def _outcomes(access: Access, organization: str) -> int:
    pairs = [("owner", f"Organization/{organization}"), ("code", f"{OUTCOME}|report"), ("status", "ready,in-progress")]
    found = await access.search(Query.of("Task", [*pairs, ("_summary", "count")]))
    return found.total or 0
