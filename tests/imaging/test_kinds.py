"""What a file is, found by its content; refusals name what came and the cure."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.imaging.makers import dicom_files, grey_dicom, pdf, picture

from yersin.fhir.problem import Problem
from yersin.imaging.kinds import Kind, find_kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (picture(kind="JPEG"), Kind.JPEG),
        (picture(kind="PNG"), Kind.PNG),
        (picture(kind="WEBP"), Kind.WEBP),
        (pdf(), Kind.PDF),
        (grey_dicom([[1, 2], [3, 4]]), Kind.DICOM),
    ],
)
def test_a_kind_is_found_by_content(content: bytes, kind: Kind) -> None:
    assert find_kind(io.BytesIO(content)) is kind


def test_dicom_files_of_all_devices_are_recognised() -> None:
    for path in dicom_files():
        with path.open("rb") as file:
            assert find_kind(file) is Kind.DICOM, path.name


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"\0\0\0\x18ftypheic" + bytes(20), "Most Compatible"),
        (b"\0\0\0\x18ftypavif" + bytes(20), "HEIC/AVIF"),
        (b"\0\0\0\x18ftypisom" + bytes(20), "MP4"),
        (b"PK\x03\x04" + bytes(50), "Word"),
        (b"GIF89a" + bytes(50), "GIF"),
        (b"MZ" + bytes(50), "Windows program"),
        (b"<html><script>alert(1)</script>", "unknown kind"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", "unknown kind"),
        ("Ảnh chụp".encode(), "unknown kind"),
        (b"", "empty"),
        (b"  %PDF-1.7", "unknown kind"),
    ],
)
def test_other_files_are_refused_by_name_and_with_the_cure(content: bytes, named: str) -> None:
    with pytest.raises(Problem, match=named):
        find_kind(io.BytesIO(content))


def test_a_program_in_the_preamble_does_not_hide_that_it_is_dicom() -> None:
    content = b"MZ" + bytes(126) + grey_dicom([[1]])[128:]
    assert find_kind(io.BytesIO(content)) is Kind.DICOM


def test_a_pdf_with_an_archive_behind_it_is_refused() -> None:
    with pytest.raises(Problem, match="archive hidden"):
        find_kind(io.BytesIO(pdf() + b"PK\x05\x06" + bytes(18)))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_kind_or_a_problem(content: bytes) -> None:
    with contextlib.suppress(Problem):  # nothing else may come out
        assert find_kind(io.BytesIO(content)) in Kind
