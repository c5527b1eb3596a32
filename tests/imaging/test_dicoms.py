"""DICOM files of many devices, whole and broken: read or refused with words, drawn or kept for download, never a crash."""

from __future__ import annotations

import contextlib
import io
import zlib
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.imaging.makers import dicom_file, dicom_files, grey_dicom

from yersin.fhir.problem import Problem
from yersin.imaging import dicom_files as reading
from yersin.imaging.dicom_frames import frame_file
from yersin.imaging.dicom_summary import DicomSummary, summarise
from yersin.imaging.rendering import decode, render
from yersin.imaging.results import Window

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
#: files that need a decoder which is not among those Pillow brings; the last one's stream is broken
UNSEEN = {
    "HTJ2K_08_RGB.dcm", "JLSL_RGB_ILV1.dcm", "JLSL_RGB_ILV2.dcm", "JLSN_RGB_ILV0.dcm", "JPGLosslessP14SV1_1s_1f_8b.dcm",
    "JPEG-lossy.dcm", "JPEGLSNearLossless_16.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jls_lossy_line.dcm",
    "SC_rgb_jpeg_gdcm.dcm", "GDCMJ2K_TextGBR.dcm",
}  # fmt: skip
NO_DICOM = {"nested_priv_SQ.dcm", "priv_SQ.dcm"}


def drawn(raw: bytes, index: int = 0, window: Window | None = None, side: int | None = None) -> Any:
    frame = render(decode(frame_file(reading.read(io.BytesIO(raw)), index)), window, side)
    with Image.open(io.BytesIO(frame.png)) as image:
        return np.asarray(image)


def summary(raw: bytes) -> DicomSummary:
    return summarise(reading.read(io.BytesIO(raw)), VIETNAM)


def test_every_file_is_drawn_or_refused_in_words() -> None:
    seen = set()
    for path in dicom_files():
        with path.open("rb") as file:
            if path.name in NO_DICOM:
                with pytest.raises(Problem, match="breaks the standard"):
                    reading.read(file)
                continue
            opened = reading.read(file)
            assert summarise(opened, VIETNAM).study_uid
            for index in range(opened.frames):
                if path.name in UNSEEN:
                    with pytest.raises(Problem, match=r"can be downloaded|damaged") as refused:
                        decode(frame_file(opened, index))
                    assert refused.value.status == 422
                    continue
                assert render(decode(frame_file(opened, index)), None, None).width == opened.header.Columns
                seen.add(path.name)
    assert len(seen) == 44


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("MR_small.dcm", "MR_small_bigendian.dcm"),
        ("MR_small.dcm", "MR_small_expb.dcm"),
        ("MR_small.dcm", "MR_small_implicit.dcm"),
        ("MR_small.dcm", "MR_small_RLE.dcm"),
        ("liver.dcm", "liver_deflate.dcm"),
        ("rtdose.dcm", "rtdose_expb.dcm"),
        ("SC_rgb_gdcm2k_uncompressed.dcm", "SC_rgb_expb.dcm"),
    ],
)
def test_the_same_image_in_another_syntax_looks_the_same(one: str, other: str) -> None:
    first, second = (drawn(dicom_file(name).read_bytes()) for name in (one, other))
    assert np.array_equal(first, second)


def test_frames_packed_in_single_bits_are_cut_at_the_right_bit() -> None:
    raw = dicom_file("liver_nonbyte_aligned.dcm").read_bytes()
    whole = pydicom.dcmread(io.BytesIO(raw)).pixel_array
    for index in range(3):
        assert np.array_equal(drawn(raw, index) > 127, whole[index] > 0)


def test_a_truncated_file_is_told() -> None:
    with dicom_file("rtplan_truncated.dcm").open("rb") as file:
        assert any("the file ends within" in finding for finding in reading.read(file).findings)


def test_cut_pixels_are_told_and_the_frames_before_are_shown() -> None:
    raw = grey_dicom(np.arange(3 * 16).reshape(3, 4, 4))
    cut = raw[:-20]
    opened = reading.read(io.BytesIO(cut))
    assert any("cut: 76 of 96" in finding for finding in opened.findings)
    assert drawn(cut, 1).shape == (4, 4)
    with pytest.raises(Problem, match="end before frame 3"):
        drawn(cut, 2)


def test_a_frame_that_is_not_there_is_not_found() -> None:
    for index in (-1, 1, 99):
        with pytest.raises(Problem) as refused:
            drawn(grey_dicom([[1, 2], [3, 4]]), index)
        assert refused.value.status == 404


def test_the_window_maps_values_as_the_standard_says() -> None:
    raw = grey_dicom([[-1000, -60, 39, 40, 140, 3000]], RescaleSlope=1, RescaleIntercept=0)
    shown = drawn(raw, window=Window(center=40, width=200))[0]
    expected = [0, 0, 126.86, 128.14, 255, 255]  # PS3.3 C.11.2.1.2.1
    assert np.allclose(shown, expected, atol=0.51)


def test_rescale_comes_before_the_window() -> None:
    raw = grey_dicom([[0, 100, 200]], RescaleSlope=2, RescaleIntercept=-100, WindowCenter=100.5, WindowWidth=401)
    assert np.allclose(drawn(raw)[0], [0, 127.5, 255], atol=0.51)


