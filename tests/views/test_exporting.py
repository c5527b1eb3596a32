"""Views as Parquet: DuckDB reads what PostgreSQL holds, value by value; whole or not at all; for the entitled alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from errno import ENOSPC
from pathlib import Path
from uuid import UUID, uuid4

import duckdb
import msgspec
import pytest

from yersin.app.ground import opened, prepared
from yersin.db import Connection
from yersin.fhir import parse
from yersin.fhir.problem import Problem
from yersin.guard.who import Who
from yersin.guard.who import system as the_system
from yersin.guard.writing import Create
from yersin.settings import Settings
from yersin.views import definition, feed, kept, parquet
from yersin.views.exporting import LATEST, MANIFEST, export
from yersin.views.feed import Feed
from yersin.views.tables import View, house_views

#: a view with a column of every type that can stand in one
TYPES = {"resourceType": "ViewDefinition", "name": "weighed", "resource": "Observation", "select": [{"column": [
    {"name": "person", "path": "subject.getReferenceKey(Patient)", "tag": [{"name": "ansi/type", "value": "uuid"}]},
    {"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"},
    {"name": "at", "path": "effective.ofType(dateTime)", "type": "dateTime"},
    {"name": "day", "path": "effective.ofType(dateTime)", "type": "date"},
    {"name": "heavy", "path": "value.ofType(Quantity).value > 60", "type": "boolean"},
    {"name": "notes", "path": "note.count()", "type": "integer"},
    {"name": "note", "path": "note.first().text", "type": "string"},
    {"name": "codes", "path": "code.coding.code", "type": "code", "collection": True},
]}]}  # fmt: skip
NOTES = ["", 'says "no", twice', "hai\ndòng", "\\N", "NULL", " khoảng ", None, "€,;'\t|"]
VALUES = ["51", "52.5", "0.001", "-3.25", "123456789.125", None, "60.000", "61"]
WHEN = [
    "2026-11-23T00:00:00.123456+07:00",
    "1954-01-01",
    "2026-02",
    None,
    "0999-12-31T23:59:59Z",
    "2026",
    "2024-02-29",
    "2026-11-23T12:00:00Z",
]


def own_view():
    return View(definition=definition.read(TYPES), text=json.dumps(TYPES).encode())


def patient(number):
    made = {"resourceType": "Patient", "gender": ["female", "male"][number % 2], "birthDate": f"19{number + 10}-01-01"}
    return parse(msgspec.json.encode(made))


def observation(who, number):
    value = {} if VALUES[number] is None else {"valueQuantity": {"value": msgspec.Raw(VALUES[number].encode())}}
    when = {} if WHEN[number] is None else {"effectiveDateTime": WHEN[number]}
    note = [{"text": text} for text in [NOTES[number]] if text]
    code = {"coding": [{"code": "a"}, {"code": "b,c"}]} if number % 2 else {"text": "weight"}
    made = {"resourceType": "Observation", "status": "final", "code": code, "subject": {"reference": f"Patient/{who}"}}
    return parse(msgspec.json.encode(made | value | when | ({"note": note} if note else {})))


@pytest.fixture(scope="module")
def filled(run, database_url, keys_dir):
    """A ground whose views hold eight people and their weights."""

    async def fill():
        await prepared(database_url)
        manager = opened(Settings(data_dir=keys_dir), database_url)
        ground = await manager.__aenter__()
        access = ground.access(the_system("HSYSADMIN"))
        people = await access.write([Create(resource=patient(number)) for number in range(8)])
        await access.write([Create(resource=observation(each.version.id, n)) for n, each in enumerate(people)])
        views = [*house_views(), own_view()]
        await Feed(ground, views).catch_up()
        # what no FHIR text can be, and a table may hold all the same
        await ground.database.execute("UPDATE views.weighed_1 SET note = '' WHERE note IS NULL AND value = 51")
        return manager, ground

    manager, ground = run(fill())
    yield ground
    run(manager.__aexit__(None, None, None))


@pytest.fixture
def exported(run, filled, tmp_path):
    """Export as the system, or as someone else; answers the manifest."""

    def go(*names, who=None, folder=tmp_path, part=kept.PART, told=lambda *_: None):
        access = filled.access(who or the_system("HSYSADMIN"))
        return run(export(access, folder, names, told, part=part))

    return go


def asked(sql):
    with duckdb.connect() as connection:
        return connection.execute(sql).fetchall()


def in_utc(value):
    return value.astimezone(UTC) if hasattr(value, "astimezone") else value


def stored(run, ground, sql):
    return [tuple(in_utc(value) for value in row) for row in run(ground.database.fetch(sql))]


def read(folder, view, columns="*"):
    found = asked(f"SELECT {columns} FROM '{folder}/latest/{view}/*.parquet' ORDER BY row_key::text, n")
    return [tuple(in_utc(value) for value in row) for row in found]


def test_every_view_comes_back_as_postgresql_holds_it(run, filled, exported, tmp_path):
    manifest = exported()
    assert {each.view for each in manifest.views} == {*(v.name for v in house_views()), "weighed"}
    for each in manifest.views:
        rows = read(tmp_path, each.view)
        assert rows == stored(run, filled, f'SELECT * FROM views."{each.view}" ORDER BY row_key::text, n')
        assert len(rows) == each.rows
    assert {each.view: each.rows for each in manifest.views if each.rows} == {
        "person": 8,
        "weighed": 8,
        "measurement": 8,
    }


def test_types_are_kept_and_nothing_is_told_from_empty(exported, tmp_path):
    exported("weighed")
    described = asked(f"DESCRIBE SELECT * FROM '{tmp_path}/latest/weighed/*.parquet'")
    assert {row[0]: row[1] for row in described} == {
        "row_key": "UUID", "ver": "INTEGER", "n": "INTEGER", "person": "UUID", "value": "DECIMAL(18,3)",
        "at": "TIMESTAMP WITH TIME ZONE", "day": "DATE", "heavy": "BOOLEAN", "notes": "BIGINT", "note": "VARCHAR",
        "codes": "VARCHAR",
    }  # fmt: skip
    rows = read(tmp_path, "weighed", "value, note, person, codes")
    assert {row[0] for row in rows} == {None if value is None else Decimal(value) for value in VALUES}
    assert {row[1] for row in rows} == {*(note for note in NOTES if note), "", None}
    assert all(isinstance(row[2], UUID) for row in rows)
    assert {row[3] for row in rows} == {"[]", '["a","b,c"]'}


def test_views_of_one_export_are_joined(run, filled, exported, tmp_path):
    exported("person", "weighed")
    sql = "SELECT p.sex, count(*), sum(w.value) FROM {person} p JOIN {weighed} w ON w.person = p.row_key GROUP BY 1 ORDER BY 1"
    files = {name: f"'{tmp_path}/latest/{name}/*.parquet'" for name in ("person", "weighed")}
    tables = {name: f"views.{name}" for name in files}
    found = asked(sql.format(**files))
    assert found == stored(run, filled, sql.format(**tables))
    assert [row[1] for row in found] == [4, 4]


def test_large_ones_come_in_parts_and_no_row_twice(exported, tmp_path):
    told = []
    manifest = exported("person", part=3, told=lambda *each: told.append(each))
    (view,) = manifest.views
    assert view.files == [f"person/{number:05}.parquet" for number in range(3)]
    assert [asked(f"SELECT count(*) FROM '{tmp_path}/latest/{name}'")[0][0] for name in view.files] == [3, 3, 2]
    assert told == [("person", 3), ("person", 6), ("person", 8)]
    assert len({row[0] for row in read(tmp_path, "person", "row_key")}) == 8
    assert len(exported("person", part=8).views[0].files) == 1
    assert len(exported("person", part=4).views[0].files) == 2


def test_the_manifest_says_what_is_there(run, filled, exported, tmp_path):
    made = exported("person")
    written = json.loads((tmp_path / LATEST / MANIFEST).read_bytes())
    (view,) = written["views"]
    (built,) = stored(run, filled, "SELECT digest FROM views.built WHERE view = 'person'")
    (cursor,) = stored(run, filled, "SELECT tx, seq FROM cursor WHERE consumer = 'views'")
    assert (view["view"], view["version"], view["rows"]) == ("person", built[0], 8)
    assert view["columns"]["birth_year"] == "BIGINT"
    assert tuple(written["position"]) == cursor
    assert written["as_of"].startswith(f"{made.as_of:%Y-%m-%dT%H:%M:%S}")


def test_the_next_export_takes_the_place_of_the_last_in_one_step(exported, tmp_path, monkeypatch):
    standing = feed.standing
    moments = iter(datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))

    async def later(connection: Connection) -> feed.Standing:
        """One export a moment: others' transactions may hold the real one back for long."""
        return replace(await standing(connection), as_of=next(moments))

    monkeypatch.setattr(feed, "standing", later)
    names = []
    for _ in range(3):
        exported("person")
        names.append((tmp_path / LATEST).readlink().name)
    assert len(set(names)) == 3
    assert {path.name for path in tmp_path.iterdir()} == {LATEST, *names[1:]}


