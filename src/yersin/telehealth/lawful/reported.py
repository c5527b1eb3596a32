"""The outcome: asked for with the conclusion, reported by the asking facility, and never taken back.

Circular 49/2017/TT-BYT: the asking side decides on using the advice and reports the result back to the adviser.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from yersin.telehealth.codes import JSON, OUTCOME, code_of, id_of
from yersin.telehealth.outcomes import FOLLOWED, PATIENT

from .facts import Breach, Facts
from .moved import FREE

_NEXT: Final = {"ready": {"ready", "in-progress", "completed"}, "in-progress": {"in-progress", "completed"}}
_REPORTED: Final = frozenset({"status", "businessStatus", "statusReason", "output", "executionPeriod"})


def is_outcome(document: JSON) -> bool:
    """Whether a Task asks for the outcome of a consultation."""
    return bool(code_of(document.get("code"), OUTCOME))


def judge_new(task: JSON, concluded: JSON, facts: Facts) -> Breach | None:
    """Say what is against the rules in a Task that asks for an outcome; `concluded`: the request concluded by the same transaction."""
    if not concluded or id_of(concluded.get("owner"), "Organization") != facts.organization:
        text = "The outcome is asked for by the hub that concludes, in the same transaction (basedOn the Task)."
        return Breach(place="Task.basedOn", text=text, who=bool(concluded))
    if task.get("status") != "ready":
        return Breach(place="Task.status", text="The Task for the outcome begins as ready; write this status.")
    pairs = (("owner", "requester"), ("requester", "owner"), ("for", "for"), ("focus", "focus"))
    for mine, its in pairs:
        if _reference(task, mine) != _reference(concluded, its):
            return Breach(place=f"Task.{mine}", text=f"Task.{mine} is the {its} of the request that is concluded.")
    return None


def _reference(task: JSON, name: str) -> str:
    return str(task.get(name, {}).get("reference", ""))


def judge(before: JSON, after: JSON, facts: Facts) -> Breach | None:
    """Say what is against the rules in a report, or nothing."""
    return next(_wrong(before, after, facts), None)


def _wrong(before: JSON, after: JSON, facts: Facts) -> Iterator[Breach]:
    if id_of(before.get("owner"), "Organization") != facts.organization or "telehealth.ask" not in facts.permissions:
        yield Breach(place="Task", text="Only the facility that asked reports the outcome.", who=True)
    done = before.get("status") == "completed"
    for name in sorted({*before, *after} - ((FREE - {"note"}) if done else (FREE | _REPORTED))):
        if before.get(name) != after.get(name):
            text = "The outcome is reported once and stays." if done else f"Task.{name} stays as it was."
            yield Breach(place=f"Task.{name}", text=text)
    if not done and after.get("status") not in _NEXT.get(str(before.get("status")), ()):
        text = (
            f"An outcome that is {before.get('status')} becomes in-progress, then completed; not {after.get('status')}."
        )
        yield Breach(place="Task.status", text=text)
    if not done and after.get("status") == "completed":
        yield from _reported(after)


def _reported(task: JSON) -> Iterator[Breach]:
    told = {
        code_of(o.get("type"), OUTCOME): o.get("valueCode") or o.get("valueString", "") for o in task.get("output", ())
    }
    for kind, known in (("followed", dict(FOLLOWED)), ("patient", dict(PATIENT))):
        if told.get(kind) not in known:
            yield Breach(place="Task.output", text=f"Report the output {kind} by valueCode: one of {', '.join(known)}.")
    if told.get("followed") != "followed" and not str(told.get("why", "")).strip():
        text = "Say in the output why (valueString) the advice was not followed, or only in part."
        yield Breach(place="Task.output", text=text)
