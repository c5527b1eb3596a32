"""Who is this patient: finding people, registering them once, and declaring that someone unknown here has come.

Source: IHE PDQm and PIXm for the idea of demographics query; docs/adr/0006-access.md for what a stranger's line shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from yersin.db import Connection
from yersin.db.migrate import Step
from yersin.fhir import r4
from yersin.guard.access import Access
from yersin.guard.writing import Create, Update, Writing
from yersin.search import people
from yersin.search.page import Query
from yersin.search.tokens import IDENTIFIER, PHONE, YEAR, phone, signs, typed
from yersin.store.identity import new_id
from yersin.store.versions import Version

from . import citizen_card, editing, systems
from .matching import Description, Likeness, compare
from .registration import Registration, patient

#: forms already done, so that a second sending of the same one does nothing
TABLES = (
    Step(
        number=20,
        name="registry_form",
        sql="""CREATE TABLE registry_form (
  account uuid NOT NULL, key text NOT NULL, made uuid NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account, key));
COMMENT ON TABLE registry_form IS 'Idempotency keys of forms that were done, and the id of what each made.';""",
    ),
)
MOST_LIKELY = 5
#: people a search shows at most
SHOWN = people.SHOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookalike:
    """Somebody already registered who may be the one being registered."""

    person: people.Person
    likeness: Likeness
    #: shares a number that only one person can have
    is_taken: bool


async def find(access: Access, text: str) -> Sequence[people.Person]:
    """Find people by what was typed, or by the text of a citizen card."""
    card = citizen_card.read(text)
    asked = people.typed(card.personal if card else text)
    return await access.find_people(asked, people.ranked(asked))


async def lookalikes(access: Access, wanted: Description) -> Sequence[Lookalike]:
    """Find those who may be the same person: same numbers, same telephone, or like names and year of birth."""

    def choose(candidates: Sequence[people.Candidate]) -> Sequence[people.Candidate]:
        noted = [replace(c, note=_look(wanted, c.patient)) for c in candidates]
        likely = [c for c in noted if c.note[1] or c.note[0].is_likely]
        return sorted(likely, key=lambda c: (not c.note[1], -c.note[0].score))[:MOST_LIKELY]

    found = await access.find_people(people.Asked(alternatives=_ways(wanted)), choose)
    return [Lookalike(person=p, likeness=p.note[0], is_taken=p.note[1]) for p in found]


def _ways(wanted: Description) -> tuple[tuple[str, ...], ...]:
    """Ways to come upon the same person; the name needs the year beside it, for names are few."""
    ways: list[tuple[str, ...]] = [(f"{IDENTIFIER}|{signs(n)}",) for n in (wanted.personal, wanted.insurance) if n]
    if wanted.phone:
        ways.append((f"{PHONE}|{phone(wanted.phone)}",))
    words = wanted.name.split()
    if wanted.born and len(words) > 1:
        ways.append((*typed(words[0]), *typed(words[-1]), f"{YEAR}|{wanted.born[:4]}"))
    elif words:
        ways.append(tuple(typed(wanted.name)))
    return tuple(ways)


def _look(wanted: Description, known: people.Patient) -> tuple[Likeness, bool]:
    numbers = {n.system: n.value for n in known.identifier}
    other = Description(
        name=known.full_name,
        born=known.birthDate[:10],
        sex=known.gender,
        personal=numbers.get(systems.NATIONAL_ID, ""),
        insurance=numbers.get(systems.INSURANCE_NUMBER, ""),
        phone=next((phone(p) for p in known.phones if not wanted.phone or phone(p) == wanted.phone), ""),
        area=next((a.area for a in known.address), ""),
    )
    return compare(wanted, other), bool(wanted.personal) and wanted.personal == other.personal


class TakenError(Exception):
    """The personal number belongs to somebody who was registered since the form was looked at."""


async def register(access: Access, key: str, form: Registration) -> str:
    """Register a person and give the id; the same form sent twice registers once. Raises TakenError."""
    who = access.who
    keeper = r4.Reference(reference=f"Organization/{who.organization_id}", display=who.organization_name)

    async def work(writing: Writing) -> str:
        made = new_id()
        first = await claim(writing.connection, access, key, made)
        if first == made:
            await _hold(writing, form.description().personal)
            await writing.write([Create(resource=patient(form, keeper), id=made)])
        return str(first)

    return await access.atomically(work)


async def correct(access: Access, seen: Version, form: Registration) -> None:
    """Write what a form changes in the version of a Patient it was compared with. Raises TakenError, Problem (conflict)."""
    person = seen.resource()
    assert isinstance(person, r4.Patient)  # noqa: S101 - that is what was read
    was = editing.values_of(person)

    async def work(writing: Writing) -> None:
        number = systems.plain(form.personal)
        if number != was["personal"]:
            await _hold(writing, number, but=seen.id)
        await writing.write([Update(resource=editing.changed(person, form, was), expected=seen.ver)])

    await access.atomically(work)


async def _hold(writing: Writing, number: str, *, but: str = "") -> None:
    """Keep a personal number to this transaction until it ends. Raises TakenError when it is somebody's already."""
    if not number:
        return
    indexer, way = writing.access.ground.indexer, f"{IDENTIFIER}|{signs(number)}"
    await writing.connection.execute("SELECT pg_advisory_xact_lock($1)", indexer.hashes([way])[0])
    # of the whole nation: it is for the page to tell the asker what may be told
    found = await people.find(writing.connection, indexer.key, people.Asked(alternatives=((way,),)), people.NATION)
    others = [c.patient for c in found if c.patient.id != but]
    if any(n.system == systems.NATIONAL_ID and n.value == number for p in others for n in p.identifier):
        raise TakenError


