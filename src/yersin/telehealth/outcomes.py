"""Closing the loop: after the minutes the station records what was done, and later how the patient is.

Circular 49/2017/TT-BYT: the asking side decides on using the advice and reports the result back to the adviser.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from yersin.guard.access import Access
from yersin.guard.writing import Create, Update
from yersin.store.identity import new_id
from yersin.web.language import N_
from yersin.web.language import gettext as _

from . import law
from .codes import JSON, OUTCOME, code_of, concept, ref
from .consultations import Consultation
from .reading import find, moment, typed

FOLLOWED: Final = (
    ("followed", N_("Followed")),
    ("partly", N_("Partly followed")),
    ("not-followed", N_("Not followed")),
)
PATIENT: Final = (
    ("recovered", N_("Recovered")),
    ("better", N_("Better")),
    ("same", N_("The same")),
    ("worse", N_("Worse")),
    ("referred", N_("Referred to another facility")),
    ("died", N_("Died")),
    ("unknown", N_("Not known")),
)


def asked(it: Consultation, at: datetime) -> Create:
    """The Task that asks the station for the outcome, due when the law data says."""
    due = at + timedelta(days=law.OUTCOME_DAYS)
    document = {
        "resourceType": "Task", "status": "ready", "intent": "order", "code": concept(OUTCOME, "report"), "focus": it.task["focus"],
        "basedOn": [ref("Task", it.id)], "for": it.task["for"], "authoredOn": at.isoformat(), "lastModified": at.isoformat(),
        "requester": it.hub, "owner": it.asker, "restriction": {"period": {"start": at.isoformat(), "end": due.isoformat()}},
    }  # fmt: skip
    return Create(resource=typed(document), id=new_id())


async def follow_up(access: Access, it: Consultation) -> JSON | None:
    """The Task that asks for the outcome of a request."""
    pairs = (("based-on", f"Task/{it.id}"), ("code", f"{OUTCOME}|report"))
    return next(iter(await find(access, "Task", *pairs)), None)


async def record_done(access: Access, task: JSON, text: str, at: datetime) -> None:
    """Record what was done after the consultation."""
    made = {
        **task,
        "status": "in-progress",
        "lastModified": at.isoformat(),
        "note": [{"text": text, "time": at.isoformat()}],
    }
    await access.write([Update(resource=typed(made), expected=int(task["meta"]["versionId"]))])


async def record_outcome(access: Access, task: JSON, answer: dict[str, str], at: datetime) -> None:
    """Record whether the advice was followed, why not, and how the patient is; the loop is closed."""
    outputs = [
        {"type": concept(OUTCOME, kind), "valueCode" if kind != "why" else "valueString": value}
        for kind, value in answer.items()
        if value
    ]
    made = {**task, "status": "completed", "lastModified": at.isoformat(), "output": outputs}
    await access.write([Update(resource=typed(made), expected=int(task["meta"]["versionId"]))])


def words(task: JSON | None) -> dict[str, Any] | None:
    """A follow-up as the page shows it."""
    if task is None:
        return None
    outputs = {
        code_of(o["type"], OUTCOME): o.get("valueCode") or o.get("valueString", "") for o in task.get("output", ())
    }
    return {
        "status": task["status"],
        "due": moment(task["restriction"]["period"]["end"]),
        "done": "\n".join(n["text"] for n in task.get("note", ())),
        "followed": _(dict(FOLLOWED).get(outputs.get("followed", ""), "")) if outputs else "",
        "why": outputs.get("why", ""),
        "patient": _(dict(PATIENT).get(outputs.get("patient", ""), "")) if outputs else "",
    }
