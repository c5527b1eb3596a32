"""What Citus can run: rules on single statements and tables, and the product's own statements."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

import yersin
from yersin.app.clustering import beside, check
from yersin.app.schema import STEPS
from yersin.guard.cluster import judging, tables
from yersin.guard.cluster.checking import refused, shapes_of
from yersin.guard.cluster.judging import judge
from yersin.guard.cluster.shapes import Shapes
from yersin.guard.cluster.tables import judge_tables

OBSERVATION = 'fhir."observation"'
PATIENT = 'fhir."patient"'
ORGANIZATION = 'fhir."organization"'

RUN = (
    f"SELECT r.id FROM {OBSERVATION} r WHERE r.pat IN (SELECT r.pat FROM {PATIENT} r WHERE r.tok @> $1)",
    (
        f"SELECT r.id FROM {OBSERVATION} r WHERE EXISTS (SELECT FROM care WHERE care.pat = r.pat AND (care.shares IS NULL "
        f"OR EXISTS (SELECT FROM {OBSERVATION} f WHERE f.pat = care.pat AND f.id = r.id)))"
    ),
    f"SELECT o.id FROM {OBSERVATION} o JOIN {PATIENT} p ON p.pat = o.pat JOIN {ORGANIZATION} g ON g.id = o.id",
    f"WITH m AS MATERIALIZED (SELECT pat FROM id_map WHERE id = $1) SELECT r.id FROM m JOIN {PATIENT} r ON r.pat = m.pat",
    "SELECT ver FROM id_map WHERE type = $1 AND id = $2 FOR UPDATE SKIP LOCKED",
    f"WITH t AS (SELECT clock_timestamp() AS upd) UPDATE {PATIENT} SET upd = t.upd FROM t WHERE pat = $1",
    f"WITH g AS (DELETE FROM {PATIENT} WHERE pat = $1 RETURNING id) INSERT INTO {PATIENT} (pat, id) SELECT $2, id FROM g",
    f"SELECT r.id FROM {PATIENT} r WHERE r.pat NOT IN (SELECT m.pat FROM export_patient m WHERE m.job = $1)",
    "SELECT l.seq FROM change_log l WHERE l.tx > $1",
    f"SELECT o.id FROM {OBSERVATION} o WHERE NOT EXISTS (SELECT FROM {PATIENT} p WHERE p.pat = o.pat)",
    f"SELECT g.id FROM {ORGANIZATION} g WHERE EXISTS (SELECT FROM {ORGANIZATION} h WHERE h.id = $1)",
    f"SELECT EXISTS (SELECT FROM {ORGANIZATION})",
    f"SELECT count(*) FROM (SELECT FROM {OBSERVATION}) f",
    f"SELECT CASE ver WHEN 1 THEN 2 END FROM {OBSERVATION} UNION ALL SELECT 3",
    f"INSERT INTO history (ver) SELECT CASE ver WHEN 1 THEN 2 END FROM {OBSERVATION}",
    f"INSERT INTO history (ver) SELECT CASE ver WHEN 1 THEN 2 END FROM {ORGANIZATION} UNION ALL SELECT 3",
    f"SELECT g.id FROM {ORGANIZATION} g JOIN history h ON h.pat = g.pat JOIN history v ON v.pat = h.pat",
    f"SELECT g.id FROM {ORGANIZATION} g JOIN history h ON g.pat = $1 AND h.pat = g.pat JOIN history v ON v.pat = g.pat",
    f"SELECT g.id FROM {ORGANIZATION} g JOIN history h ON h.pat = g.pat WHERE EXISTS (SELECT 1 FROM history v WHERE v.pat = g.pat)",
    "WITH m AS (SELECT pat FROM id_map WHERE id = $1) SELECT 1 FROM m JOIN history h ON h.pat = m.pat JOIN history v ON v.pat = m.pat",
)
REFUSED = {
    f"SELECT m.ver FROM id_map m LEFT JOIN {PATIENT} r ON r.pat = m.pat WHERE m.id = $1": judging.TOGETHER,
    f"SELECT p.id FROM {PATIENT} p JOIN {OBSERVATION} o ON o.pat = p.id": judging.TOGETHER,
    f"SELECT p.id FROM {PATIENT} p WHERE EXISTS (SELECT FROM {OBSERVATION} o WHERE o.pat = p.id)": judging.BESIDE,
    f"SELECT g.id FROM {ORGANIZATION} g WHERE EXISTS (SELECT FROM care WHERE care.pat = g.pat)": judging.BESIDE,
    "SELECT count(*) FROM unnest($1::uuid[]) AS p (pat) WHERE NOT EXISTS (SELECT FROM care WHERE care.pat = p.pat)": judging.BESIDE,
    f"SELECT p.id FROM {PATIENT} p, LATERAL (SELECT id FROM {OBSERVATION} o WHERE o.pat = p.pat LIMIT 3) l": judging.EACH,
    "SELECT m.ver FROM unnest($1::uuid[]) AS k (id) JOIN id_map m ON m.id = k.id FOR UPDATE OF m": judging.LOCKED,
    f"SELECT id FROM {PATIENT} WHERE tok @> $1 FOR UPDATE SKIP LOCKED": judging.LOCKED,
    f"UPDATE {PATIENT} SET pat = $2 WHERE pat = $1": judging.MOVED,
    f"UPDATE {PATIENT} SET upd = clock_timestamp() WHERE pat = $1": judging.VOLATILE,
    "SELECT l.seq FROM change_log l JOIN id_map m ON m.id = l.id": judging.MIXED,
    f"SELECT p.id FROM {PATIENT} p WHERE EXISTS (SELECT FROM export_patient m WHERE m.pat = p.pat)": judging.MIXED,
    f"SELECT k.id FROM unnest($1::uuid[]) AS k (id) LEFT JOIN {PATIENT} p ON p.id = k.id": judging.OUTER,
    f"SELECT o.id FROM {OBSERVATION} o WHERE EXISTS (SELECT FROM {PATIENT} p WHERE p.id = $1)": judging.NOTHING,
    f"SELECT EXISTS (SELECT FROM {OBSERVATION})": judging.NOTHING,
    f"SELECT o.id FROM {OBSERVATION} o WHERE EXISTS (SELECT FROM cursor)": judging.NOTHING,
    f"SELECT count(*) FROM (SELECT FROM {OBSERVATION} LIMIT 3) f": judging.NOTHING,
    f"WITH m AS MATERIALIZED (SELECT FROM {OBSERVATION}) SELECT count(*) FROM m": judging.NOTHING,
    f"INSERT INTO history (ver) SELECT CASE ver WHEN 1 THEN 2 END FROM {OBSERVATION} UNION ALL SELECT 3": judging.SHORT_CASE,
    f"SELECT g.id FROM {ORGANIZATION} g JOIN history h ON h.pat = g.pat JOIN history v ON v.pat = g.pat": judging.THROUGH,
    (
        f"SELECT g.id FROM {ORGANIZATION} g JOIN history h ON h.pat = g.pat "
        "WHERE h.ver = (SELECT max(v.ver) FROM history v WHERE v.pat = g.pat)"
    ): judging.THROUGH,
    (
        f"SELECT o.id FROM {OBSERVATION} o JOIN {ORGANIZATION} g ON g.pat = o.pat "
        "WHERE NOT EXISTS (SELECT 1 FROM history v WHERE v.pat = g.pat)"
    ): judging.THROUGH,
    (
        "WITH m AS (SELECT pat FROM id_map WHERE id = $1) SELECT 1 FROM m JOIN history h ON h.pat = m.pat "
        "WHERE h.ver = (SELECT max(v.ver) FROM history v WHERE v.pat = m.pat)"
    ): judging.THROUGH,
    f"WITH RECURSIVE w AS (SELECT id FROM {PATIENT} UNION SELECT id FROM w) SELECT id FROM w": judging.AGAIN,
}


@pytest.mark.parametrize("sql", RUN)
def test_a_statement_that_a_cluster_runs_passes(sql: str) -> None:
    assert judge(sql) == []


@pytest.mark.parametrize("sql", REFUSED)
def test_a_statement_that_a_cluster_refuses_is_found(sql: str) -> None:
    assert REFUSED[sql] in judge(sql)


def test_tables_that_cannot_be_spread_are_found() -> None:
    key = "CREATE TABLE history (pat uuid NOT NULL, id uuid NOT NULL, n int, PRIMARY KEY (id, n));"
    column = "CREATE TABLE care (org uuid NOT NULL);"
    index = 'CREATE UNIQUE INDEX one ON fhir."patient" (id);'
    reference = "CREATE TABLE id_map (id uuid NOT NULL REFERENCES account, PRIMARY KEY (id));"
    trigger = "CREATE TRIGGER t AFTER INSERT ON care FOR EACH ROW EXECUTE FUNCTION f();"
    found = {(broken.table, broken.finding) for broken in judge_tables(key + column + index + reference + trigger)}
    assert found == {
        ("history", tables.UNIQUE),
        ("care", tables.MISSING),
        ("fhir.patient", tables.UNIQUE),
        ("id_map", tables.REFERS),
        ("care", tables.TRIGGERED),
    }


def test_every_table_of_the_product_can_be_spread() -> None:
    assert judge_tables("\n".join(step.sql for step in STEPS)) == []


#: what else names spread tables: heard by `beside`, by `Shapes` (the intake), and an example in a docstring
BESIDE = {"app/upkeep.py", "views/feed.py", "terminology/intake.py", "db/queries.py"}
TYPES = ("Patient", "Observation", "Organization", "Binary", "Encounter")


@pytest.fixture(scope="module")
def asked() -> dict[str, str]:
    return asyncio.run(Shapes({}).all(TYPES))


def test_what_the_product_asks_runs(asked: dict[str, str]) -> None:
    assert [each.shape.sql for each in refused(shapes_of(asked))] == []


def test_what_works_beside_the_answers_runs() -> None:
    found = beside()
    assert any("DELETE FROM care" in sql for sql in found)
    assert any('FROM fhir."encounter" r' in sql for sql in found)
    assert [sql for sql in found if judge(sql)] == []


def test_only_the_floors_that_are_driven_name_tables_that_are_spread() -> None:
    """Rooms and other floors ask the store by the guard, so the check hears all of it."""
    source = Path(yersin.__file__).parent
    names = re.compile(
        r"""fhir\.\\?"|\b(?:FROM|JOIN|INTO|UPDATE|TABLE) (?:id_map|history|care)\b|\bstore\.schema import"""
    )
    found = {path.relative_to(source).as_posix() for path in source.rglob("*.py") if names.search(path.read_text())}
    driven = ("store/", "search/", "guard/")
    assert {name for name in found if not name.startswith(driven)} == BESIDE


def test_nothing_the_product_asks_is_passed_over(asked: dict[str, str]) -> None:
    everything = "\n".join(asked)
    parts = ("r.pat IN (SELECT r.pat", "r.txt ~", "x.param = ANY", "EXISTS (SELECT 1 FROM care", "FOR UPDATE", "RETURNING",
             "INSERT INTO audit", "DISTINCT ON", "pg_visible_in_snapshot", "LIMIT 1000", "DELETE FROM care", "count(*)",
             "unnest(r.tok)", "SKIP LOCKED", "terms.taken",
             "FROM history r JOIN unnest", 'FROM fhir."encounter" r JOIN unnest', "FROM change_log l WHERE")  # fmt: skip
    assert [part for part in parts if part not in everything] == []
    assert len(asked) > 700


def test_the_command_names_rule_cure_and_example(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    async def wrong(*_: Any) -> dict[str, str]:
        return {f"UPDATE {PATIENT} SET pat = $2 WHERE pat = $1": "Patient carried"}

    monkeypatch.setattr(Shapes, "all", wrong)
    assert not check(told.append)
    assert judging.MOVED.rule in told[0]
    assert judging.MOVED.cure in told[0]
    assert "Patient carried" in told[0]