async def claim(connection: Connection, access: Access, key: str, made: UUID) -> UUID:
    """Claim a form's key for what it is about to make; gives what an earlier sending made instead."""
    row = await connection.fetchval(
        "INSERT INTO registry_form (account, key, made) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING made",
        access.who.account,
        key[:100],
        made,
    )
    if row is None:
        row = await connection.fetchval(
            "SELECT made FROM registry_form WHERE account = $1 AND key = $2", access.who.account, key[:100]
        )
    found: UUID = row
    return found


async def open_visit(access: Access, patient_id: str, reason: str, now: datetime) -> str:
    """Declare that the patient is here: a visit in progress at the asker's facility, which opens the chart to it."""
    access.require("care.declare")
    who = access.who

    async def work(writing: Writing) -> str:
        query = Query.of(
            "Encounter",
            [
                ("patient", f"Patient/{patient_id}"),
                ("status", "in-progress"),
                ("service-provider", f"Organization/{who.organization_id}"),
            ],
        )
        going = await writing.find(query)
        if going:
            return going[0].id
        made = await writing.write([Create(resource=visit(access, patient_id, reason, now))])
        return made[0].version.id

    return await access.atomically(work)


def visit(access: Access, patient_id: str, reason: str, now: datetime) -> r4.Encounter:
    """Write a visit that begins now."""
    who = access.who
    person = r4.Reference(reference=f"Practitioner/{who.practitioner_id}", display=who.display)
    return r4.Encounter(
        status="in-progress",
        class_=r4.Coding(system="http://terminology.hl7.org/CodeSystem/v3-ActCode", code="AMB", display="ambulatory"),
        subject=r4.Reference(reference=f"Patient/{patient_id}"),
        participant=[r4.EncounterParticipant(individual=person)] if who.practitioner_id else None,
        period=r4.Period(start=now.isoformat(timespec="seconds")),
        reasonCode=[r4.CodeableConcept(text=reason)] if reason else None,
        serviceProvider=r4.Reference(reference=f"Organization/{who.organization_id}", display=who.organization_name),
    )


def number_names() -> Mapping[str, str]:
    """Names of identifier systems, in English."""
    return systems.SHORT_NAMES
