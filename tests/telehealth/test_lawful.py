"""The law of a consultation, judged on values: it allows what the rules allow, and changes to no more than a move is about."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yersin.guard.care import SHARED_TYPE
from yersin.telehealth import rules
from yersin.telehealth.codes import (
    ACTIVITY,
    BUSINESS,
    EXT_ASKED,
    EXT_DAYS,
    EXT_MODE,
    EXT_SHARED,
    OUTCOME,
    SNOMED,
    STATE,
    concept,
    ref,
)
from yersin.telehealth.consultations import Consultation, asked_hub, output, standing
from yersin.telehealth.lawful import asked, minuted, moved, reported
from yersin.telehealth.lawful.facts import Facts
from yersin.telehealth.routing import Pool
from yersin.telehealth.rules import MOVES, Moved

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
BEFORE = AT - timedelta(minutes=30)
HEART = concept(SNOMED, "394579002")
STATUSES = ("requested", "received", "accepted", "in-progress", "on-hold", "completed", "rejected", "cancelled")
FINER = ("asked", "seen", "accepted", "proposed-time", "agreed-time", "meeting", "signed-by-hub", "signed-by-both")
QUESTIONS = ("Có cần đổi thuốc không?", "Có cần chuyển tuyến không?")
STATION, HUBS = "station", ("near", "far")
ME, COLLEAGUE, NURSE = "one", "two", "nurse"


def pool(hub: str, rank: int) -> Pool:
    return Pool(
        hub=hub, hub_name=hub, rank=rank, service=f"heart-{hub}", specialty="394579002", specialty_name="Tim mạch", concept=HEART
    )  # fmt: skip


def facts(side: str = "hub", **more: Any) -> Facts:
    where = {"asker": STATION, "hub": HUBS[0]}.get(side, "elsewhere")
    made = Facts(
        organization=where,
        roles=(NURSE,) if side == "asker" else (ME,),
        permissions=frozenset({"telehealth.ask", "telehealth.answer", "telehealth.sign"}),
        at=AT,
        pools=(pool(HUBS[0], 1), pool(HUBS[1], 2)),
        colleague=True,
        minutes=frozenset({"minutes"}),
        consent=True,
    )
    return replace(made, **more)


def request_(status: str, business: str = "", accepted_by: str = "", *, last: bool = False) -> Consultation:
    """A request at the near hub; `last`: the far one was asked before, so that none is left."""
    hub = ref("Organization", HUBS[0])
    earlier = [asked_hub(ref("Organization", HUBS[1]), BEFORE, 1)] if last else []
    task: dict[str, Any] = {
        "resourceType": "Task", "id": "task", "status": status, "intent": "order", "code": concept(ACTIVITY, "CONSULT_CARE"),
        "focus": ref("ServiceRequest", "request"), "for": ref("Patient", "patient"), "requester": ref("Organization", STATION),
        "owner": hub, "authoredOn": BEFORE.isoformat(), "priority": "urgent", "restriction": {"period": {"start": BEFORE.isoformat()}},
        "extension": [{"url": EXT_DAYS, "valuePositiveInt": 7}, *earlier, asked_hub(hub, BEFORE, 1)],
        "input": [{"type": {"text": "q"}, "valueString": question} for question in QUESTIONS],
    }  # fmt: skip
    if business:
        task["businessStatus"] = concept(BUSINESS, business)
    performer = [ref("HealthcareService", f"heart-{HUBS[0]}")]
    performer += [ref("PractitionerRole", accepted_by)] if accepted_by else []
    request = {
        "resourceType": "ServiceRequest", "id": "request", "status": "active", "code": task["code"], "subject": task["for"],
        "requester": ref("PractitionerRole", NURSE), "performerType": HEART, "performer": performer,
        "extension": [{"url": EXT_MODE, "valueCode": "INTER_FACILITY_SUPPORT"}],
    }  # fmt: skip
    return Consultation(task=task, request=request, task_version=1, request_version=1)


def made(before: Consultation, move: str, target: Moved) -> Consultation:
    """A request after a move, as somebody writes it who does it right."""
    after = deepcopy(before)
    after.task["status"] = target.status
    after.task["businessStatus"] = concept(BUSINESS, target.business)
    services = [p for p in after.request["performer"] if p["reference"].startswith("HealthcareService")]
    if move in {"accept", "hand-over"}:
        after.request["performer"] = [*services, ref("PractitionerRole", ME if move == "accept" else "three")]
    if move == "again" or (move == "decline" and target.status == "requested"):
        again = move == "again"
        hub = ref("Organization", HUBS[0] if again else HUBS[1])
        after.task["owner"] = hub
        after.task["restriction"] = {"period": {"start": AT.isoformat()}}
        after.task["extension"].append(asked_hub(hub, AT, 2 if again else 1))
        after.request["performer"] = [ref("HealthcareService", f"heart-{HUBS[0] if again else HUBS[1]}")]
    elif move == "decline":
        after.request["performer"] = services
    if move == "cancel":
        after.request["status"] = "revoked"
    if move == "conclude":
        after.request["status"] = "completed"
        after.task["restriction"]["period"]["end"] = (AT + timedelta(days=7)).isoformat()
        answers = [output("conclusion", text=q, valueString="Có.") for q in QUESTIONS]
        after.task["output"] = [*answers, output("minutes", valueReference=ref("Composition", "minutes"))]
    return after


# --- the law and the rules agree ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a request stands and who writes."""

    status: str
    business: str
    side: str
    accepted_by: str
    last: bool

    @property
    def request(self) -> Consultation:
        return request_(self.status, self.business, self.accepted_by, last=self.last)

    def standing(self, before: Consultation, known: Facts) -> rules.Standing:
        me = self.accepted_by if self.accepted_by in known.roles else known.roles[0]
        return standing(before, organization=known.organization, role=me, hubs_left=not self.last)


