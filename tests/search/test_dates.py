"""Between which moments an index on a main date is entered."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from yersin.db.sql import Sql
from yersin.search.compiling import where_of
from yersin.search.page import Query
from yersin.search.rows import Indexer

INDEXER = Indexer(bytes(range(16)), ZoneInfo("Asia/Ho_Chi_Minh"))


@pytest.mark.parametrize(
    ("type_name", "code", "begins"),
    [("Patient", "birthdate", datetime(1980, 3, 4, tzinfo=UTC)), ("Observation", "date", datetime(1980, 3, 3, 16, tzinfo=UTC))],
)  # fmt: skip
def test_nobody_of_the_day_before_is_read_for_a_day_of_birth(type_name: str, code: str, begins: datetime) -> None:
    """Their rows begin at the very moment after which short spans are read; of periods an hour more may reach in."""
    sql = Sql()
    text = where_of(Query.of(type_name, [(code, "ge1980-03-05")]), INDEXER, sql).text()
    assert f"(r.d_lo > ${sql.arguments.index(begins) + 1}::timestamptz OR " in text
