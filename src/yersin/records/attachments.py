"""Attachments of a chart: what keeps them, what is written for one, and that the same file in a chart is there once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

from yersin import settings
from yersin.api import binary
from yersin.blobs import Uploads
from yersin.blobs import uploads as blob_uploads
from yersin.blobs.sweeping import sweep
from yersin.db.migrate import Step
from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.guard.access import Access, Ground
from yersin.guard.who import Who
from yersin.guard.writing import Create, Update, Writing
from yersin.imaging.kinds import Kind
from yersin.imaging.resources import Circumstances, joined, resources
from yersin.imaging.taking_in import Intake, Taken
from yersin.imaging.workshop import Workshop
from yersin.jobs.periodic import Task
from yersin.search.page import Query
from yersin.store.identity import new_id, row_id
from yersin.store.versions import Version

from . import reading
from .chart import Chart

TABLES = (Step(number=22, name="attachments", sql=blob_uploads.DDL + binary.DDL),)
_NAMED = """
SELECT address FROM blob_use WHERE address = ANY($1) UNION SELECT address FROM upload WHERE address = ANY($1)
"""
_DAY, _HOUR = 86400.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """What a process keeps open to take files in and to show them."""

    uploads: Uploads
    intake: Intake


@asynccontextmanager
async def living(kept: dict[str, Any], ground: Ground, folder: Path) -> AsyncIterator[None]:
    """Put files, uploads and the workshop into the application's state while it lives."""
    blobs, workshop = binary.blobs_in(folder, ground.keys), Workshop()
    uploads, intake = Uploads(ground.database, blobs), Intake(blobs, workshop, ground.zone)
    kept["attachments"] = Attachments(uploads=uploads, intake=intake)
    try:
        yield
    finally:
        await workshop.close()


def sweeping(ground: Ground) -> Task:
    """Remove, every day, files that nothing names."""

    async def named(addresses: list[str]) -> set[str]:
        return {row["address"] for row in await ground.database.fetch(_NAMED, addresses)}

    async def work() -> bool:
        await sweep(binary.blobs_in(settings.read().data_dir, ground.keys), named)
        return False

    return Task(name="attachments.sweep", every=_DAY, work=work)


def expiring(ground: Ground) -> Task:
    """Forget, every hour, uploads that were given up."""

    async def work() -> bool:
        await Uploads(ground.database, binary.blobs_in(settings.read().data_dir, ground.keys)).expire()
        return False

    return Task(name="attachments.expire", every=_HOUR, work=work)


TASKS = (sweeping, expiring)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A file that is in the chart: the Binary that shows it, and what was written to list it, empty if it was there."""

    binary: str
    resource: str = ""


async def keep(access: Access, chart: Chart, taken: Taken, now: str) -> Attached:
    """Write what lists a file in a chart, in one transaction; the same file in the same chart is kept once."""
    patient = row_id("Patient", chart.id).id
    lock = access.ground.indexer.hashes([f"attachment|{patient}|{taken.blob.address}"])[0]
    at = circumstances(access, chart, taken, now)

    async def work(writing: Writing) -> Attached:
        await writing.connection.execute("SELECT pg_advisory_xact_lock($1)", lock)
        known = await _known(writing, taken.blob.address, patient) or await _instance(writing, chart.id, taken)
        if known:
            return Attached(binary=known)
        made = resources(taken, at, lambda: str(new_id()))
        changes: list[Create | Update] = [Create(resource=one, id=UUID(one.id)) for one in made]
        if taken.dicom is not None:
            study = await _study(writing, chart.id, taken.dicom.study_uid)
            if study is not None:
                changes[-1:] = _joined(study, taken)
        await writing.write(changes)
        first = UUID(made[0].id)
        await binary.use(writing.connection, taken.blob.address, first, patient)
        last = changes[-1].resource
        return Attached(binary=str(first), resource=f"{type(last).__name__}/{last.id}")

    return await access.atomically(work)


async def _known(writing: Writing, address: str, patient: UUID) -> str:
    """Give the Binary that shows this file in this chart already and was not deleted since."""
    sql = "SELECT binary_id FROM blob_use WHERE address = $1 AND patient = $2 ORDER BY made LIMIT 10"
    for row in await writing.connection.fetch(sql, address, patient):
        if await writing.find(Query.of("Binary", [("_id", str(row["binary_id"]))])):
            return str(row["binary_id"])
    return ""


async def _instance(writing: Writing, patient_id: str, taken: Taken) -> str:
    """Give the Binary of a DICOM instance that this chart has, though its bytes were others."""
    if taken.dicom is None:
        return ""
    uid = f"urn:ietf:rfc:3986|urn:oid:{taken.dicom.instance_uid}"
    pairs = [("patient", f"Patient/{patient_id}"), ("identifier", uid)]
    for version in await writing.find(Query.of("DocumentReference", pairs)):
        listed = version.resource()
        if isinstance(listed, r4.DocumentReference) and listed.status == "current" and listed.content[0].attachment.url:
            return listed.content[0].attachment.url.rpartition("/")[2]
    return ""


async def _study(writing: Writing, patient_id: str, uid: str) -> Version | None:
    pairs = [("patient", f"Patient/{patient_id}"), ("identifier", f"urn:dicom:uid|urn:oid:{uid}")]
    found = await writing.find(Query.of("ImagingStudy", pairs))
    return found[0] if found else None


def _joined(version: Version, taken: Taken) -> list[Create | Update]:
    """Add the instance to the study that is there; an instance that it lists keeps the study as it is."""
    study = version.resource()
    assert isinstance(study, r4.ImagingStudy)  # noqa: S101 - a search for ImagingStudy finds nothing else
    if taken.dicom is None or not joined(study, taken.dicom):
        return []
    return [Update(resource=study, expected=version.ver)]


def circumstances(access: Access, chart: Chart, taken: Taken, now: str) -> Circumstances:
    """Tell who attaches, when, and in which visit at their own facility."""
    who = access.who
    own = (e for e in chart.all("Encounter") if reading.id_of(e.serviceProvider) == who.organization_id)
    visit = next((e for e in own if e.status == "in-progress"), None)
    author = f"Practitioner/{who.practitioner_id}" if who.practitioner_id else f"Organization/{who.organization_id}"
    if not (who.practitioner_id or who.organization_id):
        raise problem("forbidden", "Only staff of a facility attach files to a record.", status=403)
    return Circumstances(
        patient=f"Patient/{chart.id}",
        author=author,
        now=now,
        encounter=f"Encounter/{visit.id}" if visit else None,
        title=PurePath(taken.name).stem[:200],
        facility=_facility(who),
    )


def _facility(who: Who) -> r4.Reference | None:
    if who.organization_id is None:
        return None
    return r4.Reference(reference=f"Organization/{who.organization_id}", display=who.organization_name or None)


def page_of(chart_id: str, taken: Taken, shown: str) -> str:
    """Give the address where a file of a chart is looked at."""
    part = "files" if taken.kind is Kind.PDF else "images"
    return f"/records/{chart_id}/{part}/{shown}"
