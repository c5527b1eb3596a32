"""Whether a DICOM file is of the person whose chart it is put into. A difference is asked about, never decided here.

Names are compared by their words without marks and order: devices write NGUYEN^VAN AN, Nguyễn^Văn^An or AN NGUYEN VAN.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yersin.fhir import r4

if TYPE_CHECKING:
    from yersin.imaging.dicom_summary import DicomPatient

_SEX = {"M": "male", "F": "female"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something the file and the chart say differently; `code` is name, birth-date, sex or unknown."""

    code: str
    vi: str
    en: str


def differences(found: DicomPatient, patient: r4.Patient) -> tuple[Difference, ...]:
    """What must be confirmed before the file goes into the chart; empty when name and birth date agree."""
    if not found.names and found.birth_date is None:
        return (
            Difference(
                code="unknown",
                vi="Tệp không ghi tên và ngày sinh người bệnh.",
                en="The file names neither a patient nor a birth date.",
            ),
        )
    every = (_name(found, patient), _birth_date(found, patient), _sex(found, patient))
    return tuple(one for one in every if one)


def words(name: str) -> tuple[str, ...]:
    """Words of a name as they are compared: no marks, no case, sorted."""
    bare = "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))
    return tuple(sorted(re.findall(r"[^\W\d_]+", bare.replace("đ", "d").replace("Đ", "D").lower())))


def _name(found: DicomPatient, patient: r4.Patient) -> Difference | None:
    if not found.names:
        return None
    theirs = {words(name) for name in found.names}
    ours = list(_chart_names(patient))
    if theirs & {words(name) for name in ours}:
        return None
    shown, expected = found.names[0], ours[0] if ours else "?"
    return Difference(
        code="name",
        vi=f"Tên trong tệp là “{shown}”, trong hồ sơ là “{expected}”.",
        en=f"The file is of “{shown}”, the chart of “{expected}”.",
    )


def _chart_names(patient: r4.Patient) -> Iterator[str]:
    for name in patient.name or []:
        if name.text:
            yield name.text
        parts = [name.family or "", *(given or "" for given in name.given or [])]
        if any(parts):
            yield " ".join(part for part in parts if part)


def _birth_date(found: DicomPatient, patient: r4.Patient) -> Difference | None:
    ours = patient.birthDate
    if found.birth_date is None or ours is None:
        return None
    theirs = found.birth_date.isoformat()
    # devices that know the year only write the first of January
    if theirs.startswith(ours) or (theirs.endswith("-01-01") and theirs[:4] == ours[:4]):
        return None
    return Difference(
        code="birth-date",
        vi=f"Ngày sinh trong tệp là {_shown(theirs)}, trong hồ sơ là {_shown(ours)}.",
        en=f"The birth date in the file is {_shown(theirs)}, in the chart {_shown(ours)}.",
    )


def _shown(day: str) -> str:
    return "/".join(reversed(day.split("-")))


def _sex(found: DicomPatient, patient: r4.Patient) -> Difference | None:
    theirs = _SEX.get(found.sex)
    if theirs is None or patient.gender not in _SEX.values() or theirs == patient.gender:
        return None
    vi = {"male": "nam", "female": "nữ"}
    return Difference(
        code="sex",
        vi=f"Giới tính trong tệp là {vi[theirs]}, trong hồ sơ là {vi[str(patient.gender)]}.",
        en=f"The sex in the file is {theirs}, in the chart {patient.gender}.",
    )
