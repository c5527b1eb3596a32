"""`yersin import`: real input from a third-party generator, and everything that can be wrong with a file."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from yersin.api.importing import Importer, Report
from yersin.app.ground import opened
from yersin.db import DatabaseFailure
from yersin.fhir import r4
from yersin.guard.access import Access, Ground
from yersin.guard.who import system as the_system
from yersin.guard.writing import Writing
from yersin.search.page import Query
from yersin.settings import Settings


@pytest.fixture
def fresh(run: Any, fresh_url: str, keys_dir: Path) -> Iterator[Access]:
    """The system's access to a database of this test alone."""
    manager = opened(Settings(data_dir=keys_dir), fresh_url)
    ground: Ground = run(manager.__aenter__())
    yield ground.access(the_system("HSYSADMIN"))
    run(manager.__aexit__(None, None, None))


def load(run: Any, access: Access, *paths: Path) -> Report:
    report: Report = run(Importer(access).run(paths))
    return report


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": str(uuid4()), **more}


def written(folder: Path, name: str, *resources: Any) -> Path:
    path = folder / name
    lines = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in resources]
    path.write_bytes(gzip.compress(b"\n".join(lines)) if name.endswith(".gz") else b"\n".join(lines))
    return path


def bundle(*resources: dict[str, Any], kind: str = "transaction") -> dict[str, Any]:
    entries = [
        {"fullUrl": f"urn:uuid:{r['id']}", "resource": r, "request": {"method": "POST", "url": r["resourceType"]}}
        for r in resources
    ]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


DELETING = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [{"resource": {"resourceType": "Patient"}, "request": {"method": "DELETE", "url": "Patient/1"}}],
}


def references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from references(each)
    elif isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for value in node.values():
            yield from references(value)


async def everything(access: Access) -> list[dict[str, Any]]:
    async with access.own_tables() as connection:
        names = [r["t"] for r in await connection.fetch("SELECT DISTINCT type AS t FROM id_map")]
    found: list[dict[str, Any]] = []
    for number in names:
        query = Query.of(r4.TYPE_NAME[number], [("_count", "1000")])
        while True:
            page = await access.search(query)
            found += [json.loads(v.json()) for v in page.versions]
            if not page.after:
                break
            query = replace(query, after=page.after, horizon=page.horizon)
    return found


@pytest.mark.parametrize("folder", ["r4-bundles", "bulk-10-patients"])
def test_a_folder_of_synthea_is_there_whole_and_once(run: Any, fresh: Access, shared: Path, folder: str) -> None:
    source = shared / "synthea" / folder
    expected: Counter[str] = Counter()
    ids = set()
    for path in source.glob("*.gz"):
        text = gzip.decompress(path.read_bytes())
        if ".ndjson" in path.name:
            resources = [json.loads(line) for line in text.splitlines() if b'"resourceType"' in line]
        else:
            resources = [
                {**e["resource"], "id": e["fullUrl"].removeprefix("urn:uuid:")} for e in json.loads(text)["entry"]
            ]
        for r in resources:
            if (r["resourceType"], r["id"]) not in ids:
                ids.add((r["resourceType"], r["id"]))
                expected[r["resourceType"]] += 1
    report = load(run, fresh, source)
    there = run(everything(fresh))
    assert Counter(r["resourceType"] for r in there) == expected
    known = {f"{r['resourceType']}/{r['id']}" for r in there}
    dangling = {x for r in there for x in references(r) if not x.startswith("#") and x not in known}
    assert not {x for x in dangling if x.startswith("urn:") or "?" in x}
    if folder == "r4-bundles":
        assert not dangling
        assert not report.findings
    again = load(run, fresh, source)
    assert (again.resources, again.skipped >= report.resources) == (0, True)
    assert not [r for r in run(everything(fresh)) if r["meta"]["versionId"] != "1" and folder != "r4-bundles"]


def test_a_bad_line_is_named_and_the_good_ones_are_in(run: Any, fresh: Access, tmp_path: Path) -> None:
    good = [patient() for _ in range(3)]
    path = written(
        tmp_path, "Patient.ndjson", good[0], b"{", good[1], patient(gender="neither"), b"[]", b'"x"', good[2]
    )
    report = load(run, fresh, path)
    assert report.resources == 3
    assert [(f.place, f.file) for f in report.findings] == [(1, path), (3, path), (4, path), (5, path)]
    assert "Patient.gender" in str(report.findings[1])
    assert str(report.findings[1]).startswith(f"{path}, entry 4")
    for one in good:
        run(fresh.read("Patient", one["id"]))


