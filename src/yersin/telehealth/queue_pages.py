"""Lists of requests: those that wait for a hub's specialists, by urgency, and those a facility has sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from litestar import Response, get, post

from yersin.guard.access import Access
from yersin.search.page import Query
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, fragment, page

from . import consultations, people, showing
from .codes import ACTIVITY, id_of
from .consultations import Consultation
from .reading import access_of, content, now
from .showing import Row
from .staff import Post, post_of

ANSWER, ASK = "telehealth.answer", "telehealth.ask"
_OPEN = "requested,received,accepted,in-progress,on-hold"
_ORDER = {"stat": 0, "asap": 1, "urgent": 2, "routine": 3}
_LIMIT = "200"


@get("/telehealth/queue", opt={"permission": ANSWER})
async def queue(request: AnyRequest) -> Response[bytes]:
    """Requests at this hub, most urgent first."""
    return page(
        request,
        "telehealth/queue.html",
        title=_("Requests for consultation"),
        styles=["telehealth/room"],
        **await _queue(access_of(request), "", "", whole=False),
    )


@post("/telehealth/queue", opt={"permission": ANSWER}, status_code=200)
async def queue_rows(request: AnyRequest) -> Response[bytes]:
    """The same with a filter; every ten seconds the rows alone."""
    form = await request.form()
    context = await _queue(
        access_of(request), str(form.get("urgency", "")), str(form.get("state", "")), whole=form.get("whole") == "yes"
    )
    if request.headers.get("hx-request"):
        return fragment(request, "telehealth/queue.html", "rows", **context)
    return page(
        request, "telehealth/queue.html", title=_("Requests for consultation"), styles=["telehealth/room"], **context
    )


async def _queue(access: Access, urgency: str, state: str, *, whole: bool) -> dict[str, Any]:
    who = await post_of(access)
    pairs = [("owner", f"Organization/{who.organization}"), ("status", _OPEN)]
    listed = await _listed(access, who, [*pairs, ("priority", urgency)] if urgency in _ORDER else pairs)
    rows = [r for r in listed if (whole or r.it.pool in who.pools) and _wanted(r, state)]
    rows.sort(
        key=lambda r: (_ORDER.get(r.it.urgency.code, 9), r.it.status not in {"requested", "received"}, r.it.asked)
    )
    at = await now(access)
    return {
        "rows": rows,
        "at": at,
        "urgency": urgency,
        "state": state,
        "whole": whole,
        "state_of": showing.state,
        "place": who.organization_name,
    }


def _wanted(row: Row, state: str) -> bool:
    if state == "waiting":
        return row.it.status in {"requested", "received"}
    return state != "mine" or row.mine


@get("/telehealth/sent", opt={"permission": ASK})
async def sent(request: AnyRequest) -> Response[bytes]:
    """Requests this facility has sent, those that need something first."""
    access = access_of(request)
    who = await post_of(access)
    rows = await _listed(access, who, [("requester", f"Organization/{who.organization}"), ("_sort", "-authored-on")])
    rows.sort(key=lambda r: not needs_asker(r.it))
    return page(
        request,
        "telehealth/sent.html",
        title=_("Requests sent"),
        styles=["telehealth/room"],
        rows=rows,
        at=await now(access),
        state_of=showing.state,
        needs=needs_asker,
    )


def needs_asker(it: Consultation) -> bool:
    """Whether the asking side is the one to act."""
    return it.status in {"on-hold", "rejected"} or it.business in {"proposed-time", "signed-by-hub"}


async def _listed(access: Access, who: Post, pairs: list[tuple[str, str]]) -> list[Row]:
    query = Query.of("Task", [
        ("code", f"{ACTIVITY}|"), *pairs, ("_include", "Task:focus"), ("_include", "Task:patient"), ("_count", _LIMIT),
    ])  # fmt: skip
    found = await access.search(query)
    beside = {f"{v.type}/{v.id}": v for v in found.included}
    at = (await now(access)).date()
    rows = []
    for task in found.versions:
        document = content(task)
        request = beside.get(document.get("focus", {}).get("reference", ""))
        patient = beside.get(document.get("for", {}).get("reference", ""))
        if request is not None and patient is not None:
            it = consultations.joined(task, request)
            mine = id_of(it.accepted_by, "PractitionerRole") == who.role
            rows.append(Row(it=it, person=people.in_short(content(patient), at), mine=mine))
    return rows


def is_late(it: Consultation, at: datetime) -> bool:
    """Whether a request has waited longer than its clock."""
    return it.due is not None and at >= it.due


HANDLERS: list[Any] = [queue, queue_rows, sent]