sampled_moves = st.sampled_from(sorted(set(MOVES) - {"fall"}))
places = st.builds(
    Place,
    status=st.sampled_from(STATUSES),
    business=st.sampled_from(FINER),
    side=st.sampled_from(("asker", "hub", "stranger")),
    accepted_by=st.sampled_from(("", ME, COLLEAGUE)),
    last=st.booleans(),
)


@given(sampled_moves, places)
def test_a_move_is_lawful_exactly_when_the_rules_have_it(move, where):
    before, known = where.request, facts(where.side)
    seen = where.standing(before, known)
    answer = rules.decide(move, seen)
    target = (
        answer
        if isinstance(answer, Moved)
        else Moved(status=MOVES[move].to or "requested", business=MOVES[move].business or "asked")
    )
    after = made(before, move, target)
    breach = moved.judge(before, after, known)
    if isinstance(answer, Moved):
        assert breach is None, (breach, move)
    elif after != before:
        assert breach is not None, (answer, move)


@given(st.sampled_from(STATUSES), st.sampled_from(("", *FINER)), places)
def test_a_state_that_no_move_leads_to_is_refused(target, finer, where):
    before, known = where.request, facts(where.side)
    after = deepcopy(before)
    after.task["status"] = target
    after.task.pop("businessStatus")
    if finer:
        after.task["businessStatus"] = concept(BUSINESS, finer)
    seen = where.standing(before, known)
    reached = {rules.decide(move, seen) for move in rules.moves(seen)}
    if target not in {m.status for m in reached if isinstance(m, Moved)} | {where.status}:
        assert moved.judge(before, after, known) is not None
    if moved.judge(before, after, known) is None:
        states = {(m.status, m.business) for m in reached if isinstance(m, Moved)} | {(where.status, where.business)}
        assert (target, finer) in states or (target != where.status and finer in ("", where.business))


