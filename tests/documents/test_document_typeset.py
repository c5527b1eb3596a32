"""The minutes as a PDF: right text, right standard, same input same bytes, text never run as markup."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject
from pyhanko.pdf_utils.reader import PdfFileReader
from tests.documents.invented_minutes import AT, minutes

from yersin.documents.fonts import showable
from yersin.documents.typeset import typeset
from yersin.fhir.problem import Problem
from yersin.telehealth.documents.addendum import ConsultationAddendum, addendum_pdf
from yersin.telehealth.documents.minutes import Conclusion, minutes_pdf


def words(text):
    return " ".join(text.replace("\u200b", "").split())


def test_the_text_of_the_minutes_is_right_vietnamese(unsigned, poppler):
    text = words(unicodedata.normalize("NFC", poppler("pdftotext", unsigned)))
    for expected in (
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        "BIÊN BẢN HỘI CHẨN TỪ XA",
        "Giàng Thị Mỷ",
        "09/03/1971 (55 tuổi)",
        "Câu hỏi 1. Người bệnh có cần chuyển ngay trong đêm không?",
        "Aspirin 300 mg nhai ngay; nitroglycerin ngậm dưới lưỡi nếu huyết áp tâm thu > 100 mmHg.",
        "Nhồi máu cơ tim cấp không ST chênh lên (I21.4)",
        "ngày 14 tháng 10 năm 2026",
        "09:05 – 09:38 ngày 14/10/2026",
        "Trang 1/2",
    ):
        assert expected in text


def test_the_minutes_say_they_are_archival_and_accessible(unsigned):
    root = PdfFileReader(BytesIO(unsigned)).root
    metadata = root["/Metadata"].data
    assert b"<pdfaid:part>2</pdfaid:part>" in metadata
    assert b"<pdfaid:conformance>B</pdfaid:conformance>" in metadata
    assert b"<pdfuaid:part>1</pdfuaid:part>" in metadata
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "vi-VN"


def test_all_fonts_are_embedded(unsigned, poppler):
    lines = poppler("pdffonts", unsigned).splitlines()[2:]
    assert any("BeVietnamPro" in line for line in lines)
    assert all(line.split()[-5] == "yes" for line in lines)


def test_the_minutes_have_a_field_for_each_side_and_the_last_one_locks(unsigned):
    form = PdfFileReader(BytesIO(unsigned)).root["/AcroForm"]
    fields = {field["/T"]: field for field in (one.get_object() for one in form["/Fields"])}
    assert set(fields) == {"consulted", "requesting"}
    assert "/Lock" not in fields["consulted"]
    assert fields["requesting"]["/Lock"]["/P"] == 1


def test_the_same_input_gives_the_same_bytes_and_another_time_other_bytes(unsigned):
    assert minutes_pdf(minutes()) == unsigned
    assert minutes_pdf(minutes(issued_at=AT + timedelta(days=1))) != unsigned


def test_several_at_once_are_each_right():
    numbers = [f"{n}/BB" for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda number: minutes_pdf(minutes(number=number)), numbers))
    assert [PdfFileReader(BytesIO(pdf)).trailer["/Info"]["/Title"][-4:] for pdf in made] == numbers


def test_very_long_minutes_run_over_pages():
    long = "\n\n".join("Diễn biến lâm sàng ổn định, tiếp tục theo dõi sát mạch và huyết áp. " * 20 for _ in range(60))
    pdf = minutes_pdf(minutes(history=long))
    assert int(PdfFileReader(BytesIO(pdf)).root["/Pages"]["/Count"]) > 10


def test_a_document_that_takes_too_long_is_stopped():
    long = "\n\n".join("Diễn biến ổn định. " * 30 for _ in range(1000))
    with pytest.raises(Problem, match="shorten the text"):
        typeset("telehealth/documents/minutes.typ", {"text": long}, at=AT, seconds=0.01)


def test_too_much_text_is_refused():
    with pytest.raises(Problem, match="too long"):
        minutes_pdf(minutes(history="a" * 2_100_000))


@pytest.mark.parametrize("template", ["../../../etc/passwd", "documents/templates/none.typ", Path("/etc/passwd")])
def test_only_templates_of_the_house_are_read(template):
    with pytest.raises(Problem, match="No document template"):
        typeset(template, {}, at=AT)


MARKUP = [
    '#panic("run")',
    "*bold* _emphasis_ = heading",
    "$ sum_(i=0)^n $",
    "@reference <label>",
    '#image("/etc/passwd") #read("/etc/passwd")',
    "`raw` ```typ #panic()```",
    "// comment /* comment */",
    '"quotes" \\ # { } [ ] ~ -- --- end',
    "https://example.org/a?b=c&d=e",
    "مرحبا بالعالم",
    "😀👩‍⚕️🫀",
    "ಠ_ಠ 漢字",
    "a" * 3000,
    "\u202egnp.exe\u202c",
    "",
    " \n\n\n \t",
]


def test_markup_in_the_text_is_printed_not_run(poppler):
    pdf = minutes_pdf(minutes(findings="\n".join(MARKUP[:9])))
    text = words(poppler("pdftotext", pdf))
    for line in MARKUP[:8]:
        assert words(line) in text


@pytest.mark.parametrize("odd", MARKUP)
def test_odd_text_anywhere_still_makes_a_document(odd):
    conclusion = Conclusion(question=odd, answer=odd)
    pdf = minutes_pdf(minutes(findings=odd, reason=odd, number=f"1/BB{odd[:40]}", conclusions=(conclusion,)))
    assert pdf.startswith(b"%PDF")


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=200) | st.lists(st.sampled_from(MARKUP), max_size=5).map(" ".join))
def test_any_text_is_printed_letter_by_letter(tmp_path, text):
    pdf = minutes_pdf(minutes(treatment_plan=f"«{text}»"))
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed (Debian: poppler-utils)")
    (tmp_path / "any.pdf").write_bytes(pdf)
    done = subprocess.run(["pdftotext", str(tmp_path / "any.pdf"), "-"], capture_output=True, check=True)
    shown = done.stdout.decode().replace("\u200b", "").replace("-", "")  # it drops hyphens that end a line
    assert "«" in shown
    for part in showable(text).split():
        if part.isascii() and len(part) < 25:
            assert part.replace("-", "") in shown


def pages(poppler, pdf):
    """The words of every page."""
    return [words(one) for one in unicodedata.normalize("NFC", poppler("pdftotext", pdf)).split("\f")[:-1]]


def test_an_empty_section_is_left_out_and_the_numbers_go_on(poppler):
    lacking = minutes(opinions=(), treatment_plan="", care="", transfer="", follow_up="", advice="")
    text = " ".join(pages(poppler, minutes_pdf(lacking)))
    assert "Ý kiến thảo luận" not in text
    assert "Hướng xử trí" not in text
    for number, name in enumerate(
        ("Người bệnh", "Thành phần tham dự", "Lý do và câu hỏi", "Tóm tắt bệnh án", "Kết luận", "Xác nhận"), start=1
    ):
        assert f"{number}. {name}" in text


@pytest.mark.parametrize("paragraphs", range(3, 15) if os.environ.get("YERSIN_LONG_TESTS") else (3, 8, 12))
def test_no_page_holds_signatures_or_the_code_alone(poppler, paragraphs):
    long = "\n\n".join(
        "Diễn biến lâm sàng ổn định, tiếp tục theo dõi sát mạch và huyết áp. " * 4 for _ in range(paragraphs)
    )
    last = pages(poppler, minutes_pdf(minutes(history=long, care=long)))[-1]
    assert "Xác nhận" in last
    assert "ĐẠI DIỆN BÊN TƯ VẤN" in last
    assert minutes().verification_code in last


def test_the_code_stands_among_the_keywords(unsigned):
    assert PdfFileReader(BytesIO(unsigned)).trailer["/Info"]["/Keywords"] == minutes().verification_code


def addendum(**changes):
    known = minutes()
    plain = {
        "number": "BS-20261014-121500-3F2A1C",
        "minutes_number": known.number,
        "minutes_date": known.issued_at,
        "issued_at": AT,
        "place": "Sơn La",
        "issuer": known.requesting,
        "patient": known.patient,
        "text": "Trạm nhận thêm kết quả troponin lần hai: 61 ng/L.",
        "signatures": known.signatures[::-1],
        "verification_address": known.verification_address,
        "verification_code": known.verification_code,
    }
    return ConsultationAddendum(**(plain | changes))


def test_an_addendum_names_the_minutes_and_who_adds(poppler):
    text = " ".join(pages(poppler, addendum_pdf(addendum())))
    assert "Bổ sung cho: Biên bản hội chẩn từ xa số 0042/BB-HCTX, ký ngày 14 tháng 10 năm 2026" in text
    assert "Người bổ sung: BS. Vàng A Páo, Trưởng trạm" in text
    assert "biên bản đã ký được giữ nguyên" in text


def test_who_adds_signs_first_and_the_other_side_locks():
    root = PdfFileReader(BytesIO(addendum_pdf(addendum()))).root
    fields = {field["/T"]: field for field in (one.get_object() for one in root["/AcroForm"]["/Fields"])}
    assert "/Lock" not in fields["requesting"]
    assert fields["consulted"]["/Lock"]["/P"] == 1


def test_a_long_addendum_runs_over_pages(poppler):
    long = "\n\n".join(f"Đoạn {n}. " + "Diễn biến ổn định, theo dõi sát. " * 20 for n in range(40))
    found = pages(poppler, addendum_pdf(addendum(text=long)))
    assert len(found) > 3
    assert "Đoạn 39." in " ".join(found)
    assert "giữ nguyên" in found[-1]


def test_poppler_reads_the_title_and_that_it_is_tagged(unsigned, poppler):
    told = poppler("pdfinfo", unsigned)
    assert "Biên bản hội chẩn từ xa số 0042/BB-HCTX" in told
    assert re.search(r"Tagged: +yes", told)


def roles(node):
    """The roles in a structure tree."""
    node = node.get_object()
    if not isinstance(node, DictionaryObject):
        return set()
    below = node.get("/K", ())
    children = below if isinstance(below, ArrayObject) else [below]
    return {str(node.get("/S", ""))}.union(*(roles(child) for child in children if hasattr(child, "get_object")))


def test_headings_tables_and_the_code_have_their_place_in_the_structure(unsigned):
    found = roles(PdfFileReader(BytesIO(unsigned)).root["/StructTreeRoot"])
    assert {"/H1", "/H2", "/P", "/Table", "/TH", "/Figure", "/Form"} <= found
