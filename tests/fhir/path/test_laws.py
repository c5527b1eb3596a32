"""Laws that FHIRPath keeps whatever the values, and texts of any kind: nothing but its own errors comes out."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yersin.fhir.path import CannotEvaluate, Environment, NotFHIRPath, compiled

INTEGERS = st.integers(-(2**31), 2**31 - 1)
DATES = st.dates(date(1000, 1, 1), date(3000, 12, 31))
PIECES = st.sampled_from(
    ["Patient", "name", "given", ".", "(", ")", "[", "]", "{", "}", "1", "2.5", "'a'", "'\\u0041'", "'\\x'", "@2020-01",
     "@T10:30", "@2020-02-30", " and ", " or ", " is ", " as ", "Quantity", " + ", " - ", "*", "/", "|", "&", "=", "!~",
     "<", "$this", "%resource", "%`x`", "where(", "exists()", "not()", "defineVariable('a')", ",", "`x`", "//", "/*", "\\",
     "1 'mg'", "3 days", "ofType(Patient)", "matches('(a+)+$')", " div ", "power(9)", "repeat(", "children()", "\x00", "é"]
)  # fmt: skip
PATIENT = {"resourceType": "Patient", "name": [{"given": ["a", "b"], "family": "c"}], "birthDate": "2020-01-02"}


def values(text: str, **variables: object) -> list[object]:
    return compiled(text)(PATIENT, Environment(variables=variables)) if variables else compiled(text)(PATIENT)


@settings(max_examples=1500, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=14).map("".join)))
def test_any_text_runs_or_is_refused(text: str) -> None:
    with suppress(NotFHIRPath, CannotEvaluate):
        assert isinstance(compiled(text)(PATIENT, Environment(steps=20_000, seconds=1)), list)


@given(st.lists(INTEGERS, max_size=8), st.lists(INTEGERS, max_size=8))
def test_a_union_holds_the_same_in_either_order(left: list[int], right: list[int]) -> None:
    there, back = values("%a | %b", a=left, b=right), values("%b | %a", a=left, b=right)
    assert set(there) == set(back) == {*left, *right}
    assert len(there) == len(set(there))


@given(st.lists(INTEGERS, max_size=8), st.lists(INTEGERS, max_size=8))
def test_what_is_excluded_and_what_is_shared_make_the_whole(left: list[int], right: list[int]) -> None:
    assert values("%a.subsetOf(%a.exclude(%b) | %a.intersect(%b))", a=left, b=right) == [True]
    assert values("%a.exclude(%b).intersect(%b)", a=left, b=right) == []


@given(left=st.booleans(), right=st.sampled_from(["true", "false", "{}"]))
def test_logic_keeps_the_laws_of_de_morgan(*, left: bool, right: str) -> None:
    assert values("%a.not().not()", a=left) == [left]
    assert values(f"(%a and {right}).not()", a=left) == values(f"%a.not() or {right}.not()", a=left)
    assert values(f"%a implies {right}", a=left) == values(f"%a.not() or {right}", a=left)


@given(INTEGERS, INTEGERS)
def test_of_three_ways_to_compare_one_is_true(a: int, b: int) -> None:
    assert sum(values(f"%a {sign} %b", a=a, b=b) == [True] for sign in ("<", "=", ">")) == 1
    assert values("%a <= %b", a=a, b=b) == values("(%a > %b).not()", a=a, b=b)


@given(DATES, DATES)
def test_dates_compare_as_days_do(a: date, b: date) -> None:
    for sign, expected in (("<", a < b), ("=", a == b), (">", a > b)):
        assert values(f"@{a} {sign} @{b}") == [expected]


@given(DATES, st.integers(0, 5000), st.sampled_from(["days", "weeks", "hours", "'d'", "minutes"]))
def test_a_moment_moved_on_and_back_is_where_it_was(day: date, number: int, unit: str) -> None:
    assert values(f"@{day}T10:20:30Z + {number} {unit} - {number} {unit} = @{day}T10:20:30Z") == [True]


@given(
    st.integers(1, 10**6), st.sampled_from([("g", "mg", 1000), ("m", "cm", 100), ("h", "min", 60), ("L", "mL", 1000)])
)
def test_a_quantity_is_equal_in_another_unit(number: int, units: tuple[str, str, int]) -> None:
    coarse, fine, factor = units
    assert values(f"{number} '{coarse}' = {number * factor} '{fine}'") == [True]
    assert values(f"{number} '{coarse}' < {number * factor + 1} '{fine}'") == [True]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "1" + ")" * 5000,
        "-" * 5000 + "1",
        "1" + " + 1" * 3000,
        "name" + ".name" * 3000,
        "'" + "a" * 30_000 + "'",
        "(1|2|3|4|5|6|7|8|9|10).aggregate($total & $total & 'aaaaaaaaaa', 'aaaaaaaaaaaaaaaa').length() > 0"
         " and ('" + "a" * 5000 + "').replace('', '" + "a" * 9000 + "').replace('a', '" + "a" * 1000 + "').length() > 0",
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.replaceMatches('(a+)+$', 'b')",
        "repeatAll(%resource)",
        "name.given.select(%r.descendants().select(%r.descendants().select(%r.descendants().select(%r.descendants()))))",
        "'a'.matches('" + "(a{1,900}){1,900}" + "')",
    ],
)  # fmt: skip
def test_hostile_expressions_are_refused_cheaply(text: str) -> None:
    wide = {"resourceType": "Patient", "name": [{"given": ["a"] * 60}] * 3}
    with pytest.raises((NotFHIRPath, CannotEvaluate)):
        compiled(text)(wide, Environment(variables={"r": [wide]}, steps=300_000))


def test_a_pattern_that_explodes_elsewhere_is_answered() -> None:
    assert values(f"'{'a' * 60}!'.matches('^(a+)+$')") == [False]
    assert values(f"'{'a' * 60}'.matches('^(a+)+$')") == [True]
    assert values("'x-1.y[x]:z'.matchesFull('[^.]{1,64}(\\\\.[^.]{1,64}(\\\\[x\\\\])?(\\\\:[^\\\\s]+)?)*')") == [True]
