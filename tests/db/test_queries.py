"""A wrong `.sql` file or a wrong name stops the import, never a request."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from yersin.db import load
from yersin.db.queries import BadQueryFileError, parse

GOOD = """
-- What this file is for.

-- name: find_version
-- One version of one resource.
SELECT content
  -- the old row
  FROM history WHERE id = $1;

-- name: count_all
-- How many there are.
SELECT count(*) FROM history
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "ward_of_queries").mkdir()
    (tmp_path / "ward_of_queries" / "__init__.py").write_text("")
    (tmp_path / "ward_of_queries" / "queries.sql").write_text(GOOD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ward_of_queries", raising=False)
    return "ward_of_queries"


def test_statements_are_attributes_without_comments_and_semicolon(package: str) -> None:
    queries = load(package, "queries.sql")
    assert list(queries) == ["find_version", "count_all"]
    assert queries.find_version == "SELECT content\n  FROM history WHERE id = $1"


def test_an_unknown_name_tells_the_names_there_are(package: str) -> None:
    with pytest.raises(AttributeError, match="no query 'find_verion'; it has find_version, count_all"):
        _ = load(package, "queries.sql").find_verion


@pytest.mark.parametrize("expected", [("find_version",), ("find_version", "count_all", "delete_all")])
def test_names_and_file_must_agree_at_import(package: str, expected: tuple[str, ...]) -> None:
    with pytest.raises(BadQueryFileError, match=r"queries\.sql"):
        load(package, "queries.sql", *expected)
    assert load(package, "queries.sql", "count_all", "find_version").count_all


def test_a_caller_outside_a_package_is_told(package: str) -> None:
    with pytest.raises(BadQueryFileError, match="__package__"):
        load(None, "queries.sql")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("SELECT 1;", "before the first"),
        ("-- only words", "no '-- name:'"),
        ("-- name: Find\n-- A sentence.\nSELECT 1", "not a name"),
        ("-- name: a\n-- S.\nSELECT 1\n-- name: a\n-- S.\nSELECT 2", "twice"),
        ("-- name: a\nSELECT 1", "needs a sentence"),
        ("-- name: a\n-- A sentence.\n", "has no SQL"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(BadQueryFileError, match=f"here.sql.*{complaint}"):
        parse(text, "here.sql")