@given(places)
def test_writing_again_what_is_there_is_lawful_for_the_two_sides_alone(where):
    before = where.request
    after = deepcopy(before)
    after.task["lastModified"] = AT.isoformat()
    breach = moved.judge(before, after, facts(where.side))
    assert (breach is None) is (where.side != "stranger")


FIXED = {
    "requester": ref("Organization", "other"),
    "for": ref("Patient", "other"),
    "focus": ref("ServiceRequest", "other"),
    "code": concept(ACTIVITY, "ADVICE"),
    "intent": "plan",
    "authoredOn": "1990-01-01",
    "input": [],
    "priority": "routine",
    "owner": ref("Organization", "other"),
    "extension": [{"url": EXT_DAYS, "valuePositiveInt": 90}],
    "output": [output("conclusion", valueString="x")],
    "restriction": {"period": {"start": BEFORE.isoformat(), "end": (AT + timedelta(days=900)).isoformat()}},
}


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize(
    ("move", "side"), [("", "asker"), ("", "hub"), ("accept", "hub"), ("cancel", "asker"), ("decline", "hub")]
)
def test_what_is_asked_stays_whatever_move_it_is_slipped_into(name, move, side):
    before, known = request_("received", "seen"), facts(side)
    target = {
        "accept": Moved(status="accepted", business="accepted"),
        "cancel": Moved(status="cancelled", business="withdrawn"),
    }
    after = (
        made(before, move, target.get(move, Moved(status="requested", business="asked"))) if move else deepcopy(before)
    )
    assert moved.judge(before, after, known) is None
    after.task[name] = FIXED[name]
    breach = moved.judge(before, after, known)
    assert breach is not None
    assert breach.place.startswith(f"Task.{name}")


def _more_shared(task: dict[str, Any]) -> None:
    task["extension"].append({"url": SHARED_TYPE, "valueCode": "Condition"})


def _longer(task: dict[str, Any]) -> None:
    task["extension"][0] = {"url": EXT_DAYS, "valuePositiveInt": 90}


def _another_hub(task: dict[str, Any]) -> None:
    task["extension"].append(asked_hub(ref("Organization", "other"), AT, 1))


def _earlier_hub_gone(task: dict[str, Any]) -> None:
    task["extension"] = [e for e in task["extension"] if e["url"] != EXT_ASKED]


def _meeting_gone(task: dict[str, Any]) -> None:
    task["output"] = [o for o in task["output"] if "valueReference" not in o]


@pytest.mark.parametrize("slip", [_more_shared, _longer, _another_hub, _earlier_hub_gone, _meeting_gone])
@pytest.mark.parametrize(
    ("move", "side"), [("", "asker"), ("", "hub"), ("begin", "hub"), ("decline", "hub"), ("cancel", "asker")]
)
def test_what_was_noted_on_a_request_stays_noted(slip, move, side):
    before = request_("accepted", "accepted", ME)
    before.task["output"] = [output("meeting", valueReference=ref("Encounter", "e"))]
    targets = {
        "begin": ("in-progress", "meeting"),
        "decline": ("requested", "asked"),
        "cancel": ("cancelled", "withdrawn"),
    }
    status, business = targets.get(move, ("accepted", "accepted"))
    after = made(before, move, Moved(status=status, business=business))
    assert moved.judge(before, after, facts(side)) is None
    slip(after.task)
    assert moved.judge(before, after, facts(side)) is not None


