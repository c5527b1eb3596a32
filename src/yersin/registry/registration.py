"""Registering a person: the form as it is filled in, what is wrong with it, and the Patient it becomes.

Sources: Decision 831/QĐ-BYT 2017 (administrative part of the health record), VN Core 1.0.0 (Patient).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from yersin.fhir import parse, r4
from yersin.web import forms
from yersin.web.language import gettext as _
from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name

from . import citizen_card, places, systems
from .matching import Description
from .peoples import PEOPLES
from .units_fhir import address_extension

OLDEST = 130
OF_AGE = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The form."""

    family: Annotated[str, Meta(title=N_("Family name"), max_length=60)]
    middle: Annotated[str, Meta(title=N_("Middle name"), max_length=60)] = ""
    given: Annotated[str, Meta(title=N_("Given name"), max_length=60)]
    born: Annotated[str, Meta(title=N_("Date of birth"), description=N_("dd/mm/yyyy, or only the year"), max_length=10)]
    sex: Annotated[Literal["male", "female", "other"], Meta(title=N_("Sex"))]
    personal: Annotated[str, Meta(title=N_("Personal number"), description=N_("12 digits"), max_length=20)] = ""
    insurance: Annotated[
        str, Meta(title=N_("Insurance card"), description=N_("15 letters and digits"), max_length=24)
    ] = ""
    phone: Annotated[str, Meta(title=N_("Telephone"), max_length=20)] = ""
    commune: Annotated[
        str,
        Meta(
            title=N_("Commune"),
            description=N_("Type part of a name; names before July 2025 are found too"),
            max_length=5,
        ),
    ] = ""
    line: Annotated[str, Meta(title=N_("House, street, hamlet"), max_length=200)] = ""
    ethnicity: Annotated[str, Meta(title=N_("Ethnicity"), max_length=2)] = "01"
    guardian: Annotated[str, Meta(title=N_("Guardian's name"), max_length=120)] = ""
    relation: Annotated[Literal["MTH", "FTH", "GRPRN", "GUARD"], Meta(title=N_("Guardian is the"))] = "MTH"
    answered: Annotated[str, Meta(max_length=400)] = field(default="")

    @property
    def name(self) -> str:
        return " ".join(" ".join(part.split()) for part in (self.family, self.middle, self.given) if part.strip())

    @property
    def birth(self) -> str:
        """Birth date as FHIR writes it; empty when it cannot be read."""
        return birth(self.born)

    def description(self) -> Description:
        """Describe the person for the matcher."""
        place = places.commune(self.commune)
        return Description(
            name=self.name,
            born=self.birth,
            sex=self.sex,
            personal=systems.plain(self.personal),
            insurance=systems.plain(self.insurance),
            phone=_phone(self.phone),
            area=", ".join(u.full_name for u in place) if place else "",
        )


def birth(text: str) -> str:
    """Read dd/mm/yyyy, mm/yyyy or yyyy; empty for anything else."""
    parts = text.strip().replace("-", "/").replace(".", "/").split("/")
    if not all(part.isdecimal() for part in parts) or len(parts[-1]) != 4 or len(parts) > 3:
        return ""
    numbers = [int(part) for part in reversed(parts)]
    try:
        date(*(*numbers, 1, 1)[:3])
    except ValueError:
        return ""
    return "-".join(f"{n:0{4 if at == 0 else 2}d}" for at, n in enumerate(numbers))


def _phone(text: str) -> str:
    plain = systems.plain(text).lstrip("+")
    return "0" + plain[2:] if plain.startswith("84") and len(plain) > 10 else plain


def years_old(born: str, today: date) -> int:
    """Age in years, as near as the date is known."""
    year, month, day = (*(int(part) for part in born.split("-")), 1, 1)[:3]
    return today.year - year - ((today.month, today.day) < (month, day))


def faults(form: Registration, today: date) -> Iterator[tuple[str, str]]:
    """List what is wrong: field and words."""
    if not form.birth:
        yield "born", _("Write the date as 14/08/1962, or only the year as 1962")
    elif form.birth > today.isoformat() or years_old(form.birth, today) > OLDEST:
        yield "born", _("This date of birth cannot be: it lies in the future or more than 130 years back")
    elif years_old(form.birth, today) < 6 and not form.guardian.strip():
        yield "guardian", _("A child under six needs a guardian")
    if form.personal and not systems.PERSONAL_FORM.fullmatch(systems.plain(form.personal)):
        yield "personal", _("A personal number has exactly 12 digits")
    if form.insurance and not systems.INSURANCE_FORM.fullmatch(systems.plain(form.insurance)):
        yield (
            "insurance",
            _("An insurance card has two letters, a digit from 1 to 5, then 12 more, such as GD4 99 99012 34567"),
        )
    if form.phone and not systems.PHONE_FORM.fullmatch(_phone(form.phone)):
        yield "phone", _("A telephone number has ten or eleven digits and begins with 0 or +84")
    if form.commune and places.commune(form.commune) is None:
        yield "commune", _("Choose a commune from the list")


