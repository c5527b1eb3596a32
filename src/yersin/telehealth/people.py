"""The patient as the pages of this room show them: who it is, at one look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from yersin.guard.access import Access
from yersin.web.language import gettext as _
from yersin.web.wording import as_age, as_date

from .codes import JSON
from .reading import content, find

_IDENTIFIERS = {
    "http://fhir.ehealth.gov.vn/core/sid/national_id": "CCCD",
    "http://fhir.ehealth.gov.vn/core/sid/insurance_number": "BHYT",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A warning in the banner."""

    text: str
    kind: str = "danger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A patient in words."""

    id: str
    name: str
    sex: str
    age: str
    birth_date: str
    identifiers: Sequence[tuple[str, str]] = ()
    flags: Sequence[Flag] = ()

    @property
    def chart(self) -> str:
        """Address of the chart."""
        return f"/records/{self.id}"


def name_of(resource: JSON) -> str:
    """Full name as it is written."""
    names = resource.get("name", ())
    best: dict[str, Any] = next((n for n in names if n.get("use") == "official"), names[0] if names else {})
    return str(best.get("text") or " ".join([best.get("family", ""), *best.get("given", ())]).strip() or "?")


def sex_of(patient: JSON) -> str:
    """Administrative gender in words."""
    words = {"male": _("Male"), "female": _("Female"), "other": _("Other sex"), "unknown": _("Sex not known")}
    return words[patient.get("gender", "unknown")]


def age_of(patient: JSON, on: date) -> str:
    """Age in words, empty without a birth date."""
    born = patient.get("birthDate", "")
    if len(born) == 10:
        return as_age(date.fromisoformat(born), on)
    return _("born %(year)s", year=born[:4]) if born else ""


def in_short(patient: JSON, on: date) -> Person:
    """A patient without what needs a second look-up."""
    born = patient.get("birthDate", "")
    numbers = [
        (_IDENTIFIERS[i["system"]], i["value"])
        for i in patient.get("identifier", ())
        if i.get("system") in _IDENTIFIERS and "value" in i
    ]
    shown = as_date(date.fromisoformat(born)) if len(born) == 10 else born
    return Person(
        id=patient["id"],
        name=name_of(patient),
        sex=sex_of(patient),
        age=age_of(patient, on),
        birth_date=shown,
        identifiers=numbers,
    )


async def person(access: Access, patient_id: str, on: date) -> Person:
    """A patient for the banner, with allergies."""
    patient = content(await access.read("Patient", patient_id))
    allergies = await find(access, "AllergyIntolerance", ("patient", f"Patient/{patient_id}"))
    flags = [Flag(text=a.get("code", {}).get("text", "?")) for a in allergies if _is_active(a)]
    short = in_short(patient, on)
    return Person(
        id=short.id, name=short.name, sex=short.sex, age=short.age, birth_date=short.birth_date,
        identifiers=short.identifiers, flags=flags,
    )  # fmt: skip


def _is_active(allergy: JSON) -> bool:
    codes = [c.get("code") for c in allergy.get("clinicalStatus", {}).get("coding", ())]
    return not codes or "active" in codes