@pytest.mark.parametrize(("move", "side", "away", "fits"), [
    ("reply", "asker", 0, True), ("reply", "asker", 600, False), ("reply", "asker", -600, False), ("", "asker", 0, False),
    ("", "hub", 0, False), ("begin", "hub", 0, False), ("decline", "hub", 0, True), ("decline", "hub", -600, False),
])  # fmt: skip
def test_since_when_a_hub_is_asked_moves_with_a_move_and_to_the_present(move, side, away, fits):
    before = request_("on-hold" if move == "reply" else "accepted", "accepted", ME)
    targets = {
        "begin": ("in-progress", "meeting"),
        "decline": ("requested", "asked"),
        "reply": ("accepted", "answered"),
    }
    status, business = targets.get(move, ("accepted", "accepted"))
    after = made(before, move, Moved(status=status, business=business))
    assert moved.judge(before, after, facts(side)) is None
    after.task["restriction"]["period"]["start"] = (AT + timedelta(seconds=away)).isoformat()
    assert (moved.judge(before, after, facts(side)) is None) is fits


@pytest.mark.parametrize("name", ["subject", "requester", "performerType", "extension", "performer", "status", "note"])
def test_what_the_request_says_stays(name):
    before = request_("accepted", "accepted", ME)
    after = made(before, "begin", Moved(status="in-progress", business="meeting"))
    assert moved.judge(before, after, facts()) is None
    after.request[name] = [ref("PractitionerRole", COLLEAGUE)] if name == "performer" else "x"
    breach = moved.judge(before, after, facts())
    assert breach is not None
    assert breach.place == f"ServiceRequest.{name}"


@pytest.mark.parametrize(
    ("days", "fits"), [(-1, True), (0, True), (6.9, True), (7, True), (7.1, False), (400, False), (None, False)]
)
def test_the_hubs_access_ends_with_the_agreed_days(days, fits):
    before = request_("accepted", "accepted", ME)
    after = made(before, "conclude", Moved(status="completed", business="signed-by-hub"))
    period = after.task["restriction"]["period"]
    period["end"] = (AT + timedelta(days=days)).isoformat() if days is not None else "2026-11-24"
    assert (moved.judge(before, after, facts()) is None) is fits


@pytest.mark.parametrize(
    ("side", "days", "fits"), [("asker", 0, True), ("asker", 8, False), ("hub", 0, False), ("hub", 8, False)]
)
def test_after_the_conclusion_only_the_asker_ends_access_and_sooner(side, days, fits):
    before = request_("completed", "signed-by-hub", ME)
    before.task["restriction"]["period"]["end"] = (AT + timedelta(days=7)).isoformat()
    after = deepcopy(before)
    after.task["restriction"]["period"]["end"] = (AT + timedelta(days=days)).isoformat()
    assert (moved.judge(before, after, facts(side)) is None) is fits


def test_concluding_takes_an_answer_to_every_question_and_signed_minutes():
    before = request_("in-progress", "meeting", ME)
    target = Moved(status="completed", business="signed-by-hub")
    for missing in range(3):
        after = made(before, "conclude", target)
        del after.task["output"][missing]
        assert moved.judge(before, after, facts()) is not None
    blank = made(before, "conclude", target)
    blank.task["output"][1]["valueString"] = " "
    breach = moved.judge(before, blank, facts())
    assert breach is not None
    assert "missing for 2" in breach.text
    assert moved.judge(before, made(before, "conclude", target), facts(minutes=frozenset())) is not None


def test_who_accepts_names_themselves_and_nobody_else():
    before = request_("received", "seen")
    after = made(before, "accept", Moved(status="accepted", business="accepted"))
    for named in (
        [],
        [ref("PractitionerRole", COLLEAGUE)],
        [ref("PractitionerRole", ME), ref("PractitionerRole", COLLEAGUE)],
    ):
        after.request["performer"] = [*before.request["performer"], *named]
        breach = moved.judge(before, after, facts())
        assert breach is not None
        assert breach.place == "ServiceRequest.performer"


def test_a_request_is_handed_over_within_the_pool_only():
    before = request_("accepted", "accepted", ME)
    after = made(before, "hand-over", Moved(status="accepted", business="handed-over"))
    assert moved.judge(before, after, facts()) is None
    assert moved.judge(before, after, facts(colleague=False)) is not None


