"""Kept views as files over HTTP: asked, followed, fetched and read back; for the entitled alone.

Source: https://build.fhir.org/ig/FHIR/sql-on-fhir-v2/OperationDefinition-ViewDefinitionExport.html
"""

from __future__ import annotations

import csv
import io
import json
import sys
import uuid
from uuid import UUID

import duckdb
import pytest
from tests.running import others_have_ended

from yersin.api.bulk import Exporter, jobs
from yersin.fhir.problem import problem
from yersin.guard.tokens import grants
from yersin.guard.who import Who
from yersin.views.feed import Feed

ASK = "/$viewdefinition-export"
ASYNC = {"prefer": "respond-async"}


def asker(ground, role="system", scope="system/*.cruds"):
    scopes = grants(scope) if scope else None
    return ground.access(Who(role=role, purpose="TREAT", display=f"{role} {uuid.uuid4()}", scopes=scopes))


@pytest.fixture(scope="module")
def exporter(run, ground, client, tmp_path_factory):
    """The server's work, on views of three people with a measurement each."""
    for number in range(3):
        made = client.post(
            "/Patient", {"resourceType": "Patient", "gender": "female", "birthDate": f"19{number}1-02-03"}
        )
        subject = {"reference": f"Patient/{made.json()['id']}"}
        told = {
            "status": "final",
            "code": {"text": "x"},
            "subject": subject,
            "effectiveDateTime": "2026-03-04T05:06:07Z",
        }
        assert client.post("/Observation", {"resourceType": "Observation", **told}).status_code == 201

    async def fed():
        async with ground.database.acquire() as connection:
            await others_have_ended(connection)
        await Feed(ground).catch_up()

    run(fed())
    data = tmp_path_factory.mktemp("views")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YERSIN_DATA_DIR", str(data))
        yield Exporter(ground, data, 24)


@pytest.fixture
def program(client, ground, exporter):
    made = client.bound(asker(ground))
    yield made
    made.close()


def wish(view, name=None):
    parts = [{"name": "viewReference", "valueReference": {"reference": f"ViewDefinition/{view}"}}]
    return {"name": "view", "part": [*parts, *([{"name": "name", "valueString": name}] if name else ())]}


def ask(client, *parameters, kind=None):
    more = [{"name": "_format", "valueCode": kind}] if kind else []
    body = {"resourceType": "Parameters", "parameter": [*parameters, *more]}
    return client.post(ASK, body, headers=ASYNC)


def told(parameters):
    return {
        each["name"]: next((each[k] for k in each if k.startswith("value")), each) for each in parameters["parameter"]
    }


def made(run, exporter, client, *parameters, **more):
    """Export, and answer what the result tells, and its outputs by name."""
    begun = ask(client, *parameters, **more)
    assert begun.status_code == 202, begun.text
    place = begun.headers["content-location"]
    assert (told(begun.json())["status"], told(begun.json())["location"]) == ("accepted", place)
    answer = client.get(place)
    assert answer.status_code == 202
    assert answer.headers["retry-after"].isdecimal()
    assert client.get(f"{place}/result").status_code == 404
    while answer.status_code == 202:
        run(exporter.work())
        answer = client.get(place)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{place}/result")
    result = client.get(f"{place}/result")
    assert result.status_code == 200, result.text
    outputs = [each["part"] for each in result.json()["parameter"] if each["name"] == "output"]
    files = {parts[0]["valueString"]: [part["valueUri"] for part in parts[1:]] for parts in outputs}
    return told(result.json()), files


def refusal(answer, status, code):
    assert answer.status_code == status, answer.text
    [issue] = answer.json()["issue"]
    assert issue["code"] == code
    return issue["diagnostics"]


# --- what is in it -------------------------------------------------------------------------------------------------


