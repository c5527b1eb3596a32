"""The public page where a signed document is checked, and the papers of additions, on a running house."""

from __future__ import annotations

import base64
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from pyhanko.pdf_utils.generic import NumberObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from tests import browsers
from tests.documents.test_checking import encrypted
from tests.running import form_token
from tests.telehealth.browserless import signed_in
from tests.telehealth.conftest import CAST, accepted, asked, minutes_of

from yersin.app.ground import opened
from yersin.documents.authority import TestAuthority
from yersin.documents.authority_store import FolderStore
from yersin.documents.checking import LARGEST
from yersin.documents.signing import Wording, sign
from yersin.settings import Settings

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SON = next(member.patient_id for member in CAST.values() if member.patient_id)
ADDED = "Đã có kết quả <b>troponin</b> lần hai."


@dataclass
class Case:
    """A consultation whose minutes both sides signed, with one addition of the station that both signed."""

    path: str
    code: str
    first: bytes
    both: bytes
    addition: bytes
    station_page: str
    specialist_page: str
    again: int


@pytest.fixture(scope="module")
def case(house):
    station, specialist = signed_in(house.base_url, "tram"), signed_in(house.base_url, "chuyengia")
    path = asked(station, SON)
    accepted(specialist, path)
    specialist.get(f"{path}/minutes")
    specialist.post(f"{path}/minutes", minutes_of("sign", "Thêm amlodipin.", "Không cần."))
    first = pdf_at(house, station, f"{path}/minutes.pdf")
    station.get(path)
    station.post(f"{path}/countersign", {})
    both = pdf_at(house, station, f"{path}/minutes.pdf")
    for _ in range(2):  # a double click
        station_page = station.post(f"{path}/additions", {"addition": ADDED}, key="addition-1")
    link = re.search(rf"{path}/additions/([0-9a-f-]+)\.pdf", station_page.body)
    assert link, station_page.words[:800]
    specialist_page = specialist.get(path)
    sign_it = f"{path}/additions/{link[1]}/countersign"
    assert sign_it in specialist_page.body
    assert sign_it not in station_page.body
    specialist.post(sign_it, {})
    again = specialist.post(sign_it, {}, follow=False).status
    page = specialist.get(path)
    link = re.search(rf"{path}/additions/([0-9a-f-]+)\.pdf", page.body)
    assert link is not None
    return Case(
        path=path, code=code_in(both), first=first, both=both, addition=pdf_at(house, station, link[0]),
        station_page=station_page.words, specialist_page=page.words, again=again,
    )  # fmt: skip


def pdf_at(house, browser, path):
    answer = httpx.get(house.base_url + path, cookies=browser.cookies)
    assert answer.headers["content-type"] == "application/pdf"
    return answer.content


def code_in(pdf):
    found = re.search(rb"/Keywords ?\(([0-9A-Z-]{19})\)", pdf)
    assert found
    return found[1].decode()


@pytest.fixture(scope="module")
def trust(house, run):
    """The house's authority, opened beside it."""

    async def keys():
        async with opened(Settings(data_dir=house.server.keys_dir), house.database_url, connections=2) as ground:
            return ground.keys

    ring = run(keys())
    return TestAuthority(
        FolderStore(house.server.keys_dir / "authority"),
        wrap=lambda plain: ring.seal("signers", plain),
        unwrap=lambda sealed: ring.open("signers", sealed),
        address=house.base_url,
    )


@pytest.fixture
def visitor(house):
    browser = house.visitor()
    browser.cookies.set("language", "en")
    return browser


def brought(visitor, pdf, code="", **headers):
    """What the page says of a file."""
    token = form_token(visitor, "/verify")
    answer = visitor.post(
        f"/verify/{code}" if code else "/verify",
        data={"csrf_token": token},
        files={"file": ("minutes.pdf", pdf, "application/pdf")},
        headers=headers,
    )
    words = re.sub(r"<(script|style).*?</\1>", " ", answer.text, flags=re.DOTALL)
    return answer.status_code, " ".join(re.sub(r"<[^>]+>", " ", words).split())


def test_the_document_of_both_sides_is_unchanged_and_says_who_signed(case, visitor):
    status, words = brought(visitor, case.both, case.code)
    assert status == 200
    assert "Unchanged since it was signed" in words
    assert "newest revision" in words
    for member in (CAST["chuyengia"], CAST["tram"]):
        assert member.name.text in words
    assert words.count("proved by a time-stamp") == 2
    assert "Something was added later, in 1 document" in words


