"""Laws of a type: asked about every change by whoever writes, inside the transaction, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import msgspec
import pytest
from tests.cast import Cast

from yersin.fhir import parse
from yersin.fhir.problem import Problem, problem
from yersin.guard import audit
from yersin.guard.access import Access
from yersin.guard.laws import Case, Step, gathered
from yersin.guard.writing import Create, Delete, Update
from yersin.search.page import Query
from yersin.store.versions import Version


@dataclass
class Witness:
    """A law about Basic: notes what it is asked, and refuses what is called "wrong"."""

    steps: list[Step] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    found: list[Any] = field(default_factory=list)

    async def __call__(self, step: Step, case: Case) -> bool:
        self.steps.append(step)
        self.cases.append(case)
        if said(step.after) in ("wrong", "foreign"):
            status = 409 if said(step.after) == "wrong" else 403
            raise problem("business-rule", "This is wrong.", expression="Basic.code", status=status)
        if said(step.after) == "look":
            there = await case.search(Query.of("Organization", [("_count", "1")]))
            self.found = [
                len(there.versions),
                await case.read("Basic", step.id),
                (await case.clock()).tzinfo is not None,
            ]
        return False


def said(version: Version | None) -> str | None:
    return msgspec.json.decode(version.json())["code"]["text"] if version else None


def basic(text: str, **more: Any) -> Any:
    return parse(msgspec.json.encode({"resourceType": "Basic", "code": {"text": text}, **more}))


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def doctor(cast: Cast, witness: Witness) -> Access:
    """Someone at a facility, in a house with a law about Basic."""
    ground = replace(cast.system.ground, laws=gathered([{"Basic": witness}, {}]))
    return ground.access(cast.doctor(cast.here).who)


def test_a_law_is_told_what_is_there_and_what_it_becomes(cast: Cast, doctor: Access, witness: Witness) -> None:
    (made,) = cast.run(doctor.write([Create(resource=basic("one"))]))
    key = made.version.id
    cast.run(doctor.write([Update(resource=basic("two", id=key))]))
    cast.run(doctor.write([Delete(type="Basic", id=key)]))
    cast.run(doctor.write([Update(resource=basic("three", id=key))]))
    assert [(said(s.before), said(s.after)) for s in witness.steps] == [
        (None, "one"),
        ("one", "two"),
        ("two", None),
        (None, "three"),
    ]
    assert {(s.type, s.id) for s in witness.steps} == {("Basic", key)}


def test_a_law_sees_the_whole_transaction_and_what_lies_beside_it(cast: Cast, doctor: Access, witness: Witness) -> None:
    here = {"resourceType": "Basic", "code": {"text": "look"}}
    other = parse(
        msgspec.json.encode({"resourceType": "Linkage", "item": 2 * [{"type": "source", "resource": {"display": "x"}}]})
    )
    cast.run(doctor.write([Create(resource=other), Create(resource=parse(msgspec.json.encode(here)))]))
    (case,) = witness.cases
    assert [s.type for s in case.steps] == ["Linkage", "Basic"], "asked about its own type, told of all"
    assert case.step("Basic", witness.steps[0].id) is witness.steps[0]
    assert case.step("Basic", "other") is None
    assert case.who is doctor.who
    assert witness.found == [1, None, True], "it may look around; what is being written is not there yet"


@pytest.mark.parametrize(("text", "recorded"), [("wrong", 0), ("foreign", 1)])
def test_what_a_law_refuses_is_not_written_at_all(cast: Cast, doctor: Access, text: str, recorded: int) -> None:
    changes = [Create(resource=basic("right")), Create(resource=basic(text))]
    with pytest.raises(Problem, match=r"Basic\.code: This is wrong"):
        cast.run(doctor.write(changes))
    for change in changes:
        with pytest.raises(Problem) as missing:
            cast.run(cast.system.read("Basic", str(change.resource.id)))
        assert missing.value.status == 404
    rows = cast.run(cast.system.recorded(audit.Wanted(practitioner=doctor.who.practitioner)))
    assert len(rows) == recorded


def test_a_version_that_is_out_of_date_is_told_before_the_law_is_asked(
    cast: Cast, doctor: Access, witness: Witness
) -> None:
    (made,) = cast.run(doctor.write([Create(resource=basic("one"))]))
    with pytest.raises(Problem) as refusal:
        cast.run(doctor.write([Update(resource=basic("wrong", id=made.version.id), expected=7)]))
    assert refusal.value.status == 412
    assert len(witness.steps) == 1


def test_deleting_what_is_deleted_is_no_change_and_not_asked_about(
    cast: Cast, doctor: Access, witness: Witness
) -> None:
    (made,) = cast.run(doctor.write([Create(resource=basic("one"))]))
    for _ in range(2):
        cast.run(doctor.write([Delete(type="Basic", id=made.version.id)]))
    assert [(said(s.before), said(s.after)) for s in witness.steps] == [(None, "one"), ("one", None)]


def test_the_system_brings_in_what_happened_elsewhere(cast: Cast, doctor: Access, witness: Witness) -> None:
    (made,) = cast.run(doctor.ground.access(cast.system.who).write([Create(resource=basic("wrong"))]))
    cast.run(doctor.ground.access(cast.system.who).write([Update(resource=basic("foreign", id=made.version.id))]))
    assert witness.steps == []


def test_types_without_a_law_are_left_alone(cast: Cast, doctor: Access, witness: Witness) -> None:
    patient = cast.patient(managingOrganization={"reference": f"Organization/{cast.here}"})
    body = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "wrong"},
        "subject": {"reference": f"Patient/{patient}"},
    }
    cast.write(body, doctor)
    assert witness.steps == []
    assert UUID(patient)


def test_several_rooms_may_make_laws_about_one_type(cast: Cast, doctor: Access) -> None:
    first, second = Witness(), Witness()
    ground = replace(doctor.ground, laws=gathered([{"Basic": first}, {"Basic": second, "Task": second}]))
    cast.run(ground.access(doctor.who).write([Create(resource=basic("one"))]))
    assert (len(first.steps), len(second.steps)) == (1, 1)
