"""Correcting who a person is: the form as the record has it, what two people changed at once, and the Patient it becomes.

Only what was changed is written; everything else in the resource stays as it is. Source: RFC 9110 (conditional requests).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import msgspec

from yersin.fhir import encode, parse, r4

from . import places, systems
from .registration import Registration, patient

#: what the form is not about
_ASIDE = {"answered"}
NAMES = tuple(f.name for f in fields(Registration) if f.name not in _ASIDE)
#: parts of the Patient and the fields they are made of
_PARTS: Mapping[str, tuple[str, ...]] = {
    "name": ("family", "middle", "given"),
    "birthDate": ("born",),
    "gender": ("sex",),
    "personal": ("personal",),
    "insurance": ("insurance",),
    "telecom": ("phone",),
    "address": ("commune", "line"),
    "extension": ("ethnicity",),
    "contact": ("guardian", "relation"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """A field that two people changed to different values: what it was, what the other wrote, what one wrote oneself."""

    name: str
    was: str
    theirs: str
    mine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Two people's changes put together: the values, and what only a person can decide."""

    values: Mapping[str, str]
    clashes: Sequence[Clash]
    #: fields that the other changed alone; they are kept
    taken: Sequence[str]


def merged(was: Mapping[str, str], theirs: Mapping[str, str], mine: Mapping[str, str]) -> Merged:
    """Merge field by field: what one side alone changed is kept, what both changed alike too, the rest is asked about."""
    values, clashes, taken = {}, [], []
    for name in NAMES:
        before, other, own = was.get(name, ""), theirs.get(name, ""), mine.get(name, "")
        values[name] = own if own != before else other
        if own == before and other != before:
            taken.append(name)
        elif own not in (before, other) and other != before:
            clashes.append(Clash(name=name, was=before, theirs=other, mine=own))
    return Merged(values=values, clashes=clashes, taken=taken)


def values_of(person: r4.Patient) -> dict[str, str]:
    """Read the form's values out of a Patient."""
    numbers = {i.system: i.value or "" for i in person.identifier or () if i.use != "old"}
    guardian = next((c for c in person.contact or () if c.name is not None), None)
    relations = [c.code or "" for concept in (guardian and guardian.relationship) or () for c in concept.coding or ()]
    return {
        **_name(person),
        "born": "/".join(reversed((person.birthDate or "").split("-"))),
        "sex": person.gender or "",
        "personal": numbers.get(systems.NATIONAL_ID, ""),
        "insurance": numbers.get(systems.INSURANCE_NUMBER, ""),
        "phone": next((t.value or "" for t in person.telecom or () if t.system == "phone"), ""),
        **_address(person),
        "ethnicity": _ethnicity(person),
        "guardian": (guardian and guardian.name and guardian.name.text) or "",
        "relation": next(iter(relations), "MTH"),
    }


def _name(person: r4.Patient) -> dict[str, str]:
    best = min(person.name or [r4.HumanName()], key=lambda n: n.use != "official")
    words = [best.family or "", *(g or "" for g in best.given or ())] if best.family else (best.text or "").split()
    family, rest = (words[0], words[1:]) if len(words) > 1 else ("", words)
    return {"family": family, "middle": " ".join(rest[:-1]), "given": rest[-1] if rest else ""}


def _address(person: r4.Patient) -> dict[str, str]:
    best = next(iter(person.address or ()), None)
    if best is None:
        return {"commune": "", "line": ""}
    codes = [
        c.code or ""
        for outer in best.extension or ()
        for inner in outer.extension or ()
        if inner.url == "ward" and inner.valueCodeableConcept
        for c in inner.valueCodeableConcept.coding or ()
    ]
    known = next((code for code in codes if places.commune(code)), "")
    return {"commune": known, "line": ", ".join(one for one in best.line or () if one)}


def _ethnicity(person: r4.Patient) -> str:
    found = (e.valueCodeableConcept for e in person.extension or () if e.url == systems.ETHNICITY)
    return next((c.code or "" for concept in found if concept for c in concept.coding or ()), "")


def shown(form: Registration) -> dict[str, str]:
    """The form's values, as `values_of` would read them."""
    return {name: str(getattr(form, name)) for name in NAMES}


def changed(person: r4.Patient, form: Registration, was: Mapping[str, str]) -> r4.Patient:
    """Write the parts that the form changes into a Patient; the rest stays, to the last extension."""
    own = shown(form)
    document: dict[str, Any] = msgspec.json.decode(encode(person))
    keeper = person.managingOrganization or r4.Reference(display="-")
    made: dict[str, Any] = msgspec.json.decode(encode(patient(form, keeper)))
    for part, names in _PARTS.items():
        if any(own[name] != was.get(name, "") for name in names):
            _WRITERS[part](document, made, part)
    resource = parse(msgspec.json.encode(document))
    assert isinstance(resource, r4.Patient)  # noqa: S101 - it was one
    return resource


Writer = Callable[[dict[str, Any], dict[str, Any], str], None]


def _replaced(document: dict[str, Any], made: dict[str, Any], part: str) -> None:
    document[part] = made.get(part)
    if document[part] is None:
        del document[part]


def _one_of_list(fits: Callable[[dict[str, Any]], bool]) -> Writer:
    """Put the new entry where the one that fits stands; the others stay."""

    def write(document: dict[str, Any], made: dict[str, Any], part: str) -> None:
        listed = list(document.get(part, ()))
        at = next((n for n, one in enumerate(listed) if fits(one)), len(listed))
        listed[at : at + 1] = [one for one in made.get(part, ()) if fits(one)]
        document[part] = listed
        if not listed:
            del document[part]

    return write


def _identifier(system: str) -> Writer:
    write = _one_of_list(lambda one: one.get("system") == system and one.get("use") != "old")
    return lambda document, made, _part: write(document, made, "identifier")


_WRITERS: Mapping[str, Writer] = {
    "name": _one_of_list(lambda one: one.get("use", "official") == "official"),
    "birthDate": _replaced,
    "gender": _replaced,
    "personal": _identifier(systems.NATIONAL_ID),
    "insurance": _identifier(systems.INSURANCE_NUMBER),
    "telecom": _one_of_list(lambda one: one.get("system") == "phone"),
    "address": _one_of_list(lambda one: one.get("use", "home") == "home"),
    "extension": _one_of_list(lambda one: one.get("url") == systems.ETHNICITY),
    "contact": _one_of_list(lambda one: "name" in one),
}
