"""The clock: what nobody accepted in time goes to the next hub. Runs in one process at a time, by the database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from yersin.guard.access import Access, Ground
from yersin.guard.who import system
from yersin.guard.writing import Change
from yersin.jobs.periodic import Task
from yersin.search.page import Query

from . import consultations, rules
from .answering import next_pool, pass_on
from .codes import ACTIVITY
from .consultations import Consultation
from .reading import content, now
from .rules import Moved, Refusal, Standing

#: seconds between two looks; the shortest clock is five minutes
EVERY = 10.0
_PAGE = 500


def task(ground: Ground) -> Task:
    """The task of the house's runner, which lets one process at a time work."""
    return Task(name="telehealth.clock", every=EVERY, work=lambda: once(ground))


async def once(ground: Ground) -> bool:
    """Pass on what is overdue. True when a page of results was full, so that more may wait."""
    return await _pass_on_overdue(ground.access(system("HOPERAT"))) >= _PAGE


async def _pass_on_overdue(access: Access) -> int:
    at = await now(access)
    query = Query.of("Task", [
        ("code", f"{ACTIVITY}|"), ("status", "requested,received"), ("_include", "Task:focus"), ("_count", str(_PAGE)),
    ])  # fmt: skip
    found = await access.search(query)
    requests = {f"ServiceRequest/{v.id}": v for v in found.included if v.type == "ServiceRequest"}
    waiting = [(v, requests.get(content(v).get("focus", {}).get("reference", ""))) for v in found.versions]
    listed = [consultations.joined(task, request) for task, request in waiting if request is not None]
    done = [await fall(access, it, at) for it in listed if _overdue(it, at)]
    return sum(done)


def _overdue(it: Consultation, at: datetime) -> bool:
    return it.asked is not None and rules.is_overdue(it.asked, it.urgency.within, at)


async def fall(access: Access, it: Consultation, at: datetime) -> bool:
    """Pass one request on. False when it was taken in the meantime."""
    following = await next_pool(access, it)

    def look(it: Consultation) -> Standing:
        return Standing(
            status=it.status if _overdue(it, at) else "accepted", side="clock", hubs_left=following is not None
        )

    def edit(it: Consultation, _: Moved) -> Sequence[Change]:
        return pass_on(it, following, at, "no-answer")

    return not isinstance(await consultations.change(access, it.id, "fall", look, edit), Refusal)
