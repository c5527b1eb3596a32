"""Files made for the tests: pictures, PDFs and DICOM files of invented people."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset

SHARED = Path(os.environ.get("YERSIN_SHARED") or Path(__file__).resolve().parents[3] / "shared")
DICOM = SHARED / "data" / "dicom"


def dicom_files() -> list[Path]:
    found = sorted(DICOM.glob("*/*.dcm"))
    if not found:
        pytest.skip("the DICOM test files are not there: set YERSIN_SHARED")
    return found


def dicom_file(name: str) -> Path:
    found = next(iter(DICOM.glob(f"*/{name}")), None)
    if found is None:
        pytest.skip(f"{name} is not there: set YERSIN_SHARED")
    return found


def picture(size: tuple[int, int] = (80, 60), kind: str = "JPEG", mode: str = "RGB", **options: Any) -> bytes:
    image = Image.new(mode, size, "red" if mode == "RGB" else None)
    image.paste("blue" if mode == "RGB" else 255, (0, 0, size[0] // 2, size[1] // 2))
    target = io.BytesIO()
    image.save(target, format=kind, **options)
    return target.getvalue()


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    exif[271] = "Phone of Le Thi Hoa"
    exif.get_ifd(0x8825)[2] = (10.0, 45.0, 30.0)
    return picture(exif=exif.tobytes(), comment=b"a comment")


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that says it is large and holds nearly nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def pdf(catalog: str = "", objects: tuple[str, ...] = (), pages: int = 1) -> bytes:
    kids = " ".join(f"{3 + number} 0 R" for number in range(pages))
    every = [f"<< /Type /Catalog /Pages 2 0 R {catalog} >>", f"<< /Type /Pages /Count {pages} /Kids [{kids}] >>"]
    every += ["<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>"] * pages
    every += objects
    made, places = b"%PDF-1.7\n", []
    for number, content in enumerate(every, 1):
        places.append(len(made))
        made += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 {len(every) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Root 1 0 R /Size {len(every) + 1} >>\n"
    return made + f"{end}startxref\n{len(made)}\n%%EOF\n".encode()


def grey_dicom(values: Any, **elements: Any) -> bytes:
    """A DICOM image of 16-bit values; keyword arguments set or (None) leave out elements."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("1.2.3.4.5")
    stack = np.asarray(values, dtype="<i2")
    fixed: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 192", "SOPClassUID": pydicom.uid.SecondaryCaptureImageStorage,
        "SOPInstanceUID": "1.2.3.4.5", "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "Modality": "CT",
        "PatientName": "Lê^Thị^Hoa", "PatientID": "P1", "PatientBirthDate": "19620814", "PatientSex": "F",
        "StudyDate": "20260312", "StudyTime": "081530", "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "Rows": stack.shape[-2], "Columns": stack.shape[-1], "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15,
        "PixelRepresentation": 1, "PixelData": stack.tobytes(),
    }  # fmt: skip
    if stack.ndim == 3:
        fixed["NumberOfFrames"] = stack.shape[0]
    for keyword, value in (fixed | elements).items():
        if value is not None:
            setattr(data, keyword, value)
    target = io.BytesIO()
    pydicom.dcmwrite(target, data, enforce_file_format=True)
    return target.getvalue()