def test_a_file_finds_its_document_without_the_code(case, visitor):
    _, words = brought(visitor, case.both)
    assert f"Document of the code {case.code}" in words


def test_an_earlier_revision_is_valid_and_told_to_have_a_successor(case, visitor):
    _, words = brought(visitor, case.first, case.code)
    assert "Unchanged since it was signed" in words
    assert "A later revision exists" in words


def test_a_changed_byte_is_found_out(case, visitor):
    at = case.both.index(b"/MediaBox") + 12
    _, words = brought(visitor, case.both[:at] + bytes([case.both[at] ^ 1]) + case.both[at + 1 :], case.code)
    assert "Changed after it was signed" in words
    assert "Unchanged since it was signed" not in words


def test_an_appended_revision_is_found_out(case, visitor):
    writer = IncrementalPdfFileWriter(BytesIO(case.both))
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Rotate"] = NumberObject(90)
    writer.mark_update(page.container_ref)
    out = BytesIO()
    writer.write(out)
    _, words = brought(visitor, out.getvalue(), case.code)
    assert "Changed after it was signed" in words
    assert "not the document of this code" in words


def test_another_document_is_not_taken_for_that_of_the_code(case, visitor):
    _, words = brought(visitor, case.addition, case.code)
    assert "Unchanged since it was signed" in words
    assert "not the document of this code" in words


def test_foreign_files_get_their_answers(unsigned, once_signed, visitor):
    assert "carries no digital signature" in brought(visitor, unsigned)[1]
    assert "Signed by an authority unknown here" in brought(visitor, once_signed)[1]
    assert "protected by a password" in brought(visitor, encrypted(unsigned))[1]
    assert "not a PDF" in brought(visitor, b"GIF89a")[1]
    assert brought(visitor, b"")[0] == 422


def test_a_file_too_large_is_refused_before_it_is_read(visitor):
    assert brought(visitor, b"%PDF-" + bytes(LARGEST + (1 << 20)))[0] == 413


@pytest.mark.parametrize(("moved", "expected"), [(1, "Unchanged since"), (-60, "Signed with a revoked certificate")])
def test_a_revocation_is_told_and_counts_from_its_moment(trust, unsigned, visitor, moved, expected):
    serial = trust.issue(
        name="BS. Hà Thị Nhung", title="Bác sĩ", organisation="Trạm", identifier=f"99{moved}/CCHN"
    ).serial
    at = datetime.now(UTC)
    signed = sign(unsigned, trust.signer(serial), field="consulted", wording=Wording(reason="Ký"), at=at)
    trust.revoke(serial, "keyCompromise", at + timedelta(seconds=moved))
    _, words = brought(visitor, signed)
    assert expected in words
    assert "revoked since" in words
    assert "the key was compromised" in words


def test_the_code_alone_tells_sides_and_times_and_nothing_of_the_patient(case, house, visitor):
    answer = visitor.get(f"/verify/{case.code}")
    assert answer.status_code == 200
    assert "Consulting side" in answer.text
    machine = house.machine()
    hospital = machine.get(f"/fhir/Organization/{CAST['chuyengia'].organization_id}").json()["name"]
    assert hospital in answer.text
    patient = machine.get(f"/fhir/Patient/{SON}").json()
    secrets = [patient["birthDate"], *(i["value"] for i in patient["identifier"]), SON, patient["name"][0]["family"]]
    secrets += [CAST["benhnhan"].name.text, CAST["chuyengia"].name.text, "amlodipin", "troponin"]
    assert [one for one in secrets if re.search(rf"\b{re.escape(one)}\b", answer.text)] == []


def test_a_code_nobody_has_is_not_found_and_a_typed_one_leads_there(case, visitor):
    assert visitor.get("/verify/0000-0000-0000-0000").status_code == 404
    assert visitor.get("/verify", params={"code": "nonsense"}).status_code == 404
    led = visitor.get("/verify", params={"code": case.code.replace("-", " ").lower()})
    assert led.headers["location"] == f"/verify/{case.code}"


