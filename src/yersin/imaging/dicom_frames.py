"""One frame of a DICOM file as a small DICOM file of its own, without the patient: what the workshop renders.

The frame's functional groups are brought to the top, so that plain and enhanced images look alike to the renderer.
Source: DICOM PS3.3 C.7.6.3 (image pixel), C.7.6.16 (functional groups), PS3.5 A.4 (encapsulation).
"""

from __future__ import annotations

import io
from array import array
from typing import Final

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian

from yersin.fhir.problem import Problem, problem
from yersin.imaging.dicom_files import BROKEN, UNDEFINED, DicomFile, Pixels, inflate, unreadable
from yersin.imaging.dicom_values import items, listening, text, value, whole

#: refused before anything is decoded
MOST_PIXELS: Final = 100_000_000
_DEFLATED_FRAMES: Final = "1.2.840.10008.1.2.8.1"
_KEPT: Final = (
    "SOPClassUID", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "RescaleSlope", "RescaleIntercept", "RescaleType",
    "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence", "ModalityLUTSequence", "PresentationLUTShape",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
)  # fmt: skip
_GROUPS: Final = ("PixelValueTransformationSequence", "FrameVOILUTSequence")


def frame_file(dicom: DicomFile, index: int) -> bytes:
    """Frame `index` (from 0) as a DICOM file. Raises Problem when there is no such frame or the file is damaged."""
    if not 0 <= index < dicom.frames:
        raise problem("not-found", f"Không có khung hình này. / There is no frame {index + 1}.", status=404)
    if dicom.pixels is None:
        raise no_pixels()
    with listening():
        try:
            frame = _described(dicom, index)
            raw, syntax = _pixels_of(dicom, dicom.pixels, index)
            return _written(frame, raw, syntax)
        except BROKEN as error:
            raise unreadable(str(error)) from error


def _described(dicom: DicomFile, index: int) -> Dataset:
    header = dicom.header
    frame = Dataset()
    for group in [header, *_groups(header, index)]:
        for keyword in _KEPT:
            found = value(group, keyword)
            if found is not None:
                frame[keyword] = group[keyword]
    rows, columns, bits = (whole(frame, word) for word in ("Rows", "Columns", "BitsAllocated"))
    if rows < 1 or columns < 1 or bits < 1:
        raise unreadable("Rows, Columns or Bits Allocated is missing or zero")
    if rows * columns * max(1, whole(frame, "SamplesPerPixel", 1)) > MOST_PIXELS:
        raise problem(
            "too-long", f"Khung hình quá lớn. / The frame is too large to show: {columns} × {rows} pixels.", status=413
        )
    return frame


def _groups(header: Dataset, index: int) -> list[Dataset]:
    every = items(header, "SharedFunctionalGroupsSequence")[:1]
    every += items(header, "PerFrameFunctionalGroupsSequence")[index : index + 1]
    return [item for group in every for keyword in _GROUPS for item in items(group, keyword)[:1]]


def _pixels_of(dicom: DicomFile, pixels: Pixels, index: int) -> tuple[bytes, UID]:
    if pixels.length == UNDEFINED:
        dicom.source.seek(pixels.start)
        raw = get_frame(dicom.source, index, number_of_frames=dicom.frames)
        if dicom.syntax == _DEFLATED_FRAMES:
            return inflate(raw, MOST_PIXELS), ExplicitVRLittleEndian
        return raw, dicom.syntax
    if dicom.syntax.is_compressed and dicom.syntax != _DEFLATED_FRAMES:
        raise unreadable("the pixel data are said to be compressed and are not encapsulated")
    raw = _native(dicom, pixels, index)
    if dicom.syntax == ExplicitVRBigEndian:
        raw = _swapped(raw, whole(dicom.header, "BitsAllocated"))
    return raw, ExplicitVRLittleEndian


def _native(dicom: DicomFile, pixels: Pixels, index: int) -> bytes:
    header = dicom.header
    samples = whole(header, "Rows") * whole(header, "Columns") * max(1, whole(header, "SamplesPerPixel", 1))
    bits = samples * whole(header, "BitsAllocated")
    if text(header, "PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    first, shift = divmod(index * bits, 8)
    length = (shift + bits + 7) // 8
    if first + length > pixels.length:
        raise unreadable(f"the pixel data end before frame {index + 1} does")
    dicom.source.seek(pixels.start + first)
    raw = dicom.source.read(length)
    return _shifted(raw, shift) if shift else raw


def _shifted(raw: bytes, shift: int) -> bytes:
    """Bits moved so that the frame starts on a byte: frames of single bits are packed without a gap."""
    number = int.from_bytes(raw, "little") >> shift
    return number.to_bytes(len(raw), "little")


def _swapped(raw: bytes, bits: int) -> bytes:
    if bits <= 8:
        return raw
    words = array({16: "H", 32: "I", 64: "Q"}[bits], raw)
    words.byteswap()
    return words.tobytes()


def _written(frame: Dataset, raw: bytes, syntax: UID) -> bytes:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    frame.file_meta = meta
    if syntax.is_encapsulated:
        frame.PixelData = encapsulate([raw])
    else:
        frame.PixelData = raw + b"\0" * (len(raw) % 2)
    frame["PixelData"].VR = "OW" if whole(frame, "BitsAllocated") > 8 and not syntax.is_encapsulated else "OB"
    target = io.BytesIO()
    pydicom.dcmwrite(target, frame, enforce_file_format=False, implicit_vr=False, little_endian=True)
    return target.getvalue()


def no_pixels() -> Problem:
    """Build the Problem of a DICOM object that is no image."""
    message = (
        "Tệp DICOM này không chứa hình ảnh; tệp vẫn được lưu và có thể tải về. / "
        "This DICOM file holds no picture; it is kept and can be downloaded."
    )
    return problem("not-supported", message, status=422)