def test_duckdb_reads_what_postgresql_holds_under_the_right_types(run, ground, exporter, program, tmp_path):
    result, files = made(run, exporter, program, wish("person"), wish("measurement", "measured"), kind="parquet")
    assert (result["status"], result["_format"]) == ("completed", "parquet")
    for name, view in (("person", "person"), ("measured", "measurement")):
        [place] = files[name]
        answer = program.get(place)
        assert answer.headers["content-type"] == "application/vnd.apache.parquet"
        assert f'filename="{name}.' in answer.headers["content-disposition"]
        path = tmp_path / name
        path.write_bytes(answer.content)
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            rows = connection.execute(f"SELECT * FROM read_parquet('{path}') ORDER BY row_key::text, n").fetchall()
            types = dict(
                connection.execute(
                    f"SELECT column_name, column_type FROM (DESCRIBE FROM read_parquet('{path}'))"
                ).fetchall()
            )
        stored = run(ground.database.fetch(f'SELECT * FROM views."{view}" ORDER BY row_key::text, n'))
        assert rows == [tuple(row) for row in stored]
        assert len(rows) == 3
        if view == "person":
            assert (types["row_key"], types["birth_year"], types["sex"], types["invented"]) == (
                "UUID", "BIGINT", "VARCHAR", "BOOLEAN",
            )  # fmt: skip
        else:
            assert "TIMESTAMP WITH TIME ZONE" in types.values()


def test_ndjson_and_csv_hold_the_same_rows(run, exporter, program):
    _, lines = made(run, exporter, program, wish("person"))
    answer = program.get(lines["person"][0])
    assert answer.headers["content-type"] == "application/x-ndjson"
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert {row["birth_year"] for row in rows} == {1901, 1911, 1921}
    _, table = made(run, exporter, program, wish("person"), kind="csv")
    read = list(csv.DictReader(io.StringIO(program.get(table["person"][0]).text)))
    assert [row["row_key"] for row in read] == [row["row_key"] for row in rows]
    assert list(read[0]) == list(rows[0])


def test_an_asker_s_mark_is_told_back(run, exporter, program):
    result, _ = made(run, exporter, program, wish("facility"), {"name": "clientTrackingId", "valueString": "tháng 11"})
    assert result["clientTrackingId"] == "tháng 11"
    assert result["exportStartTime"] <= result["exportEndTime"]


def test_large_views_come_in_parts(run, exporter, program, monkeypatch):
    monkeypatch.setattr("yersin.api.bulk.flattening.kept.PART", 2)
    _, files = made(run, exporter, program, wish("person"), kind="csv")
    assert [len(program.get(place).text.splitlines()) - 1 for place in files["person"]] == [2, 1]


# --- who gets it ---------------------------------------------------------------------------------------------------


def test_only_those_who_may_read_views_get_them_and_each_refusal_is_recorded(run, ground, client, exporter, program):
    for role, scope in (("doctor", ""), ("administrator", ""), ("system", "system/Observation.rs")):
        bound = client.bound(asker(ground, role, scope))
        refusal(ask(bound, wish("person")), 403, "forbidden")
        bound.close()
    analyst = client.bound(asker(ground, "analyst", ""))
    _, files = made(run, exporter, analyst, wish("person"))
    [place] = files["person"]
    assert analyst.get(place).status_code == 200
    assert program.get(place).status_code == 404, "a job is its asker's alone"
    narrowed = client.bound(ground.access(Who(role="doctor", purpose="TREAT", display=analyst.access.who.display)))
    refusal(narrowed.get(place), 403, "forbidden")
    rows = run(ground.database.fetch(
        "SELECT outcome, query FROM audit WHERE display = $1 AND interaction = 'export-views' ORDER BY seq",
        analyst.access.who.display,
    ))  # fmt: skip
    job = place.split("/")[-2]
    assert [(row["outcome"], row["query"]) for row in rows][:2] == [(0, f"{job} person"), (0, f"{job} 0")]
    for each in (analyst, narrowed):
        each.close()


def test_what_is_cancelled_is_gone(run, exporter, program):
    place = ask(program, wish("person")).headers["content-location"]
    assert program.delete(place).status_code == 202
    run(exporter.work())
    assert program.get(place).status_code == 404
    assert program.get(f"{place}/result").status_code == 404


def test_what_fails_says_so_in_its_result(run, exporter, program, monkeypatch):
    place = ask(program, wish("person")).headers["content-location"]

    async def full(*_):
        raise problem("no-store", "The disk is full.", status=507)

    monkeypatch.setattr("yersin.api.bulk.working.flatten", full)
    while program.get(place).status_code == 202:
        run(exporter.work())
    assert program.get(place).status_code == 303
    assert "disk" in refusal(program.get(f"{place}/result"), 500, "no-store")