def test_monochrome1_is_dark_where_the_value_is_high() -> None:
    values = [[0, 50, 100]]
    plain = drawn(grey_dicom(values))
    assert np.array_equal(drawn(grey_dicom(values, PhotometricInterpretation="MONOCHROME1")), 255 - plain)


def test_an_image_of_one_value_is_drawn() -> None:
    assert drawn(grey_dicom([[7, 7], [7, 7]])).shape == (2, 2)


def test_a_frame_is_drawn_no_larger_than_asked() -> None:
    assert drawn(grey_dicom(np.zeros((300, 200))), side=100).shape == (100, 67)


def test_a_one_frame_file_carries_no_patient() -> None:
    raw = frame_file(reading.read(io.BytesIO(grey_dicom([[1, 2]]))), 0)
    assert b"Hoa" not in raw
    assert b"19620814" not in raw


@pytest.mark.parametrize(
    ("written", "charset", "expected"),
    [
        ("Lê^Thị^Hoa", "ISO_IR 192", ("Lê Thị Hoa",)),
        ("LE^THI HOA", None, ("LE THI HOA",)),
        ("Nguyễn Văn Đức", "ISO_IR 192", ("Nguyễn Văn Đức",)),
        ("LE^HOA=Lê^Hoa=", "ISO_IR 192", ("LE HOA", "Lê Hoa")),
        ("", "ISO_IR 192", ()),
    ],
)
def test_vietnamese_names_are_read(written: str, charset: str | None, expected: tuple[str, ...]) -> None:
    assert summary(grey_dicom([[1]], PatientName=written, SpecificCharacterSet=charset)).patient.names == expected


@pytest.mark.parametrize("declared", [b"ISO_IR 100", b""])
def test_utf8_under_another_label_is_read_all_the_same(declared: bytes) -> None:
    raw = grey_dicom([[1]], PatientName="Trần^Thị^Mận")
    label = b"\x08\0\x05\0CS\x0a\0ISO_IR 192"
    assert label in raw
    wrong = b"\x08\0\x05\0CS\x0a\0" + declared.ljust(10)
    assert summary(raw.replace(label, wrong)).patient.names == ("Trần Thị Mận",)


def test_when_and_what_are_read() -> None:
    found = summary(grey_dicom([[1]], WindowCenter=[40, 300], WindowWidth=[400, 1500], BodyPartExamined="CHEST"))
    assert found.started == "2026-03-12T08:15:30+07:00"
    assert found.windows == (Window(center=40, width=400), Window(center=300, width=1500))
    assert (found.modality, found.body_part, found.frames) == ("CT", "CHEST", 1)
    assert summary(grey_dicom([[1]], TimezoneOffsetFromUTC="-0330")).started == "2026-03-12T08:15:30-03:30"
    assert summary(grey_dicom([[1]]).replace(b"081530", b"996000")).started == "2026-03-12"
    assert summary(grey_dicom([[1]], StudyDate=None)).started == ""


def test_a_file_without_uids_gets_the_same_ones_each_time() -> None:
    raw = grey_dicom([[1]], StudyInstanceUID=None, SeriesInstanceUID=None)
    assert summary(raw).study_uid == summary(raw).study_uid
    assert summary(raw).study_uid.startswith("2.25.")
    assert summary(raw).study_uid != summary(raw).series_uid


def deflated(content: bytes) -> bytes:
    raw = grey_dicom([[1, 2], [3, 4]])
    end = 144 + int.from_bytes(raw[140:144], "little")
    uid = b"\x02\0\x10\0UI\x16\x001.2.840.10008.1.2.1.99"
    meta = raw[144:end].replace(b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0", uid)
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = engine.compress(content or raw[end:]) + engine.flush()
    return raw[:140] + len(meta).to_bytes(4, "little") + meta + body


def test_a_deflated_file_is_read() -> None:
    assert drawn(deflated(b"")).tolist() == drawn(grey_dicom([[1, 2], [3, 4]])).tolist()


def test_a_deflated_bomb_is_refused() -> None:
    with pytest.raises(Problem, match="unpacks to more"):
        reading.read(io.BytesIO(deflated(bytes(300 << 20))))


@pytest.mark.parametrize(
    "elements",
    [
        {"Rows": 65535, "Columns": 65535},
        {"Rows": 0},
        {"BitsAllocated": 7},
        {"NumberOfFrames": 2_000_000_000},
        {"PhotometricInterpretation": "PALETTE COLOR"},
        {"PhotometricInterpretation": "XYZ"},
        {"SamplesPerPixel": 3},
        {"PixelData": b""},
    ],
)
def test_a_header_that_lies_is_a_problem(elements: dict[str, Any]) -> None:
    with pytest.raises(Problem):
        drawn(grey_dicom([[1, 2], [3, 4]], **elements), 1 if "NumberOfFrames" in elements else 0)


@settings(deadline=None, max_examples=250)
@given(at=st.integers(0, 10**6), put=st.binary(min_size=1, max_size=8), cut=st.integers(0, 200))
def test_a_damaged_file_is_read_or_a_problem(at: int, put: bytes, cut: int) -> None:
    raw = bytearray(grey_dicom(np.arange(32).reshape(2, 4, 4), WindowCenter=[1, 2], WindowWidth=[3, 4]))
    at = 128 + at % (len(raw) - 128)
    raw[at : at + len(put)] = put
    broken = bytes(raw[: len(raw) - cut])
    # only a Problem may come out, of the two calls each
    for look in (summary, drawn):
        with contextlib.suppress(Problem):
            look(broken)