def test_an_export_that_fails_leaves_the_last_one(exported, tmp_path, monkeypatch):
    exported("person", "weighed")
    before = (tmp_path / LATEST).readlink()
    write = parquet.write

    def fails(rows: Path, target: Path, columns):
        if target.parent.name == "weighed":
            raise OSError(ENOSPC, "No space left on device")
        write(rows, target, columns)

    monkeypatch.setattr(parquet, "write", fails)
    with pytest.raises(Problem) as full:
        exported("person", "weighed")
    assert (full.value.status, full.value.issues[0].code) == (507, "no-store")
    assert (tmp_path / LATEST).readlink() == before
    assert {path.name for path in tmp_path.iterdir()} == {LATEST, before.name}
    assert len(read(tmp_path, "person")) == 8


def test_a_disk_that_takes_no_more_is_told_of_by_the_writer(tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("1\n")
    with pytest.raises(OSError, match="No space") as full:
        parquet.write(rows, Path("/dev/full"), {"n": "BIGINT"})
    assert full.value.errno == ENOSPC


def test_a_folder_of_something_else_is_left_alone(exported, tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        exported("person")
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]
    with pytest.raises(FileExistsError):
        exported("person", folder=tmp_path / "diary.txt")


def test_analysts_may_and_others_may_not_and_both_are_recorded(run, filled, exported, tmp_path):
    def someone(role):
        return Who(role=role, purpose="HRESCH", organization=uuid4())

    def recorded():
        return stored(
            run,
            filled,
            "SELECT role, outcome, query FROM audit WHERE interaction = 'export-views' ORDER BY seq DESC LIMIT 1",
        )

    assert exported("person", who=someone("analyst")).views[0].rows == 8
    assert recorded() == [("analyst", 0, "person")]
    for role in ("doctor", "facility-administrator", "citizen", "nobody"):
        with pytest.raises(Problem) as refused:
            exported("person", who=someone(role), folder=tmp_path / "no")
        assert refused.value.status == 403
        ((who, outcome, _),) = recorded()
        assert (who, outcome != 0) == (role, True)
    assert not (tmp_path / "no").exists()


def test_what_is_not_there_or_not_whole_is_told(run, filled, exported):
    with pytest.raises(Problem, match="There is no view nonsense here") as unknown:
        exported("nonsense")
    assert unknown.value.status == 404
    run(filled.database.execute("UPDATE views.built SET filled = false WHERE view = 'visit'"))
    try:
        with pytest.raises(Problem, match="visit: still being filled") as early:
            exported()
        assert early.value.status == 409
    finally:
        run(filled.database.execute("UPDATE views.built SET filled = true WHERE view = 'visit'"))


def test_the_command_exports_and_says_which_folder_is_wrong(filled, database_url, keys_dir, tmp_path):
    def ran(folder):
        program = [sys.executable, "-m", "yersin.app", "views", "export", str(folder), "--view", "person"]
        environment = {**os.environ, "YERSIN_DATABASE_URL": database_url, "YERSIN_DATA_DIR": str(keys_dir)}
        return subprocess.run(program, env=environment, capture_output=True, text=True, check=False)

    done = ran(tmp_path / "figures")
    assert (done.returncode, done.stdout[:19]) == (0, "8 rows of 1 views in"[:19]), done.stderr
    assert len(read(tmp_path / "figures", "person")) == 8
    (tmp_path / "file").write_text("")
    wrong = ran(tmp_path / "file")
    assert wrong.returncode == 1
    assert f"{tmp_path / 'file'} is no folder" in wrong.stderr


@pytest.mark.parametrize(
    ("whole", "places", "expected"),
    [(1, 0, "DECIMAL(18, 0)"), (15, 3, "DECIMAL(18, 3)"), (16, 3, "DECIMAL(38, 3)"), (36, 3, "VARCHAR")],
)
def test_numbers_lose_no_digit(whole, places, expected):
    assert parquet.decimal(whole, places) == expected