def test_of_a_transaction_bundle_with_a_bad_entry_nothing_is_in(run: Any, fresh: Access, tmp_path: Path) -> None:
    good = patient()
    written(tmp_path, "a.json", bundle(good, patient(gender="neither")))
    written(tmp_path, "b.json", bundle(patient(), patient()))
    report = load(run, fresh, tmp_path)
    assert report.resources == 2
    assert [f.place for f in report.findings] == [1]
    assert run(fresh.search(Query.of("Patient", [("_id", good["id"])]))).versions == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("broken.json", b'{"resourceType":"Patient",', "line 1"),
        ("empty.json", b"", ""),
        ("picture.json", b"\x89PNG\r\n\x1a\n\x00\x00", ""),
        ("table.json", b"name,birthDate\nLan,1980\n", ""),
        ("list.json", b"[1,2]", ""),
        ("wrong.json", b'{"resourceType":"Spaceship"}', "Spaceship"),
        ("later.json", b'{"resourceType":"Patient","id":"x","meta":{},"contained":[{"resourceType":"NutritionProduct"}]}', ""),
        ("r5.json", b'{"resourceType":"Encounter","id":"x","status":"in-progress","class":[{"text":"x"}],"actualPeriod":{}}', ""),
        ("cut.ndjson.gz", gzip.compress(b'{"resourceType":"Patient","id":"a"}\n' * 2000, mtime=0)[:60], "cannot be read"),
        ("bad.json.gz", b"not gzip at all", "cannot be read"),
        ("torn.json.gz", gzip.compress(b"x" * 5000, mtime=0)[:20] + b"\x00" * 40, "cannot be read"),
        ("deletes.json", json.dumps(DELETING).encode(), "only writes"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(
    run: Any, fresh: Access, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    good = written(tmp_path, "good.json", patient())
    report = load(run, fresh, tmp_path)
    assert report.findings, name
    assert all(f.file == tmp_path / name and f.issue.diagnostics for f in report.findings)
    assert words in " ".join(map(str, report.findings))
    assert report.resources == 1, f"{good} is in all the same"


def test_a_path_that_is_not_there_is_said(run: Any, fresh: Access, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(run, fresh, tmp_path / "nowhere")


def test_an_interrupted_import_goes_on_where_it_was_cut_off(
    run: Any, fresh: Access, tmp_path: Path, monkeypatch: Any
) -> None:
    people = [patient() for _ in range(1400)]
    path = written(tmp_path, "Patient.ndjson", *people)
    real, calls = Writing.write, []

    async def failing(self: Writing, changes: Any) -> Any:
        calls.append(len(changes))
        if len(calls) == 2:
            raise DatabaseFailure("transient", "away", vi="", status=503, retry_after=1)
        return await real(self, changes)

    with monkeypatch.context() as patched:
        patched.setattr(Writing, "write", failing)
        with pytest.raises(DatabaseFailure):
            load(run, fresh, path)
    report = load(run, fresh, path)
    assert (report.skipped, report.resources) == (500, 900)
    assert run(fresh.search(Query.of("Patient", [("_summary", "count")]))).total == 1400
    changed = run(fresh.search(Query.of("Patient", [("_count", "1000")]))).versions
    assert {v.ver for v in changed} == {1}


def test_no_failure_of_the_database_is_passed_over(run: Any, fresh: Access, tmp_path: Path, monkeypatch: Any) -> None:
    for n in range(8):
        written(tmp_path, f"{n}.json", patient())
    real, calls = Writing.write, []

    async def failing(self: Writing, changes: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise DatabaseFailure("transient", "away", vi="", status=503, retry_after=1)
        return await real(self, changes)

    with monkeypatch.context() as patched:
        patched.setattr(Writing, "write", failing)
        with pytest.raises(DatabaseFailure):
            load(run, fresh, tmp_path)
    load(run, fresh, tmp_path)
    assert run(fresh.search(Query.of("Patient", [("_summary", "count")]))).total == 8


def test_references_by_search_find_what_was_imported_before(run: Any, fresh: Access, tmp_path: Path) -> None:
    doctor = {"resourceType": "Practitioner", "id": "dr", "identifier": [{"system": "urn:d", "value": "1"}]}
    written(tmp_path, "Practitioner.000.ndjson", doctor)
    good = patient(generalPractitioner=[{"reference": "Practitioner?identifier=urn:d|1"}])
    lost = patient(generalPractitioner=[{"reference": "Practitioner?identifier=urn:d|2"}])
    written(tmp_path, "A.ndjson", good, lost)
    report = load(run, fresh, tmp_path)
    read = json.loads(run(fresh.read("Patient", good["id"])).json())
    assert read["generalPractitioner"] == [{"reference": "Practitioner/dr"}]
    assert [f.place for f in report.findings] == [1]
    assert "urn:d|2" in str(report.findings[0])