def test_the_page_takes_files_from_its_own_form_only(case, visitor):
    files = {"file": ("minutes.pdf", case.both, "application/pdf")}
    assert visitor.post("/verify", files=files).status_code == 403
    assert brought(visitor, case.both, **{"sec-fetch-site": "cross-site"})[0] == 403


def test_the_papers_are_kept_as_fhir_says(case, house):
    machine = house.machine()
    task = machine.get(f"/fhir/Task/{case.path.rpartition('/')[2]}").json()
    focus = task["focus"]["reference"]
    found = machine.get(f"/fhir/DocumentReference?related={focus}&_sort=_lastUpdated").json()["entry"]
    first, both, added, added_both = [entry["resource"] for entry in found]
    relations = [
        [(r["code"], r["target"]["reference"]) for r in d.get("relatesTo", ())] for d in (both, added, added_both)
    ]
    appends = ("appends", f"DocumentReference/{both['id']}")
    assert relations == [
        [("signs", f"DocumentReference/{first['id']}")],
        [appends],
        [("signs", f"DocumentReference/{added['id']}"), appends],
    ]
    assert {d["identifier"][0]["value"] for d in (first, both)} == {case.code}
    assert {d["identifier"][0]["value"] for d in (added, added_both)} == {code_in(case.addition)}
    assert base64.b64decode(added_both["content"][0]["attachment"]["data"]) == case.addition


def test_both_sides_sign_an_addition_once_and_both_see_its_paper(case):
    assert "Signed by who added" in case.station_page
    assert case.station_page.count("lần hai") == 1, "sent twice, added once"
    assert "Sign the addition for your facility" not in case.specialist_page
    assert "Sign the addition" not in case.station_page
    assert case.again == 409


def test_the_paper_of_an_addition_says_what_it_adds_to_in_right_vietnamese(case, poppler, visitor):
    text = " ".join(unicodedata.normalize("NFC", poppler("pdftotext", case.addition)).split())
    number = re.search(r"HC-\d{8}-[0-9A-F]{6}", " ".join(poppler("pdftotext", case.both).split()))
    assert number is not None
    assert "BỔ SUNG BIÊN BẢN HỘI CHẨN TỪ XA" in text
    assert f"Biên bản hội chẩn từ xa số {number[0]}" in text
    assert "Đã có kết quả <b>troponin</b> lần hai." in text
    assert text.count("ĐÃ KÝ SỐ") == 2
    _, words = brought(visitor, case.addition)
    assert "Unchanged since it was signed" in words
    assert "An addition to the minutes" in words


def test_the_patient_reads_the_addition_and_strangers_do_not(case, house):
    patient, stranger = signed_in(house.base_url, "benhnhan"), signed_in(house.base_url, "bstinh")
    page = patient.get("/my-record")
    link = re.search(rf"{case.path}/additions/[0-9a-f-]+\.pdf", page.body)
    assert link
    assert pdf_at(house, patient, link[0]) == case.addition
    assert stranger.get(link[0]).status == 404
    assert patient.get(f"{case.path}/additions/{SON}.pdf").status == 404


@pytest.fixture
def chromium():
    """A browser for one test: while it lives, no other event loop can run."""
    with browsers.chromium() as browser:
        yield browser


@pytest.mark.parametrize(("width", "language"), [(1366, "vi"), (390, "en")])
def test_the_page_keeps_nobody_out_and_works_by_keyboard(case, house, chromium, tmp_path, width, language):
    (tmp_path / "minutes.pdf").write_bytes(case.both)
    context = chromium.new_context(viewport={"width": width, "height": 800}, bypass_csp=True)
    context.add_cookies([{"name": "language", "value": language, "url": house.base_url}])
    page = context.new_page()
    for path in ("/verify", f"/verify/{case.code}"):
        page.goto(house.base_url + path)
        assert judged(page) == []
    page.locator("#f-file").set_input_files(tmp_path / "minutes.pdf")
    page.locator("#f-file").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#verdict-words").wait_for()
    assert page.evaluate("document.activeElement.id") == "verdict-words"
    assert judged(page) == []
    context.close()


def judged(page):
    """What axe finds, and whether the page is wider than its window."""
    page.add_script_tag(path=AXE)
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)["violations"]
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1")
    return [f"{one['id']}: {[node['target'] for node in one['nodes']][:3]}" for one in found] + ["wide"] * wide
