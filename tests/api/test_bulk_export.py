"""Bulk Data export over HTTP: asked, followed, fetched, given up; what is in it is what a search returns.

Source: https://hl7.org/fhir/uv/bulkdata/STU2/export.html
"""

from __future__ import annotations

import gzip
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from tests.running import Client

from yersin.api.bulk import Exporter, working
from yersin.guard.tokens import grants
from yersin.guard.who import Who

ASYNC = {"prefer": "respond-async"}


def program(ground, name="program", scope="system/*.cruds"):
    return ground.access(Who(role="system", purpose="TREAT", display=name, scopes=grants(scope)))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YERSIN_DATA_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def exporter(ground, data):
    return Exporter(ground, data, 24)


@pytest.fixture
def bulk(run, client, exporter, ground):
    """A program's exports, each program its own."""
    made = Bulk(run, client.bound(program(ground, f"program {uuid.uuid4()}")), exporter)
    yield made
    made.client.close()


class Bulk:
    """A client of the protocol: kick-off, polling, files. The server's work is done between two looks."""

    def __init__(self, run, client, exporter):
        self.run, self.client, self.exporter = run, client, exporter

    def ask(self, path, **more):
        return self.client.request(
            more.pop("method", "GET"), path, headers={**ASYNC, **more.pop("headers", {})}, **more
        )

    def begin(self, path, **more):
        answer = self.ask(path, **more)
        assert answer.status_code == 202, answer.text
        return answer.headers["content-location"]

    def manifest(self, address):
        answer = self.client.get(address)
        while answer.status_code == 202:
            assert answer.headers["retry-after"].isdecimal()
            assert "resources" in answer.headers["x-progress"]
            self.run(self.exporter.work())
            answer = self.client.get(address)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        return answer.json()

    def lines(self, file):
        answer = self.client.get(file["url"])
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/fhir+ndjson"
        found = [json.loads(line) for line in answer.text.splitlines()]
        assert len(found) == file["count"]
        assert {each["resourceType"] for each in found} <= {file["type"]}
        return found

    def exported(self, path, **more):
        manifest = self.manifest(self.begin(path, **more))
        return [resource for file in manifest["output"] for resource in self.lines(file)]


