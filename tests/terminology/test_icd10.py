"""ICD-10 as the ministry lists it, and what is no such list."""

from __future__ import annotations

import pytest

from yersin.terminology import icd10


def test_the_official_list_reads_whole(shared):
    listed = {e.code: e for e in icd10.read_official(shared / "vietnam" / "code-lists" / "icd10-vn-qd4469.xlsx")}
    assert len(listed) > 12_000
    assert listed["A00.0"].title_vi == "Bệnh tả do Vibrio cholerae 01, typ sinh học cholerae"
    assert listed["A00.0"].parent == "A00"
    assert "A06.5" in listed  # the dagger of double coding is no part of the code


def test_another_workbook_is_refused_with_the_cure(shared):
    with pytest.raises(ValueError, match="4469"):
        list(icd10.read_official(shared / "vietnam" / "code-lists" / "icd9cm-vol3-qd4440.xlsx"))


def test_what_is_no_workbook_is_refused(tmp_path):
    other = tmp_path / "list.xlsx"
    other.write_bytes(b"not a workbook")
    with pytest.raises(ValueError, match="not a workbook"):
        list(icd10.read_official(other))


@pytest.mark.parametrize(
    ("typed", "folded"), [("Tăng huyết áp", "tang huyet ap"), ("ĐÁI tháo  đường", "dai thao duong")]
)
def test_marks_and_case_make_no_difference(typed, folded):
    assert icd10.fold(typed) == folded
