"""Who looked: folded by person and day, one's own views apart, refusals said plainly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from yersin.guard.audit import REFUSED, Recorded
from yersin.records.looked import REFUSAL, folded

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
ME, DOCTOR = uuid4(), uuid4()
NOON = datetime(2026, 11, 22, 5, tzinfo=UTC)


def _row(hours: float = 0, account: UUID | None = DOCTOR, **more: Any) -> Recorded:
    known: dict[str, Any] = {
        "seq": 1, "at": NOON - timedelta(hours=hours), "interaction": "search", "outcome": 0, "display": "BS Hải",
        "role": "doctor", "purpose": "TREAT", "organization": None, "practitioner": None, "account": account, "address": "",
        "request": uuid4(), "type": None, "entity": None, "ver": None, "patients": (),
    }  # fmt: skip
    return Recorded(**{name: value for name, value in {**known, **more}.items() if name in Recorded.__slots__})


def test_one_person_on_one_day_is_one_line() -> None:
    looks = folded([_row(), _row(1), _row(2, interaction="create")], ME, ZONE)
    (line,) = looks.others
    assert (line.last, line.first) == (NOON, NOON - timedelta(hours=2))
    assert list(line.deeds) == ["added to the record", "opened the record"]


def test_two_days_are_two_lines_newest_first() -> None:
    assert [k.last for k in folded([_row(), _row(30)], ME, ZONE).others] == [NOON, NOON - timedelta(hours=30)]


def test_own_views_are_counted_apart() -> None:
    looks = folded([_row(account=ME), _row(1, account=ME)], ME, ZONE)
    assert (looks.own, looks.others) == (2, [])


def test_a_refusal_is_named_and_the_loading_of_records_is_not() -> None:
    looks = folded([_row(outcome=REFUSED), _row(role="system", account=None)], ME, ZONE)
    assert [k.deeds for k in looks.others] == [(REFUSAL,)]
