"""What a DICOM header says that the record needs: whose it is, of what, when, and how it can be shown.

Source: DICOM PS3.3 C.7.1.1 (patient), C.7.2.1 (study), C.7.3.1 (series), C.12.1 (SOP common); PS3.5 6.2.1 (person names).
"""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime, timedelta, timezone, tzinfo
from math import isfinite
from typing import Final

import msgspec
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

from yersin.imaging.dicom_files import DicomFile
from yersin.imaging.dicom_values import first, items, listening, text, value, whole
from yersin.imaging.results import Window

_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)*")
#: character sets under which devices often write UTF-8 all the same
_SLACK: Final = ("", "ISO_IR 6", "ISO_IR 100", "ISO 2022 IR 6", "ISO 2022 IR 100")


class DicomPatient(msgspec.Struct, frozen=True, kw_only=True):
    """The patient as the device knew them. `names` holds each spelling, components joined by blanks."""

    names: tuple[str, ...]
    id: str
    birth_date: date | None
    sex: str


class DicomSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One instance and its place in series and study."""

    patient: DicomPatient
    study_uid: str
    series_uid: str
    instance_uid: str
    sop_class: str
    modality: str
    started: str
    study_description: str
    series_description: str
    series_number: int | None
    instance_number: int | None
    body_part: str
    accession: str
    rows: int
    columns: int
    frames: int
    monochrome: bool
    syntax: str
    windows: tuple[Window, ...]


def summarise(dicom: DicomFile, zone: tzinfo) -> DicomSummary:
    """Summarise a file. Times without an offset are of `zone`; missing UIDs are made from the rest of the header."""
    with listening():
        return _summary(dicom, zone)


def _summary(dicom: DicomFile, zone: tzinfo) -> DicomSummary:
    header = dicom.header
    return DicomSummary(
        patient=_patient(header),
        study_uid=_uid(header, "StudyInstanceUID"),
        series_uid=_uid(header, "SeriesInstanceUID"),
        instance_uid=_uid(header, "SOPInstanceUID"),
        sop_class=_uid(header, "SOPClassUID") if text(header, "SOPClassUID") else "",
        modality=text(header, "Modality")[:16] or "OT",
        started=_started(header, zone),
        study_description=_written(header, "StudyDescription"),
        series_description=_written(header, "SeriesDescription"),
        series_number=_count(header, "SeriesNumber"),
        instance_number=_count(header, "InstanceNumber"),
        body_part=text(header, "BodyPartExamined")[:64],
        accession=text(header, "AccessionNumber")[:64],
        rows=whole(header, "Rows"),
        columns=whole(header, "Columns"),
        frames=dicom.frames,
        monochrome=text(header, "PhotometricInterpretation").startswith("MONOCHROME"),
        syntax=dicom.syntax.name,
        windows=tuple(_windows(header)),
    )


def _patient(header: Dataset) -> DicomPatient:
    return DicomPatient(
        names=person_names(header),
        id=text(header, "PatientID")[:64],
        birth_date=_date(text(header, "PatientBirthDate")),
        sex=text(header, "PatientSex")[:1],
    )


def person_names(header: Dataset) -> tuple[str, ...]:
    """Spellings of the patient's name: alphabetic, ideographic and phonetic."""
    name = first(header, "PatientName")
    if not isinstance(name, PersonName):
        return ()
    written = _as_utf8(name, header) or str(name)
    spellings = (" ".join(part.replace("^", " ").split()) for part in written.split("="))
    return tuple(dict.fromkeys(spelling for spelling in spellings if spelling))


def _as_utf8(name: PersonName, header: Dataset) -> str:
    raw: object = name.original_string
    declared = text(header, "SpecificCharacterSet")
    if not isinstance(raw, bytes) or declared not in _SLACK or raw.isascii():
        return ""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _written(header: Dataset, keyword: str) -> str:
    return " ".join(text(header, keyword).split())[:256]


def _count(header: Dataset, keyword: str) -> int | None:
    found = whole(header, keyword, -1)
    return found if 0 <= found < 2**31 else None


def _uid(header: Dataset, keyword: str) -> str:
    found = text(header, keyword)
    if _UID.fullmatch(found) and len(found) <= 64:
        return found
    # always the same for the same file: sent twice, it is recognised (PS3.5 B.2, UUID-derived)
    parts = [keyword, *(text(header, word) for word in ("PatientID", "StudyDate", "StudyTime", "Modality"))]
    if keyword == "SOPInstanceUID":
        parts += [text(header, word) for word in ("InstanceNumber", "ContentTime", "SeriesInstanceUID")]
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _date(written: str) -> date | None:
    for pattern in ("%Y%m%d", "%Y.%m.%d", "%Y-%m-%d"):
        try:
            return datetime.strptime(written, pattern).date()  # noqa: DTZ007 - a calendar day has no zone
        except ValueError:
            continue
    return None


def _started(header: Dataset, zone: tzinfo) -> str:
    """FHIR dateTime of the study; the day alone when the time cannot be read; empty when neither can."""
    day = _date(text(header, "StudyDate")) or _date(text(header, "ContentDate"))
    if day is None:
        return ""
    clock = re.match(r"(\d\d):?(\d\d):?(\d\d)?", text(header, "StudyTime"))
    if clock is None:
        return day.isoformat()
    hour, minute, second = (int(part or 0) for part in clock.groups())
    if hour > 23 or minute > 59 or second > 59:
        return day.isoformat()
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=_offset(header) or zone).isoformat()


def _offset(header: Dataset) -> tzinfo | None:
    found = re.fullmatch(r"([+-])(\d\d)(\d\d)", text(header, "TimezoneOffsetFromUTC"))
    if found is None or int(found[2]) > 14:
        return None
    ahead = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-ahead if found[1] == "-" else ahead)


def _windows(header: Dataset) -> list[Window]:
    groups = [header]
    for group in items(header, "SharedFunctionalGroupsSequence")[:1]:
        groups += items(group, "FrameVOILUTSequence")[:1]
    return [window for group in groups for window in _pairs(group)][:8]


def _pairs(group: Dataset) -> list[Window]:
    pairs = zip(_numbers(group, "WindowCenter"), _numbers(group, "WindowWidth"), strict=False)
    return [Window(center=center, width=width) for center, width in pairs if width >= 1]


def _numbers(group: Dataset, keyword: str) -> list[float]:
    found = value(group, keyword)
    every = [] if found is None else list(found) if isinstance(found, MultiValue | list) else [found]
    try:
        return [number for number in map(float, every) if isfinite(number)]
    except (TypeError, ValueError):
        return []
