"""The QR code on the citizen card, as text: `CCCD|CMND|Name|ddmmyyyy|Sex|Address|issued` (the CMND field may be empty).

Source: Circular 06/2021/TT-BCA and the cards themselves; scanners type the text like a keyboard.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC

from yersin.fhir.dates import span
from yersin.fhir.problem import Problem

from .systems import PERSONAL_FORM

_PARTS = (6, 7, 8, 9, 10, 11)
_DAY = re.compile(r"(\d{2})(\d{2})(\d{4})")
_SEX = {"nam": "male", "nữ": "female"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What the card says."""

    personal: str
    name: str
    born: str
    sex: str
    address: str


def read(text: str) -> Card | None:
    """Read the text of a card; None for anything else."""
    parts = [part.strip() for part in text.strip().split("|")]
    if len(parts) not in _PARTS or not PERSONAL_FORM.fullmatch(parts[0]):
        return None
    _, _, name, born, sex, address, *_ = parts
    day = _day(born)
    if not name or not day:
        return None
    return Card(personal=parts[0], name=name, born=day, sex=_SEX.get(sex.casefold(), ""), address=address)


def _day(text: str) -> str:
    found = _DAY.fullmatch(text)
    if found is None:
        return ""
    day, month, year = found.groups()
    born = f"{year}-{month}-{day}"
    try:
        span(born, UTC)
    except Problem:
        return ""
    return born
