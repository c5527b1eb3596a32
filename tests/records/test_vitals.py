"""Vital signs: what cannot be is refused, what is unusual is asked about, thresholds follow the age."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yersin.fhir import encode, parse, r4
from yersin.records import capture
from yersin.records.capture import Context, VitalSigns
from yersin.records.vitals import LIMITS, SIGNS, Before, Fault, Level, bmi, judge, level, limits, worst

TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
ADULT = 58.0


def _faults(age: float = ADULT, before: dict[str, Before] | None = None, **values: str) -> list[tuple[str, Fault]]:
    return [(r.field, r.fault) for r in judge({k: Decimal(v) for k, v in values.items()}, age, before or {}, TODAY)]


def test_usual_values_of_an_adult_pass_without_a_word() -> None:
    assert (
        _faults(systolic="122", diastolic="78", pulse="72", temperature="36.8", respiration="16", saturation="98") == []
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("pulse", "720"), ("temperature", "368"), ("saturation", "101"), ("weight", "0.1"), ("height", "5")],
)
def test_what_cannot_be_is_refused(field: str, value: Any) -> None:
    assert _faults(**{field: value}) == [(field, Fault.IMPOSSIBLE)]


def test_exchanged_pressures_and_half_a_pressure_are_refused() -> None:
    assert _faults(systolic="80", diastolic="130") == [("diastolic", Fault.REVERSED)]
    assert _faults(systolic="120") == [("diastolic", Fault.ALONE)]
    assert _faults(diastolic="80") == [("systolic", Fault.ALONE)]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("systolic", "139", Level.NORMAL), ("systolic", "140", Level.HIGH), ("systolic", "180", Level.CRITICAL_HIGH),
        ("systolic", "90", Level.CRITICAL_LOW), ("diastolic", "89", Level.NORMAL), ("diastolic", "90", Level.HIGH),
        ("saturation", "95", Level.NORMAL), ("saturation", "94", Level.LOW), ("saturation", "91", Level.CRITICAL_LOW),
        ("respiration", "25", Level.CRITICAL_HIGH), ("temperature", "39.1", Level.CRITICAL_HIGH), ("pulse", "40", Level.CRITICAL_LOW),
    ],
)  # fmt: skip
def test_levels_of_adults_follow_their_sources(field: str, value: str, expected: Level) -> None:
    assert level(field, Decimal(value), ADULT, TODAY) is expected


def test_the_same_pulse_is_usual_in_an_infant_and_critical_in_an_adult() -> None:
    assert level("pulse", Decimal(140), 0.5, TODAY) is Level.NORMAL
    assert level("pulse", Decimal(140), ADULT, TODAY) is Level.CRITICAL_HIGH


def test_a_sudden_change_of_weight_is_asked_about_but_not_in_a_growing_infant() -> None:
    before = {"weight": Before(value=Decimal(62), day=date(2026, 11, 1))}
    assert _faults(before=before, weight="26", height="160") == [("weight", Fault.UNLIKE_BEFORE)]
    assert _faults(1.0, {"weight": Before(value=Decimal(7), day=date(2026, 6, 1))}, weight="9.5") == []


def test_a_build_that_can_hardly_be_is_asked_about() -> None:
    assert ("weight", Fault.UNLIKELY_BUILD) in _faults(weight="156", height="52")


@given(st.sampled_from(sorted({each.field for each in LIMITS})), st.floats(0, 110))
def test_every_age_has_limits_that_are_in_order(field: str, age: float) -> None:
    found = limits(field, age, TODAY)
    assert found is not None
    steps = [v for v in (found.critical_low, found.low, found.high, found.critical_high) if v is not None]
    assert steps == sorted(steps)
    assert found.source


edges = sorted({edge for sign in SIGNS.values() for edge in (sign.least, sign.most)})
values = st.decimals(-10, 1000, places=1) | st.builds(
    lambda edge, beside: edge + Decimal(beside) / 10, st.sampled_from(edges), st.integers(-1, 1)
)


@given(st.sampled_from(sorted({*SIGNS} - {"systolic", "diastolic"})), values, st.floats(0, 110))
def test_any_value_is_refused_asked_about_or_quiet_as_its_limits_say(field: str, value: Decimal, age: float) -> None:
    found = [(remark.field, remark.fault, remark.value) for remark in judge({field: value}, age, {}, TODAY)]
    if not SIGNS[field].least <= value <= SIGNS[field].most:
        assert found == [(field, Fault.IMPOSSIBLE, value)]
    elif level(field, value, age, TODAY).is_critical:
        assert found == [(field, Fault.CRITICAL, value)]
    else:
        assert found == []


@given(values, values, st.floats(0, 110))
def test_of_two_pressures_both_must_be_possible_and_the_upper_higher(
    upper: Decimal, lower: Decimal, age: float
) -> None:
    given_values = {"systolic": upper, "diastolic": lower}
    right = upper > lower and all(SIGNS[name].least <= v <= SIGNS[name].most for name, v in given_values.items())
    remarks = judge(given_values, age, {}, TODAY)
    assert any(remark.is_refusal for remark in remarks) is not right
    critical = {name for name, v in given_values.items() if level(name, v, age, TODAY).is_critical}
    assert {remark.field for remark in remarks if not remark.is_refusal} == (critical if right else set())


def test_critical_is_worse_than_high() -> None:
    assert worst([Level.HIGH, Level.NORMAL, Level.CRITICAL_LOW]) is Level.CRITICAL_LOW


def test_body_mass_index_needs_both() -> None:
    assert bmi(Decimal("70.7"), Decimal("164.1")) == Decimal("26.3")
    assert bmi(Decimal(70), None) is None


def test_a_confirmation_holds_for_its_own_value_only() -> None:
    form = VitalSigns(systolic=Decimal(192), diastolic=Decimal(100))
    (doubt,) = capture.asked(form, ADULT, {}, NOW).open
    said = capture.token(doubt, form)
    assert (
        capture.asked(VitalSigns(systolic=Decimal(192), diastolic=Decimal(100), confirmed=(said,)), ADULT, {}, NOW).open
        == ()
    )
    assert (
        capture.asked(VitalSigns(systolic=Decimal(219), diastolic=Decimal(100), confirmed=(said,)), ADULT, {}, NOW).open
        != ()
    )


def test_what_is_written_follows_the_profiles() -> None:
    form = VitalSigns(
        systolic=Decimal(192),
        diastolic=Decimal(100),
        saturation=Decimal(97),
        weight=Decimal("70.7"),
        height=Decimal("164.1"),
    )
    context = Context(patient="p", age=ADULT, now=NOW, encounter="e")
    made = {
        str(o.meta.profile[0]).rpartition("/")[2]: o
        for o in capture.observations(form, context)
        if o.meta and o.meta.profile
    }
    assert set(made) == {"bp", "oxygensat", "bodyweight", "bodyheight", "bmi"}
    pressure = parse(encode(made["bp"]))
    assert isinstance(pressure, r4.Observation)
    assert [p.code.coding[0].code for p in pressure.component or () if p.code.coding] == ["8480-6", "8462-4"]
    codes = [c.code for c in made["oxygensat"].code.coding or ()]
    assert codes == ["59408-5", "2708-6"]
    assert all(o.encounter and o.encounter.reference == "Encounter/e" for o in made.values())
    assert all(o.effectiveDateTime and o.subject for o in made.values())
