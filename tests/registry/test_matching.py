"""The matcher: symmetric, thresholds as data, and sane on the FEBRL sample of duplicated records."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from yersin.registry.matching import LIKELY, WEIGHTS, Description, Verdict, births, compare, edits, names

SON = Description(name="Hoàng Văn Sơn", born="1961-04-12", sex="male", personal="999061123456", phone="0900000123")
words = st.sampled_from(["Nguyễn", "Hoàng", "Hoang", "Văn", "Thị", "Sơn", "Son", "Hoà", "Hòa", ""])
people = st.builds(
    Description,
    name=st.lists(words, max_size=4).map(" ".join),
    born=st.sampled_from(["", "1961", "1961-04-12", "1961-12-04", "1962-04-12"]),
    sex=st.sampled_from(["", "male", "female"]),
    personal=st.sampled_from(["", "999061123456", "999061123457"]),
    phone=st.sampled_from(["", "0900000123"]),
)


@given(people, people)
def test_the_order_of_comparison_does_not_matter(one: Description, other: Description) -> None:
    assert compare(one, other) == compare(other, one)


@given(people, people)
def test_a_further_field_that_agrees_never_weakens_a_match(one: Description, other: Description) -> None:
    apart = compare(one, other).score
    area = "Xã Bắc Hà, Tỉnh Lào Cai"
    both = [Description(**{**{n: getattr(p, n) for n in WEIGHTS}, "area": area}) for p in (one, other)]
    assert compare(*both).score > apart


def test_the_same_person_typed_without_marks_is_likely() -> None:
    typed = Description(name="Hoang Van Son", born="1961-04-12", sex="male")
    assert compare(SON, typed).is_likely
    assert compare(SON, typed).fields["name"] is Verdict.CLOSE


def test_a_namesake_of_another_year_and_number_is_not_likely() -> None:
    namesake = Description(name="Hoàng Văn Sơn", born="1984-02-01", sex="male", personal="999084000001")
    assert not compare(SON, namesake).is_likely


def test_one_personal_number_is_certain_whatever_the_name() -> None:
    assert compare(SON, Description(personal=SON.personal)).is_certain


def test_twins_at_one_address_are_not_certain() -> None:
    one = Description(name="Lù Thị Mai", born="2020-05-05", sex="female", phone="0900000001", area="Xã Bắc Hà")
    other = Description(name="Lù Thị Lan", born="2020-05-05", sex="female", phone="0900000001", area="Xã Bắc Hà")
    assert not compare(one, other).is_certain


def test_old_and_new_placing_of_tones_is_the_same_name() -> None:
    assert names("Nguyễn Thị Hoà", "nguyễn thị hòa") is Verdict.SAME


def test_given_name_first_and_a_left_out_middle_name_are_close() -> None:
    assert names("Sơn Hoàng Văn", "Hoàng Văn Sơn") is Verdict.CLOSE
    assert names("Hoàng Sơn", "Hoàng Văn Sơn") is Verdict.CLOSE


def test_a_year_alone_and_a_swapped_day_are_close() -> None:
    assert births("1961", "1961-04-12") is Verdict.CLOSE
    assert births("1961-12-04", "1961-04-12") is Verdict.CLOSE
    assert births("1961-04-12", "1973-09-30") is Verdict.DIFFERENT


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_edits_are_symmetric_and_nothing_only_for_equals(one: str, other: str) -> None:
    assert edits(one, other, 3) == edits(other, one, 3)
    assert (edits(one, other, 3) == 0) == (one == other)


def _described(row: dict[str, str]) -> Description:
    day = row["date_of_birth"]
    born = f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 and _is_day(day) else ""
    name = f"{row['given_name']} {row['surname']}".strip()
    return Description(name=name, born=born, personal=row["soc_sec_id"], area=row["suburb"])


def _is_day(day: str) -> bool:
    return day.isdecimal() and 1 <= int(day[4:6]) <= 12 and 1 <= int(day[6:]) <= 28


def test_the_febrl_sample_is_told_apart(shared: Path) -> None:
    with (shared / "record-linkage" / "febrl" / "dataset1.csv").open(encoding="utf-8") as file:
        rows = [{k.strip(): v.strip() for k, v in row.items()} for row in csv.DictReader(file)]
    by_id = {row["rec_id"]: _described(row) for row in rows}
    pairs = [(k.replace("-dup-0", "-org"), k) for k in by_id if k.endswith("-dup-0")]
    found = sum(compare(by_id[one], by_id[other]).score >= LIKELY for one, other in pairs)
    originals = [d for k, d in by_id.items() if k.endswith("-org")]
    chance = random.Random(1)  # noqa: S311 - draws pairs, keeps no secret
    others = [tuple(chance.sample(originals, 2)) for _ in range(5000)]
    wrong = sum(compare(*pair).score >= LIKELY for pair in others)
    assert found / len(pairs) > 0.92, f"only {found} of {len(pairs)} duplicates were found"
    assert wrong == 0, f"{wrong} of 5000 pairs of strangers were taken for one person"
