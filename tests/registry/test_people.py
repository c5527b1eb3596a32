"""Finding people: what is typed is read, the best come first, own care first, and strangers stay masked."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cast import Cast

from yersin.fhir.problem import Problem
from yersin.guard.access import Access
from yersin.guard.audit import Wanted
from yersin.registry import persons, systems
from yersin.registry.matching import Description
from yersin.registry.registration import Registration
from yersin.search import people
from yersin.search.people import Candidate, Patient, ranked, typed
from yersin.store.identity import new_id


def _candidate(name: str, born: str = "1961-04-12", *, own: bool = True) -> Candidate:
    raw = {"id": name, "name": [{"text": name}], "birthDate": born}
    return Candidate(pat=uuid4(), patient=msgspec.convert(raw, Patient), own=own)


def _order(text: str, *names: str) -> list[str]:
    return [c.patient.full_name for c in ranked(typed(text))([_candidate(name) for name in names])]


def test_name_year_and_number_are_told_apart() -> None:
    asked = typed("sơn hoàng 1961 0900 000 123")
    assert (asked.names, asked.born, asked.number) == (("sơn", "hoàng"), "1961", "0900000123")
    assert len(asked.alternatives) == 2


def test_an_insurance_card_may_be_typed_with_blanks() -> None:
    assert typed("GD4 99 99012 34567").number == "gd4999901234567"


def test_half_a_number_finds_nobody() -> None:
    assert not typed("0900")


@given(st.text(max_size=40))
def test_whatever_is_typed_can_be_read_and_never_means_everybody(text: str) -> None:
    assert all(typed(text).alternatives), "a way without a token would find the whole nation"


def test_right_marks_come_before_other_marks() -> None:
    assert _order("đường", "Nguyễn Văn Dương", "Nguyễn Văn Đường", "Nguyễn Văn Đương")[0] == "Nguyễn Văn Đường"
    assert _order("duong", "Nguyễn Văn Đường", "Nguyễn Văn Duong")[0] == "Nguyễn Văn Duong"


def test_marks_typed_so_far_count_before_the_word_is_whole() -> None:
    assert _order("đươ", "Nguyễn Văn Dương", "Nguyễn Văn Đương")[0] == "Nguyễn Văn Đương"


def test_a_given_name_comes_before_a_family_name() -> None:
    assert _order("hoàng", "Hoàng Văn Sơn", "Nguyễn Văn Hoàng")[0] == "Nguyễn Văn Hoàng"


def test_own_care_comes_first_even_with_weaker_marks() -> None:
    choose = ranked(typed("sơn"))
    found = choose([_candidate("Hoàng Văn Sơn", own=False), _candidate("Hoàng Văn Son")])
    assert [c.own for c in found] == [True, False]


def test_a_day_of_birth_rules_out_others_but_not_a_year_alone() -> None:
    choose = ranked(typed("sơn 12/04/1961"))
    found = choose([_candidate("A Sơn", "1961-05-05"), _candidate("B Sơn", "1961"), _candidate("C Sơn")])
    assert {c.patient.full_name for c in found} == {"B Sơn", "C Sơn"}


@pytest.fixture(scope="module")
def cast(run: Any, system: Access) -> Cast:
    return Cast(run, system)


def _person(cast: Cast, name: str, keeper: UUID, number: str) -> str:
    return cast.patient(
        name=[{"text": name}], birthDate="1961-04-12", gender="male", managingOrganization={"reference": f"Organization/{keeper}"},
        identifier=[{"system": systems.NATIONAL_ID, "value": number}], telecom=[{"system": "phone", "value": "0900000777"}],
    )  # fmt: skip


def test_a_stranger_is_found_but_masked_and_the_find_is_audited(cast: Cast, run: Any) -> None:
    own = _person(cast, "Thào A Tủa", cast.here, "999061000001")
    other = _person(cast, "Thào A Tủa", cast.there, "999061000002")
    doctor = cast.doctor(cast.here)
    found = run(persons.find(doctor, "tua thao 1961"))
    assert [p.id for p in found] == [own, other]
    assert found[0].born == "1961-04-12"
    assert (found[1].born, found[1].phone) == ("1961", "")
    assert "999061000002" not in str(found[1])
    (row, *_) = run(cast.system.recorded(Wanted(patient=UUID(other), limit=1)))
    assert (row.interaction, row.display) == ("find", "Tester doctor")


def test_of_a_common_name_those_one_cares_for_are_found_first(
    cast: Cast, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "LIMIT", 3)
    strangers = {_person(cast, "Lù Thị Quắn", cast.there, f"99906100003{n}") for n in range(5)}
    visiting, invited = sorted(strangers)[-2:]
    cast.encounter(visiting, cast.here, "in-progress")
    cast.task(invited, cast.here, "requested")
    kept = _person(cast, "Lù Thị Quắn", cast.here, "999061000039")
    found = run(persons.find(_at(cast, cast.here), "lu thi quan"))
    assert {p.id for p in found[:3]} == {kept, visiting, invited}
    assert [p.own for p in found[:4]] == [True, True, True, False]


def test_a_person_whom_nobody_keeps_is_ones_own_where_one_wrote_it(cast: Cast, run: Any) -> None:
    doctor = _at(cast, cast.here)
    body = {"resourceType": "Patient", "name": [{"text": "Chảo Mùi Pham"}], "birthDate": "1990"}
    written = cast.write(body, doctor)["id"]
    assert [(p.id, p.own) for p in run(persons.find(doctor, "chao mui pham"))] == [(written, True)]
    assert [(p.id, p.own) for p in run(persons.find(_at(cast, cast.there), "chao mui pham"))] == [(written, False)]


def test_a_number_or_telephone_finds_the_person(cast: Cast, run: Any) -> None:
    own = _person(cast, "Sùng Thị Dở", cast.here, "999061000011")
    doctor = cast.doctor(cast.here)
    assert [p.id for p in run(persons.find(doctor, "999061 000011"))] == [own]
    assert own in [p.id for p in run(persons.find(doctor, "+84 900 000 777"))]
    card = "999061000011||Sùng Thị Dở|12041961|Nữ|Thôn 1, Xã Bắc Hà, Tỉnh Lào Cai|01072021"
    assert [p.id for p in run(persons.find(doctor, card))] == [own]


def test_a_citizen_finds_nobody(cast: Cast, run: Any) -> None:
    with pytest.raises(Problem) as refusal:
        run(persons.find(cast.citizen(str(new_id())), "sơn"))
    assert refusal.value.status == 403


def test_saying_that_the_patient_is_here_opens_the_chart_once(cast: Cast, run: Any) -> None:
    patient = _person(cast, "Vàng Seo Chứ", cast.there, "999061000021")
    doctor = _at(cast, cast.here)
    with pytest.raises(Problem) as refusal:
        run(doctor.read("Patient", patient))
    assert refusal.value.status == 404
    first = run(persons.open_visit(doctor, patient, "Đau ngực", _now()))
    assert run(persons.open_visit(doctor, patient, "Đau ngực", _now())) == first
    assert run(doctor.read("Patient", patient)).id == patient


def test_nobody_can_be_declared_here_who_does_not_exist(cast: Cast, run: Any) -> None:
    with pytest.raises(Problem) as refusal:
        run(persons.open_visit(_at(cast, cast.here), str(new_id()), "Đau ngực", _now()))
    assert refusal.value.status == 403


MAI = Registration(family="Lù", middle="Thị", given="Mai", born="14/08/1962", sex="female", personal="999162000777")


def test_the_same_form_sent_twice_registers_once(cast: Cast, run: Any) -> None:
    worker = _at(cast, cast.here)
    first = run(persons.register(worker, "form-1", MAI))
    assert run(persons.register(worker, "form-1", MAI)) == first
    nameless = replace(MAI, personal="")
    assert run(persons.register(worker, "form-2", nameless)) != first


def test_a_personal_number_is_registered_once_even_by_two_forms_at_the_same_moment(cast: Cast, run: Any) -> None:
    workers = (_at(cast, cast.here), _at(cast, cast.here))
    form = replace(MAI, personal="999 162 000 778")

    async def both() -> list[Any]:
        forms = [persons.register(w, f"race-{n}", form) for n, w in enumerate(workers)]
        return await asyncio.gather(*forms, return_exceptions=True)

    made = run(both())
    assert sorted(type(one).__name__ for one in made) == ["TakenError", "str"]
    first = next(one for one in made if isinstance(one, str))
    with pytest.raises(persons.TakenError):
        run(persons.register(workers[0], "race-later", replace(form, given="Khác")))
    looks = run(persons.lookalikes(workers[0], form.description()))
    assert [look.person.id for look in looks if look.is_taken] == [first]


def test_a_refused_registration_leaves_its_form_free_to_be_sent_again(cast: Cast, run: Any) -> None:
    worker = _at(cast, cast.here)
    run(persons.register(worker, "holder", replace(MAI, personal="999162000779")))
    with pytest.raises(persons.TakenError):
        run(persons.register(worker, "mended", replace(MAI, personal="999162000779")))
    made = run(persons.register(worker, "mended", replace(MAI, personal="999162000780")))
    assert str(made) == str(run(worker.read("Patient", made)).id)


def test_likely_duplicates_are_shown_with_what_differs(cast: Cast, run: Any) -> None:
    worker = _at(cast, cast.here)
    known = run(persons.register(worker, "form-9", MAI_OF_1970))
    looks = run(persons.lookalikes(worker, Description(name="Giàng Thị Sua", born="1970-02-03", sex="female")))
    assert [look.person.id for look in looks] == [known]
    assert not looks[0].is_taken
    taken = run(persons.lookalikes(worker, Description(name="Ai Khác", born="1999-01-01", personal="999170000001")))
    assert [look.is_taken for look in taken] == [True]


MAI_OF_1970 = Registration(
    family="Giàng", middle="Thị", given="Súa", born="03/02/1970", sex="female", personal="999170000001"
)


def _now() -> datetime:
    return datetime.now(UTC)


def _at(cast: Cast, org: UUID) -> Access:
    access = cast.doctor(org, "health-worker")
    who = replace(access.who, organization_id=str(org), organization_name="Trạm", account=new_id())
    return cast.system.ground.access(who)
