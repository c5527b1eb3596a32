"""The laws of this room: Task, ServiceRequest and Composition of a consultation, as the write path asks them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from yersin.guard.laws import Case, Law, Step
from yersin.telehealth.codes import JSON, id_of
from yersin.telehealth.consultations import Consultation
from yersin.telehealth.reading import content

from . import asked, gathering, minuted, moved, reported
from .facts import Breach
from .gathering import is_consultation, said


def refuse(breach: Breach | None) -> None:
    """Raise the Problem of a breach, if there is one."""
    if breach is not None:
        raise breach.problem


async def task(step: Step, case: Case) -> bool:
    """A Task of a consultation, or one that asks for its outcome. Raises Problem for what the rules do not allow."""
    before, after = said(step.before), said(step.after)
    if is_consultation(before) or is_consultation(after):
        await _consultation(step, case, before, after)
    elif reported.is_outcome(before) or reported.is_outcome(after):
        await _outcome(case, before, after)
    else:
        return False
    return True


async def _consultation(step: Step, case: Case, old: JSON, new: JSON) -> None:
    if not new:
        text = f"A request for consultation is not deleted: cancel Task/{step.id} instead (status cancelled)."
        refuse(Breach(place="Task", text=text))
    before, after = await gathering.pair(step, case)
    if not is_consultation(old):
        refuse(asked.judge(after, await gathering.for_new(after, case)))
        return
    if not _is_whole(before):
        refuse(
            Breach(
                place="Task",
                text="This request was brought in from elsewhere and is not complete; only the operator changes it.",
            )
        )
    refuse(moved.judge(before, after, await gathering.for_change(before, after, case)))


def _is_whole(it: Consultation) -> bool:
    """Whether a request has what every move builds on."""
    try:
        return bool(it.hubs_asked and it.asker and it.task["restriction"]["period"])
    except (KeyError, StopIteration, TypeError, ValueError):
        return False


async def _outcome(case: Case, before: JSON, after: JSON) -> None:
    if not after:
        refuse(Breach(place="Task", text="A Task for an outcome is not deleted; report the outcome."))
    known = await gathering.facts(case)
    if reported.is_outcome(before):
        refuse(reported.judge(before, after, known))
        return
    based_on = [id_of(one, "Task") for one in after.get("basedOn", ())]
    concluded = next((found for one in based_on if (found := concluded_by(case, one))), {})
    refuse(reported.judge_new(after, concluded, known))


def concluded_by(case: Case, task_id: str) -> JSON:
    """A request as this transaction concludes it; empty when it does not."""
    step = case.step("Task", task_id)
    before, after = (said(step.before), said(step.after)) if step else ({}, {})
    done = is_consultation(before) and before.get("status") != "completed" and after.get("status") == "completed"
    return after if done else {}


async def request(step: Step, case: Case) -> bool:
    """A ServiceRequest of a consultation: it changes with its Task, by whose law it is judged, and not alone."""
    before, after = said(step.before), said(step.after)
    if not is_consultation(before):
        return False
    with_task = any(_is_asked(said(one.after), step.id) for one in case.steps_of("Task"))
    if not with_task and not await gathering.tasks_on(step.id, case):
        return False
    if not after:
        text = "What is asked in a consultation is not deleted: cancel the request instead."
        refuse(Breach(place="ServiceRequest", text=text))
    if not with_task:
        refuse(next(_alone(before, after), None))
    return False


def _is_asked(document: JSON, request_id: str) -> bool:
    return is_consultation(document) and id_of(document.get("focus"), "ServiceRequest") == request_id


def _alone(before: JSON, after: JSON) -> Iterator[Breach]:
    for name in sorted({*before, *after} - (moved.FREE - {"note"})):
        if before.get(name) != after.get(name):
            text = f"ServiceRequest.{name} of a consultation stays, or changes with its Task in one transaction."
            yield Breach(place=f"ServiceRequest.{name}", text=text)


async def composition(step: Step, case: Case) -> bool:
    """A Composition about the meeting of a consultation."""
    before, after = said(step.before), said(step.after)
    meeting = id_of((before or after).get("encounter"), "Encounter") or id_of(after.get("encounter"), "Encounter")
    found = await _met_for(meeting, case) if meeting else None
    if found is None:
        return False
    known = await gathering.facts(case)
    refuse(minuted.judge(before, after, found, concluded_by(case, found.id), known))
    return False


async def _met_for(meeting: str, case: Case) -> Consultation | None:
    """The request that a meeting is held for, as it stood before the transaction."""
    there, step = await case.read("Encounter", meeting, hidden=True), case.step("Encounter", meeting)
    document = said(there or (step.after if step else None))
    focus = next((key for one in document.get("basedOn", ()) if (key := id_of(one, "ServiceRequest"))), "")
    found = await gathering.tasks_on(focus, case) if focus else []
    if not found or "requester" not in content(found[0]):
        return None
    before, _after = await gathering.pair(Step(type="Task", id=found[0].id, before=found[0], after=found[0]), case)
    return before


LAWS: Final[Mapping[str, Law]] = {"Task": task, "ServiceRequest": request, "Composition": composition}