def finish(run, exporter, client, place):
    while client.get(place).status_code == 202:
        run(exporter.work())


def job_of(place):
    return UUID(place[-36:])


def copies_of(run, ground, place):
    sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'views' AND tablename LIKE 'copy_' || $1 || '%'"
    return run(ground.database.fetchval(sql, job_of(place).hex))


def test_one_cut_off_goes_on_after_its_last_whole_file_and_leaves_no_copy(run, ground, exporter, program, monkeypatch):
    monkeypatch.setattr("yersin.api.bulk.flattening.kept.PART", 2)
    place = ask(program, wish("person"), wish("facility"), kind="csv").headers["content-location"]
    while not (first := run(jobs.files(ground.database, job_of(place)))):
        run(exporter.work())
    assert copies_of(run, ground, place) == 2
    add_file = jobs.add_file

    async def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "add_file", killed)
    with pytest.raises(KeyboardInterrupt):
        finish(run, exporter, program, place)
    monkeypatch.setattr(jobs, "add_file", add_file)
    finish(run, exporter, program, place)
    found = run(jobs.files(ground.database, job_of(place)))
    assert found[0] == first[0]
    assert [file.type for file in found] == ["person", "person", "facility"]
    assert [file.resources for file in found][:2] == [2, 1]
    assert copies_of(run, ground, place) == 0


def test_others_have_their_turn_between_two_files(run, exporter, program, monkeypatch):
    monkeypatch.setattr("yersin.api.bulk.flattening.kept.PART", 1)
    long = ask(program, wish("measurement"), wish("person")).headers["content-location"]
    short = ask(program, wish("facility")).headers["content-location"]
    while program.get(short).status_code == 202:
        run(exporter.work())
    assert program.get(long).status_code == 202
    program.delete(long)


def test_copies_of_a_job_that_is_given_up_or_failed_are_dropped(run, ground, exporter, program, monkeypatch):
    places = [ask(program, wish("person")).headers["content-location"] for _ in range(2)]
    while not all(copies_of(run, ground, place) for place in places):
        run(exporter.work())
    assert program.delete(places[0]).status_code == 202

    async def full(*_):
        raise problem("no-store", "The disk is full.", status=507)

    monkeypatch.setattr("yersin.api.bulk.working.flatten", full)
    while program.get(places[1]).status_code == 202:
        run(exporter.work())
    run(exporter.work())
    assert [copies_of(run, ground, place) for place in places] == [0, 0]


# --- what is refused -----------------------------------------------------------------------------------------------


def test_what_cannot_be_is_refused_with_its_cure(program):
    assert "Views: answering, " in refusal(ask(program, wish("nobody")), 404, "not-found")
    assert "ndjson, csv, parquet" in refusal(ask(program, wish("person"), kind="xlsx"), 400, "not-supported")
    assert "another name" in refusal(ask(program, wish("person"), wish("visit", "person")), 400, "invalid")
    assert "letters" in refusal(ask(program, wish("person", "../x")), 400, "value")
    assert "needs view" in refusal(ask(program, {"name": "clientTrackingId", "valueString": "x"}), 400, "required")
    assert "respond-async" in refusal(
        program.post(ASK, {"resourceType": "Parameters", "parameter": [wish("person")]}), 400, "required"
    )
    own = {
        "name": "view",
        "part": [{"name": "viewResource", "resource": {"resourceType": "Basic", "code": {"text": "x"}}}],
    }
    assert "viewReference" in refusal(ask(program, own), 400, "not-supported")
    nameless = {"name": "view", "part": [{"name": "name", "valueString": "x"}]}
    assert "ViewDefinition/person" in refusal(ask(program, nameless), 400, "required")
    since = {"name": "_since", "valueInstant": "2026-01-01T00:00:00Z"}
    assert "_since" in refusal(ask(program, wish("person"), since), 400, "not-supported")
    refusal(program.get(ASK, headers=ASYNC), 405, "not-supported")


def test_without_duckdb_parquet_says_how_to_install_it_and_the_rest_goes_on(program, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert "make parquet" in refusal(ask(program, wish("person"), kind="parquet"), 501, "not-supported")
    assert ask(program, wish("person"), kind="csv").status_code == 202