def made(client, kind, **more):
    answer = client.post(f"/{kind}", {"resourceType": kind, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def observation(client, patient, text="x", **more):
    subject = {"reference": f"Patient/{patient['id']}"}
    return made(client, "Observation", status="final", code={"text": text}, subject=subject, **more)


def keys(resources):
    return {(each["resourceType"], each["id"], each["meta"]["versionId"]) for each in resources}


@pytest.fixture(scope="module")
def chart(client):
    """Two patients with observations, an organization, and an observation about nobody."""
    organization = made(client, "Organization", name="Trạm Y tế Thử")
    patients = [made(client, "Patient", name=[{"family": f"Nguyễn {n}"}], gender="female") for n in range(3)]
    observed = [observation(client, patient, f"{n}") for n in range(4) for patient in patients]
    alone = made(client, "Observation", status="final", code={"text": "air"})
    return {"patients": patients, "observed": observed, "alone": alone, "organization": organization}


# --- what is in it -------------------------------------------------------------------------------------------------


def test_the_server_exports_what_a_search_returns(bulk, chart):
    exported = bulk.exported("/$export")
    for kind in ("Patient", "Observation", "Organization"):
        searched = bulk.client.search(f"/{kind}?_count=1000")
        assert searched
        assert sorted((e for e in exported if e["resourceType"] == kind), key=lambda e: e["id"]) == sorted(
            searched, key=lambda e: e["id"]
        )


def test_types_are_named_once_or_several_times(bulk, chart):
    assert {e["resourceType"] for e in bulk.exported("/$export?_type=Patient,Organization")} == {
        "Patient",
        "Organization",
    }
    assert {e["resourceType"] for e in bulk.exported("/$export?_type=Patient&_type=Organization")} == {
        "Patient",
        "Organization",
    }


def test_the_export_of_patients_holds_their_charts_only(bulk, chart):
    exported = keys(bulk.exported("/Patient/$export"))
    assert keys([*chart["patients"], *chart["observed"]]) <= exported
    assert not keys([chart["alone"], chart["organization"]]) & exported


def test_a_group_holds_the_charts_of_its_members(bulk, chart, client):
    first, second, third = chart["patients"]
    shared = made(
        client, "Appointment", status="proposed",
        participant=[{"actor": {"reference": f"Patient/{p['id']}"}, "status": "accepted"} for p in (third, first)],
    )  # fmt: skip
    members = [
        {"entity": {"reference": f"Patient/{first['id']}"}},
        {"entity": {"reference": f"Patient/{second['id']}"}, "inactive": True},
    ]
    group = made(client, "Group", type="person", actual=True, member=members)
    exported = bulk.exported(f"/Group/{group['id']}/$export")
    hers = [each for each in chart["observed"] if each["subject"]["reference"].endswith(first["id"])]
    assert keys(exported) >= keys([first, shared, *hers])
    assert {e["id"] for e in exported if e["resourceType"] == "Patient"} == {first["id"]}
    assert {e["id"] for e in exported if e["resourceType"] == "Observation"} == {each["id"] for each in hers}


def test_a_group_of_nobody_and_many_patients_are_read_in_parts(bulk, client, monkeypatch):
    empty = made(client, "Group", type="person", actual=True)
    assert bulk.exported(f"/Group/{empty['id']}/$export") == []
    monkeypatch.setattr("yersin.api.bulk.jobs.MEMBERS", 2)
    patients = [made(client, "Patient", active=True) for _ in range(5)]
    observed = [observation(client, each) for each in patients]
    group = made(
        client,
        "Group",
        type="person",
        actual=True,
        member=[{"entity": {"reference": f"Patient/{p['id']}"}} for p in patients],
    )
    found = bulk.exported(f"/Group/{group['id']}/$export?_type=Patient,Observation")
    assert keys(found) == keys([*patients, *observed])
    assert len(found) == 10


def test_patients_can_be_named_by_post(bulk, chart):
    first, second, _ = chart["patients"]
    body = {"resourceType": "Parameters", "parameter": [
        {"name": "patient", "valueReference": {"reference": f"Patient/{first['id']}"}},
        {"name": "patient", "valueReference": {"reference": f"Patient/{second['id']}"}},
        {"name": "_type", "valueString": "Patient"},
    ]}  # fmt: skip
    assert keys(bulk.exported("/Patient/$export", method="POST", json=body)) == keys([first, second])


def test_filters_find_what_any_of_them_finds(bulk, chart, client):
    other = made(client, "Patient", gender="male", birthDate="1980-01-01")
    searches = f"Patient%3Fgender%3Dmale%26birthdate%3D1980-01-01,Patient%3F_id%3D{chart['patients'][0]['id']}"
    path = f"/$export?_type=Patient&_typeFilter={searches}"
    assert keys(bulk.exported(path)) == keys([other, chart["patients"][0]])
    twice = (
        f"/$export?_type=Patient,Organization&_typeFilter=Patient%3F_id%3D{other['id']},{chart['patients'][1]['id']}"
    )
    found = bulk.exported(twice)
    assert keys([e for e in found if e["resourceType"] == "Patient"]) == keys([other, chart["patients"][1]])
    assert keys([chart["organization"]]) <= keys(found)


def test_filters_go_through_references_both_ways(bulk, client):
    first, second, third = (made(client, "Patient", active=True) for _ in range(3))
    heart = observation(client, first, "heart", note=[{"text": "x"}])
    others = [observation(client, patient, "lung") for patient in (second, second, third)]
    path = "/$export?_type=Patient,Observation&_typeFilter="
    filters = (
        f"Patient%3F_has:Observation:patient:_id%3D{heart['id']},Observation%3Fsubject:Patient._id%3D{second['id']}"
    )
    assert keys(bulk.exported(path + filters)) == keys([first, *others[:2]])
    chained = f"Observation%3Fpatient._has:Observation:patient:_id%3D{others[2]['id']}"
    assert keys(bulk.exported(path.replace("Patient,", "") + chained)) == keys(others[2:])
    group = made(
        client, "Group", type="person", actual=True, member=[{"entity": {"reference": f"Patient/{third['id']}"}}]
    )
    assert keys(bulk.exported(f"/Group/{group['id']}" + path + filters)) == set(), "narrowed by both"


def test_filters_find_nothing_behind_what_the_token_does_not_cover(run, client, ground, exporter):
    patient = made(client, "Patient", active=True)
    hidden = observation(client, patient, "hidden")
    bulk = Bulk(run, client.bound(program(ground, f"program {uuid.uuid4()}", "system/Patient.rs")), exporter)
    path = f"/$export?_type=Patient&_typeFilter=Patient%3F_has:Observation:patient:_id%3D{hidden['id']}"
    assert bulk.exported(path) == []
    bulk.client.close()


def test_elements_cut_resources_down_to_what_r4_demands(bulk, chart):
    for resource in bulk.exported("/$export?_type=Patient,Observation&_elements=Patient.gender,status"):
        assert resource["meta"]["tag"][-1]["code"] == "SUBSETTED"
        if resource["resourceType"] == "Observation":
            assert set(resource) == {"resourceType", "id", "meta", "status", "code"}
        elif "gender" in resource:
            assert set(resource) == {"resourceType", "id", "meta", "gender"}


def test_since_gives_what_changed_and_what_was_deleted(bulk, chart, client):
    kept, gone = made(client, "Patient", active=True), made(client, "Patient", active=True)
    first = bulk.manifest(bulk.begin("/$export?_type=Patient"))
    since = first["transactionTime"]
    assert first["deleted"] == []
    client.put(f"/Patient/{kept['id']}", {**kept, "active": False})
    client.delete(f"/Patient/{gone['id']}")
    new = made(client, "Patient", active=True)
    second = bulk.manifest(bulk.begin(f"/$export?_type=Patient&_since={since}"))
    found = [each for file in second["output"] for each in bulk.lines(file)]
    assert {(each["id"], each["meta"]["versionId"]) for each in found} == {(kept["id"], "2"), (new["id"], "1")}
    (bundle,) = [each for file in second["deleted"] for each in bulk.lines(file)]
    assert bundle["type"] == "transaction"
    assert bundle["entry"] == [{"request": {"method": "DELETE", "url": f"Patient/{gone['id']}"}}]


def test_what_is_written_after_the_kick_off_is_left_for_the_next(bulk, client):
    tag = str(uuid.uuid4())
    changed, gone, stays = (made(client, "Basic", code={"text": tag}) for _ in range(3))
    address = bulk.begin("/$export?_type=Basic")
    client.put(f"/Basic/{changed['id']}", {**changed, "code": {"text": "new"}})
    client.put(f"/Basic/{changed['id']}", {**changed, "code": {"text": "newer"}})
    client.delete(f"/Basic/{gone['id']}")
    late = made(client, "Basic", code={"text": "late"})
    manifest = bulk.manifest(address)
    found = [each for file in manifest["output"] for each in bulk.lines(file)]
    assert keys([changed, gone, stays]) <= keys(found)
    assert late["id"] not in {each["id"] for each in found}
    after = bulk.manifest(bulk.begin(f"/$export?_type=Basic&_since={manifest['transactionTime']}"))
    found = [each for file in after["output"] for each in bulk.lines(file)]
    assert {(e["id"], e["meta"]["versionId"]) for e in found} == {(changed["id"], "3"), (late["id"], "1")}
    deleted = [each["entry"][0]["request"]["url"] for file in after["deleted"] for each in bulk.lines(file)]
    assert deleted == [f"Basic/{gone['id']}"]


def test_many_resources_fill_several_files_each_once(bulk, client, monkeypatch):
    monkeypatch.setattr(working, "RESOURCES", 7)
    monkeypatch.setattr("yersin.guard.exporting.BATCH", 3)
    for n in range(20):
        made(client, "Flag", status="active", code={"text": str(n)}, subject={"reference": "Location/x"})
    manifest = bulk.manifest(bulk.begin("/$export?_type=Flag"))
    assert [file["count"] for file in manifest["output"]] == [7, 7, 6]
    found = [each["id"] for file in manifest["output"] for each in bulk.lines(file)]
    assert len(found) == len(set(found)) == 20


def test_a_job_waits_for_what_began_before_it(run, bulk, ground):
    transaction = ground.database.transaction()
    connection = run(transaction.__aenter__())
    run(connection.fetchval("SELECT clock_timestamp()"))  # what carries this time may be written yet
    address = bulk.begin("/$export?_type=Endpoint")
    try:
        assert [run(bulk.exporter.work()) for _ in range(5)] == [False] * 5
        assert bulk.client.get(address).status_code == 202
    finally:
        run(transaction.__aexit__(None, None, None))
    assert bulk.manifest(address)["output"] == []


def test_a_job_that_waits_too_long_moves_back(run, bulk, ground, monkeypatch):
    transaction = ground.database.transaction()
    connection = run(transaction.__aenter__())
    began = run(connection.fetchval("SELECT now()"))
    try:
        address = bulk.begin("/$export?_type=Endpoint")
        monkeypatch.setattr(working, "PATIENCE", timedelta())
        assert datetime.fromisoformat(bulk.manifest(address)["transactionTime"]) < began
    finally:
        run(transaction.__aexit__(None, None, None))


# --- following it --------------------------------------------------------------------------------------------------


def test_the_manifest_says_what_was_asked_and_when(bulk, chart):
    before = datetime.now(UTC)
    address = bulk.begin("/$export?_type=Patient")
    manifest = bulk.manifest(address)
    assert manifest["request"].endswith("/$export?_type=Patient")
    assert manifest["requiresAccessToken"] is True
    assert before - timedelta(seconds=1) <= datetime.fromisoformat(manifest["transactionTime"]) <= datetime.now(UTC)
    assert manifest["error"] == []
    assert "expires" in bulk.client.get(address).headers


def test_files_are_packed_by_gzip_for_those_who_take_it(bulk, chart):
    (file,) = bulk.manifest(bulk.begin("/$export?_type=Organization"))["output"]
    plain = bulk.client.get(file["url"], headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    packed = bulk.client.get(file["url"], headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content


def test_files_lie_encrypted(bulk, chart, data):
    bulk.manifest(bulk.begin("/$export?_type=Patient"))
    files = [path for path in (data / "exports").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if "Nguyễn".encode() in path.read_bytes()]
    assert not [path for path in files if path.suffix == ".part"]


def test_what_is_given_up_is_gone_with_its_files(run, bulk, chart, data):
    for done in (False, True):
        address = bulk.begin("/$export?_type=Patient")
        files = bulk.manifest(address)["output"] if done else []
        assert bulk.client.delete(address).status_code == 202
        assert bulk.client.get(address).status_code == 404
        assert bulk.client.delete(address).status_code == 404
        for file in files:
            assert bulk.client.get(file["url"]).status_code == 404
        run(bulk.exporter.work())
        assert not (data / "exports" / address.rpartition("/")[2]).exists()


def test_cancelling_in_the_middle_stops_the_work(run, bulk, client, data, monkeypatch):
    monkeypatch.setattr(working, "RESOURCES", 1)
    address = bulk.begin("/$export?_type=Patient")
    run(bulk.exporter.work())
    run(bulk.exporter.work())
    assert "1 resources" in bulk.client.get(address).headers["x-progress"]
    bulk.client.delete(address)
    run(bulk.exporter.work())
    assert run(bulk.exporter.work()) is False
    assert not (data / "exports" / address.rpartition("/")[2]).exists()


def test_files_expire(run, bulk, chart, ground, data):
    address = bulk.begin("/$export?_type=Patient")
    (file,) = bulk.manifest(address)["output"]
    job = address.rpartition("/")[2]
    sql = "UPDATE export_job SET expires = now() - interval '1 second' WHERE id = $1"
    run(ground.database.execute(sql, uuid.UUID(job)))
    assert bulk.client.get(address).status_code == 404
    assert bulk.client.get(file["url"]).status_code == 404
    run(bulk.exporter.work())
    assert not (data / "exports" / job).exists()


def test_a_failure_is_told_and_leaves_no_file(run, bulk, chart, data, monkeypatch):
    address = bulk.begin("/$export?_type=Patient")
    run(bulk.exporter.work())
    monkeypatch.setattr(working, "ATTEMPTS", -1)
    run(bulk.exporter.work())
    answer = bulk.client.get(address)
    assert answer.status_code == 500
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert not (data / "exports" / address.rpartition("/")[2]).exists()


# --- who may -------------------------------------------------------------------------------------------------------


def test_another_program_sees_nothing_of_it(bulk, chart, client, ground):
    address = bulk.begin("/$export?_type=Patient")
    (file,) = bulk.manifest(address)["output"]
    other = client.bound(program(ground, "somebody else"))
    assert [other.get(address).status_code, other.delete(address).status_code, other.get(file["url"]).status_code] == [
        404
    ] * 3
    assert bulk.client.get(file["url"]).status_code == 200
    narrow = client.bound(program(ground, bulk.client.access.who.display, "system/Observation.rs"))
    assert narrow.get(file["url"]).status_code == 403


def test_a_token_exports_what_it_covers(run, chart, client, ground, exporter):
    narrow = Bulk(run, client.bound(program(ground, "narrow", "system/Patient.rs system/Observation.s")), exporter)
    assert {e["resourceType"] for e in narrow.exported("/$export")} == {"Patient"}
    assert narrow.ask("/$export?_type=Observation").status_code == 403
    nothing = Bulk(run, client.bound(program(ground, "nothing", "system/Patient.c")), exporter)
    assert nothing.ask("/$export").status_code == 403


@pytest.mark.parametrize("role", ["doctor", "administrator", "citizen", "facility-administrator"])
def test_people_do_not_export(client, ground, role):
    person = client.bound(ground.access(Who(role=role, purpose="TREAT", display=role)))
    assert person.get("/$export", headers=ASYNC).status_code == 403


def test_the_audit_names_whoever_was_exported(run, bulk, chart, ground, monkeypatch):
    monkeypatch.setattr(working, "DISCLOSED", 2)
    bulk.manifest(bulk.begin("/Patient/$export?_type=Patient,Observation"))
    sql = "SELECT patients FROM audit WHERE interaction = 'export' AND display = $1 AND cardinality(patients) > 0"
    rows = run(ground.database.fetch(sql, bulk.client.access.who.display))
    assert {str(p) for row in rows for p in row["patients"]} >= {each["id"] for each in chart["patients"]}
    assert max(len(row["patients"]) for row in rows) == 2


# --- wrong questions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/$export?_outputFormat=text/csv", 400, "_outputFormat"),
        ("/$export?includeAssociatedData=LatestProvenanceResources", 400, "includeAssociatedData"),
        ("/$export?_type=Pateint", 400, "Pateint"),
        ("/Patient/$export?_type=Organization", 400, "Organization"),
        ("/$export?_since=yesterday", 400, "_since"),
        ("/$export?_since=2020-01-01", 400, "_since"),
        ("/$export?_till=2020", 400, "_till"),
        ("/$export?patient=Patient/1", 400, "patient"),
        ("/$export?_type=Patient&_typeFilter=Observation%3Fcode%3Dx", 400, "_typeFilter"),
        ("/$export?_type=Patient&_typeFilter=Patient%3Fcolour%3Dx", 400, "colour"),
        ("/$export?_type=Patient&_typeFilter=Patient%3Fname%3Dx%26_sort%3Dname", 400, "_sort"),
        ("/$export?_type=Patient&_typeFilter=Patient", 400, "_typeFilter"),
        ("/$export?_type=Patient&_typeFilter=Patient%3Fname%3D%2500", 400, "_typeFilter"),
        ("/$export?_type=Patient&_elements=Patient.colour", 400, "colour"),
        ("/Group/unknown/$export", 404, "Group"),
        ("/Group/$export", 404, "$export"),
        ("/Observation/$export", 404, "$export"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_by_name(bulk, path, status, said):
    answer = bulk.ask(path)
    assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")
    assert said in answer.text


@pytest.mark.parametrize("since", ["9999-12-31T23:59:60Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00%2B14:00"])
def test_the_ends_of_time_are_moments_like_others(bulk, since):
    assert bulk.manifest(bulk.begin(f"/$export?_type=Basic&_since={since}"))["error"] == []


def test_formats_of_the_specification_are_taken(bulk):
    for name in ("application/fhir%2Bndjson", "application/ndjson", "ndjson"):
        bulk.client.delete(bulk.begin(f"/$export?_type=Basic&_outputFormat={name}"))


def test_an_export_is_asked_for_asynchronously(bulk):
    answer = bulk.client.get("/$export")
    assert answer.status_code == 400
    assert "respond-async" in answer.text


def test_no_program_has_many_exports_under_way(bulk):
    begun = [bulk.begin("/$export?_type=Basic") for _ in range(4)]
    assert bulk.ask("/$export?_type=Basic").status_code == 429
    bulk.client.delete(begun[0])
    begun[0] = bulk.begin("/$export?_type=Basic")
    for address in begun:
        bulk.client.delete(address)


def test_addresses_that_are_none(bulk):
    for path in (
        "/bulkdata",
        "/bulkdata/x",
        f"/bulkdata/{uuid.uuid4()}",
        f"/bulkdata/{uuid.uuid4()}/0.ndjson",
        "/bulkdata/a/b/c",
    ):
        assert bulk.client.get(path).status_code == 404
    assert bulk.client.post(f"/bulkdata/{uuid.uuid4()}", {}).status_code == 405
    address = bulk.begin("/$export?_type=Basic")
    bulk.manifest(address)
    for name in ("0", "x.ndjson", "9.ndjson", "../0.ndjson"):
        assert bulk.client.get(f"{address}/{name}").status_code == 404


def test_the_capability_statement_says_so(bulk):
    statement = bulk.client.get("/metadata").json()
    assert statement["instantiates"] == ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"]
    rest = statement["rest"][0]
    listed = {each["type"]: [op["name"] for op in each.get("operation", ())] for each in rest["resource"]}
    assert "export" in [op["name"] for op in rest["operation"]]
    assert "export" in listed["Patient"]
    assert "export" in listed["Group"]


def test_gzip_streams_what_zlib_reads(bulk, chart):
    (file,) = bulk.manifest(bulk.begin("/$export?_type=Organization"))["output"]
    assert isinstance(bulk.client, Client)

    async def raw():
        request = bulk.client.http.build_request("GET", file["url"], headers={"accept-encoding": "gzip"})
        answer = await bulk.client.http.send(request, stream=True)
        return b"".join([piece async for piece in answer.aiter_raw()])

    assert len(gzip.decompress(bulk.run(raw())).splitlines()) == file["count"]
