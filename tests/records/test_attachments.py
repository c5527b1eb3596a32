"""Attachments over HTTP: sent piece by piece, refused in plain words, written once, shown to those who may see the chart."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.imaging import makers
from tests.running import House

PIECE = 64 << 10


@pytest.fixture(scope="module")
def son(house: House) -> str:
    found = house.cast["benhnhan"].patient_id
    assert found is not None
    return found


@pytest.fixture(scope="module")
def worker(house: House) -> httpx.Client:
    return house.signed_in("tram")


def _start(worker: httpx.Client, patient: str, name: str, size: int) -> httpx.Response:
    return worker.post(f"/records/{patient}/uploads", json={"name": name, "size": size, "piece": PIECE})


def _piece(worker: httpx.Client, place: str, content: bytes, offset: int) -> httpx.Response:
    part = content[offset : offset + PIECE]
    headers = {"upload-offset": str(offset), "upload-digest": hashlib.sha256(part).hexdigest()}
    headers["content-type"] = "application/octet-stream"
    return worker.post(f"{place}/pieces", content=part, headers=headers)


def _sent(worker: httpx.Client, patient: str, name: str, content: bytes) -> str:
    """Send a file to its end; gives the address of the upload."""
    begun = _start(worker, patient, name, len(content))
    assert begun.status_code == 201, begun.text
    place = f"/records/{patient}/uploads/{begun.json()['id']}"
    offset = 0
    while offset < len(content):
        answer = _piece(worker, place, content, offset)
        assert answer.status_code == 200, answer.text
        offset = answer.json()["offset"]
    return place


def _attached(worker: httpx.Client, patient: str, name: str, content: bytes, *, confirmed: bool = False) -> Any:
    place = _sent(worker, patient, name, content)
    done = worker.post(f"{place}/finish", json={"confirmed": confirmed})
    assert done.status_code == 200, done.text
    return done.json()


def _file(href: str) -> str:
    return href.rpartition("/")[2]


def _unlike() -> bytes:
    """A photograph like no other."""
    return makers.picture((90 + os.urandom(1)[0], 300 + os.urandom(1)[0]))


def test_a_photograph_goes_into_the_chart_and_is_shown_there(worker: httpx.Client, son: str) -> None:
    done = _attached(worker, son, "vet-thuong.jpg", _unlike())
    assert (done["state"], done["resource"].partition("/")[0]) == ("ready", "Media")
    listed = worker.get(f"/records/{son}/images")
    assert done["href"] in listed.text
    viewer = worker.get(done["href"])
    assert "vet-thuong" in viewer.text
    assert "vet-thuong" not in re.search("<title>(.*?)</title>", viewer.text)[1]  # type: ignore[index] # it has a title
    shown = re.search(r'data-viewer-image="([^"]+)"', viewer.text)
    assert shown is not None
    picture = worker.get(shown[1])
    assert picture.content[:3] == b"\xff\xd8\xff"
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in picture.headers["content-security-policy"]
    thumbnail = re.search(rf'href="{done["href"]}"><img[^>]*src="([^"]+)"', listed.text)
    assert thumbnail is not None
    assert worker.get(thumbnail[1]).headers["content-type"].startswith("image/")


def test_a_pdf_is_listed_among_the_documents_and_opens_whole_or_by_range(worker: httpx.Client, son: str) -> None:
    content = makers.pdf(pages=2) + os.urandom(4).hex().encode()
    done = _attached(worker, son, "giay-ra-vien.pdf", content)
    assert done["resource"].startswith("DocumentReference/")
    assert "giay-ra-vien" in worker.get(f"/records/{son}/documents").text
    page = worker.get(f"/records/{son}/documents/{_file(done['resource'])}").text
    assert f"/records/{son}/files/{_file(done['href'])}" in page
    opened = worker.get(done["href"])
    assert (opened.content, opened.headers["content-type"]) == (content, "application/pdf")
    part = worker.get(done["href"], headers={"range": "bytes=5-11"})
    assert (part.status_code, part.content) == (206, content[5:12])
    assert part.headers["content-range"] == f"bytes 5-11/{len(content)}"
    last = worker.get(done["href"], headers={"range": "bytes=-6"})
    assert last.content == content[-6:]
    assert worker.get(done["href"], headers={"range": f"bytes={len(content)}-"}).status_code == 416


def test_a_dicom_file_of_somebody_else_must_be_confirmed_and_is_then_drawn(worker: httpx.Client, son: str) -> None:
    content = makers.dicom_file("CT_small.dcm").read_bytes()
    place = _sent(worker, son, "CT_small.dcm", content)
    asked = worker.post(f"{place}/finish", json={"confirmed": False}).json()
    assert asked["state"] == "confirm"
    assert asked["warnings"]
    done = worker.post(f"{place}/finish", json={"confirmed": True}).json()
    assert done["state"] == "ready"
    assert worker.get(f"{done['href']}/view").json()["rows"] == 128
    frame = worker.get(f"{done['href']}/view/frames/1?center=40&width=400")
    assert (frame.status_code, frame.headers["content-type"]) == (200, "image/png")
    assert worker.get(f"{done['href']}/view/frames/9").status_code == 404
    assert done["href"] in worker.get(f"/records/{son}/images").text
    assert "CT_small" not in worker.get(f"/records/{son}/documents").text
    again = _attached(worker, son, "CT_small.dcm", content, confirmed=True)
    assert again["href"] == done["href"]


def _slice(number: int, study: str) -> bytes:
    uids = {"SOPInstanceUID": f"{study}.1.{number}", "StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.1"}
    return makers.grey_dicom([[number, 2], [3, 4]], **uids)


def test_images_of_one_study_gather_in_one_study(house: House, worker: httpx.Client, son: str) -> None:
    study = f"1.2.{int.from_bytes(os.urandom(6), 'big')}"
    first, second = (_attached(worker, son, "a.dcm", _slice(n, study), confirmed=True) for n in (1, 2))
    assert first["resource"] == second["resource"]
    assert first["resource"].startswith("ImagingStudy/")
    query = {"patient": f"Patient/{son}", "identifier": f"urn:dicom:uid|urn:oid:{study}"}
    found = house.machine().get("/fhir/ImagingStudy", params=query).json()["entry"]
    assert [e["resource"]["numberOfInstances"] for e in found] == [2]
    uids = {"SOPInstanceUID": f"{study}.1.1", "StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.1"}
    other_bytes = _attached(worker, son, "b.dcm", makers.grey_dicom([[9, 9]], **uids), confirmed=True)
    assert other_bytes["href"] == first["href"]
    listed = worker.get(f"/records/{son}/images").text
    assert first["href"] in listed
    assert second["href"] in listed


@pytest.mark.parametrize(
    "content", [b"MZ" + bytes(3000), b"<html><script>alert(1)</script></html>", b"\xff\xd8\xff no"]
)
def test_what_is_no_image_is_refused_in_plain_words(worker: httpx.Client, son: str, content: bytes) -> None:
    place = _sent(worker, son, "anh.jpg", content)
    refused = worker.post(f"{place}/finish", json={"confirmed": False})
    assert 400 <= refused.status_code < 500
    assert refused.json()["state"] == "refused"
    assert "/" in refused.json()["text"]


def test_two_gigabytes_are_refused_before_a_byte_is_sent(worker: httpx.Client, son: str) -> None:
    refused = _start(worker, son, "phim.dcm", 2 << 30)
    assert refused.status_code == 413
    assert "512" in refused.json()["text"]


def test_an_upload_goes_on_where_it_was_cut(worker: httpx.Client, son: str) -> None:
    content = makers.pdf(objects=(f"<< /Padding ({os.urandom(100_000).hex()}) >>",))
    begun = _start(worker, son, "dai.pdf", len(content)).json()
    place = f"/records/{son}/uploads/{begun['id']}"
    _piece(worker, place, content, 0)
    torn = worker.post(
        f"{place}/pieces",
        content=content[PIECE : PIECE + 9],
        headers={"upload-offset": str(PIECE), "upload-digest": "0"},
    )
    assert torn.status_code >= 400
    assert worker.post(f"{place}/finish", json={"confirmed": False}).status_code >= 400
    offset = worker.get(place).json()["offset"]
    assert offset == PIECE
    assert _piece(worker, place, content, 0).json()["offset"] == PIECE
    while offset < len(content):
        offset = _piece(worker, place, content, offset).json()["offset"]
    done = worker.post(f"{place}/finish", json={"confirmed": False}).json()
    assert worker.get(done["href"]).content == content


def test_the_same_file_twice_is_in_the_chart_once(house: House, worker: httpx.Client, son: str) -> None:
    content = makers.pdf() + os.urandom(4).hex().encode()
    place = _sent(worker, son, "hai-lan.pdf", content)
    first, repeated = (worker.post(f"{place}/finish", json={"confirmed": False}).json() for _ in range(2))
    sent_again = _attached(worker, son, "ten-khac.pdf", content)
    assert first["href"] == repeated["href"] == sent_again["href"]
    papers = house.machine().get("/fhir/DocumentReference", params={"patient": son, "_count": 200}).json()
    urls = [e["resource"]["content"][0]["attachment"].get("url") for e in papers["entry"]]
    assert urls.count(f"/fhir/Binary/{_file(first['href'])}") == 1


def test_a_stranger_neither_attaches_nor_reads(house: House, worker: httpx.Client) -> None:
    station = house.cast["tram"].organization_id
    kept: dict[str, str] = {"organization": f"Organization/{station}", "_count": "100", "_sort": "_lastUpdated"}
    # somebody no other test asks a hospital about
    son = house.machine().get("/fhir/Patient", params=kept).json()["entry"][-1]["resource"]["id"]
    done = _attached(worker, son, "rieng.jpg", _unlike())
    stranger, file = house.signed_in("chuyengia2"), _file(done["href"])
    assert _start(stranger, son, "a.jpg", 100).status_code == 404
    for path in (f"files/{file}", f"images/{file}", f"images/{file}/view", f"images/{file}/view/frames/1"):
        assert stranger.get(f"/records/{son}/{path}").status_code == 404
    assert house.visitor().get(f"/records/{son}/files/{file}").status_code in (302, 303, 401)
    begun = _start(worker, son, "b.jpg", 100).json()
    assert stranger.get(f"/records/{son}/uploads/{begun['id']}").status_code == 404


def test_a_file_is_not_shown_under_another_patient(worker: httpx.Client, son: str) -> None:
    file = _file(_attached(worker, son, "cua-son.jpg", _unlike())["href"])
    other = _somebody_else(worker, son)
    assert worker.get(f"/records/{other}/files/{file}").status_code == 404
    begun = _start(worker, son, "c.jpg", 100).json()
    assert worker.get(f"/records/{other}/uploads/{begun['id']}").status_code == 404


def _somebody_else(worker: httpx.Client, son: str) -> str:
    found = worker.post("/people/find", data={"q": "nguyen"}, headers={"hx-request": "true"}).text
    return next(str(i) for i in re.findall(r'href="/records/([0-9a-f-]+)"', found) if i != son)


def test_the_patient_opens_the_files_and_attaches_none(house: House, worker: httpx.Client, son: str) -> None:
    done = _attached(worker, son, "cho-son.jpg", _unlike())
    citizen = house.signed_in("benhnhan")
    assert citizen.get(f"/records/{son}/files/{_file(done['href'])}").status_code == 200
    assert _start(citizen, son, "a.jpg", 100).status_code == 403


def test_the_api_sends_a_binary_raw_or_as_a_resource(house: House, worker: httpx.Client, son: str) -> None:
    content = makers.pdf() + os.urandom(4).hex().encode()
    file = _file(_attached(worker, son, "api.pdf", content)["href"])
    machine = house.machine()
    raw = machine.get(f"/fhir/Binary/{file}")
    assert (raw.content, raw.headers["content-type"]) == (content, "application/pdf")
    part = machine.get(f"/fhir/Binary/{file}", headers={"range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"%PDF")
    resource = machine.get(f"/fhir/Binary/{file}", headers={"accept": "application/fhir+json"})
    assert resource.json()["contentType"] == "application/pdf"
    assert machine.head(f"/fhir/Binary/{file}").headers["content-length"] == str(len(content))


def test_a_binary_that_names_a_file_it_was_not_given_opens_nothing(
    house: House, worker: httpx.Client, son: str
) -> None:
    machine = house.machine()
    file = _file(_attached(worker, son, "kin.pdf", makers.pdf() + os.urandom(4).hex().encode())["href"])
    stolen = machine.get(f"/fhir/Binary/{file}", headers={"accept": "application/fhir+json"}).json()
    del stolen["id"], stolen["meta"]
    made = machine.post("/fhir/Binary", content=json.dumps(stolen))
    assert made.status_code == 201
    place = made.headers["location"].partition("/_history")[0]
    assert machine.get(place[place.index("/fhir") :]).status_code == 404


def test_a_binary_that_holds_its_content_is_a_resource_unless_its_kind_is_asked_for(house: House, son: str) -> None:
    machine = house.machine()
    text = {"resourceType": "Binary", "contentType": "text/plain", "data": "eGluIGNow6Bv"}
    made = machine.post(
        "/fhir/Binary", content=json.dumps({**text, "securityContext": {"reference": f"Patient/{son}"}})
    )
    place = made.headers["location"].partition("/_history")[0]
    path = place[place.index("/fhir") :]
    assert machine.get(path).json()["data"] == text["data"]
    raw = machine.get(path, headers={"accept": "text/plain"})
    assert raw.text == "xin chào"
    assert raw.headers["content-disposition"] == "attachment"


def test_without_scripts_a_form_attaches_too(worker: httpx.Client, son: str, tmp_path: Path) -> None:
    done = worker.post(f"/records/{son}/attachments", files=[("files", ("anh.jpg", _unlike(), "image/jpeg"))])
    assert done.status_code == 303
    refused = worker.post(f"/records/{son}/attachments", files=[("files", ("anh.jpg", b"no picture", "image/jpeg"))])
    assert refused.status_code == 422
    foreign = [("files", ("c.dcm", _slice(1, "1.2.99.77"), "application/dicom"))]
    assert worker.post(f"/records/{son}/attachments", files=foreign).status_code == 422
    assert worker.post(f"/records/{son}/attachments", files=foreign, data={"confirmed": "yes"}).status_code == 303