@pytest.mark.parametrize(("side", "move", "status", "business"), [
    ("asker", "countersign", "completed", "signed-by-hub"), ("hub", "hand-over", "accepted", "accepted"),
])  # fmt: skip
@pytest.mark.parametrize("left", [True, False])
def test_a_move_that_changes_the_finer_state_alone_says_so(side, move, status, business, left):
    before = request_(status, business, ME)
    rule = MOVES[move]
    after = made(before, move, Moved(status=rule.to, business=rule.business))
    after.task["output"] = (
        [output("document", valueReference=ref("DocumentReference", "d"))] if move == "countersign" else []
    )
    assert moved.judge(before, after, facts(side)) is None
    if left:
        del after.task["businessStatus"]
    else:
        after.task["businessStatus"] = before.task["businessStatus"]
    assert moved.judge(before, after, facts(side)) is not None


def test_who_holds_no_permission_makes_no_move():
    before = request_("received", "seen")
    after = made(before, "accept", Moved(status="accepted", business="accepted"))
    breach = moved.judge(before, after, facts(permissions=frozenset({"telehealth.ask"})))
    assert breach is not None
    assert breach.problem.status == 403


# --- a new request --------------------------------------------------------------------------------------------------


def new() -> Consultation:
    it = request_("requested", "asked")
    it.task["restriction"]["period"]["start"] = AT.isoformat()
    return it


def test_a_whole_request_is_lawful():
    assert asked.judge(new(), facts("asker")) is None


WRONG_FACTS = {
    "consent": False,
    "asked_in": "other",
    "pools": (),
    "roles": (),
    "organization": "elsewhere",
    "permissions": frozenset(),
}


@pytest.mark.parametrize("name", WRONG_FACTS)
def test_a_request_that_may_not_be_made_is_refused(name):
    assert asked.judge(new(), facts("asker", **{name: WRONG_FACTS[name]})) is not None


