"""The state machine of a call: every interleaving keeps unadmitted people from media."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from yersin.calls import seats
from yersin.calls.seats import FULL, Call, Outcome, Participant, Refusal

DOCTOR = Participant(person="doctor", name="BS. Lê Minh Tâm", may_host=True)
SECOND = Participant(person="second", name="BS. Phan Thu Nga", may_host=True)
WORKER = Participant(person="worker", name="Trần Thu Hà")
GUEST = Participant(person="guest", name="Lý A Sử", role="guest")
CAST = (DOCTOR, SECOND, WORKER, GUEST, Participant(person="fourth", name="Bùi Văn Tư", role="guest"))


def call_of(outcome: Outcome) -> Call:
    assert isinstance(outcome, Call), outcome
    return outcome


def why(outcome: Outcome) -> str:
    assert isinstance(outcome, Refusal)
    return outcome.why


def came(call: Call, *people: Participant) -> Call:
    for who in people:
        call = call_of(seats.arrive(call, who, seat_id=uuid4(), page=f"page of {who.person}"))
    return call


def seat(call: Call, who: Participant) -> UUID:
    found = call.of(who.person)
    assert found is not None
    return found.id


def meeting(*people: Participant) -> Call:
    call = came(Call(id=uuid4()), DOCTOR, *people)
    for who in people:
        call = call_of(seats.admit(call, seat(call, DOCTOR), seat(call, who)))
    return call


def test_the_specialist_takes_the_hosts_seat_and_the_station_waits() -> None:
    call = came(Call(id=uuid4()), WORKER, DOCTOR)
    assert [(each.role, each.state) for each in call.seats] == [("asker", "waiting"), ("host", "admitted")]


def test_a_second_specialist_waits_like_anybody_else() -> None:
    call = came(Call(id=uuid4()), DOCTOR, SECOND)
    assert call.host is not None
    assert call.host.person == "doctor"
    assert call.seats[1].state == "waiting"


def test_coming_back_after_a_loss_is_the_same_seat_and_needs_no_admission() -> None:
    call = meeting(WORKER)
    before = seat(call, WORKER)
    call = call_of(seats.lose(call, before, "page of worker"))
    assert call.seats[1].standing == "away"
    call = call_of(seats.arrive(call, WORKER, seat_id=uuid4(), page="a new page"))
    assert (seat(call, WORKER), call.seats[1].standing) == (before, "admitted")


def test_the_end_of_an_older_page_does_not_make_the_newer_one_absent() -> None:
    call = call_of(seats.arrive(meeting(WORKER), WORKER, seat_id=uuid4(), page="newer"))
    assert why(seats.lose(call, seat(call, WORKER), "page of worker")) == "stale"


def test_only_the_host_admits_sends_back_and_removes() -> None:
    call = came(meeting(WORKER), GUEST)
    for act in (seats.admit, seats.send_back, seats.remove, seats.hand_over):
        assert why(act(call, seat(call, WORKER), seat(call, GUEST))) == "not-host"


def test_whoever_is_handed_back_waits_and_may_be_admitted_again() -> None:
    call = meeting(WORKER)
    call = call_of(seats.send_back(call, seat(call, DOCTOR), seat(call, WORKER)))
    assert call.seats[1].state == "waiting"
    assert not seats.may_signal(call, seat(call, DOCTOR), seat(call, WORKER))
    assert call_of(seats.admit(call, seat(call, DOCTOR), seat(call, WORKER))).seats[1].state == "admitted"


def test_whoever_is_shown_out_cannot_come_back() -> None:
    call = meeting(WORKER)
    call = call_of(seats.remove(call, seat(call, DOCTOR), seat(call, WORKER)))
    assert why(seats.arrive(call, WORKER, seat_id=uuid4(), page="again")) == "removed"


def test_the_host_hands_over_only_to_somebody_who_may_hold_it() -> None:
    call = meeting(SECOND, WORKER)
    host = seat(call, DOCTOR)
    assert why(seats.hand_over(call, host, seat(call, WORKER))) == "not-host"
    call = call_of(seats.hand_over(call, host, seat(call, SECOND)))
    assert call.host is not None
    assert call.host.person == "second"
    assert why(seats.end(call, host)) == "not-host"


def test_a_host_who_leaves_frees_the_seat_for_the_next_specialist() -> None:
    call = meeting(WORKER)
    call = call_of(seats.leave(call, seat(call, DOCTOR)))
    assert call.host is None
    call = came(call, SECOND)
    assert call.host is not None
    assert call.host.person == "second"


def test_a_fourth_person_is_refused_while_three_are_in() -> None:
    call = came(meeting(WORKER, GUEST), SECOND)
    assert why(seats.admit(call, seat(call, DOCTOR), seat(call, SECOND))) == "full"


def test_a_recording_starts_when_everybody_has_agreed_and_not_before() -> None:
    call = meeting(WORKER)
    host = seat(call, DOCTOR)
    call = call_of(seats.ask_recording(call, host))
    assert why(seats.start_recording(call, host)) == "consent"
    call = call_of(seats.answer_recording(call, seat(call, WORKER), agrees=True))
    assert call_of(seats.start_recording(call, host)).recording == "running"


def test_agreement_taken_back_stops_the_recording() -> None:
    call = meeting(WORKER)
    host = seat(call, DOCTOR)
    call = call_of(seats.ask_recording(call, host))
    call = call_of(seats.answer_recording(call, seat(call, WORKER), agrees=True))
    call = call_of(seats.start_recording(call, host))
    call = call_of(seats.answer_recording(call, seat(call, WORKER), agrees=False))
    assert call.recording == "asked"
    assert not seats.may_record(call)


def test_nobody_is_admitted_into_a_running_recording_without_having_agreed() -> None:
    call = meeting(WORKER)
    host = seat(call, DOCTOR)
    call = replace(call, seats=tuple(replace(each, consent=True) for each in call.seats), recording="running")
    call = came(call, GUEST)
    assert why(seats.admit(call, host, seat(call, GUEST))) == "consent"
    call = call_of(seats.answer_recording(call, seat(call, GUEST), agrees=True))
    assert call_of(seats.admit(call, host, seat(call, GUEST))).of("guest")


def test_a_guest_reads_and_writes_the_chat_only_inside() -> None:
    call = came(meeting(WORKER), GUEST)
    assert not seats.may_chat(call, seat(call, GUEST))
    assert seats.may_chat(call, seat(call, WORKER))


@given(st.sampled_from(CAST))
def test_nothing_moves_in_a_call_that_has_ended(who: Participant) -> None:
    call = meeting(WORKER)
    call = call_of(seats.end(call, seat(call, DOCTOR)))
    assert why(seats.arrive(call, who, seat_id=uuid4(), page="p")) == "ended"
    assert why(seats.admit(call, seat(call, DOCTOR), seat(call, WORKER))) == "ended"
    assert not seats.may_signal(call, seat(call, DOCTOR), seat(call, WORKER))


class AnyInterleaving(RuleBasedStateMachine):
    """People come, go, are lost, admitted and sent back in any order; a plain set says who is inside."""

    seats_made = Bundle("seats_made")

    def __init__(self) -> None:
        super().__init__()
        self.call = Call(id=uuid4())
        self.inside: set[UUID] = set()

    def take(self, outcome: Outcome) -> bool:
        if isinstance(outcome, Call):
            self.call = outcome
        return isinstance(outcome, Call)

    @rule(target=seats_made, who=st.sampled_from(CAST))
    def come(self, who: Participant) -> UUID:
        had_host = self.call.host is not None
        new = uuid4()
        if not self.take(seats.arrive(self.call, who, seat_id=new, page=str(new))):
            return new
        taken = seat(self.call, who)
        if not had_host and who.may_host and len(self.inside | {taken}) <= FULL:
            self.inside.add(taken)
        return taken

    @rule(by=seats_made, whom=seats_made)
    def admit(self, by: UUID, whom: UUID) -> None:
        if self.take(seats.admit(self.call, by, whom)):
            assert by in self.inside
            self.inside.add(whom)

    @rule(by=seats_made, whom=seats_made)
    def send_back(self, by: UUID, whom: UUID) -> None:
        if self.take(seats.send_back(self.call, by, whom)):
            self.inside.discard(whom)

    @rule(by=seats_made, whom=seats_made)
    def show_out(self, by: UUID, whom: UUID) -> None:
        if self.take(seats.remove(self.call, by, whom)):
            self.inside.discard(whom)

    @rule(by=seats_made, whom=seats_made)
    def hand_over(self, by: UUID, whom: UUID) -> None:
        self.take(seats.hand_over(self.call, by, whom))

    @rule(whom=seats_made)
    def leave(self, whom: UUID) -> None:
        if self.take(seats.leave(self.call, whom)):
            self.inside.discard(whom)

    @rule(whom=seats_made, agrees=st.booleans())
    def answer(self, whom: UUID, *, agrees: bool) -> None:
        self.take(seats.answer_recording(self.call, whom, agrees=agrees))

    @rule(by=seats_made)
    def record(self, by: UUID) -> None:
        self.take(seats.ask_recording(self.call, by))
        self.take(seats.start_recording(self.call, by))

    @rule(whom=seats_made)
    def be_lost(self, whom: UUID) -> None:
        found = self.call.seat(whom)
        if found:
            self.take(seats.lose(self.call, whom, found.page))

    @invariant()
    def only_those_inside_arrange_media(self) -> None:
        ids = [each.id for each in self.call.seats]
        for one in ids:
            for other in ids:
                expected = one != other and {one, other} <= self.inside
                assert seats.may_signal(self.call, one, other) == expected

    @invariant()
    def one_host_at_most_and_three_inside(self) -> None:
        assert sum(each.role == "host" for each in self.call.seats) <= 1
        assert len(self.call.admitted) <= FULL

    @invariant()
    def nobody_is_recorded_who_has_not_agreed(self) -> None:
        if self.call.recording == "running":
            assert all(each.consent for each in self.call.admitted)


TestAnyInterleaving = AnyInterleaving.TestCase
