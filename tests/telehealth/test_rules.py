"""The state machine of a request, its clocks and the law behind it: values in, answers out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yersin.telehealth import law, rules
from yersin.telehealth.ask_pages import changed
from yersin.telehealth.narrative import narrative, plain
from yersin.telehealth.rules import MOVES, Moved, Refusal, Standing, decide

STATUSES = ("requested", "received", "accepted", "in-progress", "on-hold", "completed", "rejected", "cancelled")
ENDED = frozenset({"completed", "cancelled"})

standings = st.builds(
    Standing,
    status=st.sampled_from(STATUSES),
    side=st.sampled_from(("asker", "hub", "clock", "stranger")),
    accepted_by=st.sampled_from(("", "one", "two")),
    me=st.sampled_from(("one", "two")),
    hubs_left=st.booleans(),
    countersigned=st.booleans(),
)


@given(st.sampled_from(sorted(MOVES)), standings)
def test_a_stranger_moves_nothing(move, standing):
    stranger = Standing(status=standing.status, side="stranger", accepted_by=standing.accepted_by, me=standing.me)
    assert decide(move, stranger) == Refusal(why="side")


@given(st.sampled_from(sorted(MOVES)), standings)
def test_what_is_concluded_or_withdrawn_only_gets_a_second_signature(move, standing):
    answer = decide(move, standing)
    if standing.status in ENDED and isinstance(answer, Moved):
        assert move == "countersign"
        assert standing.status == answer.status == "completed"
        assert not standing.countersigned


@given(st.sampled_from(sorted(MOVES)), standings)
def test_a_move_leads_only_to_states_that_exist(move, standing):
    answer = decide(move, standing)
    if isinstance(answer, Moved):
        assert answer.status in STATUSES
        assert answer.business


@given(st.sampled_from(sorted(MOVES)), standings)
def test_nobody_at_the_hub_moves_what_a_colleague_accepted(move, standing):
    taken = standing.accepted_by not in {"", standing.me}
    answer = decide(move, standing)
    if standing.side == "hub" and taken and standing.status in {"accepted", "in-progress", "on-hold"}:
        assert isinstance(answer, Refusal)


@given(st.lists(st.tuples(st.sampled_from(sorted(MOVES)), st.sampled_from(("asker", "hub", "clock"))), max_size=30))
def test_no_way_leads_to_a_conclusion_without_an_acceptance(steps):
    status, accepted, was_accepted = "requested", "", False
    for move, side in steps:
        answer = decide(move, Standing(status=status, side=side, accepted_by=accepted, me="one", hubs_left=True))
        if isinstance(answer, Refusal):
            continue
        if move == "accept":
            accepted, was_accepted = "one", True
        if move in {"decline", "again"}:
            accepted, was_accepted = "", False
        status = answer.status
        assert status != "completed" or was_accepted


def test_the_second_to_accept_is_told_who_has_it():
    standing = Standing(status="accepted", side="hub", accepted_by="one", me="two")
    assert decide("accept", standing) == Refusal(why="taken", by="one")


def test_an_answer_leads_back_to_where_the_question_came_from():
    waiting = Standing(status="on-hold", side="asker")
    held = Standing(status="on-hold", side="asker", accepted_by="one")
    assert decide("reply", waiting) == Moved(status="received", business="answered")
    assert decide("reply", held) == Moved(status="accepted", business="answered")


def test_a_declined_request_goes_on_while_a_hub_is_left_and_back_when_none_is():
    left = Standing(status="received", side="hub", me="one", hubs_left=True)
    none = Standing(status="received", side="hub", me="one")
    assert decide("decline", left) == Moved(status="requested", business="asked")
    assert decide("decline", none) == Moved(status="rejected", business="declined")


@given(st.lists(st.text("abc", min_size=1), unique=True), st.data())
def test_every_hub_is_asked_once_in_its_rank_and_then_none(ranked, data):
    asked: list[str] = []
    while (hub := rules.next_hub(ranked, asked)) is not None:
        asked.append(hub)
    assert asked == ranked


def test_the_clock_strikes_at_its_time_and_not_before():
    asked = datetime(2026, 11, 22, 8, tzinfo=UTC)
    within = timedelta(minutes=5)
    assert not rules.is_overdue(asked, within, asked + timedelta(seconds=299))
    assert rules.is_overdue(asked, within, asked + within)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("I10", True),
        ("E11.9", True),
        ("E15", False),
        ("I21.9", False),
        ("J45.0", True),
        ("A17.1", True),
        ("A97.1", False),
        ("K290", False),
    ],
)
def test_the_fifty_conditions_cover_their_codes_and_no_more(code, expected):
    assert law.may_treat(code, date(2026, 11, 22)) is expected


def test_no_condition_may_be_treated_remotely_before_the_circular():
    assert not law.may_treat("I10", date(2023, 12, 31))


@pytest.mark.parametrize("provisions", [law.ACTIVITIES, law.MODES, law.URGENCIES, law.TREATABLE])
def test_every_provision_says_what_it_rests_on_and_since_when(provisions):
    assert all(p.legal_basis and p.valid_from for p in provisions)
    assert len({p.code for p in provisions}) == len(provisions)


@given(
    st.lists(st.text(max_size=5), max_size=6),
    st.sampled_from(["add", "remove-0", "up-1", "down-0", "up-0", "down-9", "x"]),
)
def test_moving_questions_loses_none(listed, change):
    made = changed(listed, change)
    assert made
    if change.startswith(("up", "down")):
        assert sorted(made) == sorted(listed or [""])


@given(st.text())
def test_a_narrative_gives_back_its_words(text):
    assert plain(narrative(text)) == text