def patient(form: Registration, keeper: r4.Reference) -> r4.Patient:
    """Write the Patient."""
    made: dict[str, Any] = {
        "resourceType": "Patient",
        "extension": [{"url": systems.ETHNICITY, "valueCodeableConcept": _people(form.ethnicity)}]
        if form.ethnicity in PEOPLES
        else [],
        "identifier": list(_identifiers(form)),
        "active": True,
        "name": [_name(form)],
        "telecom": [{"system": "phone", "value": _phone(form.phone), "use": "mobile"}] if form.phone else [],
        "gender": form.sex,
        "birthDate": form.birth,
        "address": list(_addresses(form)),
        "contact": [_guardian(form)] if form.guardian.strip() else [],
        "managingOrganization": msgspec.to_builtins(keeper),
    }
    resource = parse(msgspec.json.encode({name: value for name, value in made.items() if value not in ("", [])}))
    assert isinstance(resource, r4.Patient)  # noqa: S101 - the literal above says so
    return resource


def _name(form: Registration) -> dict[str, Any]:
    given = [*form.middle.split(), *form.given.split()]
    return {"use": "official", "text": form.name, "family": " ".join(form.family.split()), "given": given}


def _identifiers(form: Registration) -> Iterator[dict[str, Any]]:
    for system, value, code, use in (
        (systems.NATIONAL_ID, form.personal, "NI", "official"),
        (systems.INSURANCE_NUMBER, form.insurance, "NIIP", "secondary"),
    ):
        if value:
            kind = {"coding": [{"system": systems.TYPES, "code": code}]}
            yield {"use": use, "type": kind, "system": system, "value": systems.plain(value)}


def _addresses(form: Registration) -> Iterator[dict[str, Any]]:
    found = places.commune(form.commune)
    line = " ".join(form.line.split())
    if found is None and not line:
        return
    made: dict[str, Any] = {"use": "home", "country": "VN"}
    if line:
        made["line"] = [line]
    if found is not None:
        unit, province = found
        made |= {
            "extension": [address_extension(unit, province)],
            "district": unit.full_name,
            "state": province.full_name,
        }
    made["text"] = ", ".join(part for part in (line, made.get("district"), made.get("state")) if part)
    yield made


def _people(code: str) -> dict[str, Any]:
    name = PEOPLES.get(code, "")
    return {"coding": [{"system": systems.ETHNIC_GROUPS, "code": code, "display": name}], "text": name}


def _guardian(form: Registration) -> dict[str, Any]:
    relation = {"coding": [{"system": systems.RELATIONS, "code": form.relation}]}
    return {"relationship": [relation], "name": {"text": " ".join(form.guardian.split())}}


def prefilled(text: str) -> forms.Bound[Registration]:
    """Begin a form with what was typed into the search, or scanned from a citizen card."""
    card = citizen_card.read(text)
    if card is not None:
        day = "/".join(reversed(card.born.split("-")))
        rest = {"born": day, "sex": card.sex, "personal": card.personal, "line": _line(card.address)}
        return forms.filled(
            Registration, {**_parted(card.name), **rest, "commune": _commune(card.address), "ethnicity": "01"}
        )
    words = [word for word in text.split() if not any(c.isdigit() for c in word)]
    numbers = [word for word in text.split() if any(c.isdigit() for c in word)]
    born = next((word for word in numbers if birth(word)), "")
    rest = _number("".join(word for word in numbers if word != born))
    return forms.filled(Registration, {**_parted(" ".join(words)), "born": born, **rest, "ethnicity": "01"})


def _number(text: str) -> dict[str, str]:
    plain = systems.plain(text)
    for name, form in (("personal", systems.PERSONAL_FORM), ("insurance", systems.INSURANCE_FORM)):
        if form.fullmatch(plain):
            return {name: plain}
    return {"phone": text} if systems.PHONE_FORM.fullmatch(_phone(text)) else {}


def _parted(name: str) -> dict[str, str]:
    """Part a name: the family's first, the person's own last. A single word is a given name."""
    words = [word if word != word.lower() else word.capitalize() for word in name.split()]
    if len(words) < 2:
        return {"given": " ".join(words)}
    return {"family": words[0], "middle": " ".join(words[1:-1]), "given": words[-1]}


def _commune(address: str) -> str:
    """Code of the commune an address ends in, if it leads to exactly one of today."""
    parts = [part.strip() for part in address.split(",") if part.strip()]
    for take in (2, 3):
        found = places.find(" ".join(parts[-take:])) if len(parts) >= take else []
        if len(found) == 1:
            return found[0].code
    return ""


def _line(address: str) -> str:
    parts = [part.strip() for part in address.split(",") if part.strip()]
    return parts[0] if len(parts) > 2 else ""