WRONG: dict[str, Any] = {
    "status": "completed", "requester": ref("Organization", "elsewhere"), "owner": ref("Organization", "elsewhere"), "input": [],
    "for": ref("Patient", "other"), "code": concept(ACTIVITY, "NONSENSE"), "priority": "whenever", "extension": [],
    "output": [output("conclusion", valueString="x")], "restriction": {"period": {"start": BEFORE.isoformat()}},
    "businessStatus": concept(BUSINESS, "signed-by-both"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_request_with_a_wrong_part_is_refused(name):
    it = new()
    it.task[name] = WRONG[name]
    assert asked.judge(it, facts("asker")) is not None


@pytest.mark.parametrize(("parts", "types", "fits"), [
    ((), (), True), ((), ("Condition",), True), (("problems",), ("Condition",), True), (("problems",), (), False),
    (("problems",), ("Condition", "Observation"), False), (("everything",), ("Condition",), False),
])  # fmt: skip
def test_what_a_request_says_is_shared_is_what_it_opens(parts, types, fits):
    it = new()
    it.request["extension"] += [{"url": EXT_SHARED, "valueCode": part} for part in parts]
    it.task["extension"] += [{"url": SHARED_TYPE, "valueCode": name} for name in types]
    assert (asked.judge(it, facts("asker")) is None) is fits


def test_a_leap_second_is_the_last_second_of_its_minute():
    it = new()
    it.task["restriction"]["period"]["start"] = "2026-11-23T07:59:60Z"
    assert asked.judge(it, facts("asker")) is None


@pytest.mark.parametrize("start", [None, "2026-11-23", "2026-11-23T07:50:00Z", "2026-11-23T08:10:00Z"])
def test_the_hubs_time_is_counted_from_now(start):
    it = new()
    it.task["restriction"] = {"period": {"start": start}} if start else {}
    assert asked.judge(it, facts("asker")) is not None


def test_a_request_does_not_say_yet_when_access_ends():
    it = new()
    it.task["restriction"]["period"]["end"] = "2099-01-01T00:00:00Z"
    breach = asked.judge(it, facts("asker"))
    assert breach is not None
    assert breach.place == "Task.restriction.period.end"


@pytest.mark.parametrize("note", [{}, {"extension": []}, {"extension": [{"url": "hub", "valueString": "x"}]}])
def test_a_note_of_the_hub_asked_that_says_nothing_is_refused(note):
    it = new()
    it.task["extension"][-1] = {"url": EXT_ASKED, **note}
    assert asked.judge(it, facts("asker")) is not None


@pytest.mark.parametrize(("name", "value"), [
    ("status", "draft"), ("requester", ref("PractitionerRole", ME)), ("performer", [ref("HealthcareService", "skin")]),
    ("extension", []), ("subject", ref("Patient", "other")), ("performerType", {}),
])  # fmt: skip
def test_a_request_that_asks_for_something_else_is_refused(name, value):
    it = new()
    it.request[name] = value
    known = facts("asker", pools=()) if name == "performerType" else facts("asker")
    assert asked.judge(it, known) is not None


# --- outcome and minutes --------------------------------------------------------------------------------------------


def loop(status: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Task", "status": status, "code": concept(OUTCOME, "report"), "owner": ref("Organization", STATION),
        "requester": ref("Organization", HUBS[0]), "for": ref("Patient", "patient"), "focus": ref("ServiceRequest", "request"), **more,
    }  # fmt: skip


REPORT = [
    {"type": concept(OUTCOME, "followed"), "valueCode": "followed"},
    {"type": concept(OUTCOME, "patient"), "valueCode": "better"},
]


@pytest.mark.parametrize(("before", "after", "fits"), [
    ("ready", "in-progress", True), ("ready", "completed", True), ("in-progress", "completed", True), ("in-progress", "ready", False),
    ("completed", "ready", False), ("completed", "in-progress", False), ("ready", "cancelled", False),
])  # fmt: skip
def test_an_outcome_goes_forward_only_and_is_the_stations(before, after, fits):
    later = loop(after, output=REPORT)
    assert (reported.judge(loop(before), later, facts("asker")) is None) is fits
    assert reported.judge(loop(before), later, facts("hub")) is not None


@pytest.mark.parametrize(
    "outputs", [[], REPORT[:1], [{**REPORT[0], "valueCode": "partly"}, REPORT[1]], [{**REPORT[0], "valueCode": "x"}]]
)
def test_an_outcome_is_reported_whole(outputs):
    assert reported.judge(loop("ready"), loop("completed", output=outputs), facts("asker")) is not None


def test_an_outcome_is_asked_for_with_the_conclusion_only():
    concluded = request_("completed", "signed-by-hub", ME).task
    assert reported.judge_new(loop("ready"), concluded, facts("hub")) is None
    assert reported.judge_new(loop("ready"), {}, facts("hub")) is not None
    assert reported.judge_new(loop("ready"), concluded, facts("asker")) is not None
    assert reported.judge_new(loop("completed"), concluded, facts("hub")) is not None
    for name in ("owner", "for", "focus", "requester"):
        assert (
            reported.judge_new(loop("ready", **{name: ref("Organization", "x")}), concluded, facts("hub")) is not None
        )


SIGNED = {"meta": {"tag": [{"system": STATE, "code": "signed"}]}, "status": "final"}


def paper(**more: Any) -> dict[str, Any]:
    return {
        "id": "minutes",
        "status": "preliminary",
        "encounter": ref("Encounter", "e"),
        "author": [ref("PractitionerRole", ME)],
        **more,
    }


@pytest.mark.parametrize(("accepted_by", "side", "status", "fits"), [
    (ME, "hub", "accepted", True), (ME, "hub", "in-progress", True), (COLLEAGUE, "hub", "accepted", False),
    (ME, "asker", "accepted", False), (ME, "stranger", "accepted", False), ("", "hub", "received", False), (ME, "hub", "completed", False),
])  # fmt: skip
def test_minutes_are_written_by_who_accepted(accepted_by, side, status, fits):
    it = request_(status, accepted_by=accepted_by)
    known = facts(side, roles=(ME,))
    assert (minuted.judge({}, paper(), it, {}, known) is None) is fits
    concluded = {"output": [output("minutes", valueReference=ref("Composition", "minutes"))]}
    assert (minuted.judge(paper(), paper(**SIGNED), it, concluded, known) is None) is fits
    assert minuted.judge(paper(), paper(**SIGNED), it, {}, known) is not None, "final with the conclusion only"
    assert minuted.judge(paper(), {}, it, {}, known) is not None, "never deleted"


@pytest.mark.parametrize(
    "more", [{"status": "final"}, {"status": "amended"}, {"author": []}, {"encounter": ref("Encounter", "other")}]
)
def test_minutes_that_are_neither_a_draft_nor_signed_are_refused(more):
    assert minuted.judge(paper(), paper(**more), request_("accepted", accepted_by=ME), {}, facts()) is not None


@pytest.mark.parametrize(("side", "status", "fits"), [
    ("hub", "completed", True), ("asker", "completed", True), ("stranger", "completed", False), ("hub", "accepted", False),
])  # fmt: skip
def test_what_is_signed_is_added_to_by_its_two_sides(side, status, fits):
    addition = paper(
        id="more", relatesTo=[{"code": "appends", "targetReference": ref("Composition", "minutes")}], **SIGNED
    )
    assert (minuted.judge({}, addition, request_(status, accepted_by=COLLEAGUE), {}, facts(side)) is None) is fits


# --- whatever is written, the law answers ---------------------------------------------------------------------------

#: parts that every resource of its type has, or it is refused before
_REQUIRED = {"resourceType", "id", "status", "intent", "url", "type"}
ODD: list[Any] = [
    None,
    {},
    {"reference": "x"},
    {"reference": "Organization/x"},
    {"display": "x"},
    {"text": "x"},
    {"coding": [{"code": "x"}]},
]


def spoil(document: Any, data: st.DataObject) -> None:
    """Take something out of a document, or put something odd in its place."""
    inner: Any = document
    while True:
        keys = [k for k in (inner if isinstance(inner, dict) else range(len(inner))) if k not in _REQUIRED]
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if isinstance(inner[key], dict | list) and inner[key] and data.draw(st.booleans()):
            inner = inner[key]
            continue
        odd = data.draw(st.sampled_from(ODD))
        if odd is None or not isinstance(inner[key], dict):
            del inner[key]
        else:
            inner[key] = deepcopy(odd)
        return


@given(st.data(), st.sampled_from(["accept", "begin", "decline", "again", "conclude", "cancel", "countersign"]))
def test_the_law_answers_whatever_is_left_out(data, move):
    rule = MOVES[move]
    before = request_(min(rule.start), "asked", ME if rule.mine else "")
    after = made(before, move, Moved(status=rule.to or "requested", business=rule.business or "asked"))
    for document in (after.task, after.request):
        spoil(document, data)
    moved.judge(before, after, facts(min(rule.sides)))


@given(st.data())
def test_the_law_answers_whatever_is_asked(data):
    it = deepcopy(new())
    for document in (it.task, it.request):
        spoil(document, data)
    asked.judge(it, facts("asker"))


@given(st.data(), st.sampled_from([True, False]))
def test_the_law_answers_whatever_is_reported_or_minuted(data, done):
    task, document = loop("completed", output=deepcopy(REPORT)), paper(**deepcopy(SIGNED))
    concluded = request_("completed", "signed-by-hub", ME).task
    for one in (task, document, concluded):
        spoil(one, data)
    reported.judge(loop("ready"), task, facts("asker"))
    reported.judge_new(task, concluded if done else {}, facts("hub"))
    minuted.judge(paper(), document, request_("accepted", accepted_by=ME), concluded if done else {}, facts())
