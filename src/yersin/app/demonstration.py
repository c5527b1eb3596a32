"""`yersin demo`: loads the small invented country, makes its accounts and serves it. Running it again loads nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import click
import msgspec

from yersin.db import embedded
from yersin.fhir import parse, r4
from yersin.fhir.problem import Problem
from yersin.guard import accounts, origins
from yersin.guard.access import Access, Ground
from yersin.guard.who import system
from yersin.guard.writing import Update, Writing
from yersin.settings import Settings
from yersin.terminology import icd10

from .demo.cast import CastMember, demo_people
from .demo.codes import ICD10
from .demo.country import generate
from .ground import opened, prepared
from .serving import refuse_taken_port, run_web

SIZE, SEED = "small", 1
#: the app of the examples for developers
APP = "https://app.example.org"
#: known to everybody: a demonstration listens on this machine only and holds nobody's data
PASSWORD = "yersin-demo-2026"  # noqa: S105 - see above
_BATCH = 1000


async def demonstrate(settings: Settings) -> None:
    """Load what is missing and serve until a signal comes."""
    refuse_taken_port(settings)
    async with embedded.run(settings) as url:
        await prepared(url)
        async with opened(settings, url) as ground:
            await load(ground, SIZE)
            await make_accounts(ground)
            await origins.register(ground.access(system("HSYSADMIN")), APP, "Ví dụ cho nhà phát triển")
        _greet(settings)
        await run_web(settings, url)


async def load(ground: Ground, size: str) -> int:
    """Load the invented country; what an earlier run has loaded is passed over. Returns the number of resources written."""
    access = ground.access(system("HSYSADMIN"))
    async with access.own_tables() as connection:
        made = await connection.fetchrow("SELECT units, at FROM import_progress WHERE file = $1", _name(size))
    done, today = (made["units"], made["at"].date()) if made else (0, datetime.now(UTC).date())
    written = 0
    titles: dict[str, str] = {}
    with click.progressbar(length=_expected(size), label="Invented country", show_pos=True) as bar:
        for number, batch in enumerate(_batches(size, today)):
            if number >= done:
                written += await _write(access, size, number, batch)
            titles |= _diagnoses(batch)
            bar.update(len(batch))
    async with access.own_tables() as connection:
        await icd10.load_package(connection, titles)
    return written


class _Coded(msgspec.Struct):
    code: str = ""
    system: str = ""


class _Concept(msgspec.Struct):
    coding: list[_Coded] = []
    text: str = ""


class _Condition(msgspec.Struct):
    code: _Concept = msgspec.field(default_factory=_Concept)


def _diagnoses(batch: list[bytes]) -> dict[str, str]:
    """Vietnamese titles of the ICD-10 codes that the invented country uses."""
    conditions = [
        msgspec.json.decode(raw, type=_Condition) for raw in batch if raw.startswith(b'{"resourceType":"Condition"')
    ]
    return {c.code: condition.code.text for condition in conditions for c in condition.code.coding if c.system == ICD10}


def _name(size: str) -> str:
    return f"demo:{size}:{SEED}"


def _expected(size: str) -> int:
    return {"small": 60_000, "commune": 320_000}.get(size, 40_000_000)


def _batches(size: str, today: date) -> Iterator[list[bytes]]:
    """Resources in the order they refer to each other, a thousand at a time."""
    batch: list[bytes] = []
    for some in generate(size, SEED, today):
        batch += [msgspec.json.encode(resource) for resource in some]
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _write(access: Access, size: str, number: int, batch: list[bytes]) -> int:
    resources: list[r4.Resource] = [parse(raw) for raw in batch]

    async def work(writing: Writing) -> int:
        written = await writing.write([Update(resource=r) for r in resources])
        await writing.connection.execute(
            "INSERT INTO import_progress (file, size, modified, units, resources) VALUES ($1, 0, 0, $2, $3) "
            "ON CONFLICT (file) DO UPDATE SET units = $2, resources = import_progress.resources + $3",
            _name(size),
            number + 1,
            len(written),
        )
        return len(written)

    return await access.atomically(work)


async def make_accounts(ground: Ground) -> None:
    """Make the accounts of the cast, unless they are there."""
    async with ground.access(system("HSYSADMIN")).own_tables() as connection:
        for member in demo_people():
            try:
                await accounts.create(connection, member.login, PASSWORD, member.name.text, _links(member))
            except Problem as refusal:
                if refusal.issues[0].code != "duplicate":
                    raise


def _links(member: CastMember) -> dict[str, str | None]:
    citizen = member.patient_id is not None
    return {
        "role": "citizen" if citizen else None,
        "practitioner_id": member.practitioner_id,
        "patient_id": member.patient_id,
    }


def _greet(settings: Settings) -> None:
    click.echo(f"\nYersin is at {settings.base_url}\n\nEverybody's password is: {PASSWORD}\n")
    for member in demo_people():
        click.echo(f"  {member.login:<12} {member.name.text:<20} {member.title_vi} / {member.title_en}")
    click.echo("\nCtrl-C stops it; the data stay in the data folder.")
